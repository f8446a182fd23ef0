"""What `tpld predict` reads, where it may write, and what it says about both."""

import json
import os
import unicodedata

import numpy as np
import pytest
from PIL import Image

from tests.data.image_files import write_png
from tests.data.test_decode import UPRIGHT, save_turned
from tpld.commands.predict import Wanted, predict
from tpld.commands.predict_files import KINDS, check_out, find_images
from tpld.config import Compute, Config
from tpld.data.decode import decode_image
from tpld.errors import ConfigError, DataError
from tpld.models.card import card_of
from tpld.models.registry import build_model
from tpld.models.weights import save_model

CPU = Compute(device="cpu", precision="float32", threads=1)
MASKS = Wanted(overlays=False, confidence=False)


def png(path) -> np.ndarray:
    return np.asarray(Image.open(path))


def grey(path, size=(8, 9)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (size[1], size[0]), 90).save(path, "PNG")
    return path


def names(*paths, **options) -> list[str]:
    return list(find_images(list(paths), **options).files)


@pytest.mark.parametrize(
    "content", [b"", b"\x89PNG", b"hello", b"\x89PNG\r\n\x1a\n" + b"\0" * 40, b"\xff\xd8\xff"]
)
def test_a_broken_image_is_named_and_stops_no_other(trained, photos, tmp_path, content):
    (photos / "broken.png").write_bytes(content)
    with pytest.raises(DataError) as caught:
        predict(trained[0], [photos], tmp_path / "out", Wanted(), CPU)
    text = str(caught.value)
    assert text.startswith("1 of 4 images could not be predicted, the others are in")
    assert f"{photos / 'broken.png'} cannot be decoded (" in text
    assert "free space" not in text and "BufferedReader" not in text
    for kind, suffix in KINDS.items():
        assert len(list((tmp_path / "out" / kind).rglob(f"*{suffix}"))) == 3


def test_images_are_found_in_natural_order_without_what_programs_leave_behind(tmp_path):
    for name in [f"f{i}.png" for i in range(11, 0, -1)]:
        grey(tmp_path / name)
    for name in (".ipynb_checkpoints/f1-checkpoint.png", "._f1.png", "__MACOSX/f1.png", ".x/a.png"):
        grey(tmp_path / name)
    assert names(tmp_path) == [f"f{i}" for i in range(1, 12)]


def test_two_images_of_one_name_are_refused(tmp_path):
    first, second = grey(tmp_path / "x" / "a.png"), grey(tmp_path / "y" / "a.png")
    with pytest.raises(ConfigError, match=r"would both be written as a\.png"):
        find_images([first, second])
    assert names(first, first) == ["a"]
    grey(tmp_path / "x" / "a.jpg")
    with pytest.raises(ConfigError, match=r"would both be written as a\.png"):
        find_images([tmp_path / "x"])
    for form in ("NFC", "NFD"):
        grey(tmp_path / "z" / f"{unicodedata.normalize(form, 'é')}.png")
    with pytest.raises(ConfigError, match="differ in how accents are encoded"):
        find_images([tmp_path / "z"])


@pytest.mark.parametrize(
    ("there", "said"),
    [
        ([], "no file below"),
        (["a.npy", "b.npy", "c.json"], r"none of the 3 files .*2 \.npy, 1 \.json\. Convert them"),
        (["a.gif"], r"is no image: 1 \.gif\. Convert them to PNG"),
        (["._a.png"], "hidden"),
    ],
)
def test_where_no_image_is_it_says_what_is(tmp_path, there, said):
    (tmp_path / "in").mkdir()
    for name in there:
        (tmp_path / "in" / name).touch()
    with pytest.raises(DataError, match=said):
        find_images([tmp_path / "in"])
    with pytest.raises(DataError, match=r"does not exist\. Give image files"):
        find_images([tmp_path / "nothing"])


def test_linked_folders_are_named_or_followed(trained, tmp_path, caplog):
    grey(tmp_path / "in" / "a.png")
    grey(tmp_path / "else" / "b.png")
    (tmp_path / "in" / "more").symlink_to(tmp_path / "else")
    predict(trained[0], [tmp_path / "in"], tmp_path / "out", MASKS, CPU)
    assert "1 linked sub-folders of" in caplog.text and "first 'more'" in caplog.text
    caplog.clear()
    options = {"follow_links": True, "overwrite": True}
    predict(trained[0], [tmp_path / "in"], tmp_path / "out", MASKS, CPU, **options)
    assert "linked" not in caplog.text
    assert (tmp_path / "out" / "masks" / "more" / "b.png").exists()


@pytest.mark.parametrize("place", ["..", "../../{name}", "more/../.."])
def test_masks_do_not_go_beside_the_folder_of_the_images(trained, photos, place):
    """`init` would take them for labels."""
    out = photos / place.format(name=photos.parent.name)
    with pytest.raises(ConfigError, match="would take predictions for labels"):
        predict(trained[0], [photos], out, MASKS, CPU)
    assert not (photos.parent / "masks").exists()


@pytest.mark.parametrize("place", [".", "out", "deep/er", "../in"])
def test_results_among_the_images_are_refused_before_anything_is_done(tmp_path, place, trained):
    images = tmp_path / "in"
    grey(images / "a.png")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ConfigError, match=r"Give one beside it, such as .*in_predicted"):
        predict(trained[0], [images], images / place, MASKS, CPU, overwrite=True)
    assert sorted(tmp_path.rglob("*")) == before


def test_results_do_not_go_over_images(trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    image = grey(tmp_path / "in" / "a.png")
    predict(trained[0], [image], tmp_path / ".", MASKS, CPU)
    masks = (tmp_path / "masks" / "a.png").read_bytes()
    with pytest.raises(ConfigError, match=r"would be replaced\. Give another folder"):
        predict(trained[0], [tmp_path / "masks" / "a.png"], tmp_path, MASKS, CPU, overwrite=True)
    assert (tmp_path / "masks" / "a.png").read_bytes() == masks
    with pytest.raises(ConfigError, match=r"is a file\. Give a folder"):
        predict(trained[0], [image.parent], tmp_path / "in" / "a.png", MASKS, CPU)


def test_a_call_can_be_repeated_but_not_mixed_with_another(trained, photos, tmp_path):
    out = tmp_path / "out"
    predict(trained[0], [photos], out, Wanted(), CPU)
    predict(trained[0], [photos], out, Wanted(mirror=True), CPU)
    assert json.loads((out / "predict.json").read_text())["mirror"] is True
    state = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    with pytest.raises(ConfigError, match=r"holds 6 files of another call, first confidence/c"):
        predict(trained[0], [photos / "a.png", photos / "more"], out, Wanted(), CPU)
    with pytest.raises(ConfigError, match=r"holds 3 files .*first overlays/a\.jpg.*--overwrite"):
        predict(trained[0], [photos], out, Wanted(overlays=False), CPU)
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == state
    predict(trained[0], [photos / "a.png"], out, Wanted(), CPU, overwrite=True)
    assert (out / "masks" / "c.png").exists()


@pytest.mark.parametrize("theirs", ["masks/a.png", "masks/deep/x.png", "overlays/y", "classes.csv"])
def test_files_that_predict_has_not_written_are_kept(trained, photos, tmp_path, theirs):
    """A folder of images beside `masks` is where ground truth lies."""
    out = tmp_path / "data"
    (out / theirs).parent.mkdir(parents=True)
    (out / theirs).write_bytes(b"theirs")
    with pytest.raises(ConfigError, match="no call of `tpld predict` has noted as its own"):
        predict(trained[0], [photos], out, Wanted(), CPU)
    assert (out / theirs).read_bytes() == b"theirs"
    assert [path for path in out.rglob("*") if path.is_file()] == [out / theirs]


def test_what_is_no_result_does_not_hinder(tmp_path):
    (tmp_path / "out" / "masks").mkdir(parents=True)
    for name in ("notes.txt", "masks/.a.png.lock", "masks/.DS_Store"):
        (tmp_path / "out" / name).touch()
    grey(tmp_path / "in" / "a.png")
    check_out(tmp_path / "out", [tmp_path / "in"], find_images([tmp_path / "in"]), ["masks"], False)


@pytest.mark.parametrize(
    "name", ["a\nb", " a", "a ", "a.b.c", "a\t", "'\"$x", "é" * 60, "[red]", "-"]
)
def test_odd_names_get_masks(trained, tmp_path, name):
    grey(tmp_path / "in" / f"{name}.png")
    predict(trained[0], [tmp_path / "in"], tmp_path / "out", Wanted(), CPU)
    for kind, suffix in KINDS.items():
        assert (tmp_path / "out" / kind / f"{name}{suffix}").is_file()


def test_names_that_no_result_can_have_are_named_and_stop_no_other(trained, tmp_path):
    grey(tmp_path / "in" / "a.png")
    grey(tmp_path / "in" / f"{'x' * 251}.png")  # with what a partial file is called by too long
    grey(tmp_path / "in" / os.fsdecode(b"\xe9.png"))
    with pytest.raises(DataError) as caught:
        predict(trained[0], [tmp_path / "in"], tmp_path / "out", MASKS, CPU)
    text = str(caught.value)
    text.encode()  # can be printed
    assert "2 of 3 images could not be predicted" in text
    assert r"\xe9.png: its name is not UTF-8. Rename it" in text
    assert "xxx: no file can be called so (File name too long)" in text
    assert (tmp_path / "out" / "masks" / "a.png").exists()
    with pytest.raises(DataError, match=r"\\xe9.png: its name is not UTF-8"):
        find_images([tmp_path / "in" / os.fsdecode(b"\xe9.png")])


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (1, 3000), (2, 2)])
def test_thin_images_of_any_scale(trained, tmp_path, size):
    grey(tmp_path / "in" / "a.png", size)
    for number, wanted in enumerate((Wanted(), Wanted(scale=0.05), Wanted(size=(64, 64)))):
        predict(trained[0], [tmp_path / "in"], tmp_path / str(number), wanted, CPU)
        assert png(tmp_path / str(number) / "masks" / "a.png").shape == size


@pytest.mark.parametrize("name", ["deeplabv2_vgg16", "deeplabv2_efficientnet_lite0"])
def test_other_networks_see_thin_images_too(tmp_path, name):
    model = {"name": name, "weights": "random"}
    config = Config(model=model, source_training={"batch_norm": "train"})
    card = card_of(config)
    save_model(build_model(config, len(card["classes"])), tmp_path / "m.safetensors", card)
    for number, size in enumerate(((1, 1), (1, 40), (2, 3))):
        images = grey(tmp_path / f"in{number}" / "a.png", size).parent
        predict(tmp_path / "m.safetensors", [images], tmp_path / f"{number}", MASKS, CPU)
        assert png(tmp_path / f"{number}" / "masks" / "a.png").shape == size


@pytest.mark.parametrize("orientation", range(1, 9))
def test_masks_are_of_the_turned_image(trained, tmp_path, orientation, caplog):
    (tmp_path / "in").mkdir()
    turned = save_turned(tmp_path / "in" / "turned.png", "PNG", orientation)
    upright = UPRIGHT[orientation](np.asarray(decode_image(turned, turn=False)))
    Image.fromarray(np.ascontiguousarray(upright)).save(tmp_path / "in" / "upright.png")
    predict(trained[0], [tmp_path / "in"], tmp_path / "out", Wanted(), CPU)
    for kind, suffix in KINDS.items():
        pair = [png(tmp_path / "out" / kind / f"{n}{suffix}") for n in ("turned", "upright")]
        assert np.array_equal(*pair)
    said = "1 of 2 images are turned as their EXIF orientation says" in caplog.text
    assert said == (orientation > 1)


def test_remarks_come_once_a_call(trained, tmp_path, caplog):
    for i in range(5):
        deep = np.full((8, 9, 4), 40000, np.uint16)
        (tmp_path / "in").mkdir(exist_ok=True)
        write_png(tmp_path / "in" / f"{i}.png", deep)
    predict(trained[0], [tmp_path / "in"], tmp_path / "out", MASKS, CPU)
    assert caplog.text.count("transparent pixels") == 1
    assert "5 of 5 images have transparent pixels" in caplog.text
    assert f"first {tmp_path / 'in' / '0.png'}" in caplog.text
