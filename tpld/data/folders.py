"""Which folders a split comes from and how its labels read, whatever the kind of domain.

All kinds end here as the same thing, a `Folders` a domain: the procedural city is written as
folders first, a public data set is a known arrangement of folders, and everything after that does
not know either from anybody's own images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tpld.config import Config, Data, Domain
from tpld.data.classes import classes_of, domains_of, table_of
from tpld.data.datasets import DATASETS, Dataset
from tpld.data.datasets.base import Part
from tpld.data.splits import SPLITS, Split
from tpld.data.table import ClassTable


@dataclass(frozen=True)
class Folders:
    """Where the files of one domain of a split are, and how its labels are read.

    Attributes:
        domain: name of the domain.
        prefix: what the names of its images begin with in the split; empty for an only domain.
        images: folder of the images.
        labels: folder of the label files; None without ground truth.
        image_suffix: what follows a name in the image folder, one or several; empty: any image's.
        label_suffix: what follows a name in the label folder, one or several.
        names: text file of names; None: every image of the folder.
        resize: height and width on decoding; None: as they are.
        table: the label table of these files.
        only: patterns of the names that count; each of them must match.
        left_out: names that do not count where there is no list.
        size: height and width that the data set's own images have; None: not known.
        remedy: what to do where the image folder is missing.
        pairs: what to do where a file is missing.
        follow_links: files may lie outside the folders, behind symbolic links.
        weight: how often the domain is drawn, against the others.
        exif: images are turned as their EXIF data say.
        drawn: how many images the procedural city draws; None: it is not the city.
    """

    domain: str
    prefix: str
    images: Path
    labels: Path | None
    image_suffix: tuple[str, ...]
    label_suffix: tuple[str, ...]
    names: Path | None
    resize: tuple[int, int] | None
    table: ClassTable
    only: tuple[tuple[str, ...], ...] = ()
    left_out: frozenset[str] = field(default=frozenset())
    size: tuple[int, int] | None = None
    remedy: str = "Correct `images`"
    pairs: str = "Correct the folder, the suffix or the split list"
    follow_links: bool = False
    weight: float = 1.0
    exif: bool = True
    drawn: int | None = None


def city_root(config: Config) -> Path:
    """Where the procedural city of this experiment is written."""
    return Path(config.results) / config.experiment / "data" / "city"


def city_counts(config: Config) -> dict[str, int]:
    """How many scenes of each split are drawn; none of a side that the city is no domain of."""
    return {split: sum(f.drawn or 0 for f in folders_of(config, split)) for split in SPLITS}


def benchmark_of(config: Config) -> str | None:
    """``gta5_cityscapes`` for that pair of public data sets; None for everything else.

    Classes or mappings of one's own make another problem, which the paper's figures are not of.
    """
    data = config.data
    domains = [*data.source, *data.target]
    known = [DATASETS[domain.kind].name for domain in domains if domain.kind in DATASETS]
    own = data.classes is not None or any(domain.map for domain in domains)
    return "_".join(known) if len(known) == len(domains) == 2 and not own else None


def folders_of(config: Config, split: Split) -> list[Folders]:
    """The folders that each domain of a split comes from; empty if there is no such split.

    Where only some domains have labels, a split for evaluation is of those.

    Raises:
        ConfigError: a class or a label that a domain's `map` names does not exist, or both sides
            have fewer than two classes in common.
    """
    domains, classes = domains_of(config.data, split), classes_of(config.data)
    names, side = Data.names_of(domains), split.split("_")[0]
    found: list[Folders] = []
    for place, (name, domain) in enumerate(zip(names, domains, strict=True)):
        where = f"data.{side}" + (f".{place}" if len(domains) > 1 else "")
        table = table_of(domain, classes, where)
        prefix = f"{name}/" if len(domains) > 1 else ""
        folders = _folders(config, domain, split, (name, prefix, where), table)
        found += [folders] if folders else []
    if split.endswith("val") and any(folders.labels for folders in found):
        found = [folders for folders in found if folders.labels]
    return found


def has_split(config: Config, split: Split) -> bool:
    """Whether the configuration has this split."""
    return bool(folders_of(config, split))


def has_truth(config: Config, split: Split) -> bool:
    """Whether the split comes with ground truth, of at least one domain."""
    return any(folders.labels for folders in folders_of(config, split))


def _folders(
    config: Config, domain: Domain, split: Split, named: tuple[str, str, str], table: ClassTable
) -> Folders | None:
    """One domain's folders; None where it has no such split."""
    if domain.kind == "city":
        return _city(config, split, named, table)
    dataset, training = DATASETS.get(domain.kind), split.endswith("train")
    listed = domain.train if training else domain.val
    part = _part(domain, dataset, training, listed)
    if part is None:
        return None
    name, prefix, where = named
    own = () if listed or part.only == "*" else (part.only,)
    return Folders(
        domain=name,
        prefix=prefix,
        images=_below(domain.root, part.images),
        labels=_below(domain.root, part.labels) if part.labels and domain.labelled else None,
        image_suffix=_suffixes(domain.image_suffix, dataset.image_suffix if dataset else ()),
        label_suffix=_suffixes(domain.label_suffix, dataset.label_suffix if dataset else ".png"),
        names=Path(listed) if listed else None,
        resize=domain.resize or (dataset.resize if dataset else None),
        table=table,
        only=tuple(several for several in (tuple(domain.only), own) if several),
        follow_links=config.data.follow_links,
        weight=domain.weight,
        exif=domain.exif,
        **(_of_known(dataset, where) if dataset else {}),
    )


def _part(
    domain: Domain, dataset: Dataset | None, training: bool, listed: str | None
) -> Part | None:
    """Image and label folder, and which names are meant; None where there is no such split."""
    if listed == "none":
        return None
    if domain.images is not None:
        return Part(domain.images, domain.labels) if training or listed else None
    assert dataset is not None  # the configuration has checked it
    if training or (dataset.val is None and listed):
        return dataset.train
    return dataset.val


def _of_known(dataset: Dataset, where: str) -> dict[str, Any]:
    expected = f"{dataset.title} is expected in {where}.root as {dataset.layout}"
    return {
        "left_out": dataset.left_out,
        "size": dataset.size,
        "remedy": f"{expected}. Correct {where}.root, or get the data from {dataset.source}",
        "pairs": f"{expected}. Complete it, or list the names that are whole in {where}",
    }


def _city(config: Config, split: Split, named: tuple[str, str, str], table: ClassTable) -> Folders:
    side, part = split.split("_")
    root, domain = city_root(config) / side, domains_of(config.data, split)
    city = next(d for d in domain if d.kind == "city")
    return Folders(
        domain=named[0],
        prefix=named[1],
        images=root / "images",
        labels=root / "labels",
        image_suffix=(".png",),
        label_suffix=(".png",),
        names=root / f"{part}.txt",
        resize=city.resize,
        table=table,
        follow_links=config.data.follow_links,
        weight=city.weight,
        drawn=getattr(config.data.city, split),
    )


def _below(root: str | None, folder: str) -> Path:
    return Path(root or ".", folder)


def _suffixes(given: Sequence[str] | None, usual: str | tuple[str, ...]) -> tuple[str, ...]:
    return tuple(given or ([usual] if isinstance(usual, str) else usual))
