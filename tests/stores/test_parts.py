"""A stage in several jobs gives the bytes of one job."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from tpld.config import Config
from tpld.errors import ConfigError, StoreError
from tpld.stages import dump as dump_stage
from tpld.stages.confidence import join_scores, score_images
from tpld.stages.full_labels import label_easy
from tpld.stages.label import label
from tpld.stages.thresholds import count_part, estimate_thresholds, join_thresholds
from tpld.stores import zarr_store
from tpld.stores.assemble import assemble
from tpld.stores.labels import Labels
from tpld.stores.lineage import DUMP
from tpld.stores.parts import Part, in_order, parse_part
from tpld.stores.predictions import Predictions
from tpld.stores.provenance import fingerprint

CONFIG = Config(voting={"window": 5, "iterations": 1}, thresholds={"every": 2})


def contents(store: Path) -> dict[str, bytes]:
    """Every file of a store but the record at its top, which names hour and host."""
    files = [path for path in store.rglob("*") if path.is_file() and path.parent != store]
    return {path.relative_to(store).as_posix(): path.read_bytes() for path in files}


def in_parts(folder: Path, count: int, make) -> list[Path]:
    """Run a stage once a part, the last one first."""
    folder.mkdir(parents=True)
    for index in reversed(range(count)):
        make(Part(index, count), folder / f"{index}of{count}")
    (folder / ".snakemake_timestamp").touch()
    return in_order(list(folder.glob("?of?")))


@pytest.fixture()
def made(stores, tmp_path):
    """Predictions, thresholds, and a split of three images."""
    path, table, split = (
        stores.predictions(tmp_path / "p.zarr", "uint16"),
        *(tmp_path / name for name in ("t.csv", "s.csv")),
    )
    estimate_thresholds(CONFIG, path, 0.4, table)
    easy = pd.DataFrame({"image": stores.names, "easy": [True, False, True]})
    easy.assign(**{DUMP: fingerprint(path)}).to_csv(split, index=False)
    return path, table, split


@pytest.mark.parametrize("count", [2, 3])
def test_thresholds(made, tmp_path, count):
    path, table, _ = made
    first = in_parts(
        tmp_path / "counts", count, lambda part, out: count_part(CONFIG, path, 0.4, part, [], out)
    )
    second = in_parts(
        tmp_path / "again", count, lambda part, out: count_part(CONFIG, path, 0.4, part, first, out)
    )
    join_thresholds(CONFIG, path, 0.4, second, tmp_path / "joined.csv")
    assert (tmp_path / "joined.csv").read_bytes() == table.read_bytes()


@pytest.mark.parametrize("count", [2, 3])
def test_labels(made, tmp_path, count):
    path, table, _ = made
    label(CONFIG, "cbst+tpld", path, table, tmp_path / "one.zarr")
    pieces = in_parts(
        tmp_path / "parts",
        count,
        lambda part, out: label(CONFIG, "cbst+tpld", path, table, out, part),
    )
    assemble(tmp_path / "all.zarr", "labels", pieces)
    assert contents(tmp_path / "all.zarr") == contents(tmp_path / "one.zarr")
    joined, alone = Labels(tmp_path / "all.zarr"), Labels(tmp_path / "one.zarr")
    assert joined.run.pop("parts") == count
    for what in ("settings", "inputs"):
        assert joined.run[what] == alone.run[what]


def test_full_labels_of_fewer_images_than_parts(made, tmp_path):
    path, table, split = made
    label_easy(CONFIG, path, table, split, tmp_path / "one.zarr")
    pieces = in_parts(
        tmp_path / "parts", 3, lambda part, out: label_easy(CONFIG, path, table, split, out, part)
    )
    assemble(tmp_path / "all.zarr", "labels", pieces)
    assert contents(tmp_path / "all.zarr") == contents(tmp_path / "one.zarr")
    assert len(Labels(tmp_path / "all.zarr")) == 2


def test_scores(made, tmp_path):
    path, table, _ = made
    score_images(CONFIG, path, table, tmp_path / "one.csv")
    pieces = in_parts(
        tmp_path / "parts", 2, lambda part, out: score_images(CONFIG, path, table, out, part)
    )
    join_scores(pieces, tmp_path / "all.csv")
    assert (tmp_path / "all.csv").read_bytes() == (tmp_path / "one.csv").read_bytes()


class Steep(torch.nn.Module):
    """Logits that grow with brightness, beyond 128, and by a factor that each image has its own."""

    def forward(self, images):
        low = torch.nn.functional.avg_pool2d(images.mean(1, keepdim=True), 8)
        factor = 300 * 4 ** (int(1e4 * images.mean().abs()) % 5)
        return torch.cat([factor * k * low for k in range(3)], 1)


def test_predictions(folders, tmp_path, monkeypatch):
    monkeypatch.setattr(dump_stage, "load_predictor", lambda *_: Steep())
    cache = folders.cache("target_train", ("images",))
    checkpoint = tmp_path / "model.safetensors"
    checkpoint.write_bytes(b"weights")
    config = folders.config(dump={"scale": 1.0})
    dump_stage.dump(config, checkpoint, cache.folder, tmp_path / "one.zarr")
    pieces = in_parts(
        tmp_path / "parts",
        2,
        lambda part, out: dump_stage.dump(config, checkpoint, cache.folder, out, part),
    )
    assemble(tmp_path / "all.zarr", "predictions", pieces)
    one, joined = Predictions(tmp_path / "one.zarr"), Predictions(tmp_path / "all.zarr")
    assert np.unique(one._step).size > 1
    assert contents(joined.path) == contents(one.path)
    for i in range(len(cache)):
        assert np.array_equal(one.logits(i), joined.logits(i))


# --- what must not be put together ----------------------------------------------------------------


@pytest.fixture()
def pieces(made, tmp_path):
    """Two parts of the labels."""
    path, table, _ = made
    return in_parts(
        tmp_path / "parts", 2, lambda part, out: label(CONFIG, "cbst", path, table, out, part)
    )


def test_a_part_is_no_store(pieces):
    with pytest.raises(StoreError, match="is a store of 'labels, part', not of labels"):
        zarr_store.open_store(pieces[0], "labels", "label")


def test_parts_in_the_wrong_order(pieces, tmp_path):
    with pytest.raises(StoreError, match="is not part 0 of 2 of labels"):
        assemble(tmp_path / "all.zarr", "labels", pieces[::-1])
    with pytest.raises(StoreError, match="is not part 0 of 2 of predictions"):
        assemble(tmp_path / "all.zarr", "predictions", pieces)


def test_a_part_of_other_settings(made, pieces, tmp_path):
    path, table, _ = made
    shutil.rmtree(pieces[1])
    label(CONFIG, "cbst+tpld", path, table, pieces[1], Part(1, 2))
    with pytest.raises(StoreError, match="was made with other settings than"):
        assemble(tmp_path / "all.zarr", "labels", pieces)
    assert not (tmp_path / "all.zarr").exists()


def test_a_part_without_one_of_its_images(pieces, tmp_path):
    shutil.rmtree(pieces[1] / "label" / "c" / "2")
    with pytest.raises(StoreError, match=r"lacks image 2\. Delete its store and rerun Snakemake"):
        assemble(tmp_path / "all.zarr", "labels", pieces)


def test_a_missing_part(pieces):
    shutil.rmtree(pieces[0])
    with pytest.raises(ConfigError, match="1of2 are not all parts of one whole"):
        in_order(pieces[1:])


def test_damaged_counts(made, tmp_path):
    (tmp_path / "0of1").write_bytes(b"nothing")
    with pytest.raises(StoreError, match=r"holds no counts \(.*Delete it and rerun Snakemake"):
        join_thresholds(CONFIG, made[0], 0.4, [tmp_path / "0of1"], tmp_path / "t2.csv")


def test_a_copy_where_there_are_no_links(pieces, tmp_path, monkeypatch):
    assemble(tmp_path / "linked.zarr", "labels", pieces)

    def refuse(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("os.link", refuse)
    assemble(tmp_path / "copied.zarr", "labels", pieces)
    assert contents(tmp_path / "copied.zarr") == contents(tmp_path / "linked.zarr")


@pytest.mark.parametrize("text", ["2/2", "1", "-1/2", "a/b", "1/0", "0/2/3"])
def test_a_part_that_is_none(text):
    with pytest.raises(ConfigError, match=r"is no part\. Write I/N"):
        parse_part(text)


@pytest.mark.parametrize(("images", "count"), [(7, 3), (2, 5), (0, 2), (1000, 7)])
def test_every_image_has_one_part(images, count):
    shares = [Part(index, count).of(images) for index in range(count)]
    assert [i for share in shares for i in share] == list(range(images))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
