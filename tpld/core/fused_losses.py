"""Loss and gradient of METHOD 6 in one walk over the logits, on a CPU.

Every term of the phase-1 and phase-2 losses is a weighted -Σ_k c[k] log p[k] with constant weights
c, and the gradient of that with respect to the logits is p[k] Σ c - c[k]. With

    c[k] = label * y[k] + boot * q[k] + even,     q = softmax(log p - log λ) or p

a pixel is described by three numbers: `label`, β or 1 over the count of pixels; `boot`, (1-β) over
the same; `even`, MRKLD's weight over K and the count of target pixels (the same amount to each
class, which is label smoothing). They depend on the pixel's kind alone: none, source, target, ...

    as tensors    log_softmax, gather, mask, exp, ... : 20 to 30 times through memory
    here          a block of K x _BLOCK logits is read once, its gradient is written once, and
                  everything between stays in the first-level cache

The gradient is found during the forward pass, and the backward pass only hands it on.
"""

import math
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from numba import njit
from torch import Tensor
from torch.autograd.function import once_differentiable

from tpld.core.fastmath import LOG2_E, exp2_negative

_BLOCK = 256
_ONE = np.float32(1)


class Terms(NamedTuple):
    """What the loss of each pixel is made of; see the module docstring."""

    kind: Tensor
    """uint8 (B, H, W): row of `weights`; kind 0 has weights 0, and its pixels are skipped."""
    weights: Tensor
    """float32 (kinds, 3): label, boot, even."""
    inverse_threshold: Tensor
    """float32 (K,): 1 / λ, or ones for q = p."""
    label: Tensor | None
    """int64 (B, H, W), y as class ids; 255 only where `weights` has label 0."""
    soft_label: Tensor | None
    """float32 (B, K, H, W), y as a distribution, instead of label."""
    pixel_weight: Tensor | None
    """float32 (B, H, W): a factor on each pixel's loss."""


def fused_loss(logits: Tensor, terms: Terms) -> Tensor:
    """Σ over pixels of -Σ_k c[k] log p[k], a scalar. METHOD 6 and 9.

    logits (B, K, H, W) float32 on a CPU. q counts as a constant. Differentiable once.
    """
    return _Fused.apply(logits, terms)  # pyright: ignore[reportReturnType]


class _Fused(torch.autograd.Function):
    """The kernel as a differentiable function."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, terms: Terms) -> Tensor:
        """Compute the loss, and keep the gradient."""
        logits = logits.detach().contiguous()
        gradient = torch.empty_like(logits)
        batch, classes = logits.shape[:2]
        loss = _run(
            logits.view(batch, classes, -1).numpy(),
            *_as_arrays(terms, batch),
            gradient.view(batch, classes, -1).numpy(),
        )
        ctx.gradient = gradient
        return logits.new_tensor(loss)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None]:
        """Hand on the gradient, times that of whatever the loss went into."""
        return _hand_on(ctx, *grad_outputs)


@once_differentiable
def _hand_on(ctx: Any, upstream: Tensor) -> tuple[Tensor, None]:
    gradient, ctx.gradient = ctx.gradient, None
    return (gradient if upstream.item() == 1 else gradient * upstream), None


def _as_arrays(terms: Terms, batch: int) -> tuple[np.ndarray, ...]:
    """The terms with pixels in a row, (B, N) or (B, K, N); what is absent has no pixels."""
    soft = terms.soft_label
    maps = [
        terms.kind,
        torch.empty((batch, 0), dtype=torch.int64) if terms.label is None else terms.label,
        torch.empty((batch, 0)) if terms.pixel_weight is None else terms.pixel_weight.float(),
    ]
    kind, label, weight = (m.detach().contiguous().view(batch, -1).numpy() for m in maps)
    if soft is None:
        targets = np.empty((batch, 1, 0), np.float32)
    else:
        targets = soft.detach().float().contiguous().view(batch, soft.shape[1], -1).numpy()
    weights, inverse = terms.weights.numpy(), terms.inverse_threshold.numpy()
    return kind, weights, inverse, label, targets, weight


def _run(logits: np.ndarray, *rest: np.ndarray) -> float:
    """Share the blocks among as many threads as torch uses. Sums do not depend on their number.

    Plain threads and not prange: a pool of numba's beside torch's would fight for the cores, and
    would forbid loader processes that are forked later.
    """
    batch, _, pixels = logits.shape
    blocks = batch * -(-pixels // _BLOCK)
    sums = np.zeros(blocks)
    threads = max(1, min(torch.get_num_threads(), blocks // 8))
    if threads == 1:
        _kernel(0, blocks, sums, logits, *rest)
        return float(sums.sum())
    edges = [blocks * i // threads for i in range(threads + 1)]
    with ThreadPoolExecutor(threads) as pool:
        parts = [pool.submit(_kernel, *part, sums, logits, *rest) for part in pairwise(edges)]
        for part in parts:
            part.result()
    return float(sums.sum())


@njit(cache=True, nogil=True)
def _kernel(
    start, stop, sums, logits, kind, weights, inverse, label, soft, pixel_weight, gradient
):  # fmt: skip
    """Losses of blocks `start` to `stop` into `sums`, and their gradient."""
    classes, pixels = logits.shape[1], logits.shape[2]
    a_row = -(-pixels // _BLOCK)
    e = np.empty((classes, _BLOCK), np.float32)
    lines = np.empty((10, _BLOCK), np.float32)
    for block in range(start, stop):
        image, left = block // a_row, block % a_row * _BLOCK
        right = min(left + _BLOCK, pixels)
        kinds, grad = kind[image, left:right], gradient[image, :, left:right]
        boots = _pixel_weights(kinds, weights, pixel_weight[image, left:right], lines)
        if boots < 0:
            for k in range(classes):
                grad[k, :] = 0
            continue
        z = logits[image, :, left:right]
        _exponentials(z, e, lines[3], lines[4], lines[5])
        if boots > 0:
            _bootstrap_sums(z, e, inverse, lines[3], lines[6], lines[7])
        y, s = label[image, left:right], soft[image, :, left:right]
        _label_sums(z, y, s, lines)
        sums[block] = _finish(lines, classes, len(kinds), boots)
        _gradient(e, inverse, s, lines, boots, grad)
        if s.shape[1] == 0 and len(y):
            for x in range(len(y)):
                if lines[0, x] != 0:
                    grad[y[x], x] -= lines[0, x]


@njit(cache=True, nogil=True)
def _pixel_weights(kinds, weights, pixel_weight, lines):
    """Fill lines 0 to 2: label, boot and even. Returns -1 if all are 0, 0 if boot is, else 1."""
    boots = -1
    for x in range(len(kinds)):
        kind = kinds[x]
        factor = pixel_weight[x] if len(pixel_weight) else _ONE
        for term in range(3):
            lines[term, x] = weights[kind, term] * factor
        if kind > 0:
            boots = max(boots, 1 if weights[kind, 1] != 0 else 0)
    return boots


@njit(cache=True, nogil=True, fastmath={"contract"})
def _exponentials(z, e, best, total, shifted):
    """best = max z, e = exp(z - best), total = Σ e, shifted = Σ (z - best)."""
    n = z.shape[1]
    best[:] = -np.inf
    total[:] = 0
    shifted[:] = 0
    for k in range(z.shape[0]):
        row = z[k]
        for x in range(n):
            value, top = row[x], best[x]
            best[x] = value if value > top else top
    for k in range(z.shape[0]):
        row, out = z[k], e[k]
        for x in range(n):
            below = row[x] - best[x]
            value = exp2_negative(below * LOG2_E)
            out[x] = value
            total[x] += value
            shifted[x] += below


@njit(cache=True, nogil=True, fastmath={"contract"})
def _bootstrap_sums(z, e, inverse, best, total, shifted):
    """Of q before it is normalised: total = Σ e / λ, shifted = Σ (z - best) e / λ."""
    total[:] = 0
    shifted[:] = 0
    for k in range(z.shape[0]):
        row, share, factor = z[k], e[k], inverse[k]
        for x in range(z.shape[1]):
            value = share[x] * factor
            total[x] += value
            shifted[x] += value * (row[x] - best[x])


@njit(cache=True, nogil=True, fastmath={"contract"})
def _label_sums(z, label, soft, lines):
    """Line 8: Σ y. Line 9: Σ y (z - best)."""
    best, total, shifted = lines[3], lines[8], lines[9]
    n = z.shape[1]
    total[:] = 0
    shifted[:] = 0
    if soft.shape[1]:
        for k in range(z.shape[0]):
            row, target = z[k], soft[k]
            for x in range(n):
                total[x] += target[x]
                shifted[x] += target[x] * (row[x] - best[x])
    elif len(label):
        for x in range(n):
            if lines[0, x] != 0:
                total[x] = 1
                shifted[x] = z[label[x], x] - best[x]


@njit(cache=True, nogil=True)
def _finish(lines, classes, n, boots):
    """The loss of a block; lines 4 and 6 become the factors of e and e / λ in the gradient.

    -Σ c log p = Σ c log(total) - Σ c (z - best) for each of the three parts of c.
    """
    loss = 0.0
    for x in range(n):
        label, boot, even = lines[0, x], lines[1, x], lines[2, x]
        log_total = np.float32(math.log(lines[4, x]))
        all_weights = label * lines[8, x] + even * classes
        loss += label * (lines[8, x] * log_total - lines[9, x])
        loss += even * (classes * log_total - lines[5, x])
        if boots > 0:
            loss += boot * (log_total - lines[7, x] / lines[6, x])
            all_weights += boot
            lines[6, x] = boot / lines[6, x]
        lines[4, x] = all_weights / lines[4, x]
    return loss


@njit(cache=True, nogil=True, fastmath={"contract"})
def _gradient(e, inverse, soft, lines, boots, grad):
    """p Σ c - c of every class, but for a label given by its id."""
    label, even, ours, theirs = lines[0], lines[2], lines[4], lines[6]
    n = grad.shape[1]
    for k in range(e.shape[0]):
        row, out, factor = e[k], grad[k], inverse[k]
        if boots > 0:
            for x in range(n):
                out[x] = row[x] * (ours[x] - theirs[x] * factor) - even[x]
        else:
            for x in range(n):
                out[x] = row[x] * ours[x] - even[x]
        if soft.shape[1]:
            target = soft[k]
            for x in range(n):
                out[x] -= label[x] * target[x]
