"""The typed configuration: the one source of keys, defaults, bounds and their documentation.

Defaults are the paper's values (METHOD.md); ``config.yaml`` overrides them with an experiment that
a laptop finishes in minutes, the files in ``workflow/presets`` with one data set each. The JSON
schema in ``workflow/schemas`` is generated from here (``tpld schema``), and a test keeps it so.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from tpld.errors import ConfigError

MethodName = Literal["source", "crst_mrkld", "crst_mrkld+tpld"]

Portion = Annotated[float, Field(gt=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
Size = tuple[Count, Count]
FileValue = Annotated[int, Field(ge=0, le=65535)]
Channel = Annotated[int, Field(ge=0, le=255)]


def _ascending(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] > bounds[1]:
        raise ValueError(f"{list(bounds)} runs backwards; give the smaller bound first")
    return bounds


Scale = Annotated[tuple[Positive, Positive], AfterValidator(_ascending)]


class Section(BaseModel):
    """Base of all sections: unknown keys are refused, values cannot change after loading."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )


class ClassEntry(Section):
    """One class of the label table; its position in the table is its training id."""

    name: str = Field(min_length=1)
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
    ignored_ids: list[FileValue] = []
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

    seed: int = 0
    """Seed of the scenes; independent of the training seeds."""
    height: int = Field(default=256, ge=64)
    """Image height in pixels."""
    width: int = Field(default=512, ge=64)
    """Image width in pixels."""
    source_train: Count = 160
    """Number of labelled source images."""
    source_val: Count = 30
    """Number of source images for evaluation."""
    target_train: Count = 80
    """Number of target images to adapt on."""
    target_val: Count = 40
    """Number of target images for evaluation."""


class Data(Section):
    """Which images; the section of the other kind is ignored."""

    kind: Literal["city", "folder"] = "city"
    """`city`: the embedded procedural scenes; `folder`: your own images."""
    city: CityData = CityData()
    """Settings of the procedural scenes."""
    folder: FolderData | None = None
    """Settings of your own images."""
    cache_gib: NotNegative = 64
    """Disk for decoded images, GiB per split; images beyond it are decoded at every use."""

    @model_validator(mode="after")
    def _folder_given(self) -> Data:
        if self.kind == "folder" and self.folder is None:
            raise ValueError("kind is 'folder', but data.folder is missing")
        return self


class Model(Section):
    """The segmentation network (METHOD 11)."""

    name: str = Field(default="deeplabv2_resnet101", pattern=r"^[a-z0-9_]+$")
    """Architecture and name of the result folder: deeplabv2_resnet18, 34, 50 or 101."""
    output_stride: Literal[8, 16, 32] = 8
    """Input pixels per output pixel; smaller is finer and slower."""
    aspp_dilations: list[Count] = Field(default=[6, 12, 18, 24], min_length=1)
    """Dilations of the summed 3x3 convolutions of the head."""
    weights: str = "DEFAULT"
    """`random`, a name of the torchvision weight enum (downloads), or a local weight file."""


class Compute(Section):
    """How to compute, not what: no key here changes which stages are up to date."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """`auto`: the GPU where there is one."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """`auto`: bfloat16 autocast where the hardware has it, else float32."""
    channels_last: bool = True
    """Memory format of convolutions; faster on recent CPUs and GPUs."""
    threads: int = Field(default=0, ge=0)
    """CPU threads of training and prediction; 0: all cores of the machine."""
    workers: int = Field(default=-1, ge=-1)
    """Processes that load training crops; -1: none on CPU, 4 with a GPU; 0: in the main process."""
    checkpoint_every: Count = 100
    """Training steps between two resume points."""


class Jitter(Section):
    """Photometric augmentation (torchvision); 0 everywhere is what the paper's baselines do."""

    brightness: NotNegative = 0.0
    """Factor drawn from [1 - b, 1 + b]."""
    contrast: NotNegative = 0.0
    """Factor drawn from [1 - c, 1 + c]."""
    saturation: NotNegative = 0.0
    """Factor drawn from [1 - s, 1 + s]."""
    hue: float = Field(default=0.0, ge=0, le=0.5)
    """Shift drawn from [-h, h] of the colour circle."""
    gamma: NotNegative = 0.0
    """Exponent drawn log-uniformly from [1 / (1 + g), 1 + g]."""
    blur: NotNegative = 0.0
    """Standard deviation of a Gaussian blur drawn from [0, b] pixels."""
    noise: NotNegative = 0.0
    """Standard deviation of Gaussian noise drawn from [0, n], in units of the full range."""


class SourceTraining(Section):
    """The source model (METHOD 1)."""

    steps: Count = 100_000
    """Training steps; the polynomial decay ends here."""
    batch_size: Count = 4
    """Crops a step."""
    crop: Size = (500, 500)
    """Height and width of a crop."""
    scale: Scale = (0.5, 1.5)
    """Range of the scale jitter."""
    learning_rate: Positive = 2.5e-4
    """Of the backbone."""
    head_factor: Positive = 10.0
    """Learning rate of the classifier head over that of the backbone."""
    warmup_steps: int = Field(default=0, ge=0)
    """Steps of linear warm-up; useful from random weights."""
    momentum: NotNegative = 0.9
    """Of SGD."""
    weight_decay: NotNegative = 5e-4
    """Of SGD."""
    batch_norm: Literal["frozen", "train"] = "frozen"
    """`frozen` keeps statistics and affine of the loaded weights; random weights need `train`."""
    jitter: Jitter = Jitter()
    """Photometric augmentation of the source crops."""


class Dump(Section):
    """Target predictions (METHOD 2)."""

    scale: Positive = 0.9
    """Image scale at which the network predicts."""
    mirror: bool = True
    """Average with the prediction of the mirror image."""
    dtype: Literal["float16", "float32"] = "float16"
    """Of the stored logits."""


class Thresholds(Section):
    """Class thresholds λ (METHOD 3)."""

    start_portion: Portion = 0.20
    """Portion of each class that round 0 labels."""
    portion_step: NotNegative = 0.05
    """Growth of the portion a round."""
    max_portion: Portion = 0.50
    """Upper bound of the portion."""
    every: Count = 4
    """Count every d-th pixel of a class and image."""
    mined_share: NotNegative = 1e-3
    """Classes below this share of the predictions are mined in the next training."""


class Voting(Section):
    """Phase 1, voting (METHOD 5)."""

    window: int = Field(default=57, ge=1)
    """Side of the square neighbourhood in pixels (odd)."""
    iterations: int = Field(default=3, ge=0)
    """Voting iterations; 0 keeps the sparse labels."""
    alpha: float = Field(default=0.7, ge=0, le=1)
    """Weight of the pooled value; 1 - alpha weighs the pixel's own."""
    pool: Literal["mean", "sum", "share"] = "mean"
    """How the confident neighbours' values are pooled."""
    rank_by: Literal["normalised", "probability"] = "normalised"
    """What elects the two competing classes."""

    @model_validator(mode="after")
    def _odd(self) -> Voting:
        if self.window % 2 == 0:
            raise ValueError(f"window is {self.window}; it must be odd (it has a centre pixel)")
        return self


class Loss(Section):
    """Target loss of phase 1 (METHOD 6)."""

    mrkld_weight: NotNegative = 0.01
    """Effective MRKLD weight; CRST's 0.1 is multiplied twice and trains as 0.01."""
    beta: float = Field(default=0.95, ge=0, le=1)
    """Weight of the pseudo label in soft bootstrapping (TPLD alone); 1 switches it off."""
    bootstrap_target: Literal["normalised", "probability", "printed"] = "normalised"
    """The bootstrapped part: r / Σ r, the softmax p, or the paper's formula as printed."""
    stop_gradient: bool = True
    """Treat the bootstrapped target as a constant."""
    on_unlabelled: bool = False
    """Bootstrap unlabelled target pixels too."""


class SelfTraining(Section):
    """Self-training rounds (METHOD 7)."""

    rounds: Count = 6
    """Phase-1 rounds with TPLD."""
    base_rounds: Count = 3
    """Rounds of the plain self-training method."""
    epochs: Positive = 2.0
    """Passes over the target images (and the source subset) a round."""
    batch_size: int = Field(default=2, ge=1)
    """Crops a step, a random mix of both domains."""
    crop: Size = (512, 1024)
    """Height and width of a crop."""
    scale: Scale = (0.5, 1.5)
    """Range of the scale jitter."""
    learning_rate: Positive = 5e-5
    """Constant learning rate of the backbone."""
    head_factor: Positive = 10.0
    """Learning rate of the classifier head over that of the backbone."""
    momentum: NotNegative = 0.9
    """Of SGD."""
    weight_decay: NotNegative = 5e-4
    """Of SGD."""
    batch_norm: Literal["frozen", "train"] = "frozen"
    """BatchNorm policy of both phases."""
    source_share: Portion = 0.03
    """Share of the source images in round 0."""
    source_share_step: NotNegative = 0.0025
    """Growth of that share a round."""
    max_source_share: Portion = 0.06
    """Upper bound of that share."""
    mining_probability: float = Field(default=0.8, ge=0, le=1)
    """Probability of centring a target crop on a mined class."""
    jitter: Jitter = Jitter()
    """Photometric augmentation of source and target crops."""


class Phase2(Section):
    """Confidence split, full labels and D_intra (METHOD 8 and 9)."""

    rounds: int = Field(default=3, ge=0)
    """Phase-2 rounds."""
    easy_portion: Portion = 0.30
    """Share of the target images that count as easy."""
    easy_step: NotNegative = 0.0
    """Growth of that share a phase-2 round."""
    divide_by: Literal["confident", "predicted"] = "confident"
    """Classes that the confidence sums and averages over."""
    weight_by_threshold: bool = True
    """Weigh each class by 1 / λ."""
    gamma: Positive = 2.0
    """Exponent that calibrates the full labels."""
    full_label: Literal["soft", "hard", "argmax"] = "soft"
    """Reading of the calibrated label: soft, one-hot with weight, one-hot without."""
    epochs: Positive = 2.0
    """Passes over the hard images a round."""
    pairs: Count = 1
    """Easy and hard crops a step, each."""
    learning_rate: Positive = 5e-5
    """Constant learning rate of the backbone."""
    adversarial_weight: NotNegative = 0.001
    """λ_adv of the network's adversarial loss."""
    discriminator_learning_rate: Positive = 1e-4
    """Of Adam."""


class Evaluation(Section):
    """Evaluation protocol (METHOD 12)."""

    scales: list[Positive] = Field(default=[0.9, 1.0, 1.2], min_length=1)
    """Image scales whose logits are averaged; scale 1 alone is always reported too."""
    mirror: bool = True
    """Average with the mirror image at each scale."""
    every_round: bool = False
    """Evaluate the network of each round too (scale 1 alone), for the report's curves."""
    subsets: dict[str, list[str]] = {}
    """Named means over some classes, e.g. R-mIoU."""


class Config(Section):
    """All keys of the pipeline."""

    experiment: str = Field(default="city", pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")
    """Name of the result folder."""
    results: str = "results"
    """Where results go."""
    methods: list[MethodName] = Field(
        default=["source", "crst_mrkld", "crst_mrkld+tpld"], min_length=1
    )
    """Rows of the comparison table."""
    seeds: list[Annotated[int, Field(ge=0)]] = Field(default=[0], min_length=1)
    """Each method runs once per seed."""
    data: Data = Data()
    """Images, labels and classes."""
    model: Model = Model()
    """The network."""
    compute: Compute = Compute()
    """Device, precision, threads."""
    source_training: SourceTraining = SourceTraining()
    """Training on the source."""
    dump: Dump = Dump()
    """Target predictions."""
    thresholds: Thresholds = Thresholds()
    """Class thresholds."""
    voting: Voting = Voting()
    """Phase-1 voting."""
    loss: Loss = Loss()
    """Target loss of phase 1."""
    self_training: SelfTraining = SelfTraining()
    """Self-training rounds."""
    phase2: Phase2 = Phase2()
    """Phase 2."""
    evaluation: Evaluation = Evaluation()
    """Evaluation protocol."""

    @model_validator(mode="after")
    def _consistent(self) -> Config:
        for key, values in (("methods", self.methods), ("seeds", self.seeds)):
            if len(set(values)) != len(values):
                raise ValueError(f"{key} names an entry twice: {values}")
        adversarial = self.phase2.rounds and any(name.endswith("+tpld") for name in self.methods)
        if adversarial and min(self.self_training.crop) < 32:
            raise ValueError(
                f"self_training.crop is {list(self.self_training.crop)}; the discriminator of "
                "phase 2 halves it five times and needs at least 32 pixels each way"
            )
        frozen = self.source_training.batch_norm == "frozen"
        if self.model.weights == "random" and frozen:
            raise ValueError(
                "source_training.batch_norm is 'frozen' with random weights: BatchNorm would never "
                "see data. Set it to 'train', or give pretrained model.weights"
            )
        return self

    def get(self, dotted: str) -> Any:
        """Value of a dotted key such as ``voting.window`` as plain Python data (for hashing)."""
        node: Any = self
        for part in dotted.split("."):
            node = getattr(node, part)
        return node.model_dump(mode="json") if isinstance(node, BaseModel) else node


def load_config(source: Path | str | dict[str, Any]) -> Config:
    """Read and check a configuration.

    Args:
        source: path of a YAML file, or the nested dictionary that Snakemake merged.

    Raises:
        ConfigError: the file is missing or no YAML mapping, a key is unknown (the nearest known
            key is named), or a value is out of bounds.
    """
    if isinstance(source, dict):
        tree, where = source, "configuration"
    else:
        tree, where = _read_yaml(Path(source)), str(source)
    try:
        return Config.model_validate(tree)
    except ValidationError as error:
        lines = [_explain(item) for item in error.errors()]
        raise ConfigError(f"{where}:\n" + "\n".join(f"  - {line}" for line in lines)) from None


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}. Give an existing file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no valid YAML: {error}") from None
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ConfigError(f"{path} holds a {type(tree).__name__}; a mapping of keys is needed")
    return tree


def _explain(item: Any) -> str:
    """One line for one pydantic error: dotted key, what was seen, what is allowed."""
    path = [str(part) for part in item["loc"]]
    key = ".".join(path) or "configuration"
    if item["type"] == "extra_forbidden":
        known = _known_keys(path[:-1])
        near = difflib.get_close_matches(path[-1], known, n=1, cutoff=0.5)
        hint = f"did you mean '{near[0]}'? " if near else ""
        return f"{key}: unknown key; {hint}Known here: {', '.join(known)}"
    seen = item.get("input")
    shown = "" if isinstance(seen, dict | list) else f" (is {seen!r})"
    return f"{key}: {item['msg'].removeprefix('Value error, ')}{shown}"


def _known_keys(path: list[str]) -> list[str]:
    """Field names of the section that a path of keys leads to."""
    node: Any = Config
    for part in path:
        if part.isdigit():
            continue
        annotation = node.model_fields[part].annotation if part in node.model_fields else None
        found = _section_in(annotation)
        if found is None:
            return []
        node = found
    return list(node.model_fields)


def _section_in(annotation: Any) -> type[Section] | None:
    """The section class inside an annotation such as ``FolderData | None`` or ``list[X]``."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    for inner in get_args(annotation):
        found = _section_in(inner)
        if found is not None:
            return found
    return None
