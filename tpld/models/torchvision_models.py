"""Any segmentation model of torchvision: DeepLabv3 of the paper's tables (METHOD 11), and others.

Only their parts are used: torchvision's own forward resizes the logits to the image.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import torchvision
from torch import Tensor, nn
from torchvision.models import segmentation

from tpld.config.model import Model
from tpld.errors import ConfigError
from tpld.models.network import Heads, Network

PREFIX = "torchvision/"
NAMES = tuple(torchvision.models.list_models(module=segmentation))


class TorchvisionModel(Network):
    """Backbone and classifier of a torchvision segmentation model, at torchvision's own stride.

    Args:
        name: one of `NAMES`.
        num_classes: K.
        heads: the auxiliary head is torchvision's, on layer3; the twin is a second classifier.

    Raises:
        ConfigError: torchvision knows no such model, or it has no place for an auxiliary head.
    """

    def __init__(self, name: str, num_classes: int, heads: Heads = "single") -> None:
        super().__init__()
        if name not in NAMES:
            raise ConfigError(
                f"model.name: torchvision has no segmentation model '{name}'; it has "
                f"{', '.join(NAMES)}"
            )
        constructor = name.split("_", 1)[1]
        self.heads, self.pretrained = heads, (constructor, name)
        options: dict[str, Any] = {} if name.startswith("lraspp") else {"aux_loss": False}
        if heads == "auxiliary":
            if not options:
                raise ConfigError(f"model.name: '{name}' has no place for an auxiliary head")
            options["aux_loss"] = True

        def build() -> nn.Module:
            return torchvision.models.get_model(
                name, weights=None, weights_backbone=None, num_classes=num_classes, **options
            )

        model = build()
        self.backbone = model.get_submodule("backbone")
        self.head = nn.ModuleDict({"main": model.get_submodule("classifier")})
        if heads == "auxiliary":
            self.head["extra"] = model.get_submodule("aux_classifier")
        elif heads == "twin":
            self.head["extra"] = build().get_submodule("classifier")
        self.renames = {"classifier.": "head.main.", "aux_classifier.": "head.extra."}
        if "mobilenet" in name:
            self.renames["features."] = "backbone."

    @classmethod
    def from_config(cls, model: Model, num_classes: int, heads: Heads) -> TorchvisionModel:
        """As the configuration says; the output stride is torchvision's.

        Raises:
            ConfigError: as the constructor.
        """
        return cls(model.name.removeprefix(PREFIX), num_classes, heads)

    def features(self, image: Tensor) -> tuple[Any, Any]:
        """Images (B, 3, H, W) -> input of the classifier, and of the auxiliary one (or None)."""
        found: OrderedDict[str, Tensor] = self.backbone(image)
        return found.get("out", found), found.get("aux")
