"""Networks by name. Adding one: a file with a `Network`, and a line here (docs/networks.md)."""

from __future__ import annotations

from typing import Protocol

from tpld.config import Config
from tpld.config.model import Model
from tpld.errors import ConfigError
from tpld.models import torchvision_models
from tpld.models.deeplabv2 import RESNETS, DeepLabV2
from tpld.models.deeplabv2_efficientnet import NAME as EFFICIENTNET
from tpld.models.deeplabv2_efficientnet import DeepLabV2EfficientNet
from tpld.models.deeplabv2_vgg16 import DeepLabV2VGG16
from tpld.models.depthwise import hasten_depthwise
from tpld.models.network import Heads, Network
from tpld.models.torchvision_models import TorchvisionModel
from tpld.models.transformers_models import TransformersModel


class Builder(Protocol):
    """Makes a network of random weights from the configuration."""

    def __call__(self, model: Model, num_classes: int, heads: Heads) -> Network:
        """K = `num_classes`; raises ConfigError where the network has no such `heads`."""
        ...


NETWORKS: dict[str, Builder] = {
    **dict.fromkeys(RESNETS, DeepLabV2.from_config),
    "deeplabv2_vgg16": DeepLabV2VGG16.from_config,
    EFFICIENTNET: DeepLabV2EfficientNet.from_config,
    **dict.fromkeys(("deeplabv3_resnet50", "deeplabv3_resnet101"), TorchvisionModel.from_config),
    **{f"torchvision/{name}": TorchvisionModel.from_config for name in torchvision_models.NAMES},
    "transformers": TransformersModel.from_config,
}


def build_model(config: Config, num_classes: int, heads: Heads = "single") -> Network:
    """The network of a configuration, its weights still random.

    Args:
        config: the configuration; `config.model` counts.
        num_classes: K.
        heads: ``single``; ``auxiliary`` for AdaptSegNet, ADVENT and MinEnt; ``twin`` for CLAN.
            `Network.forward_heads` gives the logits of all of them, main first.

    Raises:
        ConfigError: no such network, or none with such heads.
    """
    if config.model.name not in NETWORKS:
        raise ConfigError(
            f"model.name: '{config.model.name}' is unknown; known: {', '.join(NETWORKS)}"
        )
    network = NETWORKS[config.model.name](config.model, num_classes, heads)
    hasten_depthwise(network)
    return network
