"""What `tpld predict` reads, and where it may write: found out before anything is computed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from tpld.data.listing import image_files, is_hidden, is_utf8, nothing_there, shown, twins
from tpld.errors import ConfigError, DataError
from tpld.stores.atomic import replacing

KINDS = {"masks": ".png", "overlays": ".jpg", "confidence": ".png"}
LEGEND = "classes.csv"
# Says that a folder is one of results, and of which network.
RECORD = "predict.json"


class Inputs(NamedTuple):
    """Images to predict.

    Attributes:
        files: by the name that their results get: relative to the folder, without suffix.
        problems: what is wrong with images that cannot be predicted.
        notes: what else is to say about the folders.
    """

    files: dict[str, Path]
    problems: list[str]
    notes: list[str]


def find_images(paths: Sequence[Path], follow_links: bool = False) -> Inputs:
    """Image files in natural order.

    Args:
        paths: files, or folders whose images are taken with those of their sub-folders.
        follow_links: also of sub-folders that are links.

    Raises:
        DataError: a path does not exist, or no image is found.
        ConfigError: two images would get the same name.
    """
    found = Inputs({}, [], [])
    empty = []
    for path in paths:
        if path.is_dir():
            listing = image_files(path, follow_links)
            for name in listing.names:
                _add(found, PurePosixPath(name).with_suffix("").as_posix(), path / name)
            found.problems.extend(map(_rename, listing.not_utf8))
            if listing.links:
                found.notes.append(
                    f"{len(listing.links)} linked sub-folders of {shown(str(path))} were not "
                    f"looked into, first '{shown(listing.links[0])}'; --follow-links does"
                )
            empty += [] if listing.names else [nothing_there(listing)]
        elif not path.is_file():
            raise DataError(
                f"{shown(str(path))} does not exist. Give image files, or a folder of images"
            )
        elif is_utf8(path.name):
            _add(found, path.stem, path)
        else:
            found.problems.append(_rename(shown(path.name)))
    if not found.files:
        raise DataError("; ".join(empty or found.problems))
    for first, second in twins(found.files):
        raise ConfigError(
            f"{found.files[first]} and {found.files[second]} have names that look the same and "
            "differ in how accents are encoded (NFC and NFD). Rename one, or predict them in two "
            "calls with different --out"
        )
    return found


def _rename(name: str) -> str:
    return f"{name}: its name is not UTF-8. Rename it"


def _add(found: Inputs, name: str, file: Path) -> None:
    if found.files.setdefault(name, file) != file:
        raise ConfigError(
            f"{shown(str(found.files[name]))} and {shown(str(file))} would both be written as "
            f"{shown(name)}.png. Predict them in two calls with different --out"
        )


def check_out(
    out: Path, paths: Iterable[Path], found: Inputs, kinds: Sequence[str], overwrite: bool
) -> None:
    """Whether results can go to `out` without harm: not among the images, not among older ones.

    What this very call writes is replaced, so that it can be repeated.

    Raises:
        ConfigError: `out` lies in a folder of images, or holds files that are not of this call.
    """
    where = out.resolve()
    if where.exists() and not where.is_dir():
        raise ConfigError(f"--out {out} is a file. Give a folder to write into")
    for folder in filter(Path.is_dir, paths):
        if folder.resolve() in (where, *where.parents):
            beside = folder.resolve().with_name(f"{folder.resolve().name}_predicted")
            raise ConfigError(
                f"--out {out} is{'' if where == folder.resolve() else ' inside'} the folder whose "
                "images are to be predicted: whoever reads that next would take masks for images. "
                f"Give one beside it, such as {beside}"
            )
        if folder.resolve().parent == where:
            raise ConfigError(
                f"--out {out} holds {folder}: masks/ would lie beside the images, and whoever "
                "reads that next, as `tpld init` does, would take predictions for labels. Give a "
                f"folder of its own, such as {out / 'predicted'}"
            )
    results = {where / kind for kind in KINDS}
    for file in found.files.values():
        if not results.isdisjoint(file.resolve().parents):
            raise ConfigError(
                f"{file} lies where --out {out} is to get its results, and would be replaced. Give "
                "another folder"
            )
    if not overwrite:
        _check_older(out, {f"{k}/{name}{KINDS[k]}" for k in kinds for name in found.files})


def _check_older(out: Path, planned: set[str]) -> None:
    """No file in `out` is another call's, or somebody else's."""
    there = {
        Path(where, name).relative_to(out).as_posix()
        for kind in KINDS
        for where, _, names in os.walk(out / kind)
        for name in names
        if not is_hidden(name)
    }
    there |= {LEGEND} if (out / LEGEND).exists() else set()
    ours = (out / RECORD).is_file()
    strange = sorted(there - planned - {LEGEND} if ours else there)
    if strange:
        whose = "of another call" if ours else "that no call of `tpld predict` has noted as its own"
        raise ConfigError(
            f"--out {out} holds {len(strange)} files {whose}, first {shown(strange[0])}: they "
            "would be mixed with the new ones, or replaced. Give another folder, or --overwrite, "
            "which replaces files of the same name and leaves the others"
        )


def write_record(out: Path, facts: dict[str, Any]) -> None:
    """Note in `out` that its files are results, and of what."""
    out.mkdir(parents=True, exist_ok=True)
    with replacing(out / RECORD) as partial:
        text = json.dumps({"made by": "tpld predict", **facts}, indent=2, ensure_ascii=False)
        partial.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")
