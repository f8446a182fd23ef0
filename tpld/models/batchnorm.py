"""BatchNorm policy: what moves during training is said in one place and recorded."""

from __future__ import annotations

from typing import Literal

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

Policy = Literal["frozen", "train"]


def set_batch_norm(network: nn.Module, policy: Policy) -> None:
    """Put a network into training mode under a BatchNorm policy.

    ``frozen``: running statistics do not move and the affine parameters get no gradient, as CRST
    trains from ImageNet weights. ``train``: both do.
    """
    network.train()
    for module in network.modules():
        if isinstance(module, _BatchNorm):
            module.train(policy == "train")
            for parameter in module.parameters():
                parameter.requires_grad_(policy == "train")
