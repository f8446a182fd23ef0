"""A trained network that only predicts: one image at a scale, with its mirror image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from tpld.compute.runtime import Runtime
from tpld.config import Config
from tpld.data.normalise import normalise
from tpld.models.folding import fold_batch_norm
from tpld.models.network import Network
from tpld.models.weights import load_trained


def load_predictor(config: Config, num_classes: int, path: Path, runtime: Runtime) -> Network:
    """The network of a checkpoint in evaluation mode, with BatchNorm folded into convolutions.

    Arguments and errors are those of `load_trained`.
    """
    return fold_batch_norm(load_trained(config, num_classes, path, runtime).eval())


@torch.inference_mode()
def predict_views(
    network: nn.Module, image: np.ndarray, scale: float, mirror: bool, runtime: Runtime
) -> Tensor:
    """Logits of an image at a scale and, if wanted, of its mirror image.

    Args:
        network: in evaluation mode.
        image: uint8 (H, W, 3).
        scale: image scale before the network.
        mirror: add the mirror image as a second view.
        runtime: device and precision.

    Returns:
        float32 (V, K, h, w) at the output stride; the mirror view is not mirrored back.
    """
    size = [max(1, round(n * scale)) for n in image.shape[:2]]
    pixels = torch.from_numpy(image.copy()).to(runtime.device).permute(2, 0, 1)
    view = normalise(_resized(pixels, size))[None]
    views = torch.cat([view, view.flip(-1)]) if mirror else view
    with runtime.autocast():
        return network(runtime.images(views)).float()


def _resized(pixels: Tensor, size: list[int]) -> Tensor:
    """uint8 (3, H, W) bilinear with antialiasing, the very numbers of torchvision's `resize`.

    Whose module loads torch's compiler (`tpld.compute.compiler`).
    """
    if list(pixels.shape[1:]) == size:
        return pixels
    vectors = torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")
    whole = pixels.device.type == "cpu" and vectors  # then torch resizes uint8 itself
    image = pixels[None] if whole else pixels[None].float()
    made = functional.interpolate(
        image, size=size, mode="bilinear", align_corners=False, antialias=True
    )[0]
    return made if whole else made.round_().to(torch.uint8)
