"""BatchNorm that does not move, computed as part of the convolution before it.

With fixed statistics it is a factor and a summand a channel, which a convolution's weights and bias
can hold: a walk through memory less for each layer, and two less for each in training.

    fold_batch_norm     for prediction: weights are multiplied once
    absorb_batch_norm   for training under frozen BatchNorm: weights stay as they are, and learn;
                        they are multiplied anew in every step

Which BatchNorm is behind which convolution is seen from one prediction, not guessed from names.
"""

from __future__ import annotations

import copy
import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from types import MethodType
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

log = logging.getLogger(__name__)
Net = TypeVar("Net", bound=nn.Module)
_SIDE = 64
_CLOSE = 1e-3  # of the largest logit; float32 differs by a hundredth of it
_ABSORBED = "absorbed_norm"


@torch.no_grad()
def fold_batch_norm(network: Net) -> Net:
    """A copy of a network whose `BatchNorm2d` behind a `Conv2d` are part of it.

    Should the copy predict anything else than the network (a convolution whose output also goes
    elsewhere), then it is the network itself that comes back.

    Args:
        network: in evaluation mode; stays as it is.
    """
    image = _example(network)
    folded = copy.deepcopy(network)
    wanted, pairs = _pairs(folded, image)
    names = {module: name for name, module in folded.named_modules()}
    for conv, norm in pairs:
        _fold(conv, norm)
        owner, _, name = names[norm].rpartition(".")
        setattr(folded.get_submodule(owner), name, nn.Identity())
    return folded if pairs and _same(folded, image, wanted) else network


@torch.no_grad()
def absorb_batch_norm(network: nn.Module, frozen: set[nn.Module]) -> None:
    """Compute the BatchNorm modules `frozen` in the convolutions before them, where they can be.

    Those of an earlier call, of other modules, are computed by themselves again.

    Parameters, buffers and their names stay; so does what is computed, up to rounding. Gradients
    reach the convolution's own weights.
    """
    for module in network.modules():
        if _ABSORBED in vars(module):
            _release(module)
    if not frozen:
        return
    image = _example(network)
    with _evaluating(network):
        wanted, pairs = _pairs(network, image)
        pairs = [(conv, norm) for conv, norm in pairs if norm in frozen]
        for conv, norm in pairs:
            _absorb(conv, norm)
        if pairs and not _same(network, image, wanted):
            for conv, _ in pairs:
                _release(conv)


def _example(network: nn.Module) -> Tensor:
    """A small image of noise, which leaves torch's random state alone."""
    like = next(network.parameters())
    noise = torch.rand(1, 3, _SIDE, _SIDE, generator=torch.Generator().manual_seed(0))
    return noise.to(like.device, like.dtype)


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    """Evaluation mode for a while: no dropout, no statistics."""
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def _same(network: nn.Module, image: Tensor, wanted: Tensor) -> bool:
    if (network(image) - wanted).abs().max() <= _CLOSE * wanted.abs().max():
        return True
    log.info("BatchNorm of %s stays apart, which is slower", type(network).__name__)
    return False


def _pairs(
    network: nn.Module, image: Tensor
) -> tuple[Tensor, list[tuple[nn.Conv2d, nn.BatchNorm2d]]]:
    """The prediction, and each convolution with the BatchNorm that got its very output."""
    made: dict[int, tuple[nn.Conv2d, Tensor]] = {}  # holding the tensors keeps their ids distinct
    pairs = list[tuple[nn.Conv2d, nn.BatchNorm2d]]()
    calls = Counter[nn.Module]()

    def note(conv: Any, _: object, output: Tensor) -> None:
        calls[conv] += 1
        made[id(output)] = conv, output

    def match(norm: Any, inputs: tuple[Tensor, ...]) -> None:
        calls[norm] += 1
        if id(inputs[0]) in made:
            pairs.append((made[id(inputs[0])][0], norm))

    hooks = [m.register_forward_hook(note) for m in network.modules() if isinstance(m, nn.Conv2d)]
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    hooks += [norm.register_forward_pre_hook(match) for norm in norms]
    try:
        output = network(image)
    finally:
        for hook in hooks:
            hook.remove()
    once = [(conv, norm) for conv, norm in pairs if calls[conv] == calls[norm] == 1]
    return output, [
        (c, n) for c, n in once if n.running_mean is not None and _ABSORBED not in vars(c)
    ]


def _fold(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    mean, variance = norm.running_mean, norm.running_var
    assert mean is not None and variance is not None  # see `_pairs`
    conv.weight, conv.bias = fuse_conv_bn_weights(
        conv.weight, conv.bias, mean, variance, norm.eps, norm.weight, norm.bias
    )


def _absorb(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    # Past `Module.__setattr__`, which would make a part of the convolution of it.
    vars(conv)[_ABSORBED] = norm, conv._conv_forward
    vars(conv)["_conv_forward"] = MethodType(_conv_and_norm, conv)
    vars(norm)["forward"] = MethodType(_as_it_is, norm)


def _release(conv: nn.Module) -> None:
    norm, convolve = vars(conv).pop(_ABSORBED)
    vars(conv)["_conv_forward"] = convolve
    del vars(norm)["forward"]


def _conv_and_norm(conv: Any, image: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """What the convolution computes, and the BatchNorm behind it with its present statistics."""
    norm, convolve = vars(conv)[_ABSORBED]
    factor = torch.rsqrt(norm.running_var + norm.eps)
    factor = factor if norm.weight is None else factor * norm.weight
    mean = norm.running_mean if bias is None else norm.running_mean - bias
    shift = -mean * factor if norm.bias is None else norm.bias - mean * factor
    return convolve(image, weight * factor[:, None, None, None], shift)


def _as_it_is(_: nn.Module, image: Tensor) -> Tensor:
    return image
