"""ImageNet mean and standard deviation on RGB in [0, 1] (METHOD 11)."""

from __future__ import annotations

import torch
from torch import Tensor

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


def normalise(image: Tensor) -> Tensor:
    """uint8 (..., 3, H, W) -> float32 of the same shape, ready for the network."""
    mean = torch.tensor(MEAN, device=image.device)[:, None, None]
    std = torch.tensor(STD, device=image.device)[:, None, None]
    return (image.float() / 255 - mean) / std
