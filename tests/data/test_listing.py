"""Which files of a folder count as images."""

import os
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tpld.data.listing import IMAGES, image_files, is_hidden, natural, nothing_there, shown, twins
from tpld.errors import DataError


def tree(root: Path, *names: str) -> Path:
    for name in names:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    root.mkdir(exist_ok=True)
    return root


@pytest.mark.parametrize("suffix", [*IMAGES, *(s.upper() for s in IMAGES), ".JpG"])
def test_every_suffix_in_any_case_counts_in_any_folder(tmp_path, suffix):
    made = tree(tmp_path, f"a{suffix}", f"b/c d/e{suffix}", "x.npy", "README")
    found = image_files(made)
    assert found.names == [f"a{suffix}", f"b/c d/e{suffix}"]
    assert found.others == {".npy": 1, "": 1}
    assert (found.links, found.hidden, found.not_utf8) == ([], 0, [])


@pytest.mark.parametrize(
    "left_behind",
    [
        "._a.png", ".a.png", ".png", ".ipynb_checkpoints/a-checkpoint.png", "__MACOSX/a.png",
        "__MACOSX/deep/a.png", ".git/a.png", "sub/.hidden/deep/a.png", "@eaDir/a.png",
        "$RECYCLE.BIN/a.png", "sub/._b.jpg",
    ],
)  # fmt: skip
def test_what_programs_leave_behind_is_no_image(tmp_path, left_behind):
    found = image_files(tree(tmp_path, left_behind, "a.png"))
    assert found.names == ["a.png"]
    assert found.hidden == 1
    assert not found.others


def test_a_folder_may_itself_lie_in_a_hidden_one(tmp_path):
    assert image_files(tree(tmp_path / ".data" / "__MACOSX", "a.png")).names == ["a.png"]


def test_names_are_in_natural_order(tmp_path):
    names = [f"f{i}.png" for i in range(1, 12)] + ["g/2/x.png", "g/10/a.png", "g/10/b.png"]
    assert image_files(tree(tmp_path, *reversed(names))).names == names


@pytest.mark.parametrize(
    "ordered",
    [
        ["f1", "f2", "f10", "f11"],
        ["a/9", "a/10", "a2/1", "a10/1"],
        ["img_9_2", "img_9_10", "img_10_1"],
        ["x", "x1", "xa"],
        ["1" * 5000, "2" * 5000],
        ["a²", "a³"],  # digits to Python, no numbers to int()
    ],
)
def test_numbers_are_compared_as_numbers(ordered):
    mixed = ordered[::-1]
    assert sorted(mixed, key=natural) == ordered


@given(st.lists(st.text(), unique=True))
def test_the_order_does_not_depend_on_where_it_starts(names):
    mixed = names[::-1]
    assert sorted(names, key=natural) == sorted(mixed, key=natural)
    assert len({natural(name) for name in names}) == len(names)


def test_linked_folders_are_named_or_followed(tmp_path):
    elsewhere = tree(tmp_path / "elsewhere", "a.png", "deep/b.png")
    made = tree(tmp_path / "made", "own.png", "sub/c.png")
    (made / "sub" / "linked").symlink_to(elsewhere)
    (made / "file.png").symlink_to(elsewhere / "a.png")
    found = image_files(made)
    assert found.names == ["file.png", "own.png", "sub/c.png"]
    assert found.links == ["sub/linked"]
    found = image_files(made, follow_links=True)
    assert found.links == []
    assert found.names == [
        "file.png", "own.png", "sub/c.png", "sub/linked/a.png", "sub/linked/deep/b.png",
    ]  # fmt: skip
    (tmp_path / "root").symlink_to(made)
    assert image_files(tmp_path / "root").names == ["file.png", "own.png", "sub/c.png"]


def test_circles_of_links_end(tmp_path):
    made = tree(tmp_path / "made", "a.png", "sub/b.png")
    (made / "sub" / "up").symlink_to(made)
    (made / "self.png").symlink_to(made / "self.png")
    found = image_files(made, follow_links=True)
    assert found.names == ["a.png", "self.png", "sub/b.png"]
    assert image_files(made).links == ["sub/up"]


def test_no_pipe_is_an_image_and_a_folder_called_like_one_is_a_folder(tmp_path):
    made = tree(tmp_path, "frames.png/a.png")
    os.mkfifo(made / "pipe.png")
    assert image_files(made).names == ["frames.png/a.png"]


@pytest.mark.parametrize("raw", [b"\xff.png", b"a\xe9.jpg", b"sub\xfe/a.png"])
def test_names_that_are_no_utf8_are_named_apart(tmp_path, raw):
    made = tree(tmp_path, "a.png")
    tree(made, os.fsdecode(raw))
    found = image_files(made)
    assert found.names == ["a.png"]
    assert found.not_utf8 == [raw.decode("utf-8", "backslashreplace")]
    "".join(found.not_utf8).encode()  # printable
    (made / "a.png").unlink()
    said = nothing_there(image_files(made))
    assert "are not UTF-8, first '" in said and said.endswith("Rename them")
    said.encode()


@pytest.mark.parametrize("name", ["a\nb.png", " a.png", "a .png", "a\t.png", "é.png", "x'\".png"])
def test_odd_names_that_are_text_count(tmp_path, name):
    assert image_files(tree(tmp_path, name)).names == [name]
    assert "\n" not in shown(name)
    shown(name).encode()


def test_names_that_differ_in_their_encoding_alone_are_paired():
    composed = unicodedata.normalize("NFC", "é/à.png")
    apart = unicodedata.normalize("NFD", composed)
    assert twins(["a", composed, "b", apart]) == [(composed, apart)]
    assert twins([composed, "e/a.png"]) == []


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([], "no file below"),
        (["a.npy", "b.npy"], "none of the 2 files below {} is an image: 2 .npy. Convert them"),
        (["a.gif"], "the only file below {} is no image: 1 .gif. Convert them to PNG"),
        (["a.json", "b.xml"], "1 .json, 1 .xml. Give the folder of the images"),
        (["a.zip"], "Unpack the archives"),
        (["a.tar.gz", "x.txt"], "Unpack the archives"),
        (["a.mp4"], "frames as PNG"),
        (["noend"], "1 without suffix"),
        ([f"a.{c}" for c in "qrstuvw"], "and 2 other kinds"),
        ([".a.png"], "1 hidden files or folders were left out"),
    ],
)
def test_where_no_image_is_the_message_says_what_is(tmp_path, names, said):
    text = nothing_there(image_files(tree(tmp_path, *names)))
    assert said.format(tmp_path) in text


def test_where_only_links_are_it_says_so(tmp_path):
    made = tree(tmp_path / "made")
    (made / "linked").symlink_to(tree(tmp_path / "else", "a.png"))
    assert "1 linked sub-folders were not looked into, first 'linked'" in nothing_there(
        image_files(made)
    )


@pytest.mark.parametrize("what", ["missing", "file.png"])
def test_what_is_no_folder_is_an_error(tmp_path, what):
    (tmp_path / "file.png").touch()
    with pytest.raises(DataError, match=rf"{what} cannot be read \(.*Give a folder of images"):
        image_files(tmp_path / what)


def test_hidden_is_asked_of_one_part_of_a_path():
    assert is_hidden(".a") and is_hidden("__MACOSX") and not is_hidden("a.b")
