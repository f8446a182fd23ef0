import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.data.image_files import chunk, write_few_bits, write_png, write_tiff
from tpld.data.decode import decode_image, decode_label
from tpld.data.opened import MAX_PIXELS, image_size, unequal_sizes
from tpld.data.remarks import Remark
from tpld.data.table import ClassTable
from tpld.errors import DataError

TABLE = ClassTable(["road", "car"], [[7], [26]], np.zeros((2, 3), np.uint8), [0, 34])
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
    table = ClassTable(["a", "b"], [[300], [65534]], np.zeros((2, 3), np.uint8), [44])
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
    assert "Add it to the domain's `values` or `ignored`" in text


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
    assert "Replace the file or leave it out" in text


def test_a_text_file_is_no_image(tmp_path):
    path = tmp_path / "i.png"
    path.write_text("hello")
    with pytest.raises(DataError, match="cannot be decoded"):
        decode_label(path, TABLE)


def test_a_missing_file(tmp_path):
    with pytest.raises(DataError, match=r"none\.png does not exist\. Correct its name"):
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


# What the eight EXIF orientations say about how the stored rows and columns lie in the picture.
UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a.swapaxes(0, 1)[:, ::-1],
    7: lambda a: a.swapaxes(0, 1)[::-1, ::-1],
    8: lambda a: a.swapaxes(0, 1)[::-1],
}
STORED = np.random.default_rng(0).integers(0, 256, (16, 32, 3), np.uint8)


def save_turned(path, form: str, orientation: int, stored: np.ndarray = STORED):
    """A file whose EXIF (or, of the last kind, XMP) data name an orientation."""
    exif = Image.Exif()
    exif[274] = orientation
    picture = Image.fromarray(stored)
    if form == "TIFF 16":
        deep = stored.astype(np.uint16) * 257
        return write_tiff(path, deep, photometric=2, tags={274: orientation})
    if form == "PNG 16":
        data = exif.tobytes().removeprefix(b"Exif\0\0")
        return write_png(path, stored.astype(np.uint16) * 257, chunk(b"eXIf", data))
    if form == "PNG late":  # after the pixels
        picture.save(path, "PNG")
        data = exif.tobytes().removeprefix(b"Exif\0\0")
        path.write_bytes(path.read_bytes()[:-12] + chunk(b"eXIf", data) + chunk(b"IEND", b""))
        return path
    options = {"lossless": True} if form == "WEBP" else {}
    options = {"quality": 100, "subsampling": 0} if form == "JPEG" else options
    if form == "TIFF lzw":
        form, options["compression"] = "TIFF", "tiff_lzw"
    if form == "PNG XMP":
        text = f'<x tiff:Orientation="{orientation}"/>'
        form, exif = "PNG", Image.Exif()
        data = b"XML:com.adobe.xmp\0\0\0\0\0" + text.encode()
        picture.save(path, form)
        head = path.read_bytes()
        path.write_bytes(head[:33] + chunk(b"iTXt", data) + head[33:])
        return path
    picture.save(path, form, exif=exif, **options)
    return path


FORMS = ["JPEG", "PNG", "PNG 16", "PNG late", "PNG XMP", "WEBP", "TIFF", "TIFF lzw", "TIFF 16"]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", FORMS)
def test_images_are_turned_as_exif_says_unless_they_must_not(tmp_path, form, orientation):
    path = save_turned(tmp_path / "a.img", form, orientation)
    upright = UPRIGHT[orientation](STORED).astype(int)
    remarks: list[Remark] = []
    seen = decode_image(path, remarks=remarks)
    assert seen.shape == upright.shape
    assert np.abs(seen - upright).max() <= (12 if form == "JPEG" else 0)
    assert remarks == ([Remark.TURNED] if orientation > 1 else [])
    remarks.clear()
    seen = decode_image(path, turn=False, remarks=remarks)
    assert seen.shape == STORED.shape
    assert np.abs(seen.astype(int) - STORED).max() <= (12 if form == "JPEG" else 0)
    assert remarks == []
    assert decode_image(path, (5, 7)).shape == (5, 7, 3)
    if form not in ("PNG late", "PNG XMP"):  # read from the head alone
        assert image_size(path) == upright.shape[:2]
        assert image_size(path, turn=False) == STORED.shape[:2]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_labels_are_turned_as_the_image_is(tmp_path, form, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    for raw in (RAW, RAW.astype(np.uint16)):
        picture = Image.fromarray(raw)
        picture.save(tmp_path / "l.img", form, exif=exif)
        ids = decode_label(tmp_path / "l.img", TABLE)
        assert ids.tolist() == UPRIGHT[orientation](np.array(IDS)).tolist()
        assert decode_label(tmp_path / "l.img", TABLE, turn=False).tolist() == IDS


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate"])
@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_tiff_of_any_mode_is_turned(tmp_path, orientation, mode, compression):
    """PIL maps some modes into memory, and takes the turned size for the stored one there."""
    grey = STORED[..., :1].repeat(3, -1)
    picture = Image.fromarray(grey[..., 0] if mode == "P" else grey)
    picture = picture.convert("L" if mode == "I;16" else mode)
    if mode == "I;16":
        picture = Image.fromarray(grey[..., 0].astype(np.uint16) * 257)
    exif = Image.Exif()
    exif[274] = orientation
    picture.save(tmp_path / "a.tif", exif=exif, compression=compression)
    plain = tmp_path / "plain.tif"
    picture.save(plain, compression=compression)
    stored = decode_image(plain)
    if mode != "1":
        assert np.abs(stored.astype(int) - grey).max() <= 1
    turned = decode_image(tmp_path / "a.tif")
    assert np.array_equal(turned, UPRIGHT[orientation](stored))
    assert np.array_equal(decode_image(tmp_path / "a.tif", turn=False), stored)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_turns_nothing(tmp_path, orientation):
    for form in ("PNG", "TIFF", "WEBP"):
        path = save_turned(tmp_path / "a.img", form, orientation)
        for turn in (True, False):
            remarks: list[Remark] = []
            assert np.array_equal(decode_image(path, turn=turn, remarks=remarks), STORED)
            assert not remarks


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=60), st.sampled_from(["PNG", "JPEG", "WEBP"]))
def test_damaged_exif_does_not_cost_the_image(tmp_path, damage, form):
    path = tmp_path / "a.img"
    Image.fromarray(STORED).save(path, form, exif=b"Exif\0\0MM\0*" + damage)
    assert decode_image(path).shape in ((16, 32, 3), (32, 16, 3))
    assert image_size(path) in ((16, 32), (32, 16))


@pytest.mark.parametrize(
    ("orientation", "size", "label", "turn", "said"),
    [
        (6, (32, 16), (16, 32), True, "EXIF orientation 6 says, the label is not.*`exif: false`"),
        (5, (32, 16), (16, 32), True, "EXIF orientation 5 says"),
        (8, (16, 32), (32, 16), False, "orientation 8, which `exif: false` leaves out.*Remove"),
        (1, (16, 32), (32, 16), True, "turned by a quarter. Give a label of the image's size"),
        (3, (16, 32), (32, 16), True, "turned by a quarter. Give a label of the image's size"),
        (6, (32, 16), (9, 9), True, r"is 9x9 pixels\. Give a label of the image's size"),
    ],
)
def test_unequal_sizes_name_exif_where_that_is_why(tmp_path, orientation, size, label, turn, said):
    for form in ("PNG", "TIFF", "JPEG"):
        image = save_turned(tmp_path / "a.img", form, orientation)
        error = unequal_sizes(image, size, tmp_path / "l.png", label, turn)
        with pytest.raises(DataError, match=said):
            raise error


@pytest.mark.parametrize("frames", [2, 3])
@pytest.mark.parametrize("form", ["TIFF", "GIF", "PNG"])
def test_label_files_of_several_pages_are_refused(tmp_path, form, frames):
    pages = [Image.fromarray(np.full((4, 4), 7 + i, np.uint8)) for i in range(frames)]
    path = tmp_path / "l.img"
    pages[0].save(path, form, save_all=True, append_images=pages[1:])
    with pytest.raises(DataError, match=f"of {frames} pages or frames. Save the one that holds"):
        decode_label(path, TABLE)


def header_of(form: str, width: int, height: int) -> bytes:
    """The beginning of a file that claims a size."""
    if form == "PNG":
        head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
        return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"")
    if form == "BMP":
        info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
        return b"BM" + struct.pack("<IHHI", 0, 0, 0, 54) + info
    if form == "GIF":
        return b"GIF89a" + struct.pack("<HHBBB", width & 65535, height & 65535, 0, 0, 0)
    return f"P5 {width} {height} 255\n".encode()


@pytest.mark.parametrize("form", ["PNG", "BMP", "PPM"])
@pytest.mark.parametrize("size", [(MAX_PIXELS, 2), (2, MAX_PIXELS), (30000, 30000)])
def test_what_is_too_large_is_refused_before_it_is_decoded(tmp_path, form, size):
    path = tmp_path / "a.img"
    path.write_bytes(header_of(form, *size))
    with pytest.raises(DataError, match=rf"has {size[0]}x{size[1]} pixels.*Cut it into tiles"):
        decode_image(path)


@pytest.mark.parametrize("form", ["PNG", "BMP", "PPM", "GIF"])
@pytest.mark.parametrize("size", [(0, 0), (0, 5), (5, 0)])
def test_an_image_without_pixels_is_refused(tmp_path, form, size):
    path = tmp_path / "a.img"
    path.write_bytes(header_of(form, *size))
    with pytest.raises(DataError, match=r"a\.img (has|cannot be decoded)"):
        decode_image(path)


def test_an_image_beyond_pils_limit_is_read_without_a_word(tmp_path, recwarn):
    path = tmp_path / "a.png"
    Image.new("1", (14000, 14000), 1).save(path)
    seen = decode_image(path, (3, 3))
    assert seen.shape == (3, 3, 3) and (seen == 255).all()
    assert image_size(path) == (14000, 14000)
    assert not recwarn.list


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1), (1, 5000)])
def test_thin_images(tmp_path, size):
    array = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    for form in ("PNG", "TIFF", "BMP", "PPM"):
        Image.fromarray(array).save(tmp_path / "a.img", form)
        assert np.array_equal(decode_image(tmp_path / "a.img"), array)
        assert decode_image(tmp_path / "a.img", (4, 6)).shape == (4, 6, 3)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_labels_of_few_bits_keep_their_values(tmp_path, bits):
    """PIL spreads grey of 2 and 4 bits over 0 to 255."""
    ids = np.arange(16, dtype=np.uint8).reshape(4, 4) % 2**bits
    table = ClassTable(["a", "b"], [[0], [1]], np.zeros((2, 3), np.uint8), list(range(2, 16)))
    write_few_bits(tmp_path / "l.png", ids, bits)
    assert decode_label(tmp_path / "l.png", table).tolist() == np.where(ids > 1, 255, ids).tolist()


@pytest.mark.parametrize(
    ("dtype", "bands", "options", "said"),
    [
        (np.uint8, 1, {"photometric": 0}, "MinIsWhite"),
        (np.int8, 1, {"photometric": 1}, "8 bits with signs"),
        (np.uint8, 2, {"photometric": 1, "extra": (0,)}, "further bands"),
        (np.float32, 1, {"photometric": 1}, "decimals"),
    ],
)
def test_label_tiffs_whose_values_pil_changes_are_refused(tmp_path, dtype, bands, options, said):
    write_tiff(tmp_path / "l.tif", np.full((4, 4, bands), 7, dtype), **options)
    with pytest.raises(DataError, match=rf"label file with .*{said}.*Save it as PNG"):
        decode_label(tmp_path / "l.tif", TABLE)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.int32])
@pytest.mark.parametrize("endian", ["<", ">"])
def test_label_tiffs_of_integers(tmp_path, dtype, endian):
    write_tiff(tmp_path / "l.tif", RAW.astype(dtype)[..., None], photometric=1, endian=endian)
    assert decode_label(tmp_path / "l.tif", TABLE).tolist() == IDS
