"""Opening image files: formats, sizes, EXIF orientation, and errors that name file and remedy."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, UnidentifiedImageError

from tpld.data.listing import shown
from tpld.data.pixels import orientation, pages, source_of, turned
from tpld.data.remarks import Remark
from tpld.errors import DataError, TpldError

# PIL knows many more, and runs another program (Ghostscript) for some of them, whatever the name of
# the file says. These are read by libraries alone.
FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "WEBP", "PPM", "GIF")
# PIL refuses above a third of this, for fear of small files that unpack to gigabytes. Such an image
# (23170 x 23170) takes 4 GiB while it is decoded; larger ones, of satellites, are cut into tiles.
MAX_PIXELS = 2**29
Image.MAX_IMAGE_PIXELS = None


class Opened:
    """Open and fully decode an image file; PIL's errors, also those in the block, become ours.

    As a context it gives the image, turned as its EXIF orientation says.

    Args:
        path: of the file.
        turn: False: the image as it is stored.
        remarks: gets what is worth a word.
        load: False: read the head of the file alone; the image is not turned.

    Attributes:
        source: what only the file knows.
    """

    def __init__(
        self, path: Path, turn: bool = True, remarks: list[Remark] | None = None, load: bool = True
    ) -> None:
        self.path, self.turn, self._load = path, turn, load
        self.remarks: list[Remark] = [] if remarks is None else remarks

    def __enter__(self) -> Image.Image:
        self._stream = None
        try:
            # By name, PIL maps some files into memory and scrambles a TIFF that is turned by 90°.
            self._stream = self.path.open("rb")
            self.file = self.image = Image.open(self._stream, formats=FORMATS)
            _check_size(self.path, self.file)
            self.source = source_of(self.file)
            if self._load:
                self.file.load()
                self.image = turned(self.file, self.source, self.turn, self.remarks)
        except Exception as error:  # PIL raises whatever its decoders stumble over
            self._close()
            raise (error if isinstance(error, TpldError) else self._said(error)) from None
        return self.image

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        self._close()
        if isinstance(error, Exception) and not isinstance(error, TpldError):
            raise self._said(error) from None

    def _close(self) -> None:
        if self._stream is not None:
            self._stream.close()

    def orientation(self) -> int:
        """Its EXIF orientation, 1 to 8."""
        return orientation(self.file, self.source)

    def pages(self) -> int:
        """How many pages or frames it has, once it is loaded."""
        if getattr(self.file, "n_frames", 1) == 1:
            return 1
        assert self._stream is not None
        self._stream.seek(0)
        with Image.open(self._stream, formats=FORMATS) as again:
            return pages(again)

    def _said(self, error: Exception) -> DataError:
        if isinstance(error, FileNotFoundError):
            return DataError(f"{shown(str(self.path))} does not exist. Correct its name")
        why = str(error) or type(error).__name__
        if isinstance(error, UnidentifiedImageError):
            why = "it is no image of a known kind"
        elif isinstance(error, OSError) and error.strerror:
            why = error.strerror
        return DataError(
            f"{shown(str(self.path))} cannot be decoded ({why}). Replace the file or leave it out; "
            f"known formats: {', '.join(FORMATS)}"
        )


def _check_size(path: Path, image: Image.Image) -> None:
    width, height = image.size
    if not 0 < width * height <= MAX_PIXELS:
        raise DataError(
            f"{shown(str(path))} has {width}x{height} pixels; 1 to {MAX_PIXELS} are possible. "
            + ("Cut it into tiles" if width * height else "Replace the file")
        )


def image_size(path: Path, turn: bool = True) -> tuple[int, int]:
    """Height and width of an image as `decode_image` gives it, read from the head of the file.

    Raises:
        DataError: the file is missing or no image.
    """
    opened = Opened(path, load=False)
    with opened as image:
        height, width = image.height, image.width
        # PIL has swapped a TIFF's already; a PNG's is decoded where it names none at once.
        is_tiff = image.format == "TIFF"
        known = is_tiff or image.format != "PNG" or "exif" in image.info
        swap = known and opened.orientation() >= 5 and turn != is_tiff
        return (width, height) if swap else (height, width)


def unequal_sizes(
    image: Path, size: tuple[int, ...], label: Path, label_size: tuple[int, ...], turn: bool
) -> DataError:
    """The error of an image and a label of different (height, width); it names EXIF where that is
    why. `turn`: the image was turned as its EXIF orientation says."""
    remedy = "Give a label of the image's size"
    if size == label_size[::-1]:
        opened = Opened(image, load=False)
        with opened:
            stored = opened.orientation()
        remedy = f"One is the other turned by a quarter. {remedy}"
        if stored >= 5 and turn:
            remedy = (
                f"The image is turned as its EXIF orientation {stored} says, the label is "
                "not. If all labels are stored unturned, set `exif: false` for these images; "
                "otherwise turn the label"
            )
        elif stored >= 5:
            remedy = (
                f"The image has the EXIF orientation {stored}, which `exif: false` leaves "
                "out, and the label is upright. Remove `exif: false`"
            )
    return DataError(
        f"{image} is {_said(size)}, its label {label} is {_said(label_size)}. {remedy}"
    )


def _said(size: tuple[int, ...]) -> str:
    return f"{size[1]}x{size[0]} pixels"
