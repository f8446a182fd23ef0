"""`init`: which files count, which label belongs to which image, and which images are evaluated."""

import unicodedata
from pathlib import Path

import numpy as np
import pytest

from tests.commands.own import answers, decoded, domain, found_in, picture, stripes, written
from tests.conftest import save_png
from tpld.commands.own.discover import find_domains
from tpld.data.sources import has_split, list_items
from tpld.errors import DataError

LABEL = stripes([0, 1, 2])


def label(path: Path) -> Path:
    return save_png(path, LABEL)


def plant(root: Path, *files: str) -> Path:
    """Write images, and labels where a name says that it is one by a leading ``=``."""
    for file in files:
        path = root / file.removeprefix("=")
        if file.startswith("="):
            label(path)
        else:
            picture(path)
    return root


# Files of a folder, images that count, labels that belong to them.
LAYOUTS = {
    "images, labels": (["images/a.png", "=labels/a.png"], 1, 1),
    "any case": (["Images/a.png", "=LABELS/a.png"], 1, 1),
    "unknown name of images": (["color/a.png", "=annotations/a.png"], 1, 1),
    "unknown names in parts": (["train/x/a.png", "=train/gt/a.png"], 1, 1),
    "sequences below labels": (["s/a.png", "=labels/s/a.png"], 1, 1),
    "deep sequence below labels": (["raw/s/a.png", "=labels/s/a.png"], 1, 1),
    "suffix in capitals": (["images/a.JPG", "=labels/a.PNG"], 1, 1),
    "tail of labels": (["images/a.png", "=labels/a_L.png"], 1, 1),
    "tails of both": (["images/c/a_leftImg8bit.png", "=gt/c/a_gtFine_labelIds.png"], 1, 1),
    "plain images": (["a.jpg", "=labels/a.png"], 1, 1),
    "sequences": (["a/rgb/1.png", "=a/seg/1.png", "b/rgb/1.png", "=b/seg/1.png"], 2, 2),
    "odd names": (["s 1/rgb/1.png", "=s 1/seg/1.png", "s'2/rgb/1.png", "=s'2/seg/1.png"], 2, 2),
    "with depth": (["rgb/1.png", "=depth/1.png", "=semantic/1.png"], 1, 1),
    "labels in sequences": (["a/1.jpg", "=a/labels/1.png", "b/1.jpg", "=b/labels/1.png"], 2, 2),
    "one folder": (["x1.png", "=x1_mask.png", "x2.png", "=x2_mask.png"], 2, 2),
    "one folder, three kinds": (["x1_rgb.png", "=x1_seg.png", "=x1_depth.png"], 1, 1),
    "one folder, suffixes": (["x1.jpg", "=x1.png", "x2.jpg", "=x2.png"], 2, 2),
    "satellites": (["1_sat.jpg", "=1_mask.png", "2_sat.jpg", "=2_mask.png"], 2, 2),
    "scans": (["1_color.png", "=1_depth.png", "2_color.png", "=2_depth.png"], 2, 0),
    "voc": (
        ["JPEGImages/a.jpg", "=SegmentationClass/a.png", "=SegmentationObject/a.png"],
        1,
        1,
    ),
    "camvid": (["train/a.png", "=train_labels/a_L.png", "val/b.png", "=val_labels/b_L.png"], 2, 2),
    "segnet": (["train/a.png", "=trainannot/a.png"], 1, 1),
    "unlabelled": (["deep/er/a.png", "b.webp"], 2, 0),
    "left behind": (
        ["images/a.png", "=labels/a.png", "images/.ipynb_checkpoints/a.png", "images/._a.png"],
        1,
        1,
    ),
    "mixed suffixes": (
        ["images/a.jpg", "images/b.JPG", "images/c.jpeg", "images/d.png"]
        + [f"=labels/{x}.png" for x in "abcd"],
        4,
        4,
    ),
    "mixed suffixes of labels": (
        ["images/a.jpg", "images/b.jpg", "=labels/a.png", "=labels/b.PNG"],
        2,
        2,
    ),
}


@pytest.mark.parametrize("kind", LAYOUTS)
def test_a_folder_has_the_images_and_labels_that_people_mean(tmp_path, kind):
    files, images, labels = LAYOUTS[kind]
    plant(tmp_path / "source", *files)
    found = find_domains(tmp_path / "source")
    assert sum(len(d.image_files) for d in found) == images
    assert sum(len(d.label_files) for d in found) == labels
    wrong = {f"source/{f[1:]}" for f in files if f.startswith("=")}
    seen = {str(f.relative_to(tmp_path)) for d in found for f in d.image_files.values()}
    assert not seen & wrong


@pytest.mark.parametrize("kind", [kind for kind, (_, _, labels) in LAYOUTS.items() if labels])
def test_the_pipeline_finds_the_same_files_and_labels(tmp_path, kind):
    """As source and as target, whatever the configuration that `init` writes."""
    files, images, _ = LAYOUTS[kind]
    if kind in ("camvid",):
        images -= 1  # its own validation part
    plant(tmp_path / "source", *files)
    plant(tmp_path / "target", *files)
    config = written(answers(tmp_path, val_share=0))
    rows = decoded(config, "source_train")
    assert len(rows) == images
    assert all(row[:16] == ["class_0"] * 16 for row in rows.values())
    assert len(list_items(config, "target_train")) == images


@pytest.mark.parametrize("folder", ["images", "images/train", "train", "JPEGImages"])
def test_labels_beside_the_folder_that_is_given_are_found(tmp_path, folder):
    inner = folder.removeprefix("images").removeprefix("JPEGImages")
    labels = "train_masks" if folder == "train" else f"Labels{inner}"
    plant(tmp_path, f"{folder}/a.png", f"={labels}/a.png")
    (found,) = find_domains(tmp_path / folder, want_labels=True)
    assert list(found.label_files) == ["a"]


def test_of_several_label_files_an_image_has_ids_come_before_colours(tmp_path):
    for i in range(2):
        picture(tmp_path / "images" / f"x{i}.png")
        picture(tmp_path / "labels" / f"x{i}_color.png")
        save_png(tmp_path / "labels" / f"x{i}_instanceIds.png", np.zeros((32, 48), np.uint16))
        label(tmp_path / "labels" / f"x{i}_labelIds.png")
    (found,) = find_domains(tmp_path)
    assert found.label_suffixes == ["_labelIds.png"]
    assert any("_color.png (2)" in note for note in found.notes)


def test_any_tail_makes_a_label_in_a_folder_that_is_given_for_labels(tmp_path):
    plant(tmp_path, "x0.png", "=x0_anno.png", "x1.png", "=x1_anno.png")
    (found,) = find_domains(tmp_path, tmp_path)
    assert list(found.image_files) == ["x0", "x1"] and found.label_suffixes == ["_anno.png"]


def test_names_are_paired_however_accents_are_written(tmp_path):
    apart, together = (unicodedata.normalize(form, "Straße_é") for form in ("NFD", "NFC"))
    assert apart != together
    for side in ("source", "target"):
        plant(tmp_path / side, f"images/{apart}.png", f"=labels/{together}.png")
        plant(tmp_path / side, f"images/{together}2.png", f"=labels/{apart}2.png")
    config = written(answers(tmp_path))
    assert len(decoded(config, "source_train")) == 2


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (["a.jpg", "a.png", "b.jpg", "b.png", "c.jpg"], "two images of one name"),
        (["a.jpg", "a.webp", "b.jpg", "b.webp"], "two images of one name"),
    ],
)
def test_two_kinds_of_each_image_are_said_and_one_counts(tmp_path, files, said):
    (found,) = find_domains(plant(tmp_path, *files))
    assert list(found.image_files) == sorted({f.split(".")[0] for f in files})
    assert any(said in note for note in found.notes)


def test_two_images_of_one_name_in_other_cases_are_refused(tmp_path):
    plant(tmp_path, "a.jpg", "a.png", "b.png", "c.jpg")
    with pytest.raises(DataError, match=r"a.jpg and a.png\. Lists name images without"):
        find_domains(tmp_path)


@pytest.mark.parametrize("name", ["x\ny", " x", "x ", "d /x\r"])
def test_names_that_no_list_can_hold_are_refused(tmp_path, name):
    plant(tmp_path, "a.png", f"{name}.png")
    with pytest.raises(DataError, match=r"line break, or a blank at one end.*Rename"):
        find_domains(tmp_path)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"a.json": '{"shapes": [], "imagePath": "a.png"}'}, "tpld import-labels"),
        ({"a.npy": "x"}, r"the only file below .* is no image: 1 \.npy"),
        ({"a.gif": "x", "b.gif": "y"}, r"none of the 2 files below .* is an image: 2 \.gif"),
        ({}, "no file below"),
    ],
)
def test_what_lies_there_in_place_of_label_files_is_said(tmp_path, files, said):
    plant(tmp_path, "images/a.png")
    (tmp_path / "labels").mkdir()
    for name, text in files.items():
        (tmp_path / "labels" / name).write_text(text)
    with pytest.raises(DataError, match=said):
        find_domains(tmp_path, tmp_path / "labels", want_labels=True)


def test_linked_sub_folders_are_looked_into_and_the_configuration_says_so(tmp_path):
    plant(tmp_path / "disk", "a.png", "b.png")
    plant(tmp_path / "source", "images/c.png", "=labels/c.png")
    (tmp_path / "target").mkdir()
    (tmp_path / "target/more").symlink_to(tmp_path / "disk")
    config = written(answers(tmp_path))
    assert config.data.follow_links
    assert [item.name for item in list_items(config, "target_train")] == ["more/a", "more/b"]


def names(config, split) -> list[str]:
    return [item.name for item in list_items(config, split)]


def test_names_count_in_natural_order(tmp_path):
    domain(tmp_path / "source", [LABEL] * 2)
    plant(tmp_path / "target", *[f"images/f{i}.png" for i in range(1, 12)])
    plant(tmp_path / "target", *[f"=labels/f{i}.png" for i in range(1, 12)])
    config = written(answers(tmp_path))
    assert names(config, "target_val") == ["f10", "f11"]


@pytest.mark.parametrize(
    "files",
    [
        ["images/train/{}.png", "=labels/train/{}.png", "images/val/v.png", "=labels/val/v.png"],
        ["train/images/{}.png", "=train/labels/{}.png", "val/images/v.png", "=val/labels/v.png"],
        ["train/{}.png", "=train_labels/{}.png", "valid/v.png", "=valid_labels/v.png"],
        ["Training/{}.png", "=Trainingannot/{}.png", "test/v.png", "=testannot/v.png"],
        ["images/train/{}.png", "=labels/train/{}.png", "images/test/v.png", "=labels/test/v.png"],
    ],
)
@pytest.mark.parametrize("side", ["source", "target"])
def test_own_parts_for_training_and_evaluation_are_respected(tmp_path, files, side):
    made = [f.format(i) for f in files for i in range(4)]
    plant(tmp_path / side, *dict.fromkeys(made))
    domain(tmp_path / ("target" if side == "source" else "source"), [LABEL] * 2)
    config = written(answers(tmp_path))
    train, val = names(config, f"{side}_train"), names(config, f"{side}_val")
    assert sorted(n.split("/")[-1] for n in train) == ["0", "1", "2", "3"]
    assert [n.split("/")[-1] for n in val] == ["v"]


@pytest.mark.parametrize("spelt", ["{}", "{}.png", "images/{}.png", "images/{}.png labels/{}.png"])
@pytest.mark.parametrize("place", ["", "ImageSets/Segmentation"])
def test_own_lists_are_respected(tmp_path, spelt, place):
    domain(tmp_path / "source", [LABEL] * 2)
    root = domain(tmp_path / "target", [LABEL] * 5)
    (root / place).mkdir(parents=True, exist_ok=True)
    for part, numbers in {"train": (0, 2, 4), "val": (1, 9)}.items():
        lines = [spelt.format(f"x{i}", f"x{i}") for i in numbers]
        (root / place / f"{part}.txt").write_text("\n".join(lines) + "\n")
    asked = answers(tmp_path)
    notes = " ".join(found_in(asked).notes)
    config = written(asked)
    assert (names(config, "target_train"), names(config, "target_val")) == (
        ["x0", "x2", "x4"],
        ["x1"],
    )
    assert "1 lines of" in notes and "1 images are in neither list" in notes


@pytest.mark.parametrize(
    ("images", "labels", "share", "train", "val"),
    [
        (2, 2, 0.2, 1, 1),
        (3, 3, 0.2, 2, 1),
        (10, 10, 0.2, 8, 2),
        (2, 2, 0.9, 1, 1),
        (1, 1, 0.2, 1, 0),
        (5, 5, 0.0, 5, 0),
        (10, 3, 0.2, 7, 3),
        (10, 1, 0.2, 9, 1),
        (10, 9, 0.2, 8, 2),
        (2, 1, 0.2, 1, 1),
        (4, 0, 0.2, 4, 0),
    ],
)
def test_some_labelled_images_are_evaluated_and_all_others_adapted_to(
    tmp_path, images, labels, share, train, val
):
    domain(tmp_path / "source", [LABEL] * 2)
    domain(tmp_path / "target", [LABEL] * labels, images)
    asked = answers(tmp_path, val_share=share)
    found = found_in(asked)
    config = written(asked)
    assert len(names(config, "target_train")) == train
    assert has_split(config, "target_val") == bool(val)
    if val:
        assert len(decoded(config, "target_val")) == val
    elif labels:
        assert any("nothing is evaluated" in note for note in found.notes)


def test_source_images_without_a_label_are_left_out_by_a_list(tmp_path):
    domain(tmp_path / "source", [LABEL] * 3, images=5)
    domain(tmp_path / "target", None, 2)
    assert names(written(answers(tmp_path)), "source_train") == ["x0", "x1", "x2"]


def test_a_target_in_a_folder_of_labels_is_refused(tmp_path):
    plant(tmp_path, "=masks/a.png")
    with pytest.raises(DataError, match="but in folders that are called like labels"):
        find_domains(tmp_path)


@pytest.mark.parametrize("labels", ["labels/1.png", "a/gt/b/1.png"])
def test_labels_of_a_target_that_belong_to_no_image_are_said(tmp_path, labels):
    plant(tmp_path / "target", "a/images/x.png", f"={labels}" if "/b/" in labels else "=a/gt/y.png")
    plant(tmp_path / "source", "images/a.png", "=labels/a.png")
    notes = found_in(answers(tmp_path)).notes
    assert any("looks like labels, but none of the 1 files" in note for note in notes)


@pytest.mark.parametrize(
    ("name", "text", "form"),
    [
        ("annotations.xml", "<annotations><version>1.1</version></annotations>", "cvat"),
        ("instances.json", '{"images": [], "annotations": [], "categories": []}', "coco"),
        ("project.json", '[{"id": 1, "annotations": [], "data": {}}]', "labelstudio"),
        ("images/a.json", '{"shapes": [], "imagePath": "a.png"}', "labelme"),
    ],
)
def test_annotations_beside_or_among_the_images_are_recognised(tmp_path, name, text, form):
    plant(tmp_path, "images/a.png")
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=f"annotations of {form}: `tpld import-labels"):
        find_domains(tmp_path, want_labels=True)
