"""Several targets are scored together, and each by itself."""

import numpy as np
import pytest
from torch import nn

from tpld.data.cache import write_cache
from tpld.data.sources import folders_of, list_items
from tpld.evaluation.confusions import read_confusions
from tpld.evaluation.protocols import name_of
from tpld.stages import evaluate as stage

NAMES = ["road", "car", "sky"]


@pytest.fixture()
def two(folders, monkeypatch):
    """Targets `a` of 2 images and `b` of one of another size; the network always says car."""
    b = {**folders.folder["target"], "name": "b", "train": str(folders.root / "b.txt")}
    folders.add("target", "wide", np.full((16, 64), 1, np.uint8))
    (folders.root / "b.txt").write_text("wide\n")
    (folders.root / "a.txt").write_text("t0\nt1\n")
    a = {**folders.folder["target"], "name": "a", "train": str(folders.root / "a.txt")}
    folders.folder["target"] = [a, b]
    monkeypatch.setattr(stage, "load_predictor", lambda *_: nn.Identity())
    monkeypatch.setattr(
        stage, "predict_image", lambda _, image, *__: np.full(image.shape[:2], 1, np.uint8)
    )
    return folders


def test_all_together_then_each_domain(two, tmp_path):
    config = two.config(evaluation={"protocols": [{"name": "single"}]})
    items, domains = list_items(config, "target_train"), folders_of(config, "target_train")
    write_cache(tmp_path / "cache", items, ("images", "labels"), domains, 1)
    stage.evaluate(config, tmp_path / "m", tmp_path / "cache", False, tmp_path / "c.csv")
    found = read_confusions(tmp_path / "c.csv", NAMES)
    assert [name_of(key) for key in found] == ["single", "single (a)", "single (b)"]
    every, first, second = found.values()
    assert (every == first + second).all()
    assert second.tolist() == [[0, 0, 0], [0, 16 * 64, 0], [0, 0, 0]]
    assert first.sum() == 2 * 32 * 48 and first[:, [0, 2]].sum() == 0
    titles = list(found)
    assert "2 sizes of labels" in titles[0] and "scored at 16x64" in titles[2]


def test_one_domain_is_scored_once(two, tmp_path):
    two.folder["target"] = two.folder["target"][0]
    config = two.config(evaluation={"protocols": [{"name": "single"}]})
    items, domains = list_items(config, "target_train"), folders_of(config, "target_train")
    write_cache(tmp_path / "cache", items, ("images", "labels"), domains, 1)
    stage.evaluate(config, tmp_path / "m", tmp_path / "cache", False, tmp_path / "c.csv")
    assert [name_of(key) for key in read_confusions(tmp_path / "c.csv", NAMES)] == ["single"]
