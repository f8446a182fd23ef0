"""Sections about images, labels and classes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from tpld.section import Channel, FileValue, Name, NotNegative, Section, Seed, Size

Scenes = Annotated[int, Field(ge=1, le=100_000)]


class ClassEntry(Section):
    """One class of the label table; its position in the table is its training id."""

    name: Name
    """Name in tables and pictures."""
    id: FileValue
    """Value in the label files."""
    color: tuple[Channel, Channel, Channel]
    """RGB colour of the class in pictures, 0 to 255."""


class FolderSplits(Section):
    """Images, and labels where there are any, of one domain."""

    images: str
    """Folder of the images."""
    labels: str | None = None
    """Folder of the label PNGs (one channel of ids); leave out where there is no ground truth."""
    image_suffix: str = ".png"
    """What follows a name of the split list in the image folder."""
    label_suffix: str = ".png"
    """What follows a name of the split list in the label folder."""
    train: str | None = None
    """Text file, one name a line (without suffix, sub-folders allowed); left out: every image."""
    val: str | None = None
    """Like `train`, for evaluation; left out: there is no such split."""
    resize: Size | None = None
    """Height and width that images and labels are brought to when they are decoded."""


class FolderData(Section):
    """Anybody's own images: two domains and one class table."""

    source: FolderSplits
    """The labelled domain."""
    target: FolderSplits
    """The domain to adapt to; its labels, if any, serve evaluation alone."""
    classes: list[ClassEntry] = Field(min_length=2, max_length=254)
    """The label table."""
    ignored_ids: list[FileValue] = Field(default=[])
    """Values of label files that stand for no class (255 always does)."""

    @model_validator(mode="after")
    def _unique(self) -> FolderData:
        columns: dict[str, list[Any]] = {
            "name": [c.name for c in self.classes],
            "id": [c.id for c in self.classes],
        }
        for what, seen in columns.items():
            twice = sorted({str(v) for v in seen if seen.count(v) > 1})
            if twice:
                raise ValueError(f"class {what} given twice: {', '.join(twice)}")
        both = sorted({c.id for c in self.classes} & {*self.ignored_ids, 255})
        if both:
            raise ValueError(f"ids {both} are both a class and ignored (255 always is)")
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


class KnownDomain(Section):
    """One domain of a public data set, in the folders that its authors distribute."""

    kind: Literal["gta5", "synthia", "cityscapes", "cityscapes_train_ids"]
    """Which data set (docs/benchmarks.md)."""
    root: str
    """Folder that holds its folders (`images` and `labels` of GTA5, `leftImg8bit` and `gtFine`)."""
    train: str | None = None
    """Text file, one name a line, relative to the image folder; left out: every image."""
    val: str | None = None
    """Like `train`, for evaluation; left out: the data set's own validation part, if it has one."""
    labelled: bool = True
    """False: its labels are not at hand (a target alone; evaluation is then off)."""
    resize: Size | None = None
    """Height and width that images and labels are brought to when they are decoded; left out:
    1052x1914 for GTA5, whose sizes vary, and nothing for the others."""


class KnownData(Section):
    """A pair of public data sets; the classes are those that both know."""

    source: KnownDomain
    """The labelled domain."""
    target: KnownDomain
    """The domain to adapt to; its labels serve evaluation alone."""


class Data(Section):
    """Which images; the sections of the other kinds are ignored."""

    kind: Literal["city", "folder", "datasets"] = "city"
    """`city`: embedded procedural scenes; `folder`: your own images; `datasets`: public ones."""
    datasets: KnownData | None = None
    """Public data sets, such as GTA5 and Cityscapes."""
    city: CityData = CityData()
    """Settings of the procedural scenes."""
    folder: FolderData | None = None
    """Settings of your own images."""
    follow_links: bool = False
    """Read images and labels behind symbolic links that lead out of their folder; False: refuse
    them. The folder itself may be a link in any case."""
    cache_gib: NotNegative = 64
    """Disk for decoded images, GiB per split; images beyond it are decoded at every use."""

    @model_validator(mode="after")
    def _section_given(self) -> Data:
        if self.kind != "city" and getattr(self, self.kind) is None:
            raise ValueError(f"kind is '{self.kind}', but data.{self.kind} is missing")
        return self
