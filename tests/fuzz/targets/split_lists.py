"""Lists of the images of a split."""

from __future__ import annotations

import os
import random
from pathlib import Path

from tests.fuzz.mutate import damage
from tests.fuzz.targets.common import CLASSES, Case
from tpld.config import load_config


def split_lists(folder: Path) -> Case:
    """Names that lead out of the folder, links, odd characters, damaged text."""
    from tpld.data.sources import list_files

    root = folder / "images"
    (root / "inner").mkdir(parents=True)
    names = ["a", "b", "inner/c", "é", "with space"]
    for name in names:
        (root / f"{name}.png").write_bytes(b"x")
    secret = folder / "secret.png"
    secret.write_bytes(b"s")
    (folder / "outside").mkdir()
    (folder / "outside" / "d.png").write_bytes(b"s")
    (root / "link.png").symlink_to(secret)
    (root / "up").symlink_to(folder)
    (root / "circle").symlink_to(root / "circle")
    (root / "loop.png").symlink_to(root / "loop.png")
    (root / "good.png").symlink_to(root / "a.png")
    odd = [
        "link", "up/secret", "../secret", "inner/../../secret", "./a", "inner//c", "a/", "", " ",
        "loop", "circle/a", str(secret.with_suffix("")), "good", "a\x00b", "x" * 5000, "..", ".",
        "/", "~", "*", "up/images/a", "inner/./c", "a\tb", "\ufeffa", "CON", "a;touch PWNED", "A",
        "$(touch PWNED)", "up/outside/d",
    ]  # fmt: skip
    tree = {
        "source_training": {"batch_norm": "train"},
        "data": {
            "kind": "folder",
            "folder": {
                "classes": CLASSES,
                "source": {"images": str(root), "train": str(folder / "list.txt")},
                "target": {"images": str(root)},
            },
        },
    }
    config = load_config(tree)
    inside = f"{os.path.realpath(root)}{os.sep}"

    def case(rng: random.Random) -> None:
        chosen = rng.sample(names, 2) + rng.choices(odd, k=rng.choice((0, 1, 1, 2)))
        rng.shuffle(chosen)
        text = rng.choice(("\n", "\r\n", "\r")).join(chosen).encode()
        (folder / "list.txt").write_bytes(damage(text, rng) if rng.random() < 0.4 else text)
        found = list_files(config, "source_train")
        for path in found.images:
            assert os.path.realpath(path).startswith(inside), f"{path} leads out of {root}"

    return case
