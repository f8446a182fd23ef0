"""Crops and augmentation of training samples, as functions of an explicit random generator.

A sample depends on its generator alone, and the generator on (seed, step, slot): resuming at any
step, or loading with any number of processes, gives the same crops.
"""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as F

from tpld.config import Jitter
from tpld.data.normalise import normalise


class CropSettings(Protocol):
    """The part of a training section that crops need."""

    @property
    def crop(self) -> tuple[int, int]:
        """Height and width."""
        ...

    @property
    def scale(self) -> tuple[float, float]:
        """Range of the scale jitter."""
        ...

    @property
    def jitter(self) -> Jitter:
        """Photometric augmentation."""
        ...


class Geometry(NamedTuple):
    """Where a crop is taken from and how it is laid out."""

    top: int
    left: int
    height: int
    width: int
    out_height: int
    out_width: int
    mirror: bool

    @property
    def window(self) -> tuple[slice, slice]:
        """Index of the source pixels."""
        return (
            slice(self.top, self.top + self.height),
            slice(self.left, self.left + self.width),
        )


def draw_scale(rng: np.random.Generator, scale: tuple[float, float]) -> float:
    """A scale factor between the bounds in steps of 0.1 [C]."""
    steps = math.floor((scale[1] - scale[0]) * 10 + 1e-9)
    return scale[0] + 0.1 * float(rng.integers(0, steps + 1))


def window_size(image: tuple[int, int], crop: tuple[int, int], scale: float) -> tuple[int, int]:
    """Source pixels (height, width) that a crop of a rescaled image needs, within the image.

    Cropping first and resizing the crop gives the same picture as CRST's order at a fraction of
    the cost.
    """
    return (
        min(image[0], max(1, round(crop[0] / scale))),
        min(image[1], max(1, round(crop[1] / scale))),
    )


def random_origin(
    image: tuple[int, int], size: tuple[int, int], rng: np.random.Generator
) -> tuple[int, int]:
    """Uniform top-left corner (y, x) of a window inside an image."""
    return int(rng.integers(image[0] - size[0] + 1)), int(rng.integers(image[1] - size[1] + 1))


def geometry(
    origin: tuple[int, int],
    size: tuple[int, int],
    crop: tuple[int, int],
    scale: float,
    mirror: bool,
) -> Geometry:
    """The layout of a window of `size` at `origin`, brought to at most `crop`."""
    return Geometry(
        *origin,
        *size,
        min(crop[0], max(1, round(size[0] * scale))),
        min(crop[1], max(1, round(size[1] * scale))),
        mirror,
    )


def crop_image(
    pixels: np.ndarray,
    geo: Geometry,
    crop: tuple[int, int],
    jitter: Jitter,
    rng: np.random.Generator,
) -> Tensor:
    """uint8 window (h, w, 3) -> normalised float32 (3, *crop), padded with the mean colour."""
    image = torch.from_numpy(pixels.copy()).permute(2, 0, 1)
    image = F.resize(image, [geo.out_height, geo.out_width], antialias=True)
    image = photometric(image, jitter, rng)
    return _place(normalise(image), geo, crop, 0.0)


def crop_label(
    label: np.ndarray, geo: Geometry, crop: tuple[int, int], ignore: int
) -> tuple[Tensor, Tensor]:
    """uint8 window (h, w) -> int64 (*crop), nearest, padded with the ignore index; and bool
    (*crop), False on the padding."""
    mask = torch.from_numpy(label.copy())[None]
    size = [geo.out_height, geo.out_width]
    mask = F.resize(mask, size, interpolation=InterpolationMode.NEAREST_EXACT)
    inside = torch.ones_like(mask, dtype=torch.bool)
    return _place(mask, geo, crop, ignore)[0].long(), _place(inside, geo, crop, False)[0]


def crop_map(values: np.ndarray, geo: Geometry, crop: tuple[int, int]) -> Tensor:
    """float32 window (C, h, w) -> float32 (C, *crop), nearest (one-hot stays one-hot), padded 0."""
    size = [geo.out_height, geo.out_width]
    tensor = F.resize(torch.from_numpy(values), size, interpolation=InterpolationMode.NEAREST_EXACT)
    return _place(tensor, geo, crop, 0.0)


def _place(tensor: Tensor, geo: Geometry, crop: tuple[int, int], fill: float) -> Tensor:
    """Mirror if drawn so, and pad on the right and below to the crop."""
    tensor = tensor.flip(-1) if geo.mirror else tensor
    padding = [0, 0, crop[1] - geo.out_width, crop[0] - geo.out_height]
    return F.pad(tensor, padding, fill=fill) if any(padding) else tensor


def photometric(image: Tensor, jitter: Jitter, rng: np.random.Generator) -> Tensor:
    """Photometric augmentation of a uint8 image (3, H, W); see `Jitter` for each key."""

    def around_one(spread: float) -> float:
        return float(rng.uniform(max(0.0, 1 - spread), 1 + spread))

    if jitter.brightness:
        image = F.adjust_brightness(image, around_one(jitter.brightness))
    if jitter.contrast:
        image = F.adjust_contrast(image, around_one(jitter.contrast))
    if jitter.saturation:
        image = F.adjust_saturation(image, around_one(jitter.saturation))
    if jitter.hue:
        image = F.adjust_hue(image, float(rng.uniform(-jitter.hue, jitter.hue)))
    if jitter.gamma:
        bound = np.log1p(jitter.gamma)
        image = F.adjust_gamma(image, float(np.exp(rng.uniform(-bound, bound))))
    if jitter.blur:
        sigma = float(rng.uniform(0, jitter.blur))
        if sigma > 0.2:  # below that the kernel is a single pixel
            image = F.gaussian_blur(image, [2 * round(2 * sigma) + 1] * 2, [sigma, sigma])
    if jitter.noise:
        sigma = rng.uniform(0, jitter.noise) * 255
        noise = rng.standard_normal(tuple(image.shape), dtype=np.float32) * np.float32(sigma)
        image = (image.float() + torch.from_numpy(noise)).round_().clamp_(0, 255).to(torch.uint8)
    return image
