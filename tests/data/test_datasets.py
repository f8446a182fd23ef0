"""Public data sets: parts and lists, 16-bit labels, and what goes wrong with them.

Label tables and layouts of every kind are in `test_layouts`.
"""

import struct
import zlib
from itertools import count
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.conftest import save_png
from tpld.config import load_config
from tpld.data.cache import Cache, write_cache
from tpld.data.datasets import CLASSES
from tpld.data.decode import decode_label
from tpld.data.sources import (
    benchmark_of,
    class_table,
    folders_of,
    has_split,
    has_truth,
    list_files,
    list_items,
)
from tpld.errors import DataError
from tpld.stages.check import check_data

REAL = Path(__file__).parents[2].parent / "shared" / "formats"
SIZE = (6, 8)


def save_16_bit(path: Path, array: np.ndarray) -> Path:
    """Write uint16 (H, W, 3) as an RGB PNG of 16 bits a channel, which PIL cannot."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    height, width = array.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in array)
    head = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    return path


def configuration(root, source="gta5", target="cityscapes", **domain):
    domains = {
        side: {"kind": kind, "root": str(root / kind.removesuffix("_train_ids"))}
        for side, kind in (("source", source), ("target", target))
    }
    domains["source"] |= domain
    return load_config(
        {
            "source_training": {"batch_norm": "train"},
            "data": domains,
        }
    )


@pytest.fixture()
def root(tmp_path):
    """Two files a folder of all three data sets, at a few pixels."""
    greys = (np.full((*SIZE, 3), value, np.uint8) for value in count(90))  # no image twice
    for place, name in enumerate(("00001", "00002")):
        save_png(tmp_path / "gta5/images" / f"{name}.png", next(greys))
        label = Image.fromarray(np.full(SIZE, (26, 34)[place], np.uint8), mode="P")
        colours = np.zeros((256, 3), np.uint8)
        colours[26] = colours[34] = CLASSES["car"]  # as in GTA5: one colour, two ids
        label.putpalette(colours.tobytes())
        (tmp_path / "gta5/labels").mkdir(exist_ok=True)
        label.save(tmp_path / "gta5/labels" / f"{name}.png")
        save_png(tmp_path / "synthia/RGB" / f"{name}.png", next(greys))
        pixels = np.zeros((*SIZE, 3), np.uint16)
        pixels[..., 0], pixels[..., 1] = 10, 700 + place  # a pedestrian, and an instance number
        save_16_bit(tmp_path / "synthia/GT/LABELS" / f"{name}.png", pixels)
    for split, city, number in (("train", "aachen", 0), ("train", "bochum", 1), ("val", "ulm", 2)):
        name = f"{split}/{city}/{city}_{number:06d}_000019"
        folder = tmp_path / "cityscapes"
        save_png(folder / "leftImg8bit" / f"{name}_leftImg8bit.png", next(greys))
        ids = np.full(SIZE, 22, np.uint8)  # terrain
        save_png(folder / "gtFine" / f"{name}_gtFine_labelIds.png", ids)
        save_png(folder / "gtFine" / f"{name}_gtFine_labelTrainIds.png", np.full(SIZE, 9, np.uint8))
    return tmp_path


def test_the_classes_are_those_that_both_data_sets_know(tmp_path):
    config = configuration(tmp_path, "synthia")
    for split in ("source_train", "target_train"):
        names = class_table(config, split).names
        assert len(names) == 16
        assert not {"terrain", "truck", "train"} & set(names)
    assert class_table(config, "target_val").lookup[[22, 27, 31]].tolist() == [255] * 3
    assert benchmark_of(config) == "synthia_cityscapes"
    assert benchmark_of(configuration(tmp_path, "gta5", "cityscapes_train_ids")) == (
        "gta5_cityscapes"
    )


def test_layouts_and_splits(root):
    config = configuration(root)
    assert [item.name for item in list_items(config, "source_train")] == ["00001", "00002"]
    train = list_items(config, "target_train")
    assert [item.name for item in train] == [
        "aachen/aachen_000000_000019",
        "bochum/bochum_000001_000019",
    ]
    assert train[0].label and train[0].label.name.endswith("_gtFine_labelIds.png")
    assert len(list_items(config, "target_val")) == 1
    assert not has_split(config, "source_val")
    assert has_truth(config, "target_val")
    (folders,) = folders_of(config, "source_train")
    assert folders.resize == (1052, 1914)
    # Any pair, any direction: Cityscapes as the source brings its own validation part.
    assert has_split(configuration(root, "cityscapes", "gta5"), "source_val")


def test_lists_choose_and_give_a_validation_part(root):
    (root / "val.txt").write_text("00002\n")
    (root / "train.txt").write_text("00001\n")
    config = configuration(root, train=str(root / "train.txt"), val=str(root / "val.txt"))
    assert [item.name for item in list_items(config, "source_train")] == ["00001"]
    assert [item.name for item in list_items(config, "source_val")] == ["00002"]


def test_pairs_that_are_known_not_to_fit_are_left_out_unless_listed(root):
    for kind in ("images", "labels"):
        (root / "gta5" / kind / "00001.png").rename(root / "gta5" / kind / "15188.png")
    assert [x.name for x in list_items(configuration(root), "source_train")] == ["00002"]
    (root / "train.txt").write_text("15188\n")
    config = configuration(root, train=str(root / "train.txt"))
    assert [x.name for x in list_items(config, "source_train")] == ["15188"]


def test_every_data_set_is_decoded_by_its_own_ids(root):
    config = configuration(root)
    tables = {s: class_table(config, s) for s in ("source_train", "target_train")}
    seen = [
        decode_label(x.label, tables["source_train"]) for x in list_items(config, "source_train")
    ]
    assert [np.unique(label).tolist() for label in seen] == [[13], [255]]  # index, not colour
    for target in ("cityscapes", "cityscapes_train_ids"):
        config = configuration(root, target=target)
        table = class_table(config, "target_train")
        label = decode_label(list_items(config, "target_train")[0].label, table)
        assert table.names[label[0, 0]] == "terrain"
    config = configuration(root, "synthia")
    table = class_table(config)
    label = decode_label(list_items(config, "source_train")[1].label, table)
    assert {table.names[i] for i in np.unique(label)} == {"person"}


def test_sixteen_bit_labels_are_resized_by_the_nearest(tmp_path):
    pixels = np.zeros((4, 6, 3), np.uint16)
    pixels[:, 3:, 0] = 8
    pixels[:, :3, 0] = 3
    path = save_16_bit(tmp_path / "l.png", pixels)
    table = class_table(configuration(tmp_path, "synthia"))
    label = decode_label(path, table, (2, 4))
    car = table.names.index("car")
    assert label.tolist() == [[0, 0, car, car]] * 2


@pytest.mark.parametrize(
    ("mode", "seen"), [("RGB", "8 bits and colour type 2"), ("L", "8 bits and colour type 0")]
)
def test_synthia_labels_that_became_8_bit(tmp_path, mode, seen):
    Image.new(mode, (4, 4)).save(tmp_path / "l.png")
    with pytest.raises(DataError) as caught:
        decode_label(tmp_path / "l.png", class_table(configuration(tmp_path, "synthia")))
    assert f"l.png: a PNG of {seen}; SYNTHIA's label files are 16-bit RGB PNGs" in str(caught.value)
    assert "unpack the original file again" in str(caught.value)


@pytest.mark.parametrize("keep", [0, 20, 30, 300])
def test_synthia_labels_that_are_cut_off(tmp_path, keep):
    noise = np.random.default_rng(0).integers(0, 2**16, (9, 9, 3), np.uint16)
    path = save_16_bit(tmp_path / "l.png", noise)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"l\.png"):
        decode_label(path, class_table(configuration(tmp_path, "synthia")))


def test_all_problems_are_found_before_training(root, tmp_path):
    config = configuration(root, "synthia")
    labels = root / "synthia/GT/LABELS"
    pixels = np.zeros((*SIZE, 3), np.uint16)
    pixels[..., 0] = 23
    save_16_bit(labels / "00001.png", pixels)
    save_png(labels / "00002.png", np.zeros((*SIZE, 3), np.uint8))
    truth = next((root / "cityscapes/gtFine/val").rglob("*_labelIds.png"))
    save_png(truth, np.zeros((6, 9), np.uint8))
    with pytest.raises(DataError) as caught:
        check_data(config, tmp_path / "check.csv")
    text = str(caught.value)
    assert "3 files cannot be used" in text
    assert "label value 23 (48 pixels)" in text and "the ids of SYNTHIA-RAND-CITYSCAPES" in text
    assert "16-bit RGB PNGs" in text
    assert "is 9x6 pixels. Give a label of the image's size" in text


def test_missing_folders_say_what_is_expected_and_where_it_comes_from(tmp_path, root):
    with pytest.raises(DataError) as caught:
        check_data(configuration(tmp_path / "nowhere"), tmp_path / "check.csv")
    text = str(caught.value)
    assert "source_train: image folder" in text and "target_val: image folder" in text
    assert "data.source.root" in text and "images/00001.png" in text
    assert "Playing for Data" in text and "Cityscapes site, after registration" in text
    (root / "gta5/labels/00002.png").unlink()
    with pytest.raises(DataError, match=r"1 of 2 label files are missing, first .*00002\.png"):
        list_files(configuration(root), "source_train")
    for path in list((root / "cityscapes/gtFine").rglob("*_labelIds.png")):
        path.unlink()
    with pytest.raises(DataError, match="use kind cityscapes_train_ids"):
        list_files(configuration(root), "target_train")


def test_shrunk_copies_are_used_with_a_warning(root, tmp_path, caplog):
    check_data(configuration(root), tmp_path / "check.csv")
    warned = [
        record.getMessage() for record in caplog.records if "not compare" in record.getMessage()
    ]
    assert len(warned) == 2
    assert "target_val: 1 of 1 images of 'cityscapes' are not 2048x1024 pixels" in warned[1]
    table = pd.read_csv(tmp_path / "check.csv").set_index(["split", "class"])["pixels"]
    assert table["source_train", "car"] == 48 and table["target_train", "terrain"] == 96


def test_labels_beyond_the_disk_bound_are_decoded_with_the_ids_of_their_files(root, tmp_path):
    """Stages open caches with the table of the source; target and source have different ids."""
    config = configuration(root, "synthia")
    items, table = list_items(config, "source_train"), class_table(config, "source_train")
    folders = folders_of(config, "source_train")
    write_cache(tmp_path / "cache", items, ("images", "labels"), folders, 0)
    other = class_table(config, "target_train")
    assert Cache(tmp_path / "cache", other).label(0)[0, 0] == table.names.index("person")


def test_a_linked_city_is_followed_where_a_list_names_it(root, tmp_path):
    (root / "elsewhere").mkdir()
    for kind in ("leftImg8bit", "gtFine"):
        folder = root / "cityscapes" / kind / "train" / "aachen"
        folder.rename(root / "elsewhere" / kind)
        folder.symlink_to(root / "elsewhere" / kind)
    (root / "train.txt").write_text("aachen/aachen_000000_000019\n")
    config = configuration(root, "cityscapes", train=str(root / "train.txt"))
    with pytest.raises(DataError, match=r"1 of 1 image files are links that lead out of .* -> "):
        list_items(config, "source_train")
    data = config.data.model_copy(update={"follow_links": True})
    assert len(list_items(config.model_copy(update={"data": data}), "source_train")) == 1


if REAL.is_dir():  # not part of the project: other people's images

    @pytest.mark.parametrize(
        ("source", "split", "wanted"),
        [
            ("gta5", "source_train", {"road", "building", "sky", "person"}),
            ("synthia", "source_train", {"road", "building", "sky", "car", "vegetation"}),
            ("gta5", "target_val", {"road", "building", "car", "sidewalk"}),
        ],
    )
    def test_real_files(source, split, wanted):
        config = configuration(REAL, source)
        table = class_table(config, split)
        for item in list_items(config, split):
            label = decode_label(item.label, table)
            shares = np.bincount(label.ravel(), minlength=256) / label.size
            assert {table.names[i] for i in np.flatnonzero(shares[:255] > 0)} >= wanted
            assert shares[255] < 0.3
