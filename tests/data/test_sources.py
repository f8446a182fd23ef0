import numpy as np
import pytest

from tpld.config import load_config
from tpld.data.sources import class_table, has_split, has_truth, list_items
from tpld.errors import DataError


def message(folders, split="source_train") -> str:
    with pytest.raises(DataError) as caught:
        list_items(folders.config(), split)
    return str(caught.value)


def test_without_a_list_every_image_counts_in_sorted_order(folders):
    items = list_items(folders.config(), "source_train")
    assert [item.name for item in items] == ["s0", "s1", "s2", "s3"]
    assert items[1].image == folders.root / "source" / "images" / "s1.png"
    assert items[1].label == folders.root / "source" / "labels" / "s1.png"


def test_a_list_gives_the_order_and_blank_lines_do_not_count(folders):
    path = folders.split("source", "train", "s2", "s0")
    path.write_text("\ns2\n\n  s0  \n")
    assert [item.name for item in list_items(folders.config(), "source_train")] == ["s2", "s0"]


def test_sub_folders_and_suffixes(empty_folders):
    label = np.zeros((8, 8), np.uint8)
    empty_folders.add("source", "city/a_img", label)
    (empty_folders.root / "source/labels/city/a_img.png").rename(
        empty_folders.root / "source/labels/city/a_ids.png"
    )
    empty_folders.folder["source"].update(image_suffix="_img.png", label_suffix="_ids.png")
    (item,) = list_items(empty_folders.config(), "source_train")
    assert item.name == "city/a"
    assert item.label is not None
    assert item.label.name == "a_ids.png"


def test_a_target_without_labels_is_legal(folders):
    del folders.folder["target"]["labels"]
    config = folders.config()
    assert [item.label for item in list_items(config, "target_train")] == [None] * 3
    assert not has_truth(config, "target_train")
    assert has_truth(config, "source_train")


def test_a_validation_split_exists_only_where_it_is_given(folders):
    assert not has_split(folders.config(), "source_val")
    folders.split("source", "val", "s3")
    assert has_split(folders.config(), "source_val")
    assert has_split(folders.config(), "target_train")


def test_missing_folder(folders):
    folders.folder["source"]["images"] = "/nowhere/images"
    assert message(folders) == (
        "source_train: image folder /nowhere/images does not exist. Correct `images`"
    )


def test_missing_list(folders):
    folders.folder["source"]["train"] = "/nowhere/train.txt"
    text = message(folders)
    assert "source_train: cannot read split list /nowhere/train.txt" in text
    assert "No such file" in text


def test_a_list_that_is_no_text(folders):
    path = folders.split("source", "train", "s0")
    path.write_bytes(b"\xff\xfe\x00")
    assert f"cannot read split list {path}" in message(folders)


def test_empty_list(folders):
    path = folders.split("source", "train")
    assert message(folders) == (
        f"source_train: the split is empty (list {path}). Name at least one image"
    )


def test_empty_folder(empty_folders):
    images = empty_folders.root / "source" / "images"
    assert message(empty_folders) == (
        f"source_train: the split is empty: no file below {images}. Give a folder of images "
        "(.png, .jpg, .jpeg, .webp, .bmp, .tif, .tiff, .ppm)"
    )


def test_a_name_that_stands_in_the_list_twice(folders):
    path = folders.split("source", "train", "s1", "s0", "s1")
    assert message(folders) == (f"{path}: 's1' stands in it twice (entries 1 and 3). Remove one")


@pytest.mark.parametrize("name", ["../target/images/t0", "a/../../x", "/etc/passwd", "a\0b"])
def test_names_that_lead_out_of_the_folder(folders, name):
    path = folders.split("source", "train", "s0", name)
    text = message(folders)
    assert text.startswith(f"{path}, entry 2: '{name}' leads out of the image folder")
    assert "relative to it, without '..'" in text


def test_missing_image(folders):
    folders.split("source", "train", "s0", "s9", "s8")
    text = message(folders)
    assert text.startswith("source_train: 2 of 3 image files are missing, first ")
    assert "source/images/s9.png. Correct the folder, the suffix or the split list" in text


def test_missing_label(folders):
    (folders.root / "source" / "labels" / "s2.png").unlink()
    text = message(folders)
    assert "source_train: 1 of 4 label files are missing, first " in text
    assert "source/labels/s2.png" in text


def test_lookup_and_palette(folders):
    table = class_table(folders.config())
    assert table.lookup[[7, 26, 23]].tolist() == [0, 1, 2]
    assert table.lookup[[0, 255]].tolist() == [255, 255]
    assert table.lookup[[1, 8, 256, 65535]].tolist() == [65535] * 4
    assert table.palette[1].tolist() == [0, 0, 142]
    assert table.palette[255].tolist() == [0, 0, 0]


def test_the_city_is_folders_too(tmp_path):
    config = load_config(
        {"results": str(tmp_path), "experiment": "x", "source_training": {"batch_norm": "train"}}
    )
    table = class_table(config)
    assert table.ids == list(range(len(table.names)))
    with pytest.raises(DataError, match=r"x/data/city/source/images does not exist"):
        list_items(config, "source_train")
