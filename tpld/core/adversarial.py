"""Losses of the methods that align domains with discriminators (METHOD 10), in torch, float32.

Logits are (B, K, H, W) of any float type. A discriminator's scores are (B, 1, h, w) before its
sigmoid; source is called 1 and target 0. Binary losses without weights, and the weighted
self-information map, are those of phase 2: `self_information`.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from tpld.core.self_information import self_information


def probabilities(logits: Tensor) -> Tensor:
    """The softmax (B, K, H, W) in float32: what AdaptSegNet's and CLAN's discriminators see."""
    return logits.float().softmax(dim=1)


def entropy_loss(logits: Tensor) -> Tensor:
    """MinEnt: the mean over pixels of -Σ_k p[k] log2 p[k] / log2 K, a scalar in [0, 1]."""
    return self_information(logits).sum(dim=1).mean()


def local_weight(first: Tensor, second: Tensor, epsilon: float, scale: float) -> Tensor:
    """CLAN: ε + λ_local (1 - cosine of both classifiers' softmaxes) of every pixel.

    Logits (B, K, H, W) of both -> (B, H, W). A constant for the gradient: it says how much a pixel
    counts, and shall not be lowered by making both classifiers agree [O].
    """
    cosine = F.cosine_similarity(probabilities(first), probabilities(second), dim=1)
    return (epsilon + scale * (1 - cosine)).detach()


def weighted_adversarial_loss(scores: Tensor, weight: Tensor | None, called: float) -> Tensor:
    """CLAN: binary cross-entropy of scores that shall be `called` 0 or 1, weighed, a scalar.

    scores (B, 1, h, w) are brought to the size of weight (B, H, W) bilinearly [O]; None: all 1. The
    mean is over pixels, not over the weights' sum: a poorly aligned image pulls harder.
    """
    if weight is not None:
        scores = F.interpolate(
            scores.float(), size=weight.shape[1:], mode="bilinear", align_corners=True
        )
        weight = weight[:, None]
    wanted = torch.full_like(scores, called)
    return F.binary_cross_entropy_with_logits(scores, wanted, weight)


def weight_discrepancy(first: Tensor, second: Tensor) -> Tensor:
    """CLAN: cosine of both classifiers' weights (n,), a scalar; the smaller, the more they differ.

    It keeps two classifiers from becoming one: without it they would never disagree.
    """
    return F.cosine_similarity(first.float(), second.float(), dim=0)


def damping(progress: float) -> float:
    """CLAN: factor on both of its terms, falling linearly from 1 to 0 over the training."""
    if not 0.0 <= progress <= 1.0:
        raise ValueError(f"progress is {progress}; expected a share from 0 to 1")
    return 1.0 - progress
