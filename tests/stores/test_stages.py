"""The stages between the prediction store and the label store, against their plain definitions."""

import shutil
from collections import namedtuple

import numpy as np
import pandas as pd
import pytest
import torch

from tpld.config import Config
from tpld.core.full_labels import full_label
from tpld.core.selection import normalised_excess, select_from_logs, top_two_from_logs
from tpld.core.thresholds import ConfidenceRanks, log_thresholds
from tpld.core.voting import vote
from tpld.errors import StoreError
from tpld.stages import dump as dump_stage
from tpld.stages.confidence import score_images
from tpld.stages.full_labels import label_easy
from tpld.stages.label import label
from tpld.stages.thresholds import estimate_thresholds, read_thresholds
from tpld.stores.labels import Labels
from tpld.stores.predictions import Predictions
from tpld.stores.provenance import fingerprint

Usage = namedtuple("Usage", "total used free")


@pytest.fixture()
def dumped(stores, tmp_path):
    """A store, its table of thresholds, and log λ."""
    path, table = stores.predictions(tmp_path / "p.zarr", "uint16"), tmp_path / "t.csv"
    estimate_thresholds(Config(), path, 0.4, table)
    bars = read_thresholds(table, stores.classes)["log_threshold"].to_numpy(np.float32)
    return Predictions(path), table, bars


def test_thresholds_are_the_ranks_of_all_images(dumped):
    store, _, bars = dumped
    ranks = ConfidenceRanks(4, 0.4, Config().thresholds.every)
    for step in (ranks.count, ranks.refine):
        for i in range(len(store)):
            step(*store.predict(i))
    assert np.allclose(bars, log_thresholds(ranks.result().value), rtol=1e-7)


@pytest.mark.parametrize("rank_by", ["normalised", "probability"])
@pytest.mark.parametrize("method", ["cbst+tpld", "cbst"])
def test_labels_are_selection_then_voting(dumped, tmp_path, rank_by, method):
    store, table, bars = dumped
    config = Config(voting={"window": 5, "iterations": 2, "rank_by": rank_by, "pool": "sum"})
    voting = method == "cbst+tpld"
    label(config, method, store.path, table, tmp_path / "l.zarr")
    made = Labels(tmp_path / "l.zarr")
    assert made.names == store.names
    for i in range(len(store)):
        log_p = store.log_probabilities(i)
        confident, best = select_from_logs(log_p, bars)
        expected = vote(
            confident, top_two_from_logs(log_p, bars, rank_by), best,
            num_classes=4, window=5, iterations=2 if voting else 0, alpha=0.7, pool="sum",
        )  # fmt: skip
        assert np.array_equal(made.layer("label", i), expected.label)
        assert np.array_equal(made.layer("origin", i), expected.origin)
        score = np.where(expected.label == 255, best, expected.excess) + 1
        assert np.allclose(made.layer("score", i), score, rtol=1e-3, atol=1e-3)
    assert (made.layer("origin", 0) > 1).any() == voting


def test_full_labels_of_the_easy_images(dumped, tmp_path):
    store, table, bars = dumped
    split = tmp_path / "split.csv"
    easy = pd.DataFrame({"image": store.names, "easy": [False, True, True]})
    easy.assign(dump=fingerprint(store.path)).to_csv(split, index=False)
    label_easy(Config(), store.path, table, split, tmp_path / "l.zarr")
    made = Labels(tmp_path / "l.zarr")
    assert made.names == store.names[1:]
    for place, i in enumerate((1, 2)):
        excess = normalised_excess(store.log_probabilities(i), bars)
        _, weight = full_label(excess, 2.0, "soft")
        assert np.array_equal(made.layer("label", place), excess.argmax(0))
        assert np.array_equal(made.layer("origin", place) == 1, excess.max(0) >= 0)
        assert np.allclose(made.layer("weight", place), weight, atol=1e-3)


def test_scores_keep_the_order_of_the_images(dumped, tmp_path):
    store, table, bars = dumped
    score_images(Config(), store.path, table, tmp_path / "c.csv")
    scores = pd.read_csv(tmp_path / "c.csv")
    assert scores["image"].tolist() == store.names
    for i, share in enumerate(scores["confident_share"]):
        prediction, log_p = store.predict(i)
        assert share == pytest.approx(np.mean(log_p >= bars[prediction]))


@pytest.mark.parametrize("stage", ["dump", "label"])
def test_a_disk_too_small_stops_a_stage_before_it_writes(
    stores, folders, dumped, tmp_path, monkeypatch, stage
):
    store, table, _ = dumped
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**6, 10**6, 100))
    out = tmp_path / "out" / "s.zarr"
    with pytest.raises(StoreError, match=r"but .* has 100 B free\. Free .* larger disk"):
        if stage == "label":
            label(Config(), "cbst+tpld", store.path, table, out)
        else:
            run_dump(folders, monkeypatch, out)
    assert not out.parent.exists()


def test_the_dump_holds_the_logits_of_both_views(folders, tmp_path, monkeypatch):
    run_dump(folders, monkeypatch, tmp_path / "p.zarr")
    store, cache = Predictions(tmp_path / "p.zarr"), folders.cache("target_train")
    assert store.names == cache.names
    for i in range(len(cache)):
        grey = torch.from_numpy(cache.image(i).copy()).float().mean(2)[None, None]
        low = torch.nn.functional.interpolate(grey, size=(4, 6), mode="area")[0, 0].numpy()
        image, mirror = store.logits(i)
        # The fake network's class 1 follows brightness, and class 0 stays.
        assert np.corrcoef(low.ravel(), (image[1] - image[0]).ravel())[0, 1] > 0.9
        assert np.array_equal(mirror, image[:, :, ::-1])


def run_dump(folders, monkeypatch, out):
    """Dump with a network that is brightness times a class number, at stride 8."""

    class Brightness(torch.nn.Module):
        def forward(self, images):
            low = torch.nn.functional.avg_pool2d(images.mean(1, keepdim=True), 8)
            return torch.cat([k * low for k in range(3)], 1)

    monkeypatch.setattr(dump_stage, "load_predictor", lambda *_: Brightness())
    cache = folders.cache("target_train", ("images",))
    checkpoint = out.parent.parent / "model.safetensors"
    checkpoint.write_bytes(b"weights")
    dump_stage.dump(folders.config(dump={"scale": 1.0}), checkpoint, cache.folder, out)
