import errno
import logging
import shutil
from collections import namedtuple

import numpy as np
import pytest

from tpld.errors import StoreError
from tpld.stores.labels import measure_labels
from tpld.stores.predictions import measure_predictions
from tpld.stores.space import ensure_space, readable
from tpld.stores.zarr_store import new_store

Usage = namedtuple("Usage", "total used free")


def disk_of(monkeypatch, free: int) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**12, 0, free))


def test_the_expected_size_is_said(monkeypatch, caplog, tmp_path):
    disk_of(monkeypatch, 7 * 10**9)
    with caplog.at_level(logging.INFO, "tpld"):
        ensure_space(tmp_path / "new" / "p.zarr", 2_000_000, 500_000, [(1000, 1000)] * 200)
    assert caplog.messages == [
        f"{tmp_path}/new/p.zarr will take about 880 MB for 200 images (4.4 MB an image); "
        "7 GB are free"
    ]


def test_a_disk_too_small_stops_before_anything_is_written(monkeypatch, tmp_path):
    disk_of(monkeypatch, 700 * 10**6)
    with pytest.raises(StoreError) as caught:
        ensure_space(tmp_path / "new" / "p.zarr", 2_000_000, 500_000, [(1000, 1000)] * 200)
    assert str(caught.value) == (
        f"{tmp_path}/new/p.zarr will take about 880 MB for 200 images (4.4 MB an image), but "
        f"{tmp_path} has 700 MB free. Free 180 MB there, or set `results` to a folder on a larger "
        "disk"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_the_measure_of_predictions_is_that_of_the_store(stores, tmp_path, dtype):
    path = stores.predictions(tmp_path / "p.zarr", dtype)
    arrays = ("logits", "prediction", "neg_log_confidence")
    shards = [p for a in arrays for p in (path / a / "c").rglob("*") if p.is_file()]
    measured = sum(
        measure_predictions(stores.logits(i), size, dtype) for i, size in enumerate(stores.sizes)
    )
    written = sum(p.stat().st_size for p in shards)
    # Metadata is counted once an image; in the store, smaller images are padded to the largest.
    assert 0.7 * written < measured < written + 3 * 8000


def test_the_measure_of_labels_is_that_of_the_store(stores, tmp_path):
    path = stores.labels(tmp_path / "l.zarr")
    shards = [p for a in ("label", "origin", "score") for p in (path / a).rglob("c/*/*/*")]
    measured = sum(measure_labels(**stores.layers(i)) for i in range(3))
    written = sum(p.stat().st_size for p in shards)
    assert 0.7 * written < measured < written + 3 * 8000


def test_a_disk_that_runs_full_names_store_and_remedy(tmp_path):
    path = tmp_path / "p.zarr"
    with pytest.raises(StoreError) as caught, new_store(path, "predictions", {}):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert str(caught.value) == (
        f"the disk of {path} ran full while it was written. Nothing of it was kept: free some "
        "space there, or set `results` to a folder on a larger disk, and rerun"
    )
    assert list(tmp_path.iterdir()) == []


def test_other_errors_of_the_system_stay_as_they_are(tmp_path):
    with pytest.raises(OSError, match="Input/output"), new_store(tmp_path / "p", "labels", {}):
        raise OSError(errno.EIO, "Input/output error")


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (2_345_000, "2.35 MB"), (474e9, "474 GB"), (3.2e12, "3.2 TB")],
)
def test_readable_sizes(size, text):
    assert readable(size) == text


def test_the_layer_of_weights_is_measured_too():
    size = (8, 8)
    layers = {"label": np.zeros(size, np.uint8), "origin": np.zeros(size, np.uint8)}
    plain = measure_labels(**layers, score=np.ones(size, np.float32))
    weighted = measure_labels(
        **layers, score=np.ones(size, np.float32), weight=np.ones(size, np.float32)
    )
    assert weighted > plain
