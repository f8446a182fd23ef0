"""What every format is read into, and the checks that the readers share."""

from __future__ import annotations

import importlib
import json
import math
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tpld.errors import ConfigError, DataError, TpldError

Size = tuple[int, int]
Color = tuple[int, int, int]
# Further away than any annotation that slipped out of its image, and what drawing still bears.
_FAR = 100_000
_LARGEST = 1_000_000


class Shape(NamedTuple):
    """An area with a label.

    Attributes:
        label: None where the area stands for no class: its pixels are ignored.
        draw: takes (height, width) of the image; gives bool (H, W), clipped to it.
    """

    label: str | None
    draw: Callable[[Size], np.ndarray]


class Picture(NamedTuple):
    """What is said about one image.

    Attributes:
        name: relative path of the image, with `/`.
        size: (height, width) that was annotated; None: not said.
        labels: of its areas.
        paint: takes the size; gives label and bool (H, W) of each area, the lowest one first.
        place: file and entry, for messages.
        annotated: whether somebody has looked at it, as far as the format tells.
    """

    name: str
    size: Size | None
    labels: frozenset[str | None]
    paint: Callable[[Size], Iterator[tuple[str | None, np.ndarray]]]
    place: str
    annotated: bool = True


@dataclass
class Annotations:
    """What a file, or a folder of them, says.

    Attributes:
        format: name of the format.
        pictures: in the order of the file, or by name.
        names: labels in the order of the file; None: it has no list of them.
        colors: of labels, where the file tells.
        roots: folders that image names may be relative to, should the images lie beside.
        uncovered: labels that stand for what nobody annotated.
        skipped: what has no area, and was left out: kind and number.
        notes: what else must be said.
    """

    format: str
    pictures: list[Picture]
    names: list[str] | None = None
    colors: dict[str, Color] = field(default_factory=dict)
    roots: list[Path] = field(default_factory=list)
    uncovered: frozenset[str] = frozenset()
    skipped: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)


def painter(shapes: Sequence[Shape]) -> Callable[[Size], Iterator[tuple[str | None, np.ndarray]]]:
    """`Picture.paint` of areas that are drawn in their order."""

    def paint(size: Size) -> Iterator[tuple[str | None, np.ndarray]]:
        for shape in shapes:
            yield shape.label, shape.draw(size)

    return paint


def labels_of(shapes: Iterable[Shape]) -> frozenset[str | None]:
    """`Picture.labels` of areas."""
    return frozenset(shape.label for shape in shapes)


@contextmanager
def as_said(place: str, title: str) -> Iterator[None]:
    """What does not look as the format says becomes a `DataError` that names the place."""
    try:
        yield
    except TpldError:
        raise
    except KeyError as error:
        raise DataError(f"{place}: {error} is missing, which {title} has there") from None
    # Whatever a value of another kind does to code that expects the format's.
    except (TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise DataError(
            f"{place} is not as {title} writes it ({error}). Export it again, or correct it"
        ) from None


def load_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        DataError: it cannot be read, or is damaged; line and column are named.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise DataError(
            f"{path} is damaged: {error.msg} at {where}. Export it again, or correct it"
        ) from None
    except (OSError, UnicodeDecodeError, RecursionError) as error:
        raise DataError(f"{path} cannot be read as JSON ({error}). Export it again") from None


def clean(label: object) -> str:
    """A label without blanks at its ends, its letters composed; two spellings of one are one.

    Raises:
        ValueError: it is empty, or no text.
    """
    if not isinstance(label, str | int) or isinstance(label, bool):
        raise ValueError(f"a label is {label!r}, which is no text")
    text = unicodedata.normalize("NFC", " ".join(str(label).split()))
    if not text:
        raise ValueError("a label is empty")
    return text


def size_of(height: Any, width: Any) -> Size:
    """(height, width) as positive whole numbers.

    Raises:
        ValueError: they are not.
    """
    whole = [float(value) for value in (height, width)]
    if not all(value.is_integer() and 1 <= value <= _LARGEST for value in whole):
        raise ValueError(f"height {height!r} and width {width!r} are no size of an image")
    return int(whole[0]), int(whole[1])


def points_of(values: Any, least: int = 1) -> np.ndarray:
    """float64 (N, 2): x and y in pixels.

    Raises:
        ValueError: no pairs of numbers, fewer than `least`, or far outside of any image.
    """
    points = np.asarray(values, np.float64)
    if points.ndim != 2 or points.shape[1] != 2 or len(points) < least:
        raise ValueError(f"{least} or more points x, y are needed, not shape {points.shape}")
    if not np.isfinite(points).all() or np.abs(points).max() > _FAR:
        raise ValueError("a coordinate is no number, or more than 100 000 pixels away")
    return points


def number(value: Any) -> float:
    """A finite number.

    Raises:
        ValueError: it is none.
    """
    result = float(value)
    if isinstance(value, bool) or not math.isfinite(result):
        raise ValueError(f"{value!r} is no number")
    return result


def coco_masks() -> Any:
    """The module ``pycocotools.mask``, which is optional.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        return importlib.import_module("pycocotools.mask")
    except ImportError:
        raise ConfigError(
            "polygons and masks of this format need pycocotools, which is optional: "
            "pip install 'tpld[annotations]' (in a clone: pip install -e '.[annotations]')"
        ) from None
