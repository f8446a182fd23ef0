"""The head's sum of convolutions against torch's own, branch by branch."""

import pytest
import torch
from torch import nn

from tpld.models.deeplabv2 import SummedASPP
from tpld.models.summed_convolutions import summed_convolutions


def branches(channels, classes, dilations, kind):
    made = [nn.Conv2d(channels, classes, 3, padding=d, dilation=d, dtype=kind) for d in dilations]
    return nn.ModuleList(made)


@pytest.mark.parametrize("dilations", [[1], [2, 4], [6, 12, 18, 24]])
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format], ids=str)
def test_agrees_with_torch(dilations, layout):
    torch.manual_seed(0)
    convolutions = branches(5, 4, dilations, torch.float32)
    features = torch.randn(2, 5, 7, 9).to(memory_format=layout).requires_grad_()
    leaves = [features, *convolutions.parameters()]
    theirs = torch.stack([branch(features) for branch in convolutions]).sum(0)
    ours = summed_convolutions(features, convolutions)
    torch.testing.assert_close(ours, theirs)
    upstream = torch.randn_like(theirs)
    wanted = torch.autograd.grad(theirs, leaves, upstream)
    for a, b in zip(torch.autograd.grad(ours, leaves, upstream), wanted, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


def test_gradcheck():
    convolutions = branches(3, 2, [1, 3], torch.float64)
    features = torch.randn(2, 3, 5, 4, dtype=torch.float64, requires_grad=True)

    def head(features, *_):
        return summed_convolutions(features, convolutions)

    assert torch.autograd.gradcheck(head, (features, *convolutions.parameters()))


def test_autocast_computes_in_bfloat16_and_gradients_stay_float32():
    head = SummedASPP(6, 3, [1, 2])
    features = torch.randn(2, 6, 8, 8, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        out = head(features)
    assert out.dtype == torch.bfloat16
    out.float().square().sum().backward()
    ours = {name: p.grad.clone() for name, p in head.named_parameters()}
    head.zero_grad()
    with torch.autocast("cpu", torch.bfloat16):
        theirs = head.branches[0](features) + head.branches[1](features)
    theirs.float().square().sum().backward()
    for name, parameter in head.named_parameters():
        assert ours[name].dtype == torch.float32
        scale = parameter.grad.abs().max()
        assert (ours[name] - parameter.grad).abs().max() <= scale / 40


def test_features_without_a_gradient_still_train_the_head():
    head = SummedASPP(6, 3, [1, 2])
    head(torch.randn(2, 6, 8, 8)).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in head.parameters())
