"""The sum of dilated 3x3 convolutions of few output channels, with a fast backward pass on a CPU.

A head has hundreds of input channels and as many output channels as there are classes. torch's
backward pass takes five times its forward one there, a branch at a time. Written out, the gradients
of all branches are two products of matrices, of the gradient's shifted copies U (pixels, taps):

    dX (pixels, C) = U W,     dW (taps, C) = U' X,     taps = branches * K * 9
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional


def summed_convolutions(features: Tensor, branches: Sequence[nn.Module]) -> Tensor:
    """Sum of the branches' outputs; differentiable once on a CPU.

    Args:
        features: (B, C, h, w).
        branches: `Conv2d` with bias and 3x3 kernels, padded by their dilation.

    Returns:
        (B, K, h, w).
    """
    convolutions = [branch for branch in branches if isinstance(branch, nn.Conv2d)]
    if features.device.type != "cpu" or not torch.is_grad_enabled():
        return _sum([branch(features) for branch in convolutions])
    weights, biases = zip(*((branch.weight, branch.bias) for branch in convolutions), strict=True)
    dilations = [branch.dilation[0] for branch in convolutions]
    if torch.is_autocast_enabled("cpu"):
        kind = torch.get_autocast_dtype("cpu")
        features, *rest = (t.to(kind) for t in (features, *weights, *biases))
        weights, biases = rest[: len(weights)], rest[len(weights) :]
    out = _Summed.apply(features, dilations, *weights, *biases)
    return cast(Tensor, out)


def _sum(parts: Sequence[Tensor]) -> Tensor:
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


class _Summed(torch.autograd.Function):
    """The sum as a differentiable function of the features, the weights and the biases."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, dilations: list[int], *parameters: Tensor) -> Tensor:
        """torch's own convolutions."""
        weights, biases = parameters[: len(dilations)], parameters[len(dilations) :]
        ctx.save_for_backward(features, *weights)
        ctx.dilations = dilations
        branches = zip(weights, biases, dilations, strict=True)
        return _sum([functional.conv2d(features, w, b, 1, d, d) for w, b, d in branches])

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        """Two products of matrices, for all branches at once."""
        return _gradients(ctx, *grad_outputs)


@once_differentiable
def _gradients(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
    features, *weights = ctx.saved_tensors
    batch, channels, height, width = features.shape
    classes, count = gradient.shape[1], len(weights)
    shifted = [functional.unfold(gradient, 3, d, d) for d in ctx.dilations]
    # A shift forward of the gradient meets the tap that looks backward: turned kernels.
    taps = torch.cat(shifted, 1).transpose(1, 2).reshape(batch * height * width, -1)
    of_features = None
    if ctx.needs_input_grad[0]:
        turned = [w.flip(2, 3).permute(0, 2, 3, 1).reshape(-1, channels) for w in weights]
        rows = (taps @ torch.cat(turned)).view(batch, height, width, channels)
        of_features = rows.permute(0, 3, 1, 2)
    pixels = features.permute(0, 2, 3, 1).reshape(-1, channels)
    products = (taps.t() @ pixels).view(count, classes, 3, 3, channels)
    of_weights = products.flip(2, 3).permute(0, 1, 4, 2, 3).unbind()
    of_bias = gradient.sum((0, 2, 3))
    return of_features, None, *of_weights, *[of_bias] * count
