"""The label table of a domain: which values of its files are which class of the experiment."""

from __future__ import annotations

import colorsys
import json
from dataclasses import asdict, dataclass

import numpy as np

from tpld.data.datasets.base import RGB, Reader

IGNORE = 255
_UNKNOWN = 65535


@dataclass(frozen=True)
class ClassTable:
    """Names, label-file values and colours; the position of a class is its training id.

    Attributes:
        names: of the classes.
        values: of each class, what stands for it in the label files; empty: nothing does here.
        colors: uint8 (K, 3), for pictures.
        ignored: values that stand for no class. 255 is one unless it is a value of a class.
        reader: how values are read from a label file.
        file_colors: of files that hold colours, each value and its colour.
        remedy: what to do about an unknown value.
    """

    names: list[str]
    values: list[list[int]]
    colors: np.ndarray
    ignored: list[int]
    reader: Reader = "index"
    file_colors: list[tuple[int, RGB]] | None = None
    remedy: str = "Add it to the domain's `values` or `ignored`"

    @property
    def ids(self) -> list[int]:
        """The first value of each class; -1 where no value stands for it."""
        return [values[0] if values else -1 for values in self.values]

    @property
    def lookup(self) -> np.ndarray:
        """uint16 (65536,): training id of each file value, 255 if ignored, 65535 if unknown."""
        table = np.full(65536, _UNKNOWN, np.uint16)
        table[[*self.ignored, IGNORE]] = IGNORE
        for place, values in enumerate(self.values):
            table[values] = place
        return table

    @property
    def palette(self) -> np.ndarray:
        """uint8 (256, 3): colour of each training id; black where there is none."""
        palette = np.zeros((256, 3), np.uint8)
        palette[: len(self.colors)] = self.colors
        return palette

    def meaning(self) -> str:
        """What decoded labels depend on, as text: all but colours for pictures and messages."""
        kept = ("names", "values", "ignored", "reader", "file_colors")
        return json.dumps({name: getattr(self, name) for name in kept})

    def to_json(self) -> str:
        """The table as text."""
        return json.dumps({**asdict(self), "colors": self.colors.tolist()})

    @classmethod
    def from_json(cls, text: str) -> ClassTable:
        """The inverse of `to_json`."""
        fields = json.loads(text)
        return cls(**{**fields, "colors": np.array(fields["colors"], np.uint8)})


def spread_colors(count: int) -> list[RGB]:
    """Colours apart from each other: hues by the golden ratio, at three brightnesses."""
    colors = []
    for k in range(count):
        rgb = colorsys.hsv_to_rgb(k * 0.61803 % 1, 0.75, (0.95, 0.75, 0.55)[k % 3])
        colors.append((round(255 * rgb[0]), round(255 * rgb[1]), round(255 * rgb[2])))
    return colors
