"""Which folders a split comes from and how its labels read, whatever the kind of data.

All kinds end here as the same thing, the `Folders` of a split: the procedural city is written as
folders first, a public data set is a known arrangement of folders, and everything after that does
not know either from anybody's own images.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from tpld.config import ClassEntry, Config, FolderData, FolderSplits, KnownDomain
from tpld.data.datasets import CLASSES, DATASETS, Dataset
from tpld.data.datasets.base import Reader
from tpld.data.splits import Split

IGNORE = 255


@dataclass(frozen=True)
class ClassTable:
    """Names, label-file ids and colours; the position of a class is its training id.

    `reader` says how ids are read from a label file, `remedy` what to do about an unknown one.
    """

    names: list[str]
    ids: list[int]
    colors: np.ndarray
    ignored_ids: list[int]
    reader: Reader = "index"
    remedy: str = "Add it to data.folder.classes or data.folder.ignored_ids"

    @property
    def lookup(self) -> np.ndarray:
        """uint16 (65536,): training id of each file value, 255 if ignored, 65535 if unknown."""
        table = np.full(65536, 65535, np.uint16)
        table[[*self.ignored_ids, IGNORE]] = IGNORE
        table[self.ids] = np.arange(len(self.ids))
        return table

    @property
    def palette(self) -> np.ndarray:
        """uint8 (256, 3): colour of each training id; black where there is none."""
        palette = np.zeros((256, 3), np.uint8)
        palette[: len(self.colors)] = self.colors
        return palette

    def to_json(self) -> str:
        """The table as text."""
        return json.dumps({**asdict(self), "colors": self.colors.tolist()})

    @classmethod
    def from_json(cls, text: str) -> ClassTable:
        """The inverse of `to_json`."""
        fields = json.loads(text)
        return cls(**{**fields, "colors": np.array(fields["colors"], np.uint8)})


@dataclass(frozen=True)
class Folders:
    """Where the files of one split are, and how its labels are read.

    Attributes:
        images: folder of the images.
        labels: folder of the label files; None without ground truth.
        image_suffix: what follows a name in the image folder.
        label_suffix: what follows a name in the label folder.
        names: text file of names; None: every image of the folder.
        resize: height and width on decoding; None: as they are.
        table: the label table of these files.
        left_out: names that do not count where there is no list.
        size: height and width that the data set's own images have; None: not known.
        remedy: what to do where the image folder is missing.
        pairs: what to do where a file is missing.
        follow_links: files may lie outside the folders, behind symbolic links.
    """

    images: Path
    labels: Path | None
    image_suffix: str
    label_suffix: str
    names: Path | None
    resize: tuple[int, int] | None
    table: ClassTable
    left_out: frozenset[str] = field(default=frozenset())
    size: tuple[int, int] | None = None
    remedy: str = "Correct `images`"
    pairs: str = "Correct the folder, the suffix or the split list"
    follow_links: bool = False


def city_root(config: Config) -> Path:
    """Where the procedural city of this experiment is written."""
    return Path(config.results) / config.experiment / "data" / "city"


def benchmark_of(config: Config) -> str | None:
    """``gta5_cityscapes`` for that pair of public data sets; None for other kinds of data."""
    if config.data.datasets is None or config.data.kind != "datasets":
        return None
    pair = (config.data.datasets.source, config.data.datasets.target)
    return "_".join(DATASETS[domain.kind].name for domain in pair)


def class_table(config: Config, split: Split = "source_train") -> ClassTable:
    """The class table of a configuration.

    Names and colours are those of every split; the ids are those of this split's label files,
    which differ between public data sets.
    """
    if config.data.kind == "datasets":
        return _known_table(config, _dataset_of(config, split))
    data = _folder_data(config)
    return ClassTable(
        names=[entry.name for entry in data.classes],
        ids=[entry.id for entry in data.classes],
        colors=np.array([entry.color for entry in data.classes], np.uint8),
        ignored_ids=list(data.ignored_ids),
    )


def folders_of(config: Config, split: Split) -> Folders | None:
    """The folders that a split comes from; None if the configuration has no such split."""
    if config.data.kind == "datasets":
        return _known_folders(config, split)
    data = _folder_data(config)
    domain = data.source if split.startswith("source") else data.target
    listed = domain.train if split.endswith("train") else domain.val
    if listed is None and split.endswith("val"):
        return None
    return Folders(
        images=Path(domain.images),
        labels=Path(domain.labels) if domain.labels else None,
        image_suffix=domain.image_suffix,
        label_suffix=domain.label_suffix,
        names=Path(listed) if listed else None,
        resize=domain.resize,
        table=class_table(config),
        follow_links=config.data.follow_links,
    )


def _folder_data(config: Config) -> FolderData:
    """Anybody's own folders, or the city's."""
    if config.data.kind == "folder":
        assert config.data.folder is not None  # the configuration has checked it
        return config.data.folder
    from tpld.data.city.draw import CITY_CLASSES

    root = city_root(config)
    entries = [
        ClassEntry(name=name, id=index, color=color)
        for index, (name, color) in enumerate(CITY_CLASSES)
    ]
    return FolderData(
        source=_city_domain(root / "source"), target=_city_domain(root / "target"), classes=entries
    )


def _city_domain(root: Path) -> FolderSplits:
    return FolderSplits(
        images=str(root / "images"),
        labels=str(root / "labels"),
        train=str(root / "train.txt"),
        val=str(root / "val.txt"),
    )


def _known_domain(config: Config, split: Split) -> KnownDomain:
    assert config.data.datasets is not None  # the configuration has checked it
    pair = config.data.datasets
    return pair.source if split.startswith("source") else pair.target


def _dataset_of(config: Config, split: Split) -> Dataset:
    return DATASETS[_known_domain(config, split).kind]


def _known_table(config: Config, dataset: Dataset) -> ClassTable:
    """The classes that both data sets know, with the ids of one of them."""
    both = [set(_dataset_of(config, split).classes) for split in ("source_train", "target_train")]
    names = [name for name in CLASSES if name in both[0] & both[1]]
    ids = {label.stands_for: label.id for label in dataset.labels}
    return ClassTable(
        names=names,
        ids=[ids[name] for name in names],
        colors=np.array([CLASSES[name] for name in names], np.uint8),
        ignored_ids=[label.id for label in dataset.labels if label.stands_for not in names],
        reader=dataset.reader,
        remedy=f"These are the ids of {dataset.title}: is the file another set's, or changed?",
    )


def _known_folders(config: Config, split: Split) -> Folders | None:
    domain, dataset = _known_domain(config, split), _dataset_of(config, split)
    listed = domain.train if split.endswith("train") else domain.val
    part = dataset.train if split.endswith("train") or dataset.val is None else dataset.val
    if split.endswith("val") and dataset.val is None and listed is None:
        return None
    root, key = Path(domain.root), f"data.datasets.{split.split('_')[0]}"
    expected = f"{dataset.title} is expected in {key}.root as {dataset.layout}"
    return Folders(
        images=root / part[0],
        labels=root / part[1] if domain.labelled else None,
        image_suffix=dataset.image_suffix,
        label_suffix=dataset.label_suffix,
        names=Path(listed) if listed else None,
        resize=domain.resize or dataset.resize,
        table=class_table(config, split),
        left_out=dataset.left_out,
        size=dataset.size,
        remedy=f"{expected}. Correct {key}.root, or get the data from {dataset.source}",
        pairs=f"{expected}. Complete it, or list the names that are whole in {key}",
        follow_links=config.data.follow_links,
    )


def has_split(config: Config, split: Split) -> bool:
    """Whether the configuration gives this split (training splits always exist)."""
    return folders_of(config, split) is not None


def has_truth(config: Config, split: Split) -> bool:
    """Whether the split comes with ground truth."""
    folders = folders_of(config, split)
    return folders is not None and folders.labels is not None
