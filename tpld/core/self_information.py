"""Weighted self-information maps and the adversarial losses on them (METHOD 9), in torch."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def self_information(logits: Tensor) -> Tensor:
    """I[k] = -p[k] log2 p[k] / log2 K of every pixel. METHOD 9 [P].

    logits (B, K, H, W) of any float type -> (B, K, H, W) float32, each value in [0, 0.531 / log2 K]
    and their sum over K in [0, 1]. Via log_softmax: no log of 0, no infinite gradient.
    """
    num_classes = logits.shape[1]
    if num_classes < 2:
        raise ValueError(f"logits have {num_classes} channel; self-information needs 2 classes")
    log_p = F.log_softmax(logits.float(), dim=1)
    return log_p.exp() * log_p / -math.log(num_classes)  # log2 p / log2 K = log p / log K


def discriminator_loss(easy_scores: Tensor, hard_scores: Tensor) -> Tensor:
    """D's loss, a scalar: binary cross-entropy with easy called 1 and hard 0. METHOD 9 [P].

    Scores are D's outputs before the sigmoid, any shape; each side is averaged over its scores, and
    the two sides over each other [ADVENT's halves, O]. The maps that D saw must be detached.
    """
    easy = F.binary_cross_entropy_with_logits(easy_scores, torch.ones_like(easy_scores))
    hard = F.binary_cross_entropy_with_logits(hard_scores, torch.zeros_like(hard_scores))
    return (easy + hard) / 2


def adversarial_loss(hard_scores: Tensor) -> Tensor:
    """The network's loss, a scalar, before λ_adv: hard shall be called easy. METHOD 9 [P]."""
    return F.binary_cross_entropy_with_logits(hard_scores, torch.ones_like(hard_scores))
