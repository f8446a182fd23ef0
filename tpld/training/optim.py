"""SGD with a faster head, and its learning-rate schedule (METHOD 1 and 7)."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn
from torch.optim import SGD, Optimizer

from tpld.config import Adversarial, SelfTraining, SourceTraining
from tpld.method.schedule import polynomial_decay


def make_sgd(
    network: nn.Module, section: SourceTraining | SelfTraining | Adversarial, rate: float
) -> SGD:
    """SGD over the trainable parameters, those of `network.head` at `head_factor` times it."""
    head = {id(p) for p in network.get_submodule("head").parameters()}
    trainable = [p for p in network.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trainable if id(p) not in head], "lr": rate},
        {"params": [p for p in trainable if id(p) in head], "lr": rate * section.head_factor},
    ]
    for group in groups:
        group["base_lr"] = group["lr"]
    return SGD(groups, momentum=section.momentum, weight_decay=section.weight_decay)


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
