"""Public data sets as their authors arrange them, written and read back, one line a kind.

The paths and values here are by hand from the published descriptions, and not taken from the
`Dataset`s, so that both can be compared.
"""

import re
from pathlib import Path
from typing import NamedTuple, get_args

import numpy as np
import pytest
from PIL import Image

from tests.conftest import save_png
from tests.data.test_datasets import save_16_bit
from tpld.config import Config, load_config
from tpld.config.data import Kind
from tpld.data.datasets import CLASSES, DATASETS
from tpld.data.decode import decode_image, decode_label
from tpld.data.sources import class_table, folders_of, has_split, list_items
from tpld.errors import DataError

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared"


class Pair(NamedTuple):
    name: str
    image: str
    label: str | None


class Layout(NamedTuple):
    """A training and a validation file, and files beside them that must not be read."""

    train: Pair
    val: Pair | None
    beside: tuple[str, ...] = ()


def pair(name: str, image: str, label: str | None) -> Pair:
    return Pair(name, image.format(name), label.format(name) if label else None)


def _city(image: str, label: str, *beside: str) -> Layout:
    """The arrangement of Cityscapes, which IDD shares."""
    parts = [
        pair(
            name,
            f"leftImg8bit/{part}/{{}}_{image}",
            f"gtFine/{part}/{{}}_{label}",
        )
        for part, name in (("train", "aachen/a_0_19"), ("val", "ulm/u_0_19"))
    ]
    return Layout(parts[0], parts[1], (*beside, f"leftImg8bit/test/berlin/b_0_19_{image}"))


def _vistas(labels: str, *beside: str) -> Layout:
    parts = [
        pair("-0C1J9", f"{part}/images/{{}}.jpg", f"{part}/{labels}/{{}}.png")
        for part in ("training", "validation")
    ]
    return Layout(parts[0], parts[1], ("testing/images/x.jpg", *beside))


LAYOUTS = {
    "gta5": Layout(pair("00001", "images/{}.png", "labels/{}.png"), None),
    "synthia": Layout(
        pair("0000000", "RGB/{}.png", "GT/LABELS/{}.png"), None, ("GT/COLOR/0000000.png",)
    ),
    "synscapes": Layout(
        pair("1", "img/rgb/{}.png", "img/class/{}.png"),
        None,
        ("img/rgb-2k/1.png", "img/instance/1.png"),
    ),
    "cityscapes": _city(
        "leftImg8bit.png",
        "gtFine_labelIds.png",
        "gtFine/train/aachen/a_0_19_gtFine_labelTrainIds.png",
        "gtFine/train/aachen/a_0_19_gtFine_instanceIds.png",
    ),
    "cityscapes_train_ids": _city(
        "leftImg8bit.png",
        "gtFine_labelTrainIds.png",
        "gtFine/train/aachen/a_0_19_gtFine_labelIds.png",
    ),
    "acdc": Layout(
        pair(
            "fog/train/GOPR0475/GOPR0475_frame_000041",
            "rgb_anon/{}_rgb_anon.png",
            "gt/{}_gt_labelTrainIds.png",
        ),
        pair(
            "night/val/GP010376/GP010376_frame_000054",
            "rgb_anon/{}_rgb_anon.png",
            "gt/{}_gt_labelTrainIds.png",
        ),
        (
            "rgb_anon/fog/train_ref/GOPR0475/GOPR0475_frame_000041_rgb_ref_anon.png",
            "rgb_anon/fog/train_ref/GOPR0475/GOPR0475_frame_000042_rgb_anon.png",
            "rgb_anon/snow/test/GOPR0604/GOPR0604_frame_000001_rgb_anon.png",
            "gt/fog/train/GOPR0475/GOPR0475_frame_000041_gt_labelIds.png",
        ),
    ),
    "dark_zurich": Layout(
        pair("train/night/GOPR0351/GOPR0351_frame_000159", "rgb_anon/{}_rgb_anon.png", None),
        pair(
            "val/night/GOPR0356/GOPR0356_frame_000321",
            "rgb_anon/{}_rgb_anon.png",
            "gt/{}_gt_labelTrainIds.png",
        ),
        (
            "rgb_anon/train/day/GOPR0342/GOPR0342_frame_000001_rgb_anon.png",
            "rgb_anon/train/twilight/GOPR0344/GOPR0344_frame_000001_rgb_anon.png",
            "rgb_anon/val_ref/day/GOPR0356_ref/GOPR0356_frame_000321_rgb_anon.png",
        ),
    ),
    "bdd100k": Layout(
        pair(
            "0004a4c0-d4dff0ad",
            "images/10k/train/{}.jpg",
            "labels/sem_seg/masks/train/{}.png",
        ),
        pair(
            "7d06fefd-f7be05a6",
            "images/10k/val/{}.jpg",
            "labels/sem_seg/masks/val/{}.png",
        ),
        (
            "images/100k/train/0000f77c-6257be58.jpg",
            "labels/sem_seg/colormaps/train/0004a4c0-d4dff0ad.png",
        ),
    ),
    "idd": _city(
        "leftImg8bit.jpg",
        "gtFine_labellevel3Ids.png",
        "gtFine/train/aachen/a_0_19_gtFine_labelids.png",
        "gtFine/train/aachen/a_0_19_gtFine_labelcsTrainIds.png",
        "gtFine/train/aachen/a_0_19_gtFine_polygons.json",
    ),
    "idd_cs_train_ids": _city(
        "leftImg8bit.png",
        "gtFine_labelcsTrainIds.png",
        "gtFine/train/aachen/a_0_19_gtFine_labellevel3Ids.png",
    ),
    "idd_lite": Layout(
        pair("0/024541", "leftImg8bit/train/{}_image.jpg", "gtFine/train/{}_label.png"),
        pair("119/903127", "leftImg8bit/val/{}_image.jpg", "gtFine/val/{}_label.png"),
        ("gtFine/train/0/024541_inst_label.png", "leftImg8bit/test/1/1_image.jpg"),
    ),
    "mapillary_1_1": _vistas("labels", "training/instances/-0C1J9.png"),
    "mapillary_1_2": _vistas("v1.2/labels", "training/v2.0/labels/-0C1J9.png"),
    "mapillary_2_0": _vistas("v2.0/labels", "training/v1.2/labels/-0C1J9.png"),
    "camvid": Layout(
        pair("0001TP_006690", "701_StillsRaw_full/{}.png", "LabeledApproved_full/{}_L.png"), None
    ),
    "camvid_segnet": Layout(
        pair("0001TP_006690", "train/{}.png", "trainannot/{}.png"),
        pair("0016E5_07959", "val/{}.png", "valannot/{}.png"),
        ("test/0001TP_008550.png", "testannot/0001TP_008550.png"),
    ),
    "kitti": Layout(
        pair("000000_10", "training/image_2/{}.png", "training/semantic/{}.png"),
        None,
        (
            "training/instance/000000_10.png",
            "training/semantic_rgb/000000_10.png",
            "testing/image_2/000000_10.png",
        ),
    ),
}

_IDS = [7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33]
_SYNTHIA = [3, 4, 2, 21, 5, 7, 15, 9, 6, (), 1, 10, 17, 8, (), 19, (), 12, 11]
_TRAIN_IDS = list(range(19))
_LEVEL_3 = [0, 2, 22, 14, 15, 20, 19, 18, 24, 3, 25, 4, 5, 9, 10, 11, (), 6, 7]
_VISTAS_1 = [
    (13, 24, 41), (2, 15), 17, 6, 3, (45, 47), 48, 50, 30, 29, 27, 19, (20, 21, 22), 55, 61, 54, 58,
    57, 52,
]  # fmt: skip
_VISTAS_2 = [
    (21, *range(35, 45), *range(46, 56), 57, 58, 74), (4, 24), (27, 28), 12, 5, (85, 88),
    tuple(range(90, 96)), (99, 100, 101, 103), 64, 63, 61, (30, 31), (32, 33, 34), 108, 114, 107,
    111, 110, 105,
]  # fmt: skip
_RGB_32 = [
    ((128, 64, 128), (128, 0, 192), (192, 0, 64)), ((0, 0, 192),), ((128, 0, 0),), ((64, 192, 0),),
    ((64, 64, 128),), ((192, 192, 128),), ((0, 64, 64),), ((192, 128, 128),),
    ((128, 128, 0), (192, 192, 0)), (), ((128, 128, 128),), ((64, 64, 0), (192, 128, 64)),
    ((0, 128, 192),), ((64, 0, 128), (64, 128, 192)), (), (), ((192, 64, 128),), ((192, 0, 192),),
    (),
]  # fmt: skip
# The values that are each of the 19 classes, and how many values the files have, without 255.
VALUES: dict[str, tuple[list, int]] = {
    "gta5": (_IDS, 35),
    "synthia": (_SYNTHIA, 23),
    "synscapes": (_IDS, 34),
    "cityscapes": (_IDS, 34),
    "cityscapes_train_ids": (_TRAIN_IDS, 19),
    "acdc": (_TRAIN_IDS, 19),
    "dark_zurich": (_TRAIN_IDS, 19),
    "bdd100k": (_TRAIN_IDS, 19),
    "idd": (_LEVEL_3, 26),
    "idd_cs_train_ids": (_TRAIN_IDS, 19),
    "idd_lite": ([0, *[()] * 9, 6, *[()] * 8], 7),
    "mapillary_1_1": (_VISTAS_1, 66),
    "mapillary_1_2": (_VISTAS_1, 66),
    "mapillary_2_0": (_VISTAS_2, 124),
    "camvid": (_RGB_32, 32),
    "camvid_segnet": ([3, 4, 1, (), 7, 2, (), 6, 5, (), 0, 9, 10, 8, *[()] * 5], 12),
    "kitti": (_IDS, 34),
}


def class_of(kind: str, value) -> str | None:
    for name, values in zip(CLASSES, VALUES[kind][0], strict=True):
        if value in (values if isinstance(values, tuple) else (values,)):
            return name
    return None


def save_any(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, quality=100)


def write_label(path: Path, kind: str, values: list) -> None:
    """A label file of two rows, one column a value, in the form of the kind."""
    reader = DATASETS[kind].reader
    columns = np.array(values, np.uint8 if reader == "color" else np.uint16)
    rows = np.stack([columns, columns])
    if reader == "first_of_16_bit":
        save_16_bit(path, np.stack([rows, rows + 700, rows * 0], axis=2))
    else:
        save_png(path, rows.astype(np.uint8))


def values_of(kind: str) -> list:
    """Every value of the label files, and 255 where it can be written."""
    dataset = DATASETS[kind]
    if dataset.reader == "color":
        return [label.color for label in dataset.labels]
    return [*(label.id for label in dataset.labels), 255]


def write_tree(root: Path, kind: str) -> None:
    layout, values = LAYOUTS[kind], values_of(kind)
    grey = np.full((2, len(values), 3), 90, np.uint8)
    for path in layout.beside:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"not to be read")
    for part in (layout.train, layout.val):
        if part is not None:
            save_any(root / part.image, grey)
            if part.label is not None:
                write_label(root / part.label, kind, values)


def configuration(root: Path, kind: str, **domain) -> Config:
    """The kind as the target; the source is another kind that knows all classes."""
    source = "gta5" if kind != "gta5" else "cityscapes"
    return load_config(
        {
            "source_training": {"batch_norm": "train"},
            "data": {
                "source": {"kind": source, "root": str(root / "source")},
                "target": {"kind": kind, "root": str(root / kind)} | domain,
            },
        }
    )


def test_every_kind_is_here_and_in_the_configuration_and_on_the_page():
    kinds = set(DATASETS)
    assert set(LAYOUTS) == set(VALUES) == kinds
    assert set(get_args(Kind)) == kinds | {"folder", "city"}
    page = (ROOT / "docs/datasets.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| `.*?\| (\d+) \|", page, re.MULTILINE)
    rows += re.findall(r"^\| `(\w+)` \| the same with .*?\| (\d+) \|", page, re.MULTILINE)
    assert {kind: int(count) for kind, count in rows} == {k: n for k, (_, n) in VALUES.items()}


@pytest.mark.parametrize("kind", DATASETS)
def test_label_tables(kind):
    dataset = DATASETS[kind]
    ids = [label.id for label in dataset.labels]
    assert ids == list(range(VALUES[kind][1])), "one entry a value"
    names = [re.sub(r"[ _-]", "", label.name.casefold()) for label in dataset.labels]
    assert len(set(names)) == len(names), "names that `map` cannot tell apart"
    colors = [label.color for label in dataset.labels if label.color]
    assert len(set(colors)) == len(colors) == (len(ids) if dataset.reader == "color" else 0)
    for label in dataset.labels:
        value = label.color if dataset.reader == "color" else label.id
        assert label.stands_for == class_of(kind, value), label
    wanted = [name for name in CLASSES if any(x.stands_for == name for x in dataset.labels)]
    assert dataset.classes == wanted


@pytest.mark.parametrize("kind", DATASETS)
def test_a_tree_of_every_kind_is_read_back(kind, tmp_path):
    write_tree(tmp_path / kind, kind)
    config = configuration(tmp_path, kind)
    layout, values = LAYOUTS[kind], values_of(kind)
    assert has_split(config, "target_val") == (layout.val is not None)
    for split, part in (("target_train", layout.train), ("target_val", layout.val)):
        if part is None:
            continue
        (item,) = list_items(config, split)
        assert item.name == part.name
        assert item.image == tmp_path / kind / part.image
        assert decode_image(item.image).shape == (2, len(values), 3)
        if part.label is None:
            assert item.label is None
            continue
        assert item.label == tmp_path / kind / part.label
        table = class_table(config, split)
        label = decode_label(item.label, table)
        assert (label[0] == label[1]).all()
        seen = [None if i == 255 else table.names[i] for i in label[0].tolist()]
        assert seen == [class_of(kind, value) for value in values]
        assert [tuple(c) for c in table.colors.tolist()] == [CLASSES[n] for n in table.names]
        assert table.names == DATASETS[kind].classes


@pytest.mark.parametrize("kind", DATASETS)
def test_a_value_of_another_data_set_is_refused(kind, tmp_path):
    write_tree(tmp_path / kind, kind)
    part = LAYOUTS[kind].val or LAYOUTS[kind].train
    strange = (1, 2, 3) if DATASETS[kind].reader == "color" else 200
    write_label(tmp_path / kind / (part.label or ""), kind, [values_of(kind)[0], strange])
    config = configuration(tmp_path, kind)
    split = "target_val" if LAYOUTS[kind].val else "target_train"
    (item,) = list_items(config, split)
    with pytest.raises(DataError) as caught:
        decode_label(item.label, class_table(config, split))
    text = str(caught.value)
    assert str(tmp_path / kind) in text and "2 pixels" in text
    assert ("(1, 2, 3)" if DATASETS[kind].reader == "color" else "200") in text
    assert f"the ids of {DATASETS[kind].title}" in text


@pytest.mark.parametrize("kind", DATASETS)
def test_a_missing_file_names_the_layout(kind, tmp_path):
    write_tree(tmp_path / kind, kind)
    part = LAYOUTS[kind].val or LAYOUTS[kind].train
    split = "target_val" if LAYOUTS[kind].val else "target_train"
    (tmp_path / kind / (part.label or "")).unlink()
    with pytest.raises(DataError, match="1 of 1 label files are missing") as caught:
        list_items(configuration(tmp_path, kind), split)
    assert DATASETS[kind].layout in str(caught.value)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L", "I;16", "1"])
def test_colours_in_files_of_other_modes(mode, tmp_path):
    """A palette or an opaque fourth band keeps the colours; one channel has none."""
    write_tree(tmp_path / "camvid", "camvid")
    path = tmp_path / "camvid" / LAYOUTS["camvid"].train.label
    table = class_table(configuration(tmp_path, "camvid"), "target_train")
    wanted = decode_label(path, table)
    image = Image.open(path).convert("RGB")
    if mode == "P":
        image.quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(path)
        assert (np.asarray(Image.open(path).convert("RGB")) == np.asarray(image)).all()
    else:
        image.convert("L" if mode == "I;16" else mode).convert(mode).save(path)
    if mode in ("RGB", "RGBA", "P"):
        assert (decode_label(path, table) == wanted).all()
    else:
        with pytest.raises(DataError, match=f"label file of mode {mode}; RGB colours are expected"):
            decode_label(path, table)


def test_colours_that_were_interpolated_are_named(tmp_path):
    write_tree(tmp_path / "camvid", "camvid")
    path = tmp_path / "camvid" / LAYOUTS["camvid"].train.label
    Image.open(path).resize((70, 9), Image.Resampling.BILINEAR).save(path)
    table = class_table(configuration(tmp_path, "camvid"), "target_train")
    with pytest.raises(DataError, match=r"_L\.png: colour \(\d.* and \d+ more is none of its"):
        decode_label(path, table)


def test_colours_are_resized_by_the_nearest(tmp_path):
    write_tree(tmp_path / "camvid", "camvid")
    path = tmp_path / "camvid" / LAYOUTS["camvid"].train.label
    table = class_table(configuration(tmp_path, "camvid"), "target_train")
    whole = decode_label(path, table)
    assert (decode_label(path, table, (1, 64)) == np.repeat(whole[:1], 2, axis=1)).all()


def test_one_condition_of_acdc(tmp_path):
    write_tree(tmp_path / "acdc", "acdc")
    assert len(list_items(configuration(tmp_path, "acdc", only="night/*"), "target_val")) == 1
    with pytest.raises(DataError, match=r"no name below .* is like"):
        list_items(configuration(tmp_path, "acdc", only="night/*"), "target_train")


def test_lists_of_dark_zurich_reach_twilight(tmp_path):
    root = tmp_path / "dark_zurich"
    write_tree(root, "dark_zurich")
    name = "train/twilight/GOPR0344/GOPR0344_frame_000001"
    (tmp_path / "list.txt").write_text(f"{name}\n")
    config = configuration(tmp_path, "dark_zurich", train=str(tmp_path / "list.txt"))
    assert [item.name for item in list_items(config, "target_train")] == [name]


def test_idd_has_png_and_jpg(tmp_path):
    write_tree(tmp_path / "idd", "idd")
    for name, suffix in (("b/1", "png"), ("b/2", "jpg")):
        image = tmp_path / f"idd/leftImg8bit/train/{name}_leftImg8bit.{suffix}"
        save_any(image, np.zeros((2, 2, 3), np.uint8))
        save_png(
            tmp_path / f"idd/gtFine/train/{name}_gtFine_labellevel3Ids.png",
            np.zeros((2, 2), np.uint8),
        )
    names = [item.name for item in list_items(configuration(tmp_path, "idd"), "target_train")]
    assert names == ["aachen/a_0_19", "b/1", "b/2"]


@pytest.mark.parametrize(
    ("kind", "size"), [("gta5", (1052, 1914)), ("mapillary_2_0", (1536, 2048)), ("kitti", None)]
)
def test_sizes_on_decoding(kind, size, tmp_path):
    (folders,) = folders_of(configuration(tmp_path, kind), "target_train")
    assert folders.resize == size


if (SHARED / "idd_lite").is_dir():  # not part of the project: other people's images

    @pytest.mark.parametrize("preset", ["camvid_idd", "city_idd"])
    def test_real_files_have_the_values_of_their_tables(preset, monkeypatch):
        monkeypatch.chdir(ROOT)
        config = load_config(ROOT / "workflow/presets" / f"{preset}.yaml")
        shares = {}
        for split in ("target_train", "target_val", *(["source_train"] * (preset[0] == "c"))):
            if split == "source_train" and preset == "city_idd":
                continue
            table, counts = class_table(config, split), np.zeros(256)
            for item in list_items(config, split)[::40]:
                counts += np.bincount(decode_label(item.label, table).ravel(), minlength=256)
            shares[split] = counts / counts.sum()
            assert shares[split][: len(table.names)].all()
            assert shares[split][255] < 0.06
        # As the data's own description says: drivable 32 %, far object 26 %, sky 19 %.
        train = dict(zip(class_table(config).names, shares["target_train"], strict=False))
        assert abs(train["drivable"] - 0.32) < 0.05 and abs(train["far_object"] - 0.265) < 0.05
        assert abs(train["sky"] - 0.19) < 0.05
