"""BatchNorm in the convolution before it: the same predictions, and refusal where they differ."""

import copy

import pytest
import torch
from torch import Tensor, nn

from tpld.config import load_config
from tpld.models.batchnorm import set_batch_norm
from tpld.models.folding import fold_batch_norm
from tpld.models.registry import build_model


def trained(network: nn.Module) -> nn.Module:
    """The network with statistics and affine parameters that are not those of a new one."""
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None and module.running_var is not None
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.2, 0.2)
    return network.eval()


@pytest.mark.parametrize(
    "name",
    [
        "deeplabv2_resnet18",
        "deeplabv2_resnet50",
        "deeplabv2_vgg16",
        "deeplabv2_efficientnet_lite0",
        "deeplabv3_resnet50",
        "torchvision/lraspp_mobilenet_v3_large",
    ],
)
@torch.no_grad()
def test_predicts_as_before_without_batch_norm(name):
    network = trained(build_model(load_config({"model": {"name": name}}), 5))
    image = torch.randn(2, 3, 70, 83)
    wanted = network(image)
    folded = fold_batch_norm(network)
    norms = sum(isinstance(m, nn.BatchNorm2d) for m in folded.modules())
    # A BatchNorm behind a pooled vector is behind a convolution as well: none is left.
    assert norms == 0
    torch.testing.assert_close(folded(image), wanted, rtol=1e-4, atol=1e-4 * wanted.abs().max())
    torch.testing.assert_close(network(image), wanted)


class Shared(nn.Module):
    """The convolution's output goes to the BatchNorm and elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

    def forward(self, image: Tensor) -> Tensor:
        found = self.conv(image)
        return self.norm(found) + found


def test_a_convolution_whose_output_goes_elsewhere_too_is_left_alone():
    network = trained(Shared())
    assert fold_batch_norm(network) is network


def test_a_convolution_that_is_used_twice_is_left_alone():
    conv, first, second = nn.Conv2d(3, 3, 3), nn.BatchNorm2d(3), nn.BatchNorm2d(3)
    network = trained(nn.Sequential(conv, first, conv, second))
    assert fold_batch_norm(network) is network


def test_the_random_state_stays():
    network = trained(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)))
    before = torch.get_rng_state()
    fold_batch_norm(network)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", ["deeplabv2_resnet18", "deeplabv2_efficientnet_lite0"])
def test_frozen_batch_norm_in_the_convolution_gives_the_same_gradients(name):
    # In float64: at a kink of ReLU a rounding decides whether a gradient passes.
    model = load_config({"model": {"name": name}})
    made = [trained(build_model(model, 5)).double() for _ in range(2)]
    made[1].load_state_dict(made[0].state_dict())
    plain, ours = made
    set_batch_norm(ours, "frozen")
    plain.train()
    for module in plain.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval().requires_grad_(False)
    image = torch.randn(2, 3, 66, 71, dtype=torch.float64)
    outputs = [network(image) for network in (plain, ours)]
    torch.testing.assert_close(outputs[1], outputs[0])
    for output in outputs:
        output.square().sum().backward()
    for (key, a), b in zip(plain.named_parameters(), ours.parameters(), strict=True):
        assert (a.grad is None) == (b.grad is None), key
        if a.grad is not None and b.grad is not None:
            assert (a.grad - b.grad).abs().max() <= 1e-9 * a.grad.abs().max(), key


def test_absorbing_keeps_state_modes_and_follows_the_statistics():
    network = trained(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout()))
    keys = list(network.state_dict())
    before = torch.get_rng_state()
    set_batch_norm(network, "frozen")
    assert torch.equal(torch.get_rng_state(), before)
    assert list(network.state_dict()) == keys
    assert network[2].training and not network[1].training
    # A resume point is loaded after it, and a copy (a teacher) has statistics of its own.
    twin = copy.deepcopy(network)
    for other in (network, twin):
        assert isinstance(other[1], nn.BatchNorm2d) and other[1].running_mean is not None
        other[1].running_mean.add_(1 if other is twin else 2)
    image = torch.randn(1, 3, 8, 8)
    for other in (network, twin):
        plain = nn.functional.batch_norm(
            nn.functional.conv2d(image, other[0].weight, other[0].bias),
            other[1].running_mean, other[1].running_var, other[1].weight, other[1].bias,
        )  # fmt: skip
        torch.testing.assert_close(other[:2](image), plain)


def test_absorbing_twice_is_absorbing_once():
    network = trained(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)))
    image = torch.randn(1, 3, 8, 8)
    wanted = network(image)
    for _ in range(2):
        set_batch_norm(network, "frozen")
    torch.testing.assert_close(network(image), wanted)


def test_folding_an_absorbing_network_predicts_the_same():
    network = trained(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)))
    set_batch_norm(network, "frozen")
    image = torch.randn(1, 3, 8, 8)
    torch.testing.assert_close(fold_batch_norm(network.eval())(image), network(image))


def test_what_cannot_be_absorbed_is_computed_as_before():
    network = trained(Shared())
    image = torch.randn(1, 3, 8, 8)
    wanted = network(image)
    set_batch_norm(network, "frozen")
    torch.testing.assert_close(network(image), wanted)
