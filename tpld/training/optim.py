"""The optimisers, with a faster head, and the learning-rate schedule (METHOD 1 and 7).

All are torch's fused forms: one walk over a parameter, its gradient and its state, not five or ten.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from tpld.compute.compiler import plain_optimizer
from tpld.config import Adversarial, SelfTraining, SourceTraining
from tpld.core.schedule import polynomial_decay

_SGD, _Adam, _AdamW = plain_optimizer(SGD), plain_optimizer(Adam), plain_optimizer(AdamW)


def make_sgd(
    network: nn.Module, section: SourceTraining | SelfTraining | Adversarial, rate: float
) -> SGD:
    """SGD over the trainable parameters, those of `network.head` at `head_factor` times it."""
    groups = _groups(network, rate, section.head_factor)
    decay = section.weight_decay
    return _SGD(groups, momentum=section.momentum, weight_decay=decay, fused=True)


def make_source_optimizer(network: nn.Module, section: SourceTraining) -> Optimizer:
    """SGD as METHOD 1 has it, or AdamW with the same two learning rates."""
    if section.optimizer == "sgd":
        return make_sgd(network, section, section.learning_rate)
    groups = _groups(network, section.learning_rate, section.head_factor)
    return _AdamW(groups, weight_decay=section.weight_decay, fused=True)


def make_adam(discriminators: nn.Module, rate: float) -> Adam:
    """Adam of the discriminators, as AdaptSegNet trains them (METHOD 9 and 10)."""
    return _Adam(discriminators.parameters(), lr=rate, betas=(0.9, 0.99), fused=True)


def _groups(network: nn.Module, rate: float, head_factor: float) -> list[dict[str, Any]]:
    """Trainable parameters of backbone and head, each with its base learning rate."""
    head = {id(p) for p in network.get_submodule("head").parameters()}
    trainable = [p for p in network.parameters() if p.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [p for p in trainable if id(p) not in head], "lr": rate},
        {"params": [p for p in trainable if id(p) in head], "lr": rate * head_factor},
    ]
    for group in groups:
        group["base_lr"] = group["lr"]
    return groups


def set_rate(optimizer: Optimizer, factor: float) -> None:
    """Multiply the base learning rate of every group by `factor`."""
    for group in optimizer.param_groups:
        group["lr"] = group["base_lr"] * factor


def source_schedule(section: SourceTraining) -> Callable[[int], float]:
    """Factor of step t: polynomial decay [C], after an optional linear warm-up."""

    def factor(step: int) -> float:
        warm = min(1.0, (step + 1) / section.warmup_steps) if section.warmup_steps else 1.0
        return warm * polynomial_decay(step, section.steps)

    return factor
