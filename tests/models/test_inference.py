"""Resizing before a prediction gives what torchvision's `resize` gives, number by number."""

import pytest
import torch
from torchvision.transforms.v2 import functional as F

from tpld.models.inference import _resized


@pytest.mark.parametrize("size", [[20, 30], [13, 17], [41, 29], [7, 90]])
def test_the_very_numbers_of_torchvision(size):
    image = torch.randint(0, 256, (20, 30, 3), dtype=torch.uint8).permute(2, 0, 1)
    assert torch.equal(_resized(image, size), F.resize(image, size, antialias=True))
