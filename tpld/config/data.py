"""Sections about images, labels and classes: domains, and the classes that they share."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from tpld.config.data_before import of_before
from tpld.section import Channel, FileValue, Name, NotNegative, Positive, Section, Seed, Size

Scenes = Annotated[int, Field(ge=1, le=100_000)]
Kind = Literal[
    "folder", "city", "gta5", "synthia", "synscapes", "cityscapes", "cityscapes_train_ids", "acdc",
    "dark_zurich", "bdd100k", "idd", "idd_cs_train_ids", "idd_lite", "mapillary_1_1",
    "mapillary_1_2", "mapillary_2_0", "camvid", "camvid_segnet", "kitti",
]  # fmt: skip
_OWN = ("images", "labels", "image_suffix", "label_suffix", "train", "val", "only")
_NOT_OF: dict[str, tuple[str, ...]] = {
    "folder": ("root",),
    "city": ("root", *_OWN, "values", "ignored"),
}


def _listed(given: Any) -> Any:
    """One entry or several, as a list."""
    return list(given) if isinstance(given, list | tuple) else [given]


Texts = Annotated[list[str], BeforeValidator(_listed, json_schema_input_type=str | list[str])]
Names = Annotated[list[Name], BeforeValidator(_listed, json_schema_input_type=Name | list[Name])]


class ClassEntry(Section):
    """One class of the experiment; its position is its training id."""

    name: Name
    """Name in tables and pictures."""
    color: tuple[Channel, Channel, Channel] | None = None
    """RGB colour of the class in pictures, 0 to 255; left out: Cityscapes' or one of our own."""


class Domain(Section):
    """Images of one domain, their labels if there are any, and what the labels' values mean."""

    kind: Kind = "folder"
    """`folder`: your own images; `city`: the procedural scenes; else a public data set
    (docs/datasets.md)."""
    name: Annotated[str, Field(pattern=r"^[\w.-]+$")] | None = None
    """Where there are several domains, what the names of its images begin with; left out: `kind`
    and, of a second one, a number."""
    root: str | None = None
    """Folder of a public data set, which holds its own folders."""
    images: str | None = None
    """Folder of the images; of a public data set: in place of its own folders."""
    labels: str | None = None
    """Folder of the label files; leave out where there is no ground truth."""
    image_suffix: Texts | None = None
    """What follows a name in the image folder, one or several; left out: that of any image."""
    label_suffix: Texts | None = None
    """What follows a name in the label folder; left out: `.png`."""
    train: str | None = None
    """Text file, one name a line, relative to the image folder, without suffix; left out: every
    image, or the data set's own training part; `none`: no image (others of its side are)."""
    val: str | None = None
    """Like `train`, for evaluation; left out: the data set's own validation part, if it has one;
    `none`: no image."""
    only: Texts = Field(default=[])
    """Patterns of the names that are used, such as `night/*`; left out: all."""
    resize: Size | None = None
    """Height and width that images and labels are brought to when they are decoded; left out:
    nothing, but for GTA5 and Mapillary, whose sizes vary, what docs/datasets.md says."""
    labelled: bool = True
    """False: the labels of a public data set are not at hand (a target alone)."""
    values: dict[FileValue, Name] = Field(default={})
    """The label table of `folder`: value in the label files, and the name of what it stands for.
    Several values may have one name. 255 is ignored unless it stands here."""
    ignored: list[FileValue] = Field(default=[])
    """Values of the label files of `folder` that stand for no class."""
    map: dict[Name, Names] = Field(default={})
    """Class of the experiment, and the labels of this domain that are that class. Classes that are
    not named here are the labels that are called like them."""
    weight: Positive = 1.0
    """How often it is drawn in training, against the other domains of its side."""
    exif: bool = True
    """Turn images as their EXIF data say; False: where labels are stored unturned."""

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Domain:
        public = self.kind not in _NOT_OF
        unwanted = _NOT_OF.get(self.kind, ("values", "ignored"))
        given = [key for key in unwanted if getattr(self, key) not in (None, [], {})]
        if given:
            reason = "has its own label table" if public else "takes none"
            raise ValueError(
                f"{', '.join(given)} cannot be given for kind '{self.kind}', which {reason}. "
                "Leave it out, or write another kind (`folder` for your own images)"
            )
        if self.kind == "folder" and self.images is None:
            raise ValueError("kind 'folder' needs `images`, the folder of the images")
        if public and self.root is None and self.images is None:
            raise ValueError(f"kind '{self.kind}' needs `root`, the folder of the data set")
        if public and self.labels is not None and self.images is None:
            raise ValueError(
                f"`labels` replaces a folder of kind '{self.kind}' only together with `images`, "
                "the folder of the images that they are of. Give both, or neither"
            )
        if self.kind == "folder" and self.labels and not self.values:
            raise ValueError(
                "`labels` needs `values`, what the values of its files stand for, such as "
                "{0: road, 1: sky}. `tpld init` finds and proposes them"
            )
        both = sorted(set(self.values) & set(self.ignored))
        if both:
            raise ValueError(f"ids {both} are both a class and ignored")
        return self


class CityData(Section):
    """The embedded procedural street scenes."""

    seed: Seed = 0
    """Seed of the scenes; independent of the training seeds."""
    height: int = Field(default=256, ge=64, le=4096)
    """Image height in pixels."""
    width: int = Field(default=512, ge=64, le=4096)
    """Image width in pixels, 1 to 4 times the height."""
    source_train: Scenes = 160
    """Number of labelled source images."""
    source_val: Scenes = 30
    """Number of source images for evaluation."""
    target_train: Scenes = 80
    """Number of target images to adapt on."""
    target_val: Scenes = 40
    """Number of target images for evaluation."""

    @model_validator(mode="after")
    def _street(self) -> CityData:
        if not self.height <= self.width <= 4 * self.height:
            raise ValueError(
                f"size is {self.height}x{self.width} (height x width); choose a width from "
                f"{self.height} to {4 * self.height}, that is 1 to 4 times the height"
            )
        return self


Domains = Annotated[
    list[Domain],
    BeforeValidator(_listed, json_schema_input_type=Domain | list[Domain]),
    Field(min_length=1, max_length=50),
]
_CITY = Domain(kind="city")


class Data(Section):
    """Which images: domains to learn from, domains to adapt to, and the classes of both."""

    source: Domains = Field(default=[_CITY])
    """The labelled domain, or a list of domains."""
    target: Domains = Field(default=[_CITY])
    """The domain to adapt to, or a list; its labels, if any, serve evaluation alone."""
    classes: list[ClassEntry] | None = Field(default=None, min_length=2, max_length=254)
    """The classes of the experiment; left out: those that a source and a target know, by name."""
    city: CityData = CityData()
    """Settings of the procedural scenes."""
    follow_links: bool = False
    """Read images and labels behind symbolic links that lead out of their folder; False: refuse
    them. The folder itself may be a link in any case."""
    cache_gib: NotNegative = 64
    """Disk for decoded images, GiB per split; images beyond it are decoded at every use."""

    @model_validator(mode="before")
    @classmethod
    def _of_before(cls, tree: Any) -> Any:
        return of_before(tree)

    @model_validator(mode="after")
    def _one_of_each(self) -> Data:
        _once("class name", [entry.name for entry in self.classes or []])
        for domains in (self.source, self.target):
            _once("domain", [d.kind for d in domains if d.kind == "city"])
            _once("domain name", self.names_of(domains))
        return self

    @staticmethod
    def names_of(domains: list[Domain]) -> list[str]:
        """The name of each of some domains: its own, or its kind with a number where needed."""
        names: list[str] = []
        for domain in domains:
            name = domain.name or domain.kind
            count = sum(other.kind == domain.kind for other in domains[: len(names)])
            names.append(f"{name}_{count + 1}" if count and not domain.name else name)
        return names

    @property
    def draws_city(self) -> bool:
        """Whether a domain is the procedural city."""
        return any(domain.kind == "city" for domain in (*self.source, *self.target))


def _once(what: str, values: list[str]) -> None:
    twice = sorted({value for value in values if values.count(value) > 1})
    if twice:
        raise ValueError(f"{what} given twice: {', '.join(twice)}")
