"""Full disks, flipped bits and second writers, on the artefacts that readers trust most."""

import errno
import multiprocessing
import os
import subprocess
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from tpld.data.cache import Cache, write_cache
from tpld.data.sources import class_table, folders_of, list_items
from tpld.errors import DataError, StoreError, TrainingError
from tpld.models.weights import load_model, save_model
from tpld.stages.common import write_csv
from tpld.stores.atomic import replacing


class Noise:
    """Artefacts of some 400 kB that do not compress."""

    def __init__(self, stores) -> None:
        self.stores, self.rng = stores, np.random.default_rng(0)

    def predictions(self, path: Path) -> None:
        from tpld.stores.predictions import new_predictions

        low = (100, 250)
        with new_predictions(path, ["a"], [(8, 8)], [low], list("abcd"), 1, "float32", {}) as out:
            out.write(0, self.rng.standard_normal((1, 4, *low)).astype(np.float32))

    def labels(self, path: Path) -> None:
        from tpld.stores.labels import new_labels

        size = (400, 500)
        with new_labels(path, ["a"], [size], ["x", "y"], np.zeros(2), {0: "none"}, {}) as out:
            values = self.rng.integers(0, 255, size, np.uint8)
            out.write(0, label=values, origin=values[::-1], score=values / 255)

    def checkpoint(self, path: Path) -> None:
        save_model(nn.Linear(400, 250), path, {})

    def table(self, path: Path) -> None:
        write_csv(pd.DataFrame(self.rng.random((10_000, 4))), path)


@pytest.fixture()
def small_disk(tmp_path):
    """A file system of 128 kB; without the right to mount one, a writer that fails."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no right to mount a small file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("kind", ["predictions", "labels", "checkpoint", "table"])
def test_a_disk_that_runs_full(stores, small_disk, kind):
    path = small_disk / "artefact"
    with pytest.raises(StoreError, match=r"the disk of .*artefact ran full while it was written"):
        getattr(Noise(stores), kind)(path)
    assert list(small_disk.iterdir()) == []


def test_a_disk_that_runs_full_keeps_the_old_table(small_disk):
    write_csv(pd.DataFrame({"a": [1]}), small_disk / "t.csv")
    with pytest.raises(StoreError, match="ran full"):
        write_csv(pd.DataFrame(np.random.default_rng(0).random((9_000, 4))), small_disk / "t.csv")
    assert (small_disk / "t.csv").read_text() == "a\n1\n"


def test_a_disk_that_runs_full_under_the_cache(small_disk, empty_folders):
    rng = np.random.default_rng(0)
    for name in "abcd":
        empty_folders.add("source", name, rng.integers(0, 3, (150, 150), np.uint8))
    config = empty_folders.config()
    items = list_items(config, "source_train")
    folders = folders_of(config, "source_train")
    with pytest.raises(StoreError, match="ran full"):
        write_cache(small_disk / "c", items, ("images", "labels"), folders, 1)
    assert list(small_disk.iterdir()) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_and_a_used_quota_say_the_same(tmp_path, number):
    with pytest.raises(StoreError, match="ran full"), replacing(tmp_path / "f") as partial:
        partial.write_text("half")
        raise OSError(number, os.strerror(number))
    assert list(tmp_path.iterdir()) == []


def test_every_flipped_bit_of_a_checkpoint_is_an_error(tmp_path):
    """safetensors has no checksum of its own."""
    torch.manual_seed(0)
    path = tmp_path / "m.safetensors"
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    save_model(network, path, {"stage": "test"})
    assert load_model(network, path) == {"stage": "test"}
    good = path.read_bytes()
    missed = []
    for bit in range(0, 8 * len(good), 3):
        bad = bytearray(good)
        bad[bit // 8] ^= 1 << bit % 8
        path.write_bytes(bytes(bad))
        try:
            load_model(network, path)
        except StoreError:
            continue
        missed.append(bit)
    assert not missed


def test_every_checkpoint_cut_short_is_an_error(tmp_path):
    path = tmp_path / "m.safetensors"
    network = nn.Linear(3, 4)
    save_model(network, path, {})
    good = path.read_bytes()
    for length in range(0, len(good), 7):
        path.write_bytes(good[:length])
        with pytest.raises(StoreError, match="is no whole checkpoint"):
            load_model(network, path)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_never_saved(tmp_path, value):
    network = nn.Linear(3, 4)
    with torch.no_grad():
        network.weight[1, 2] = value
    with pytest.raises(TrainingError, match=r"not finite \(1 tensors, first weight\)"):
        save_model(network, tmp_path / "m.safetensors", {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["images", "labels"])
def test_a_flipped_bit_of_the_cache_is_an_error(folders, kind):
    """uint8 pixels: without a checksum it would be another pixel, or another class."""
    whole = folders.cache("source_train")
    path = whole.folder / f"{kind}.bin"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4  # in image 2 of 4
    path.write_bytes(bytes(data))
    cache = Cache(whole.folder, whole.table)
    read = cache.image if kind == "images" else cache.label
    with pytest.raises(StoreError, match=rf"{kind}\.bin: the pixels of 's2' do not match"):
        read(2, np.s_[0:2, 0:2])
    read(1)


def test_an_image_that_changes_during_the_run(folders):
    """Beyond the disk bound, images are decoded at each use."""
    config = folders.config()
    items, table = list_items(config, "source_train"), class_table(config)
    domains = folders_of(config, "source_train")
    write_cache(folders.root / "c", items, ("images", "labels"), domains, 0)
    cache = Cache(folders.root / "c", table)
    before = cache.image(1)
    folders.add("source", "s1", np.zeros((32, 48), np.uint8))
    for read in (cache.image, cache.label):
        with pytest.raises(DataError, match=r"s1\.png has changed since it was checked"):
            read(1)
    folders.add("source", "s1", np.zeros((16, 48), np.uint8))
    with pytest.raises(DataError, match="has changed since"):
        cache.image(1)
    assert before.shape == cache.image(2).shape


def _hold(path: Path, holding, release) -> None:
    with replacing(path) as partial:
        partial.write_text("first")
        holding.set()
        release.wait(60)


def test_two_writers_of_one_artefact(tmp_path):
    context = multiprocessing.get_context("fork")
    holding, release = context.Event(), context.Event()
    first = context.Process(target=_hold, args=(tmp_path / "f", holding, release))
    first.start()
    assert holding.wait(60)
    with (
        pytest.raises(StoreError, match=rf"process {first.pid} on .* is writing .*f already"),
        replacing(tmp_path / "f"),
    ):
        pass
    release.set()
    first.join(60)
    assert (tmp_path / "f").read_text() == "first"
    with replacing(tmp_path / "f") as partial:
        partial.write_text("second")
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("f", "second")]


def test_the_lock_of_a_killed_writer_does_not_stay(tmp_path):
    context = multiprocessing.get_context("fork")
    holding, release = context.Event(), context.Event()
    first = context.Process(target=_hold, args=(tmp_path / "f", holding, release))
    first.start()
    assert holding.wait(60)
    first.kill()
    first.join(60)
    assert {p.name for p in tmp_path.iterdir()} == {".f.lock", ".f.partial"}
    with replacing(tmp_path / "f") as partial:
        partial.write_text("next")
    assert [p.name for p in tmp_path.iterdir()] == ["f"]


def test_a_loading_process_of_a_killed_writer_is_waited_for(tmp_path):
    """It was forked with the lock, and ends a little later."""
    context = multiprocessing.get_context("fork")
    holding, release = context.Event(), context.Event()

    def hold() -> None:
        with replacing(tmp_path / "f"):
            if not os.fork():
                release.wait(60)
                os._exit(0)
            holding.set()
            time.sleep(60)  # not a wait for `release`: killed in it, it would never be set again

    first = context.Process(target=hold)
    first.start()
    assert holding.wait(60)
    first.kill()
    os.waitpid(first.pid, 0)  # join would wait for the loading process, too
    threading.Timer(0.5, release.set).start()
    with replacing(tmp_path / "f") as partial:
        partial.write_text("next")
        assert release.is_set()


def test_a_file_system_without_locks(tmp_path, monkeypatch):
    import fcntl

    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with replacing(tmp_path / "f") as partial:
        partial.write_text("x")
    assert [p.name for p in tmp_path.iterdir()] == ["f"]


def test_read_only_data_is_enough(folders):
    """Nothing is written beside the images, not even for a moment."""
    before = {p: p.stat().st_mtime_ns for p in folders.root.rglob("*")}
    cache = folders.cache("source_train")
    changed = {p for p in before if p.stat().st_mtime_ns != before[p]} - {folders.root}
    assert not changed
    assert cache.image(0).shape == (32, 48, 3)
