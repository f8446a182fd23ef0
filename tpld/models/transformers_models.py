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
from tpld.models.batchnorm import norms_of
from tpld.models.network import Heads, Network, loading_report


class TransformersModel(Network):
    """A model of `transformers`; ``head`` is all that it has beside its backbone.

    Args:
        directory: with ``config.json``; its weights are loaded by `load_own` alone.
        num_classes: K.

    Raises:
        ConfigError: `transformers` is not installed, or the directory holds no such model.
    """

    has_unused_parameters = True
    """DINOv2 has one that only its own pre-training uses; several processes must be told."""

    def __init__(self, directory: Path, num_classes: int) -> None:
        super().__init__()
        self.directory, self.num_classes = directory, num_classes
        self.model = _make(directory, num_classes)

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
        """Load the weights of the directory; returns the report.

        Raises:
            ConfigError: it holds no safetensors.
        """
        is_probe = isinstance(self.model, LinearProbe)
        model: Any = self.model.backbone if is_probe else self.model
        try:
            # Not `AutoBackbone.from_pretrained`, which asks the hub even about a local directory.
            loaded, info = type(model).from_pretrained(
                str(self.directory),
                config=model.config,
                use_safetensors=True,
                local_files_only=True,
                ignore_mismatched_sizes=True,
                output_loading_info=True,
            )
        except (OSError, ValueError) as error:
            raise ConfigError(f"model.weights: {weights} cannot be used ({error})") from None
        odd = {name for name, *_ in info["mismatched_keys"]}
        missing, own = {*info["missing_keys"], *odd}, set(loaded.state_dict())
        self._replace(loaded.float())
        prefix = "model.backbone." if is_probe else "model."
        self.random_norms = norms_of(self, [prefix + name for name in missing])
        if is_probe:
            missing |= {"classifier.weight", "classifier.bias"}
        return loading_report(
            weights, len(own - missing), missing, {*info["unexpected_keys"], *odd}
        )

    def check_own(self, weights: str) -> bool:
        """Whether the directory holds weights; its ``config.json`` was read already.

        Raises:
            ConfigError: it holds no safetensors.
        """
        if not any(self.directory.glob("*.safetensors")):
            raise ConfigError(
                f"model.weights: {weights} cannot be used (it holds no *.safetensors). Save the "
                "model with save_pretrained, whose default they are"
            )
        return True

    def _replace(self, loaded: nn.Module) -> None:
        """Put a loaded model in the place of the random one, whatever precision it was saved in."""
        if isinstance(self.model, LinearProbe):
            self.model.backbone = loaded
        else:
            self.model = loaded

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


def _make(directory: Path, num_classes: int) -> nn.Module:
    """The model of a directory, its weights random."""
    try:
        from transformers import AutoBackbone, AutoConfig, AutoModelForSemanticSegmentation
        from transformers.utils import logging
    except ImportError:
        raise ConfigError(
            "model.name: 'transformers' needs an optional package: pip install 'tpld[transformers]'"
        ) from None
    if not (directory / "config.json").is_file():
        raise ConfigError(
            f"model.weights: {directory} is no local directory of a transformers model "
            "(config.json and safetensors)"
        )
    logging.set_verbosity_error()  # our report says it in a sentence
    logging.disable_progress_bar()
    try:
        config = AutoConfig.from_pretrained(
            str(directory), num_labels=num_classes, local_files_only=True
        )
        if type(config) in AutoModelForSemanticSegmentation._model_mapping:
            return AutoModelForSemanticSegmentation.from_config(config).float()
        return LinearProbe(AutoBackbone.from_config(config), num_classes).float()
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(f"model.weights: {directory} cannot be used ({error})") from None
