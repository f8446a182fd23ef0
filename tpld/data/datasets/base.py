"""What a public data set is: the classes that all share, and the description of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

Reader = Literal["index", "first_of_16_bit", "color"]
RGB = tuple[int, int, int]

# Training id = position. Names as in the tables, colours of Cityscapes.
CLASSES: dict[str, tuple[int, int, int]] = {
    "road": (128, 64, 128),
    "sidewalk": (244, 35, 232),
    "building": (70, 70, 70),
    "wall": (102, 102, 156),
    "fence": (190, 153, 153),
    "pole": (153, 153, 153),
    "traffic_light": (250, 170, 30),
    "traffic_sign": (220, 220, 0),
    "vegetation": (107, 142, 35),
    "terrain": (152, 251, 152),
    "sky": (70, 130, 180),
    "person": (220, 20, 60),
    "rider": (255, 0, 0),
    "car": (0, 0, 142),
    "truck": (0, 0, 70),
    "bus": (0, 60, 100),
    "train": (0, 80, 100),
    "motorcycle": (0, 0, 230),
    "bicycle": (119, 11, 32),
}


class Label(NamedTuple):
    """One value of the label files: its name there, the class it stands for, and its colour.

    Attributes:
        id: the value; of files that hold colours, a number of our own.
        name: what the data set's authors call it.
        stands_for: the class of `CLASSES` that it is unless a configuration maps it; None: none.
        color: its colour in files that hold colours (reader ``color``).
    """

    id: int
    name: str
    stands_for: str | None
    color: RGB | None = None


class Part(NamedTuple):
    """Folders of one part of a data set, below its root.

    Attributes:
        images: folder of the images.
        labels: folder of the label files; None: its authors publish none for this part.
        only: pattern of the names that belong to it (`fnmatch`; ``*`` matches slashes too).
    """

    images: str
    labels: str | None
    only: str = "*"


@dataclass(frozen=True)
class Dataset:
    """A public data set as its authors distribute it.

    Attributes:
        kind: name in the configuration.
        name: name in benchmarks (``gta5`` in ``gta5_cityscapes``).
        title: name for people.
        labels: the label table, one entry a value that its files hold (255 is always ignored).
        train: its training part.
        val: its own validation part; None: it has none, a list can name one.
        image_suffix: what follows a name in the image folder; several where its files differ.
        label_suffix: what follows a name in the label folder.
        reader: how ids are read from a label file.
        size: height and width of its images; None: they vary.
        resize: height and width that its images are brought to unless configured otherwise.
        left_out: names that do not count where no list is given.
        layout: the expected files below the root, in words.
        source: where it comes from, in words.
    """

    kind: str
    name: str
    title: str
    labels: tuple[Label, ...]
    train: Part
    val: Part | None
    image_suffix: str | tuple[str, ...]
    label_suffix: str
    layout: str
    source: str
    reader: Reader = "index"
    size: tuple[int, int] | None = None
    resize: tuple[int, int] | None = None
    left_out: frozenset[str] = frozenset()

    @property
    def classes(self) -> list[str]:
        """The classes that its labels know, in the order of `CLASSES`."""
        known = {label.stands_for for label in self.labels}
        return [name for name in CLASSES if name in known]
