"""BatchNorm policy: what moves during training is said in one place and recorded."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from tpld.models.folding import absorb_batch_norm

Policy = Literal["frozen", "train"]


def set_batch_norm(network: nn.Module, policy: Policy) -> None:
    """Put a network into training mode under a BatchNorm policy.

    ``frozen``: running statistics do not move and the affine parameters get no gradient, as CRST
    trains from ImageNet weights. ``train``: both do.

    Modules named in `network.random_norms` (the head of a DeepLabv3 on an ImageNet backbone) have
    nothing worth keeping: they train in either case, until a checkpoint gives them values.

    What is frozen is computed in the convolution before it (`tpld.models.folding`).
    """
    absorb_batch_norm(network, batch_norm_modes(network, policy))


def batch_norm_modes(network: nn.Module, policy: Policy) -> set[nn.Module]:
    """The modes of `set_batch_norm` alone, which need no values; returns the frozen modules."""
    network.train()
    random = getattr(network, "random_norms", frozenset())
    frozen = set[nn.Module]()
    for name, module in network.named_modules():
        if isinstance(module, _BatchNorm):
            trains = policy == "train" or name in random
            module.train(trains)
            for parameter in module.parameters():
                parameter.requires_grad_(trains)
            if not trains:
                frozen.add(module)
    return frozen


def norms_of(network: nn.Module, missing: Collection[str]) -> frozenset[str]:
    """Names of the BatchNorm modules to which some of the `missing` entries of a state belong."""
    owners = {
        owner
        for owner, _, entry in (name.rpartition(".") for name in missing)
        if entry != "num_batches_tracked"
    }
    modules = network.named_modules()
    return frozenset(
        name for name, module in modules if isinstance(module, _BatchNorm) and name in owners
    )
