"""DeepLabv2 on a torchvision ResNet (METHOD 11).

The backbone keeps its resolution by trading stride for dilation in its last layers; the head is
the *sum* of four dilated 3x3 convolutions (ASPP). Output: logits at the output stride.
"""

from __future__ import annotations

import torch
import torchvision
from torch import Tensor, nn

from tpld.config.model import Model
from tpld.models.network import Heads, Network
from tpld.models.summed_convolutions import summed_convolutions

RESNETS = {
    "deeplabv2_resnet18": ("resnet18", 512),
    "deeplabv2_resnet34": ("resnet34", 512),
    "deeplabv2_resnet50": ("resnet50", 2048),
    "deeplabv2_resnet101": ("resnet101", 2048),
}


class SummedASPP(nn.Module):
    """Atrous spatial pyramid pooling as DeepLabv2 has it: branches are summed, not concatenated.

    Args:
        channels: input channels.
        num_classes: K output channels.
        dilations: dilation of each 3x3 branch.
    """

    def __init__(self, channels: int, num_classes: int, dilations: list[int]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Conv2d(channels, num_classes, 3, padding=d, dilation=d) for d in dilations
        )
        for branch in self.branches:
            assert isinstance(branch, nn.Conv2d) and branch.bias is not None
            nn.init.normal_(branch.weight, 0.0, 0.01)
            nn.init.zeros_(branch.bias)

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, C, h, w) -> logits (B, K, h, w)."""
        return summed_convolutions(features, list(self.branches))


class DeepLabV2(Network):
    """ResNet backbone with a summed ASPP head.

    Args:
        name: one of `RESNETS`.
        num_classes: K.
        output_stride: 8 (paper), 16 or 32 input pixels per output pixel.
        dilations: dilations of the head.
        heads: the auxiliary head reads layer3.
    """

    def __init__(
        self,
        name: str,
        num_classes: int,
        output_stride: int,
        dilations: list[int],
        heads: Heads = "single",
    ) -> None:
        super().__init__()
        constructor, channels = RESNETS[name]
        self.heads, self.pretrained = heads, (constructor,)
        resnet = torchvision.models.get_model(constructor, weights=None)
        self.backbone = nn.Sequential()
        for part in ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4"):
            self.backbone.add_module(part, getattr(resnet, part))
        stride, dilation = 8, 1
        for part in ("layer3", "layer4"):
            if stride < output_stride:
                stride *= 2
            else:
                dilation *= 2
                _dilate(getattr(self.backbone, part), dilation)
        self.head = summed_heads(channels, channels // 2, num_classes, dilations, heads)

    @classmethod
    def from_config(cls, model: Model, num_classes: int, heads: Heads) -> DeepLabV2:
        """As the configuration says."""
        return cls(model.name, num_classes, model.output_stride, model.aspp_dilations, heads)

    def features(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Images (B, 3, H, W) -> layer4 and layer3, at the output stride (32: layer3 at 16)."""
        earlier = self.backbone[:-1](image)
        return self.backbone[-1](earlier), earlier


def summed_heads(
    channels: int, earlier: int, num_classes: int, dilations: list[int], heads: Heads
) -> nn.ModuleDict:
    """One or two `SummedASPP`: on `channels`, and for an auxiliary head on `earlier` channels."""
    found = {"main": SummedASPP(channels, num_classes, dilations)}
    if heads != "single":
        inputs = earlier if heads == "auxiliary" else channels
        found["extra"] = SummedASPP(inputs, num_classes, dilations)
    return nn.ModuleDict(found)


def _dilate(layer: nn.Module, dilation: int) -> None:
    """Set all strides of a ResNet layer to 1 and the dilation of its 3x3 convolutions.

    torchvision's `replace_stride_with_dilation` refuses basic blocks and leaves the first block
    undilated; METHOD 11 dilates the whole layer.
    """
    for module in layer.modules():
        if isinstance(module, nn.Conv2d):
            module.stride = (1, 1)
            if module.kernel_size == (3, 3):
                module.dilation = (dilation, dilation)
                module.padding = (dilation, dilation)


def upsample(logits: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear, align_corners=True [C], in float32: (B, K, h, w) -> (B, K, *size)."""
    return torch.nn.functional.interpolate(
        logits.float(), size=size, mode="bilinear", align_corners=True
    )
