"""The check before training: copies, shapes, and labels that say nothing."""

import logging
import shutil

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image

from tests.conftest import blocks
from tpld.errors import DataError
from tpld.stages.check import check_data
from tpld.stages.check_content import _is_distorted


def checked(folders, caplog) -> list[str]:
    """Warnings of a check that passes."""
    with caplog.at_level(logging.WARNING, "tpld"):
        check_data(folders.config(), folders.root / "check.csv")
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]


def refused(folders) -> str:
    with pytest.raises(DataError) as caught:
        check_data(folders.config(), folders.root / "check.csv")
    assert not (folders.root / "check.csv").exists()
    return str(caught.value)


def images(folders, domain):
    return folders.root / domain / "images"


# --- copies -----------------------------------------------------------------------------------


def copied(folders, of, name, domain, to):
    """A copy of an image, and its label, under another name."""
    for kind in ("images", "labels"):
        there = folders.root / domain / kind
        shutil.copyfile(folders.root / of / kind / f"{name}.png", there / f"{to}.png")


@pytest.mark.parametrize(
    ("of", "name", "domain", "train", "val"),
    [
        ("source", "s0", "source", "source_train", "source_val"),
        ("target", "t0", "target", "target_train", "target_val"),
        ("source", "s1", "target", "source_train", "target_val"),
    ],
)
def test_a_copy_of_a_training_image_is_not_evaluated_on(folders, of, name, domain, train, val):
    copied(folders, of, name, domain, "copy")
    folders.split("source", "train", "s0", "s1")
    folders.split("target", "train", "t0", "t1")
    folders.split(domain, "val", f"{domain[0]}2", "copy")
    assert refused(folders) == (
        f"1 of 2 images of {val} are copies of images of {train}: 'copy' is '{name}'. Evaluation "
        "would be on training images; remove them from one of the two"
    )


def test_many_copies_are_counted_and_some_shown(folders):
    for number in range(8):
        folders.add("target", f"a{number}", blocks(32, 48, 20 + number))
        copied(folders, "target", f"a{number}", "target", f"b{number}")
    folders.split("target", "train", *(f"a{i}" for i in range(8)))
    folders.split("target", "val", *(f"b{i}" for i in range(8)))
    text = refused(folders)
    assert text.startswith("8 of 8 images of target_val are copies")
    assert "'b4' is 'a4', and 3 more. " in text and "'b5'" not in text


def test_images_of_one_size_that_differ_in_a_byte_are_no_copies(folders, caplog):
    for number, name in enumerate(("a", "b")):
        pixels = np.zeros((16, 16, 3), np.uint8)
        pixels[0, 0] = number
        Image.fromarray(pixels).save(images(folders, "target") / f"{name}.bmp")
        labels = folders.root / "target" / "labels"
        Image.fromarray(np.full((16, 16), 7, np.uint8)).save(labels / f"{name}.png")
    folders.split("target", "train", "a", "t0")
    folders.split("target", "val", "b")
    assert checked(folders, caplog) == []


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".webp"])
def test_a_copy_in_other_bytes_is_a_copy(folders, suffix):
    """Saved anew, without loss: in another format, or compressed in another way."""
    copied(folders, "target", "t0", "target", "copy")
    path = images(folders, "target") / "copy.png"
    with Image.open(path) as image:
        image.load()
    path.unlink()
    image.save(path.with_suffix(suffix), **{"lossless": True} if suffix == ".webp" else {})
    folders.split("target", "train", "t0", "t1")
    folders.split("target", "val", "copy")
    assert "1 of 1 images of target_val are copies of images of target_train" in refused(folders)


@pytest.mark.parametrize("how", ["one folder", "copies", "copies under other names"])
def test_a_source_that_is_its_target_is_refused(folders, how):
    source = images(folders, "source")
    if how == "one folder":
        folders.folder["target"] = dict(folders.folder["source"])
    else:
        shutil.rmtree(images(folders, "target"))
        shutil.copytree(source, images(folders, "target"))
        del folders.folder["target"]["labels"]
        if "names" in how:
            for path in list(images(folders, "target").iterdir()):
                path.rename(path.with_stem(f"other_{path.stem}"))
    text = refused(folders)
    assert text.startswith("all 4 images of target_train are images of source_train, too: ")
    assert "There is nothing to adapt to; give data.target the images of another domain" in text


def test_one_folder_with_different_lists_are_two_domains(folders, caplog):
    folders.folder["target"] = dict(folders.folder["source"])
    folders.split("source", "train", "s0", "s1")
    folders.split("target", "train", "s2", "s3")
    assert checked(folders, caplog) == []


def test_some_images_in_both_domains_are_said(folders, caplog):
    copied(folders, "source", "s3", "target", "t9")
    assert checked(folders, caplog) == [
        "1 of 4 images of target_train are images of source_train, too: 't9' is 's3'"
    ]


# --- shapes -----------------------------------------------------------------------------------


def shaped(folders, domain, *sizes):
    """Images of some heights and widths, the only ones of a domain."""
    for kind in ("images", "labels"):
        shutil.rmtree(folders.root / domain / kind)
    for number, (height, width) in enumerate(sizes):
        folders.add(domain, f"{domain[0]}{number}", blocks(height, width, 40 + number))


@pytest.mark.parametrize(
    ("size", "resize", "distorted"),
    [
        ((32, 64), (16, 32), False),
        ((32, 64), (32, 48), False),  # a third narrower
        ((32, 64), (32, 32), True),
        ((64, 32), (32, 64), True),
        ((64, 48), (48, 64), True),  # upright to wide
        ((50, 48), (48, 50), False),  # nearly square
        ((48, 48), (32, 48), False),
        ((48, 48), (24, 48), True),
    ],
)
def test_a_size_that_distorts_is_said(folders, caplog, size, resize, distorted):
    shaped(folders, "target", size, size, (resize[0] * 2, resize[1] * 2))
    folders.folder["target"]["resize"] = list(resize)
    said = [line for line in checked(folders, caplog) if "distorts" in line]
    assert said == (
        [
            f"target_train: `resize` of 'folder' distorts 2 of 3 images: 2 of {size[1]}x{size[0]} "
            f"pixels (width x height) become {resize[1]}x{resize[0]}. Give a size of their own "
            "shape, or leave it out"
        ]
        if distorted
        else []
    )


SIDES = st.integers(8, 4000)


@given(SIDES, SIDES, st.floats(0.1, 4))
def test_the_same_shape_in_another_size_is_never_distorted(height, width, scale):
    wanted = (max(8, round(height * scale)), max(8, round(width * scale)))
    if abs((wanted[1] / wanted[0]) / (width / height) - 1) < 0.05:  # but for rounding
        assert not _is_distorted((height, width), wanted)


@given(SIDES, SIDES)
def test_a_turned_shape_is_distorted_where_it_is_not_nearly_square(height, width):
    assume(not 1.04 < (shape := max(height, width) / min(height, width)) < 1.06)
    assert _is_distorted((height, width), (width, height)) == (shape > 1.05)


@pytest.mark.parametrize("size", [(1, 64), (64, 1), (1, 1)])
@pytest.mark.parametrize("domain", ["source", "target"])
def test_an_image_of_a_single_row_is_refused(folders, domain, size):
    shaped(folders, domain, (32, 48), size)
    text = refused(folders)
    assert "1 of 2 images of 'folder' are a single pixel high or wide, for example " in text
    assert f"{size[1]}x{size[0]} pixels" in text


# --- labels -----------------------------------------------------------------------------------


def void(folders, domain, *names):
    for name in names:
        path = folders.root / domain / "labels" / f"{name}.png"
        Image.fromarray(np.zeros(np.asarray(Image.open(path)).shape, np.uint8)).save(path)


@pytest.mark.parametrize("domain", ["source", "target"])
def test_labels_for_evaluation_that_are_all_ignored_are_refused(folders, domain):
    first = domain[0]
    folders.split(domain, "train", f"{first}0", f"{first}1")
    folders.split(domain, "val", f"{first}2")
    void(folders, domain, f"{first}2")
    assert refused(folders) == (
        f"{domain}_val: no pixel of the labels is a class of the experiment; all are ignored, and "
        f"nothing could be evaluated. Correct data.{domain}.values or map"
    )


def test_source_labels_that_are_all_ignored_are_refused(folders):
    void(folders, "source", "s0", "s1", "s2", "s3")
    assert "source_train: no pixel of the labels is a class of the experiment" in refused(folders)


def test_target_labels_that_are_all_ignored_only_lack_in_reports(folders, caplog):
    void(folders, "target", "t0", "t1", "t2")
    assert checked(folders, caplog) == [
        "target_train: no pixel of the labels is a class of the experiment; all are ignored. "
        "Reports will not score its pseudo labels"
    ]


def test_one_void_label_among_others_is_nothing_to_say(folders, caplog):
    void(folders, "source", "s0")
    assert checked(folders, caplog) == []


@pytest.mark.parametrize("there", [(0, 1), (2,)])
def test_a_class_that_no_source_label_has_is_named(empty_folders, caplog, there):
    for number, value in enumerate(there):
        empty_folders.add("source", f"s{number}", np.full((16, 16), value, np.uint8))
    empty_folders.add("target", "t", blocks(16, 16))
    names = ["road", "car", "sky"]
    absent = [name for place, name in enumerate(names) if place not in there]
    assert checked(empty_folders, caplog) == [
        f"source_train: no pixel of the labels is {' or '.join(absent)} ({len(absent)} of 3 "
        "classes), which the network cannot learn then"
    ]


# --- names ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a\nb", "a\rb", "a\tb", "\x1b[31m", "a\u2028b", "a\x85b"])
def test_a_name_that_no_list_can_hold_is_refused(folders, name):
    folders.add("target", name, blocks(32, 48, 5))
    text = refused(folders)
    assert "has a line break or another control character in it" in text
    assert name not in text


NAMES = [" a", "a ", "a b", "{x}", "{{", "größe", "图", "a'b", "$(x)", "%s"]


@pytest.mark.parametrize("name", NAMES)
def test_other_names_are_used_as_they_are(folders, caplog, name):
    folders.add("target", name, blocks(32, 48, 5))
    assert checked(folders, caplog) == []
