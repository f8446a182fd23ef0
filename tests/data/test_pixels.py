"""Which pixels the network sees: bit depths, bands, pages, transparency of every format."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.data.image_files import write_few_bits, write_png, write_tiff
from tpld.data.decode import decode_image
from tpld.data.remarks import Remark, Remarks
from tpld.errors import DataError


def values(dtype, channels: int, size=(7, 9), seed=0) -> np.ndarray:
    """Random values over the whole range of a type."""
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return rng.random((*size, channels)).astype(dtype)
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max, (*size, channels), dtype, endpoint=True)


def upper(array: np.ndarray) -> np.ndarray:
    """The RGB picture of unsigned grey or RGB values; what lies beyond is left out."""
    byte = (array >> 8 * (array.dtype.itemsize - 1)).astype(np.uint8)
    return np.repeat(byte[..., :1], 3, -1) if array.shape[-1] < 3 else byte[..., :3]


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_png(tmp_path, dtype, channels):
    array = values(dtype, channels)
    remarks: list[Remark] = []
    seen = decode_image(write_png(tmp_path / "a.png", array), remarks=remarks)
    assert np.array_equal(seen, upper(array))
    assert remarks == ([Remark.TRANSPARENT] if channels in (2, 4) else [])


# samples, photometric, kinds of the samples beyond the colours
LAYOUTS = [
    (1, 1, ()), (1, 0, ()), (2, 1, (0,)), (2, 1, (1,)), (2, 1, (2,)), (3, 2, ()), (4, 2, (0,)),
    (4, 2, (1,)), (4, 2, (2,)), (4, 2, ()), (5, 2, (0, 0)), (5, 2, (2, 0)), (5, 2, (1, 0)),
    (6, 2, (0, 0, 0)), (3, 1, (0, 0)), (6, 1, (0,) * 5), (6, 1, ()), (4, 5, ()), (5, 5, (0,)),
]  # fmt: skip
TYPES = [np.uint8, np.uint16, np.int8, np.int16, np.uint32, np.int32, np.float16, np.float32]
# Written to be read right; everything else may be refused, never decoded into something else.
READ = {(np.uint8, *layout) for layout in LAYOUTS if layout[1] != 1 or layout[0] < 3}
READ |= {(np.uint16, 1, 1, ()), (np.uint16, 3, 2, ())}
READ |= {(np.uint16, 4, 2, extra) for extra in ((0,), (1,), (2,), ())}


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
@pytest.mark.parametrize("dtype", TYPES)
def test_tiff_is_read_right_or_refused(tmp_path, dtype, layout):
    samples, photometric, extra = layout
    array = values(dtype, samples)
    for planar, endian in itertools.product((False, True), "<>"):
        path = write_tiff(
            tmp_path / "a.tif", array, photometric=photometric, extra=extra, planar=planar,
            endian=endian,
        )  # fmt: skip
        remarks: list[Remark] = []
        try:
            seen = decode_image(path, remarks=remarks)
        except DataError as error:
            assert (dtype, *layout) not in READ or planar, str(error)
            assert "PNG" in str(error)
            continue
        assert np.dtype(dtype).kind == "u", "signs or decimals"
        truth = upper(array)
        if photometric == 0:
            truth = 255 - truth
        if photometric == 5:
            inks = array[..., :4].astype(int)
            truth = (255 - inks[..., :3]) * (255 - inks[..., 3:]) / 255
            assert np.abs(seen - truth).max() <= 1
            assert Remark.CMYK in remarks
        elif extra[:1] == (1,):
            alpha = (array[..., -len(extra)] >> 8 * (array.dtype.itemsize - 1)).astype(float)
            with np.errstate(divide="ignore", invalid="ignore"):
                truth = np.minimum(255, 255.0 * truth / alpha[..., None])
            assert np.abs(seen - truth)[alpha > 0].max() <= 1
            assert Remark.PREMULTIPLIED in remarks
        else:
            assert np.array_equal(seen, truth)
        assert (Remark.BANDS in remarks) == (0 in extra)
        assert (Remark.TRANSPARENT in remarks) == (2 in extra or layout == (4, 2, ()))


@pytest.mark.parametrize("highest", [1, 200, 255, 256, 1023, 4095, 8000])
@pytest.mark.parametrize("kind", ["png1", "png3", "png4", "tif1", "tif3", "pgm", "ppm"])
def test_fewer_bits_in_a_file_of_16_are_refused(tmp_path, kind, highest):
    array = values(np.uint16, 3) % np.uint16(highest + 1)
    array[0, 0] = highest
    with pytest.raises(DataError) as caught:
        decode_image(_save(tmp_path, kind, array))
    text = str(caught.value)
    exact = kind in ("png1", "tif1", "pgm")
    # PIL keeps the upper byte of colours.
    bits = int(highest if exact else max(highest, 255)).bit_length()
    if (kind, highest) == ("ppm", 256):
        return  # scaled and rounded as 255 is
    assert f"fit into {bits} bits" in text
    if kind != "ppm":
        assert f"{highest if exact else 'at most ' + str(highest | 255)} of 65535" in text
    assert f"multiply them by {2 ** (16 - bits)}" in text
    if highest > 128:
        scaled = _save(tmp_path, kind, array * np.uint16(2 ** (16 - bits)))
        assert decode_image(scaled).max() >= 127  # the remedy works


def _save(folder, kind: str, array: np.ndarray):
    path = folder / f"a.{kind[:3]}"
    if kind.startswith("png"):
        full = np.full((*array.shape[:2], 1), 65535, np.uint16)
        return write_png(path, np.concatenate([array, full], -1)[..., : int(kind[3])])
    if kind.startswith("tif"):
        channels = int(kind[3])
        return write_tiff(path, array[..., :channels], photometric=1 if channels == 1 else 2)
    magic, array = ("P5", array[..., :1]) if kind == "pgm" else ("P6", array)
    head = f"{magic} {array.shape[1]} {array.shape[0]} 65535\n"
    path.write_bytes(head.encode() + array.astype(">u2").tobytes())
    return path


@pytest.mark.parametrize("kind", ["png1", "png3", "png4", "tif1", "tif3", "pgm", "ppm"])
def test_sixteen_bits_of_full_range_are_read_by_their_upper_byte(tmp_path, kind):
    array = values(np.uint16, 3)
    truth = upper(array if kind[-1] in "34" or kind == "ppm" else array[..., :1])
    remarks: list[Remark] = []
    seen = decode_image(_save(tmp_path, kind, array), remarks=remarks)
    # PIL scales PPM by 255/65535 instead of shifting: the same but for rounding.
    assert np.abs(seen.astype(int) - truth).max() <= (kind == "ppm")
    assert not remarks


@pytest.mark.parametrize("kind", ["png1", "tif1", "pgm"])
def test_a_black_image_of_16_bits_is_black(tmp_path, kind):
    assert not decode_image(_save(tmp_path, kind, np.zeros((4, 5, 3), np.uint16))).any()


@pytest.mark.parametrize("kind", ["png1", "png3", "png4", "tif1", "tif3", "pgm", "ppm"])
def test_fourteen_bits_are_worth_a_remark(tmp_path, kind):
    remarks: list[Remark] = []
    decode_image(_save(tmp_path, kind, values(np.uint16, 3) >> 2), remarks=remarks)
    assert remarks == [Remark.DARK]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.integers(0, 65535),
    st.sampled_from(["png1", "png3", "png4", "tif1", "tif3", "pgm", "ppm"]),
    st.integers(0, 5),
)
def test_no_16_bit_file_becomes_nearly_black_without_a_word(tmp_path, highest, kind, seed):
    array = np.minimum(values(np.uint16, 3, seed=seed), highest)
    array[0, 0] = highest
    try:
        seen = decode_image(_save(tmp_path, kind, array))
    except DataError:
        assert highest < 8192
    else:
        assert highest >= 8192 - 96 * (kind == "ppm") or not highest
        assert abs(int(seen.max()) - highest // 256) <= 1


@pytest.mark.parametrize("maximum", [1, 15, 255, 1023, 4095, 65535])
@pytest.mark.parametrize("magic", ["P2", "P3", "P5", "P6"])
def test_ppm_declares_its_range(tmp_path, magic, maximum):
    channels = 1 if magic in ("P2", "P5") else 3
    array = np.minimum(values(np.uint16, channels), maximum)
    array[0, 0] = maximum
    head = f"{magic} {array.shape[1]} {array.shape[0]} {maximum}\n".encode()
    if magic in ("P2", "P3"):
        body = " ".join(map(str, array.ravel())).encode()
    else:
        body = array.astype(">u2" if maximum > 255 else "u1").tobytes()
    path = tmp_path / "a.ppm"
    path.write_bytes(head + body)
    truth = np.broadcast_to(array * 255.0 / maximum, (*array.shape[:2], 3))
    assert np.abs(decode_image(path) - truth).max() <= 1


def test_a_tiff_declares_12_bits(tmp_path):
    """Two values in three bytes; PIL reads them in grey, of little-endian files."""
    array = values(np.uint16, 1, (4, 6)) >> 4
    first, second = array.ravel()[::2], array.ravel()[1::2]
    packed = np.stack([first >> 4, (first & 15) << 4 | second >> 8, second & 255], -1)
    path = tmp_path / "a.tif"
    write_tiff(path, np.zeros((4, 6, 1), np.uint16), photometric=1)
    data = bytearray(path.read_bytes())
    body = packed.astype(np.uint8).tobytes()
    data[8 : 8 + len(body)] = body
    place = data.index(b"\x02\x01\x03\0\x01\0\0\0\x10\0")  # BitsPerSample = 16
    data[place + 8] = 12
    path.write_bytes(bytes(data))
    assert np.array_equal(decode_image(path), np.repeat((array >> 4).astype(np.uint8), 3, -1))


@pytest.mark.parametrize(
    ("suffix", "bits"), [("png", 1), ("tif", 1), ("bmp", 1), ("ppm", 1), ("png", 2), ("png", 4)]
)
def test_few_bits_are_spread_over_the_whole_range(tmp_path, suffix, bits):
    grey = np.arange(16, dtype=np.uint8).reshape(4, 4) % 2**bits
    path = tmp_path / f"a.{suffix}"
    if suffix == "png":
        write_few_bits(path, grey, bits)
    else:
        Image.fromarray(grey.astype(bool)).save(path)
    assert np.array_equal(decode_image(path)[..., 1], grey * (255 // (2**bits - 1)))


@pytest.mark.parametrize(
    ("form", "mode"),
    [("PNG", "RGBA"), ("PNG", "LA"), ("PNG", "P"), ("WEBP", "RGBA"), ("TIFF", "RGBA"),
     ("TIFF", "LA")],
)  # fmt: skip
@pytest.mark.parametrize("opaque", [True, False])
def test_transparency_is_worth_a_remark_where_there_is_any(tmp_path, form, mode, opaque):
    path = tmp_path / f"a.{form.lower()}"
    picture = Image.new("RGBA", (4, 3), (50, 50, 50, 255))
    picture.putpixel((1, 1), (200, 200, 200, 255 if opaque else 9))
    options = {"lossless": True, "exact": True} if form == "WEBP" else {}
    if mode == "P":
        picture = picture.convert("RGB").quantize(2)
        clear = picture.getpixel((1, 1))
        options["transparency"] = bytes(9 if i == clear and not opaque else 255 for i in range(2))
    picture.convert(mode).save(path, form, **options)
    remarks: list[Remark] = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        seen = decode_image(path, remarks=remarks)
    assert seen[0, 0].tolist() == [50] * 3 and seen[1, 1].tolist() == [200] * 3
    assert remarks == ([] if opaque else [Remark.TRANSPARENT])


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "1"])
@pytest.mark.parametrize("used", [True, False])
def test_one_colour_may_count_as_transparent(tmp_path, mode, used):
    clear: int | tuple[int, int, int] = {"RGB": (255, 255, 255)}.get(mode, 255)
    picture = Image.new("RGB", (4, 3), "white" if used else "black").convert(mode)
    if mode == "P":
        clear = 255 if not used else picture.getpixel((0, 0))
    picture.save(tmp_path / "a.png", transparency=clear)
    remarks: list[Remark] = []
    decode_image(tmp_path / "a.png", remarks=remarks)
    assert remarks == ([Remark.TRANSPARENT] if used else [])


def test_premultiplied_but_opaque_needs_no_word(tmp_path):
    array = values(np.uint8, 4)
    array[..., 3] = 255
    write_tiff(tmp_path / "a.tif", array, photometric=2, extra=(1,))
    remarks: list[Remark] = []
    assert np.array_equal(decode_image(tmp_path / "a.tif", remarks=remarks), array[..., :3])
    assert remarks == []


def test_cmyk_jpeg(tmp_path):
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "a.jpg", quality=100)
    remarks: list[Remark] = []
    red = decode_image(tmp_path / "a.jpg", remarks=remarks)
    assert remarks == [Remark.CMYK]
    assert np.abs(red.astype(int) - (255, 0, 0)).max() < 6


@pytest.mark.parametrize("frames", [1, 2, 5])
@pytest.mark.parametrize("form", ["GIF", "PNG", "WEBP", "TIFF", "MPO"])
def test_of_several_pages_the_first_is_read_with_a_word(tmp_path, form, frames):
    path = tmp_path / f"a.{'jpg' if form == 'MPO' else form.lower()}"
    noise = np.random.default_rng(0).integers(0, 255, (5, 16, 16, 3), np.uint8)
    pictures = [Image.fromarray(noise[i]) for i in range(frames)]
    if form == "GIF":
        pictures = [picture.quantize(16) for picture in pictures]
    options = {"lossless": True} if form == "WEBP" else {}
    pictures[0].save(path, form, save_all=True, append_images=pictures[1:], **options)
    remarks: list[Remark] = []
    seen = decode_image(path, remarks=remarks)
    assert remarks == ([Remark.PAGES] if frames > 1 else [])
    if form != "MPO":
        assert np.array_equal(seen, np.asarray(pictures[0].convert("RGB")))


@pytest.mark.parametrize(
    ("kinds", "said"), [((0, 1, 1), False), ((0, 4), False), ((0, 0), True), ((0, 1, 2), True)]
)
def test_smaller_copies_in_a_tiff_are_no_pages(tmp_path, kinds, said):
    pages = [values(np.uint8, 3, (8 >> i, 8 >> i)) for i in range(len(kinds))]
    write_tiff(tmp_path / "a.tif", *pages, photometric=2, page_kinds=kinds)
    remarks: list[Remark] = []
    assert np.array_equal(decode_image(tmp_path / "a.tif", remarks=remarks), pages[0])
    assert remarks == ([Remark.PAGES] if said else [])


def test_remarks_are_counted_by_kind(tmp_path):
    said = Remarks()
    said.add(tmp_path / "a.png", [Remark.PAGES, Remark.TURNED])
    said.add(tmp_path / "b\n.png", [Remark.TURNED])
    assert said.lines(9) == [
        f"2 of 9 images are turned as their EXIF orientation says (first {tmp_path / 'a.png'})",
        f"1 of 9 images have further pages or frames: the first is used "
        f"(first {tmp_path / 'a.png'})",
    ]
