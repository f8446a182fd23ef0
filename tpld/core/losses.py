"""Losses of self-training (METHOD 6) and of easy images (METHOD 9), in torch, all in float32.

Per-pixel functions return (B, H, W), 0 where a pixel does not count; the two losses that training
calls, `self_training_loss` and `easy_loss`, return a scalar. Logits are (B, K, H, W) of any float
type and are taken to float32 first: log_softmax in bfloat16 loses the overconfident tail.

On a CPU the two go through `fused_losses`, which gives the same numbers several times faster; on a
GPU, and for the readings whose q is not a constant distribution, they are the tensors below.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from tpld.core.fused_losses import Terms, fused_loss
from tpld.core.labels import IGNORE

BootstrapTarget = Literal["normalised", "probability", "printed"]


def soft_cross_entropy(logits: Tensor, soft_label: Tensor) -> Tensor:
    """-Σ_k s[k] log p[k] of every pixel. METHOD 6, the LRENT term [C].

    logits, soft_label (B, K, H, W) -> (B, H, W). A pixel whose soft label is all 0 is ignored.
    """
    return -(soft_label * _log_softmax(logits)).sum(dim=1)


def mrkld(logits: Tensor, mask: Tensor) -> Tensor:
    """The MRKLD regulariser (1/K) Σ_k -log p[k] of every pixel in `mask`. METHOD 6 [C].

    logits (B, K, H, W), mask (B, H, W) bool -> (B, H, W). Unweighted: see `self_training_loss`.
    """
    return -_log_softmax(logits).mean(dim=1) * mask


def bootstrapped_cross_entropy(
    logits: Tensor,
    label: Tensor | None,
    log_threshold: Tensor,
    beta: float = 0.95,
    target: BootstrapTarget = "normalised",
    stop_gradient: bool = True,
    soft_label: Tensor | None = None,
    weight: Tensor | None = None,
) -> Tensor:
    """Cross-entropy with soft bootstrapping, -Σ_k (β y[k] + (1-β) q[k]) log p[k]. METHOD 6.

    logits (B, K, H, W); label (B, H, W) int64, 255 = ignored; log_threshold log λ (K,).
    target, what q is and what the logarithm is of, with r[k] = p[k] / λ[k]:

    - normalised (default, O): q = r / Σ r
    - probability (O): q = p
    - printed [P]: q = r, and log r in place of log p

    stop_gradient: q counts as a constant. beta 1 switches bootstrapping off. soft_label
    (B, K, H, W): y, instead of the one-hot of label; label may then be None, no pixel ignored.
    weight (B, H, W): factor on each pixel's loss. Returns (B, H, W).
    """
    log_p = _log_softmax(logits)
    loss = _bootstrapped(log_p, label, log_threshold, beta, target, stop_gradient, soft_label)
    return loss if weight is None else loss * weight


def pixel_counts(label: Tensor, is_target: Tensor, unlabelled: Tensor | None = None) -> Tensor:
    """int64 (2,): the pixels that `self_training_loss` averages over, and its target pixels.

    Arguments as there. The counts of several parts of a batch add up to those of the batch.
    """
    valid = label != IGNORE
    of_target = valid & is_target.view(-1, 1, 1)
    count = valid.sum() + (0 if unlabelled is None else unlabelled.sum())
    return torch.stack([count, of_target.sum()])


def self_training_loss(
    logits: Tensor,
    label: Tensor,
    is_target: Tensor,
    log_threshold: Tensor,
    *,
    beta: float = 0.95,
    bootstrap_target: BootstrapTarget = "normalised",
    stop_gradient: bool = True,
    mrkld_weight: float = 0.01,
    soft_label: Tensor | None = None,
    unlabelled: Tensor | None = None,
    counts: Tensor | None = None,
) -> Tensor:
    """Loss of a batch that mixes source and target crops, a scalar. METHOD 6 [C normalisation].

        ( Σ cross-entropy of source pixels + Σ bootstrapped loss of target pixels ) / valid pixels
        + mrkld_weight * Σ mrkld of target pixels / valid target pixels

    logits (B, K, H, W); label (B, H, W) int64, 255 = ignored; is_target (B,) bool;
    log_threshold (K,). mrkld_weight is the effective weight: CRST's printed 0.1 trains as 0.01.
    soft_label (B, K, H, W): targets instead of one-hot labels (LRENT); label still says which
    pixels are valid. unlabelled (B, H, W) bool: target pixels without a label that are bootstrapped
    all the same (key on_unlabelled, O): y = 0 leaves (1-β) of the loss, and they count as valid for
    the mean but not for the regulariser. A batch without a valid pixel gives 0, gradient 0.
    counts: `pixel_counts` of the batch that this one is a part of; the losses of its parts then add
    up to its loss.
    """
    _check(beta, bootstrap_target)
    valid = label != IGNORE
    of_target = valid & is_target.view(-1, 1, 1)
    if counts is None:
        counts = pixel_counts(label, is_target, unlabelled)
    all_pixels, target_pixels = counts.clamp(min=1)
    pixel, even = 1 / all_pixels, mrkld_weight / target_pixels
    if _can_be_fused(logits, beta, bootstrap_target, stop_gradient):
        kind = valid.byte() + of_target.byte()  # 1 source, 2 target
        if unlabelled is not None:
            kind = kind + 3 * unlabelled.byte()
        boot = (1 - beta) * pixel
        weights = _rows((pixel, 0, 0), (beta * pixel, boot, even / logits.shape[1]), (0, boot, 0))
        inverse = _inverse_threshold(log_threshold, bootstrap_target)
        hard = label if soft_label is None else None
        return fused_loss(logits.float(), Terms(kind, weights, inverse, hard, soft_label, None))
    log_p = _log_softmax(logits)  # the one large tensor that all terms share
    source = _first_part(log_p, label, soft_label) * valid
    adapted = _bootstrapped(
        log_p, label, log_threshold, beta, bootstrap_target, stop_gradient, soft_label
    )
    total = torch.where(of_target, adapted, source).sum()
    if unlabelled is not None:
        nothing = torch.zeros_like(logits)
        bootstrapped = _bootstrapped(
            log_p, None, log_threshold, beta, bootstrap_target, stop_gradient, nothing
        )
        total = total + (bootstrapped * unlabelled).sum()
    return total * pixel - even * (log_p.mean(dim=1) * of_target).sum()


def easy_loss(
    logits: Tensor,
    soft_label: Tensor,
    weight: Tensor,
    log_threshold: Tensor,
    *,
    beta: float = 0.95,
    bootstrap_target: BootstrapTarget = "normalised",
    stop_gradient: bool = True,
) -> Tensor:
    """Loss of easy images in phase 2, a scalar: the mean over all pixels. METHOD 9 [P, O weight].

    logits, soft_label (B, K, H, W) and weight (B, H, W) of `full_labels.full_label`; pixels padded
    onto a crop carry soft label and weight 0. No source term and no regulariser.
    """
    _check(beta, bootstrap_target)
    if _can_be_fused(logits, beta, bootstrap_target, stop_gradient):
        kind = torch.ones_like(weight, dtype=torch.uint8)
        weights = _rows((beta / kind.numel(), (1 - beta) / kind.numel(), 0))
        inverse = _inverse_threshold(log_threshold, bootstrap_target)
        return fused_loss(logits.float(), Terms(kind, weights, inverse, None, soft_label, weight))
    return bootstrapped_cross_entropy(
        logits, None, log_threshold, beta, bootstrap_target, stop_gradient, soft_label, weight
    ).mean()


def _can_be_fused(
    logits: Tensor, beta: float, target: BootstrapTarget, stop_gradient: bool
) -> bool:
    """Whether q, if it is used at all, is a distribution and a constant; and where logits are."""
    return logits.device.type == "cpu" and (beta == 1 or (stop_gradient and target != "printed"))


def _rows(*rows: tuple[Tensor | float, ...]) -> Tensor:
    """The table of `fused_losses.Terms`: a row of zeros for kind 0, then these."""
    return torch.tensor([(0.0, 0.0, 0.0), *(tuple(map(float, row)) for row in rows)])


def _inverse_threshold(log_threshold: Tensor, target: BootstrapTarget) -> Tensor:
    """1 / λ up to a factor, which q does not depend on; ones for q = p."""
    if target == "probability":
        return torch.ones_like(log_threshold, dtype=torch.float32)
    return (log_threshold.min() - log_threshold).float().exp()


def _bootstrapped(
    log_p: Tensor,
    label: Tensor | None,
    log_threshold: Tensor,
    beta: float,
    target: BootstrapTarget,
    stop_gradient: bool,
    soft_label: Tensor | None,
) -> Tensor:
    """`bootstrapped_cross_entropy` from log p (B, K, H, W), without the weight."""
    _check(beta, target)
    log_r = log_p - log_threshold.to(log_p).view(1, -1, 1, 1)
    log_of = log_r if target == "printed" else log_p
    loss = _first_part(log_of, label, soft_label)
    if beta < 1:
        q = _bootstrap_target(log_p, log_r, target)
        loss = beta * loss - (1 - beta) * ((q.detach() if stop_gradient else q) * log_of).sum(dim=1)
    return loss if label is None else loss * (label != IGNORE)


def _first_part(log_of: Tensor, label: Tensor | None, soft_label: Tensor | None) -> Tensor:
    """-Σ_k y[k] log_of[k], y the soft label or else the one-hot of label."""
    if soft_label is not None:
        return -(soft_label * log_of).sum(dim=1)
    if label is not None:
        return F.nll_loss(log_of, label, ignore_index=IGNORE, reduction="none")
    raise ValueError("neither label nor soft_label is given; the loss needs one of them")


def _bootstrap_target(log_p: Tensor, log_r: Tensor, target: BootstrapTarget) -> Tensor:
    """q of `bootstrapped_cross_entropy`; r / Σ r is a softmax of log r, which cannot overflow."""
    if target == "normalised":
        return log_r.softmax(dim=1)
    return (log_p if target == "probability" else log_r).exp()


def _log_softmax(logits: Tensor) -> Tensor:
    return F.log_softmax(logits.float(), dim=1)


def _check(beta: float, target: str) -> None:
    if not 0.0 <= beta <= 1.0:
        raise ValueError(f"beta is {beta}; expected a share from 0 to 1")
    if target not in ("normalised", "probability", "printed"):
        raise ValueError(f"target is {target!r}; expected normalised, probability or printed")
