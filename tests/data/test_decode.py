import numpy as np
import pytest
from PIL import Image

from tpld.data.decode import decode_image, decode_label
from tpld.data.sources import ClassTable
from tpld.errors import DataError

TABLE = ClassTable(["road", "car"], [7, 26], np.zeros((2, 3), np.uint8), [0, 34])
RAW = np.array([[7, 26, 7], [0, 34, 255]], np.uint8)
IDS = [[0, 1, 0], [255, 255, 255]]


def test_one_channel_of_ids(tmp_path):
    Image.fromarray(RAW).save(tmp_path / "l.png")
    ids = decode_label(tmp_path / "l.png", TABLE)
    assert ids.dtype == np.uint8
    assert ids.tolist() == IDS


def test_a_palette_file_is_read_by_index_and_not_by_colour(tmp_path):
    image = Image.fromarray(RAW, mode="P")
    colours = np.zeros((256, 3), np.uint8)
    colours[26] = colours[34] = (0, 0, 142)  # as in GTA5: entry 34 has car's colour
    image.putpalette(colours.tobytes())
    image.save(tmp_path / "l.png")
    with Image.open(tmp_path / "l.png") as stored:
        assert stored.mode == "P"
    assert decode_label(tmp_path / "l.png", TABLE).tolist() == IDS


def test_sixteen_bits_are_not_cut_to_eight(tmp_path):
    table = ClassTable(["a", "b"], [300, 65534], np.zeros((2, 3), np.uint8), [44])
    raw = np.array([[300, 65534], [44, 255]], np.uint16)  # 300 is 44 in eight bits
    Image.fromarray(raw).save(tmp_path / "l.png")
    assert decode_label(tmp_path / "l.png", table).tolist() == [[0, 1], [255, 255]]


def test_colours_are_refused(tmp_path):
    path = tmp_path / "l.png"
    Image.new("RGB", (4, 4)).save(path)
    with pytest.raises(DataError) as caught:
        decode_label(path, TABLE)
    assert str(caught.value) == (
        f"{path}: label file of mode RGB; one channel of class ids is needed. "
        "Convert colours to ids first"
    )


def test_an_unknown_value_is_named_with_its_count_and_what_is_allowed(tmp_path):
    path = tmp_path / "l.png"
    Image.fromarray(np.array([[7, 9, 9], [26, 9, 200]], np.uint8)).save(path)
    with pytest.raises(DataError) as caught:
        decode_label(path, TABLE)
    text = str(caught.value)
    assert text.startswith(f"{path}: label value 9 (3 pixels), 200 (1 pixels) is not in")
    assert "Allowed: [7, 26], ignored: [0, 34, 255]" in text
    assert "data.folder.classes or data.folder.ignored_ids" in text


def test_values_beyond_sixteen_bits(tmp_path):
    path = tmp_path / "l.tiff"
    Image.fromarray(np.array([[7, 70000]], np.int32)).save(path)
    with pytest.raises(DataError, match=r"label values 7\.\.70000 are outside 0\.\.65535"):
        decode_label(path, TABLE)


@pytest.mark.parametrize("keep", [0, 8, 40, 100])
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_truncated_file_is_named(tmp_path, keep, suffix):
    path = tmp_path / f"i.{suffix}"
    noise = np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:keep] if keep < 100 else path.read_bytes()[:-100])
    with pytest.raises(DataError) as caught:
        decode_image(path)
    text = str(caught.value)
    assert text.startswith(f"{path} cannot be decoded (")
    assert "Replace the file or drop it from the split list" in text


def test_a_text_file_is_no_image(tmp_path):
    path = tmp_path / "i.png"
    path.write_text("hello")
    with pytest.raises(DataError, match="cannot be decoded"):
        decode_label(path, TABLE)


def test_a_missing_file(tmp_path):
    with pytest.raises(DataError, match=r"none\.png does not exist\. Correct the split list"):
        decode_image(tmp_path / "none.png")


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P"])
def test_images_of_any_mode_become_rgb(tmp_path, mode):
    Image.new("RGB", (3, 2), (51, 51, 51)).convert(mode).save(tmp_path / "i.png")
    pixels = decode_image(tmp_path / "i.png")
    assert pixels.shape == (2, 3, 3)
    assert pixels.dtype == np.uint8
    assert (pixels == 51).all()


def test_resizing_is_height_first_and_makes_no_new_labels(tmp_path):
    Image.new("RGB", (8, 4)).save(tmp_path / "i.png")
    assert decode_image(tmp_path / "i.png", (2, 6)).shape == (2, 6, 3)
    raw = np.where(np.arange(8) < 4, 7, 26).astype(np.uint8)[None].repeat(4, 0)
    Image.fromarray(raw).save(tmp_path / "l.png")
    label = decode_label(tmp_path / "l.png", TABLE, (2, 6))
    assert label.tolist() == [[0, 0, 0, 1, 1, 1]] * 2
    Image.fromarray(raw.astype(np.uint16)).save(tmp_path / "l16.png")
    assert decode_label(tmp_path / "l16.png", TABLE, (2, 6)).tolist() == label.tolist()


def test_no_program_is_started_for_a_file(tmp_path):
    """PIL hands PostScript to Ghostscript, whatever the name of the file says."""
    path = tmp_path / "a.png"
    Image.new("RGB", (8, 8)).save(path, "EPS")
    with pytest.raises(DataError, match=r"cannot be decoded .* known formats: PNG, JPEG"):
        decode_image(path)
