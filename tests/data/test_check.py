import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tpld.errors import DataError
from tpld.stages.check import check_data


def message(folders, out) -> str:
    with pytest.raises(DataError) as caught:
        check_data(folders.config(), out)
    assert not out.exists()
    assert not list(out.parent.glob(".*.partial"))
    return str(caught.value)


def test_the_table_counts_pixels_by_split_and_class(empty_folders, tmp_path):
    label = np.array([[0, 0, 1], [2, 255, 0]], np.uint8)
    empty_folders.add("source", "a", label)
    empty_folders.add("source", "b", np.full((4, 4), 2, np.uint8))
    empty_folders.add("target", "t", np.full((2, 2), 1, np.uint8))
    check_data(empty_folders.config(), tmp_path / "check.csv")
    table = pd.read_csv(tmp_path / "check.csv")
    counts = table.set_index(["split", "class"])["pixels"].to_dict()
    assert counts == {
        ("source_train", "road"): 3,
        ("source_train", "car"): 1,
        ("source_train", "sky"): 17,
        ("target_train", "road"): 0,
        ("target_train", "car"): 4,
        ("target_train", "sky"): 0,
    }
    assert dict(zip(table["split"], table["images"], strict=True)) == {
        "source_train": 2,
        "target_train": 1,
    }


def test_all_problems_are_named_together_and_nothing_is_written(folders, tmp_path):
    source, target = folders.root / "source", folders.root / "target"
    (source / "images" / "s0.png").write_bytes(b"\x89PNG")
    Image.fromarray(np.full((32, 48), 99, np.uint8)).save(source / "labels" / "s1.png")
    Image.fromarray(np.full((32, 47), 7, np.uint8)).save(source / "labels" / "s2.png")
    Image.new("RGB", (48, 32)).save(target / "labels" / "t1.png")
    text = message(folders, tmp_path / "check.csv")
    assert text.startswith("4 files cannot be used:\n")
    lines = text.splitlines()[1:]
    assert f"source_train: {source}/images/s0.png cannot be decoded" in lines[0]
    assert "s1.png: label value 99 (1536 pixels)" in lines[1]
    assert "s2.png is 48x32 pixels, its label" in lines[2]
    assert "is 47x32 pixels. Give a label of the image's size" in lines[2]
    assert "target_train: " in lines[3]
    assert "t1.png: label file of mode RGB" in lines[3]


def test_a_long_list_of_problems_is_cut(folders, tmp_path):
    for i in range(14):
        folders.add("source", f"x{i:02d}", np.zeros((4, 4), np.uint8))
        (folders.root / "source" / "images" / f"x{i:02d}.png").write_bytes(b"")
    text = message(folders, tmp_path / "check.csv")
    assert text.startswith("14 files cannot be used:")
    assert text.endswith("\n  and 4 more")
    assert len(text.splitlines()) == 12


@pytest.mark.parametrize("domain", ["source", "target"])
def test_an_image_must_not_be_trained_on_and_evaluated_on(folders, tmp_path, domain):
    name = domain[0]
    folders.split(domain, "train", f"{name}0", f"{name}1")
    folders.split(domain, "val", f"{name}2", f"{name}1", f"{name}0")
    assert message(folders, tmp_path / "check.csv") == (
        f"2 images are both in {domain}_train and {domain}_val, first '{name}1'. "
        "Evaluation would be on training images; remove them from one list"
    )


def test_without_a_list_the_validation_images_leak_into_training(folders, tmp_path):
    folders.split("target", "val", "t2")
    assert "1 images are both in target_train and target_val, first 't2'" in message(
        folders, tmp_path / "check.csv"
    )


def test_the_source_needs_labels(folders, tmp_path):
    del folders.folder["source"]["labels"]
    assert message(folders, tmp_path / "check.csv") == (
        "source_train has no label folder. Training needs data.source.labels"
    )


def test_the_target_needs_none(folders, tmp_path):
    del folders.folder["target"]["labels"]
    check_data(folders.config(), tmp_path / "check.csv")
    table = pd.read_csv(tmp_path / "check.csv")
    assert set(table["split"]) == {"source_train", "target_train"}


def test_a_missing_label_stops_it(folders, tmp_path):
    (folders.root / "target" / "labels" / "t0.png").unlink()
    assert "target_train: 1 of 3 label files are missing" in message(
        folders, tmp_path / "check.csv"
    )


def test_a_subset_of_unknown_classes_is_found_before_training(folders, tmp_path):
    config = folders.config(evaluation={"subsets": {"R": ["sky", "wall"]}})
    with pytest.raises(DataError) as caught:
        check_data(config, tmp_path / "check.csv")
    assert str(caught.value) == (
        "evaluation.subsets.R names ['wall']; known classes: road, car, sky"
    )
