"""Any semantic-segmentation model of Hugging Face `transformers`, from a local directory.

`model.weights` is a directory with ``config.json`` and safetensors, as `save_pretrained` writes it.
It is read for the architecture whenever the network is built, so it has to stay where it is.
Where `transformers` has no segmentation model of that type (DINOv2), a linear head joins its
backbone.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from torch import Tensor, nn

from tpld.config.model import Model
from tpld.errors import ConfigError
from tpld.models.network import Heads, Network, loading_report


class TransformersModel(Network):
    """A model of `transformers`; ``head`` is all that it has beside its backbone.

    Args:
        directory: with ``config.json``; its weights are loaded by `load_own` alone.
        num_classes: K.

    Raises:
        ConfigError: `transformers` is not installed, or the directory holds no such model.
    """

    def __init__(self, directory: Path, num_classes: int) -> None:
        super().__init__()
        self.directory, self.num_classes = directory, num_classes
        self.model = _make(directory, num_classes, load=False)[0]

    @classmethod
    def from_config(cls, model: Model, num_classes: int, heads: Heads) -> TransformersModel:
        """As the configuration says; raises ConfigError for other heads than ``single``."""
        if heads != "single":
            raise ConfigError(f"model.name: 'transformers' has a single head, not '{heads}' ones")
        return cls(Path(model.weights), num_classes)

    @property
    def head(self) -> nn.ModuleDict:
        """Everything but the backbone."""
        backbone = {"backbone", getattr(self.model, "base_model_prefix", "")}
        parts = self.model.named_children()
        return nn.ModuleDict({name: part for name, part in parts if name not in backbone})

    def load_own(self, weights: str) -> str:
        """Load the weights of the directory; returns the report."""
        self.model, info = _make(self.directory, self.num_classes, load=True)
        odd = {name for name, *_ in info["mismatched_keys"]}
        missing = {*info["missing_keys"], *odd}
        matched = len(set(self.model.state_dict()) - missing)
        return loading_report(weights, matched, missing, {*info["unexpected_keys"], *odd})

    def forward_heads(self, image: Tensor) -> tuple[Tensor, ...]:
        """Logits of the one head; see `Network`."""
        return (self(image),)

    def forward(self, image: Tensor) -> Tensor:
        """Normalised images (B, 3, H, W) -> logits (B, K, h, w) at the model's own stride."""
        return self.model(image).logits


class LinearProbe(nn.Module):
    """A backbone of `transformers` and a 1x1 convolution on its last feature map.

    Args:
        backbone: a model of `AutoBackbone`.
        num_classes: K.
    """

    def __init__(self, backbone: Any, num_classes: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.patch = int(getattr(backbone.config, "patch_size", None) or 1)
        self.classifier = nn.Conv2d(backbone.channels[-1], num_classes, 1)

    def forward(self, image: Tensor) -> SimpleNamespace:
        """Images (B, 3, H, W), stretched to whole patches -> logits, one a patch."""
        size = [-(-n // self.patch) * self.patch for n in image.shape[-2:]]
        whole = nn.functional.interpolate(image, size, mode="bilinear", align_corners=False)
        return SimpleNamespace(logits=self.classifier(self.backbone(whole).feature_maps[-1]))


def _make(directory: Path, num_classes: int, load: bool) -> tuple[nn.Module, dict[str, Any]]:
    """The model of a directory, random or with its weights, and what loading said."""
    try:
        from transformers import AutoBackbone, AutoConfig, AutoModelForSemanticSegmentation
    except ImportError:
        raise ConfigError(
            "model.name: 'transformers' needs the package transformers: pip install "
            "'tpld[transformers]'"
        ) from None
    if not (directory / "config.json").is_file():
        raise ConfigError(
            f"model.weights: {directory} is no local directory of a transformers model "
            "(config.json and safetensors)"
        )
    options: dict[str, Any] = {"num_labels": num_classes, "local_files_only": True}
    try:
        config = AutoConfig.from_pretrained(directory, **options)
        known = type(config) in AutoModelForSemanticSegmentation._model_mapping
        maker = AutoModelForSemanticSegmentation if known else AutoBackbone
        if load:
            options |= {"ignore_mismatched_sizes": True, "output_loading_info": True}
            model, info = maker.from_pretrained(directory, use_safetensors=True, **options)
        else:
            model, info = maker.from_config(config), {}
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(f"model.weights: {directory} cannot be used ({error})") from None
    return model if known else LinearProbe(model, num_classes), info
