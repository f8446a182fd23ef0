"""A depthwise convolution whose backward pass costs about two forward ones, on a CPU.

torch takes up to ninety times its forward pass there (5x5 kernels, dilation, bfloat16), which was
most of a training step of EfficientNet. The mathematics is small: the input's gradient is a
convolution of the output's with the kernel turned round, and each of the k x k weights of a channel
has the dot product of two planes.

    dx[y, x] = sum_ij w[i, j] g[(y + p - i d) / s, (x + p - j d) / s]     where that is whole
    dw[i, j] = sum_yx g[y, x] x[s y + i d - p, s x + j d - p]

Channels lie side by side in memory (channels_last), so the innermost loops run over them. Sums are
taken in the same order for any number of threads: a run that is resumed ends in the same weights.
"""

from __future__ import annotations

from types import MethodType
from typing import Any, cast

import numpy as np
import torch
from numba import njit, prange
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from tpld.core.fastmath import widened

_BLOCK = 128  # numbers of a row that are summed side by side: longer ones leave the first cache
_AHEAD = 4  # columns whose products are added up before the sum is touched
_FAST_TYPES = (torch.float32, torch.bfloat16, torch.float64)


def hasten_depthwise(network: nn.Module) -> None:
    """Give every depthwise `Conv2d` of a network our backward pass; what it computes stays.

    The forward pass is torch's. On a GPU, and where nothing is differentiated, all of it is.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and _is_ours(module):
            module._conv_forward = MethodType(_conv_forward, module)


def _is_ours(conv: nn.Conv2d) -> bool:
    depthwise = 1 < conv.groups == conv.in_channels == conv.out_channels
    plain = type(conv)._conv_forward is nn.Conv2d._conv_forward
    return (
        depthwise and plain and conv.padding_mode == "zeros" and not isinstance(conv.padding, str)
    )


def _conv_forward(conv: nn.Conv2d, image: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """What `Conv2d` calls to convolve."""
    return depthwise_conv2d(image, weight, bias, conv.stride, _pair(conv.padding), conv.dilation)


def _pair(padding: Any) -> tuple[int, ...]:
    assert not isinstance(padding, str)  # see `_is_ours`
    return padding


def depthwise_conv2d(
    image: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    dilation: tuple[int, ...],
) -> Tensor:
    """`torch.nn.functional.conv2d` with a group a channel; differentiable once.

    Args:
        image: (B, C, H, W); float32, float64 or bfloat16.
        weight: (C, 1, kh, kw).
        bias: (C,), or None.
        stride: of rows and of columns, as padding and dilation.
        padding: zeros on either side.
        dilation: distance of two weights.

    Returns:
        (B, C, h, w), of the image's type; under autocast of autocast's.
    """
    geometry = (stride, padding, dilation)
    differentiated = torch.is_grad_enabled() and (image.requires_grad or weight.requires_grad)
    if torch.is_autocast_enabled("cpu"):
        kind = torch.get_autocast_dtype("cpu")
        image, weight = image.to(kind), weight.to(kind)
        bias = None if bias is None else bias.to(kind)
    known = image.dtype == weight.dtype and image.dtype in _FAST_TYPES
    if not (differentiated and known and image.device.type == "cpu"):
        return functional.conv2d(image, weight, bias, *geometry, groups=image.shape[1])
    return cast(Tensor, _Depthwise.apply(image, weight, bias, geometry))


class _Depthwise(torch.autograd.Function):
    """The convolution as a differentiable function."""

    @staticmethod
    def forward(
        ctx: Any, image: Tensor, weight: Tensor, bias: Tensor | None, geometry: Any
    ) -> Tensor:
        """torch's own."""
        ctx.save_for_backward(image, weight)
        ctx.geometry = geometry
        return functional.conv2d(image, weight, bias, *geometry, groups=image.shape[1])

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        """Ours; each of the three only where it is asked for."""
        return _gradients(ctx, *grad_outputs)


@once_differentiable
def _gradients(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
    image, weight = ctx.saved_tensors
    of_image = of_weight = of_bias = None
    if ctx.needs_input_grad[0]:
        of_image = _image_gradient(gradient, weight, image.shape, ctx.geometry)
    if ctx.needs_input_grad[1]:
        of_weight = _weight_gradient(gradient, image, weight, ctx.geometry)
    if ctx.needs_input_grad[2]:
        of_bias = gradient.sum((0, 2, 3))
    return of_image, of_weight, of_bias, None


def _image_gradient(gradient: Tensor, weight: Tensor, shape: torch.Size, geometry: Any) -> Tensor:
    """The gradient (B, C, H, W) of the image."""
    stride, padding, dilation = geometry
    kernel = weight.shape[2:]
    around = [d * (k - 1) - p for d, k, p in zip(dilation, kernel, padding, strict=True)]
    if stride == (1, 1) and min(around) >= 0:
        turned = weight.flip(2, 3)
        return functional.conv2d(gradient, turned, None, 1, around, dilation, groups=shape[1])
    batch, channels, height, width = shape
    wide = torch.promote_types(gradient.dtype, torch.float32)
    found = torch.empty((batch, height, width, channels), dtype=wide)
    taps = weight[:, 0].permute(1, 2, 0).to(wide).contiguous().numpy()
    _scatter(found.numpy(), _channels_last(gradient), taps, *geometry)
    return found.permute(0, 3, 1, 2).to(gradient.dtype)


def _weight_gradient(gradient: Tensor, image: Tensor, weight: Tensor, geometry: Any) -> Tensor:
    """The gradient (C, 1, kh, kw) of the weights."""
    g, x = _channels_last(gradient), _channels_last(image)
    batch, _, _, channels = g.shape
    wide = torch.promote_types(weight.dtype, torch.float32)
    sums = torch.empty((batch, *weight.shape[2:], channels), dtype=wide)
    _correlate(sums.numpy(), g, x, *geometry)
    return sums.sum(0).permute(2, 0, 1)[:, None].to(weight.dtype)


def _channels_last(tensor: Tensor) -> np.ndarray:
    """(B, C, H, W) as an array (B, H, W, C); bfloat16 as its bits, for numpy has no such type."""
    moved = tensor.detach().permute(0, 2, 3, 1).contiguous()
    return (moved.view(torch.uint16) if moved.dtype == torch.bfloat16 else moved).numpy()


@njit(cache=True, parallel=True, fastmath={"contract"})
def _scatter(found, gradient, taps, stride, padding, dilation):
    """The image's gradient, found (B, H, W, C); of any stride."""
    batch, height, width, channels = found.shape
    rows, columns = gradient.shape[1:3]
    for unit in prange(batch * height):
        n, y = unit // height, unit % height
        found[n, y] = 0
        for i in range(taps.shape[0]):
            r = y + padding[0] - i * dilation[0]
            if r < 0 or r % stride[0] or r // stride[0] >= rows:
                continue
            line = gradient[n, r // stride[0]]
            for j in range(taps.shape[1]):
                tap = taps[i, j]
                for q in range(columns):
                    x = q * stride[1] + j * dilation[1] - padding[1]
                    if 0 <= x < width:
                        to, of = found[n, y, x], line[q]
                        for c in range(channels):
                            to[c] += tap[c] * widened(of[c])


@njit(cache=True, parallel=True, fastmath={"contract"})
def _correlate(sums, gradient, image, stride, padding, dilation):
    """The weights' gradient of each image alone, sums (B, kh, kw, C).

    A unit is a block of channels of an image. Of few channels, and at stride 1, neighbouring
    columns are summed side by side like channels: short loops take as long as they start.
    """
    rows, columns, channels = gradient.shape[1:]
    height, width = image.shape[1:3]
    kh, kw = sums.shape[1:3]
    blocks = (channels + _BLOCK - 1) // _BLOCK
    side = max(1, _BLOCK // channels) if stride[1] == 1 else 1
    for unit in prange(sums.shape[0] * blocks):
        n, first = unit // blocks, unit % blocks * _BLOCK
        count = min(channels - first, _BLOCK)
        own = np.zeros((kh, kw, side * count), sums.dtype)
        for y in range(rows):
            g = gradient[n, y].reshape(-1)[first:]
            for i in range(kh):
                r = y * stride[0] + i * dilation[0] - padding[0]
                if r < 0 or r >= height:
                    continue
                x = image[n, r].reshape(-1)[first:]
                for j in range(kw):
                    shift = j * dilation[1] - padding[1]
                    first_column = max(0, -(shift // stride[1]))  # the first on an image pixel
                    end = min(columns, (width - 1 - shift) // stride[1] + 1)
                    line = x[(first_column * stride[1] + shift) * channels :]
                    _add_row(
                        own[i, j], g[first_column * channels :], line, end - first_column,
                        side, count, channels, channels * stride[1],
                    )  # fmt: skip
        for i in range(kh):
            for j in range(kw):
                sums[n, i, j, first : first + count] = own[i, j, :count]
                for k in range(1, side):
                    sums[n, i, j, first : first + count] += own[i, j, k * count : (k + 1) * count]


@njit(cache=True, inline="always", fastmath={"contract"})
def _add_row(total, g, x, columns, side, count, g_step, x_step):
    """Add the products of two rows, g_step and x_step from column to column.

    total (side * count,): `side` neighbouring columns of `count` channels; what is left at the end
    of a row goes to the first of them.
    """
    q, ahead = 0, _AHEAD * side
    while q + ahead <= columns:
        _add_four(total, g[q * g_step :], x[q * x_step :], side * g_step, side * x_step)
        q += ahead
    for left in range(q, columns):
        a, b = g[left * g_step :], x[left * x_step :]
        for c in range(count):
            total[c] += widened(a[c]) * widened(b[c])


@njit(cache=True, inline="always", fastmath={"contract"})
def _add_four(total, g, x, g_step, x_step):
    """total[c] += g[c] x[c] + ... of four columns, which lie a step apart."""
    size = len(total)
    g0, g1, g2, g3 = g[:size], g[g_step:], g[2 * g_step :], g[3 * g_step :]
    x0, x1, x2, x3 = x[:size], x[x_step:], x[2 * x_step :], x[3 * x_step :]
    for c in range(size):
        near = widened(g0[c]) * widened(x0[c]) + widened(g1[c]) * widened(x1[c])
        far = widened(g2[c]) * widened(x2[c]) + widened(g3[c]) * widened(x3[c])
        total[c] += near + far
