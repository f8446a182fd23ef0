"""Which values the label files of a domain hold, how often, and whether they can be classes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from tpld.commands.own.label_files import Form, Labels, packed_of, read_labels, rgb_of
from tpld.compute.progress import progress
from tpld.errors import DataError

Palettes = Literal["index", "color"]
RGB = tuple[int, int, int]
# The first file of a value is named where something is wrong with it; more would be a list.
_SHOWN = 12


@dataclass
class Values:
    """What the label files of a domain hold.

    Attributes:
        form: `index`: class ids; `color`: colours as one number (`label_files.packed_of`).
        pixels: of each value.
        files: how many files hold each value.
        first: the first file that holds it.
        border: how many of its pixels have a neighbour of another value.
        colors: the colour of each value, where the files say one.
        sets: the values of each file.
        convert: why the files cannot be read as they are; empty: they can.
        by_color: palette files are read by colour, because their indices mean different things.
        notes: what somebody should know.
    """

    form: Literal["index", "color"]
    pixels: dict[int, int] = field(default_factory=dict)
    files: Counter[int] = field(default_factory=Counter)
    first: dict[int, Path] = field(default_factory=dict)
    border: Counter[int] = field(default_factory=Counter)
    colors: dict[int, RGB] = field(default_factory=dict)
    sets: list[frozenset[int]] = field(default_factory=list)
    convert: str = ""
    by_color: bool = False
    notes: list[str] = field(default_factory=list)

    def share(self, value: int) -> float:
        """Percent of all pixels that have a value."""
        return 100 * self.pixels.get(value, 0) / max(sum(self.pixels.values()), 1)

    def shown(self, value: int) -> str:
        """A value as people read it: a number, or a colour as #rrggbb."""
        if self.form == "index":
            return str(value)
        r, g, b = rgb_of(value)
        return f"#{r:02x}{g:02x}{b:02x}"

    def listed(self, values: Iterable[int]) -> str:
        """Values with their shares, those of most pixels first."""
        order = sorted(values, key=lambda v: -self.pixels.get(v, 0))
        text = ", ".join(f"{self.shown(v)} ({percent(self.share(v))} %)" for v in order[:_SHOWN])
        return text + (f" and {len(order) - _SHOWN} more" if len(order) > _SHOWN else "")


def percent(share: float) -> str:
    """Two digits, and 100 where it rounds to that: `.2g` says 1e+02."""
    return f"{share:.2g}" if share < 99.5 else f"{share:.0f}"


class _Seen(NamedTuple):
    form: Form
    values: np.ndarray
    pixels: np.ndarray
    border: np.ndarray
    palette: np.ndarray | None
    plain: bool


def count_values(files: list[Path], palettes: Palettes | None = None) -> Values:
    """Read all label files of a domain and count their values.

    Args:
        files: at least one.
        palettes: how files are read whose palettes differ; None: refuse where that matters.

    Raises:
        DataError: a file cannot be read or is no label file; or some hold colours and some ids; or
            an index has different colours in different files, so that its meaning is not known.
    """
    seen: list[_Seen] = []
    with progress("reading label files", len(files)) as tick, ThreadPoolExecutor() as pool:
        for done, one in enumerate(pool.map(_look, files), start=1):
            seen.append(one)
            tick(done)
    forms = {one.form for one in seen}
    by_color = palettes == "color" and all(o.form != "index" or o.palette is not None for o in seen)
    if {"color", "index"} <= forms and not by_color:
        raise DataError(_both(files, seen))
    total = Values("color" if "color" in forms else "index")
    total.by_color = "color" in forms and by_color
    if "color" in forms:
        total.convert = "their colours are no class ids"
    elif not all(one.plain for one in seen):
        odd = next(f for f, one in zip(files, seen, strict=True) if not one.plain)
        total.convert = f"{odd.name} is no file of one channel of class ids"
    _palettes(total, files, seen, palettes)
    for file, one in zip(files, seen, strict=True):
        _add(total, file, one)
    strange = [v for v in total.pixels if total.form == "index" and not 0 <= v <= 65535]
    if strange:
        total.convert = f"values {sorted(strange)} are outside of 0..65535"
    if total.form == "color":
        total.colors = {value: rgb_of(value) for value in total.pixels}
    return total


def _both(files: list[Path], seen: list[_Seen]) -> str:
    """What to say of colours beside class ids."""
    colored = [f for f, one in zip(files, seen, strict=True) if one.form == "color"]
    ids = [f for f, one in zip(files, seen, strict=True) if one.form == "index"]
    return (
        f"some label files hold colours ({len(colored)}, first {colored[0]}) and others class ids "
        f"({len(ids)}, first {ids[0]}). Give a folder with one kind; or, where the colours of "
        "palette files are the same classes, --palettes color with --convert-labels FOLDER"
    )


def as_colors(labels: Labels) -> np.ndarray:
    """int64 (H, W): the colours of a file, whatever its form."""
    if labels.palette is not None:
        wide = labels.palette.astype(np.int64)
        return (wide[:, 0] << 16 | wide[:, 1] << 8 | wide[:, 2])[labels.values]
    return labels.values * 0x010101 if labels.form == "grey" else labels.values


def border_of(values: np.ndarray) -> np.ndarray:
    """bool (H, W): pixels with a neighbour above, below or beside that has another value."""
    found = np.zeros(values.shape, bool)
    across, down = values[:, 1:] != values[:, :-1], values[1:] != values[:-1]
    found[:, 1:] |= across
    found[:, :-1] |= across
    found[1:] |= down
    found[:-1] |= down
    return found


def _look(path: Path) -> _Seen:
    labels = read_labels(path)
    raw, at_border = labels.values.ravel(), labels.values[border_of(labels.values)]
    if raw.size and raw.min() >= 0 and raw.max() < 65536:
        counts = np.bincount(raw)
        values = np.flatnonzero(counts)
        pixels = counts[values]
        border = np.bincount(at_border, minlength=len(counts))[values]
    else:
        values, pixels = np.unique(raw, return_counts=True)
        border = np.bincount(np.searchsorted(values, at_border), minlength=len(values))
    return _Seen(labels.form, values, pixels, border, labels.palette, labels.plain)


def _add(total: Values, file: Path, one: _Seen) -> None:
    values = one.values
    if total.form == "color" and one.form == "grey":
        values = values * 0x010101
    if total.by_color and one.palette is not None:
        values = np.array([packed_of(_rgb(one.palette, v)) for v in values.tolist()])
    for value, pixels, border in zip(
        values.tolist(), one.pixels.tolist(), one.border.tolist(), strict=True
    ):
        total.pixels[value] = total.pixels.get(value, 0) + pixels
        total.border[value] += border
        total.first.setdefault(value, file)
    for value in set(values.tolist()):
        total.files[value] += 1
    total.sets.append(frozenset(values.tolist()))


def _rgb(palette: np.ndarray, index: int) -> RGB:
    r, g, b = palette[index].tolist() if index < len(palette) else (0, 0, 0)
    return r, g, b


def _palettes(
    total: Values, files: list[Path], seen: list[_Seen], palettes: Palettes | None
) -> None:
    """Colours of indices; and what to do where one index has different colours.

    Raises:
        DataError: a colour stands at one index in one file and at another in the next: the colours
            are the classes, or the palettes mean nothing, and nobody but the user knows.
    """
    with_palette = [(f, one) for f, one in zip(files, seen, strict=True) if one.palette is not None]
    places: dict[RGB, set[int]] = defaultdict(set)
    owner: dict[int, Path] = {}
    clash: tuple[int, Path, Path] | None = None
    clashing: set[int] = set()
    for file, one in with_palette:
        assert one.palette is not None
        for value in one.values.tolist():
            color = _rgb(one.palette, value)
            places[color].add(value)
            owner.setdefault(value, file)
            if total.colors.setdefault(value, color) != color:
                clash = clash or (value, owner[value], file)
                clashing.add(value)
    if clash is None or total.by_color:
        return
    moved = any(len(at) > 1 and at & clashing for at in places.values())
    value, first, second = clash
    said = f"the palettes of the label files differ: index {value} has one colour in {first.name} "
    said += f"and another in {second.name}"
    if palettes == "color":
        if len(with_palette) < len(seen):
            raise DataError(
                f"{said}, and some files have no palette: colours cannot be the classes"
            )
        total.form, total.by_color, total.colors = "color", True, {}
        total.convert = "their palettes differ, and the colours are the classes"
        total.notes.append(f"{said}. They are read by colour, as --palettes says")
    elif moved and palettes is None:
        raise DataError(
            f"{said}, where other indices have these colours. What is the class, index or colour? "
            "Say --palettes index, or --palettes color with --convert-labels FOLDER"
        )
    else:
        total.notes.append(f"{said}. They are read by index; colours shown are the first file's")
