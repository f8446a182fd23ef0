"""DeepLabv2 on torchvision's VGG16 (METHOD 11).

pool4 and pool5 are left out, so that the stride stays 8; conv5 is dilated instead. fc6 and fc7 are
3x3 convolutions of dilation 4. The weights of torchvision's own fc layers (25 088 to 4096) have no
place here: fc6 and fc7 start from random weights.
"""

from __future__ import annotations

import torchvision
from torch import Tensor, nn

from tpld.config.model import Model
from tpld.errors import ConfigError
from tpld.models.deeplabv2 import summed_heads
from tpld.models.network import Heads, Network

# Places in torchvision's `vgg16().features`.
_POOL4, _POOL5, _CONV5 = "23", "30", ("24", "26", "28")
_CONV4 = 23  # layers up to the end of conv4
_WIDTH = 1024


class DeepLabV2VGG16(Network):
    """VGG16 backbone with fc6, fc7 and a summed ASPP head; stride 8.

    Args:
        num_classes: K.
        dilations: dilations of the head.
        heads: the auxiliary head reads conv4.
    """

    pretrained = ("vgg16",)
    may_lack = ("head.", "backbone.fc6.", "backbone.fc7.")

    def __init__(self, num_classes: int, dilations: list[int], heads: Heads = "single") -> None:
        super().__init__()
        self.heads = heads
        layers = nn.Sequential()
        for name, layer in torchvision.models.vgg16(weights=None).features.named_children():
            if name in (_POOL4, _POOL5):
                continue
            if name in _CONV5:
                assert isinstance(layer, nn.Conv2d)
                layer.dilation = layer.padding = (2, 2)
            layers.add_module(name, layer)
        self.backbone = nn.Sequential()
        self.backbone.add_module("features", layers)
        for name, channels in (("fc6", 512), ("fc7", _WIDTH)):
            self.backbone.add_module(name, _dense(channels))
            self.backbone.add_module(f"{name}_relu", nn.ReLU(inplace=True))
        self.head = summed_heads(_WIDTH, 512, num_classes, dilations, heads)

    @classmethod
    def from_config(cls, model: Model, num_classes: int, heads: Heads) -> DeepLabV2VGG16:
        """As the configuration says.

        Raises:
            ConfigError: an output stride other than 8.
        """
        if model.output_stride != 8:
            raise ConfigError(
                f"model.output_stride: is {model.output_stride}; deeplabv2_vgg16 knows 8 alone"
            )
        return cls(num_classes, model.aspp_dilations, heads)

    def features(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Images (B, 3, H, W) -> fc7 (B, 1024, h, w) and conv4 (B, 512, h, w), at stride 8."""
        layers = self.backbone[0]
        assert isinstance(layers, nn.Sequential)
        earlier = layers[:_CONV4](image)
        return self.backbone[1:](layers[_CONV4:](earlier)), earlier


def _dense(channels: int) -> nn.Conv2d:
    """A fully connected layer as a dilated convolution, initialised as torchvision's VGG is."""
    layer = nn.Conv2d(channels, _WIDTH, 3, padding=4, dilation=4)
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer
