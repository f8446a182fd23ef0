"""D_intra, the discriminator between easy and hard target images (METHOD 9)."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn


class Discriminator(nn.Sequential):
    """Five 4x4 convolutions of stride 2: K-64-128-256-512-1, LeakyReLU 0.2 between them.

    Args:
        num_classes: K, the channels of the weighted self-information map.
    """

    def __init__(self, num_classes: int) -> None:
        widths = [num_classes, 64, 128, 256, 512, 1]
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            layers += [nn.Conv2d(inputs, outputs, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        super().__init__(*layers[:-1])

    def forward(self, input: Tensor) -> Tensor:
        """Maps (B, K, H, W), H and W at least 32 -> scores before the sigmoid (B, 1, h, w)."""
        return super().forward(input)
