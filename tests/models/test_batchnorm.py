import pytest
import torch
from torch import nn

from tpld.models.batchnorm import set_batch_norm


@pytest.fixture()
def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Sequential(nn.BatchNorm2d(4)))


def step(network) -> dict[str, torch.Tensor]:
    """State before and after a step, as the names of what moved."""
    before = {name: value.clone() for name, value in network.state_dict().items()}
    trained = [p for p in network.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=0.1, weight_decay=0.1)
    network(torch.randn(2, 3, 8, 8) * 3 + 1).square().mean().backward()
    optimizer.step()
    return {n for n, value in network.state_dict().items() if not torch.equal(value, before[n])}


def test_frozen_moves_neither_statistics_nor_affine(network):
    set_batch_norm(network, "frozen")
    assert network.training
    assert step(network) == {"0.weight", "0.bias"}


def test_train_moves_both(network):
    set_batch_norm(network, "train")
    moved = step(network)
    for place in ("1", "2.0"):
        for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
            assert f"{place}.{name}" in moved


def test_a_policy_replaces_the_one_before_even_after_evaluation(network):
    set_batch_norm(network, "frozen")
    network.eval()
    set_batch_norm(network, "train")
    assert "1.running_mean" in step(network)
    set_batch_norm(network, "frozen")
    assert step(network) == {"0.weight", "0.bias"}


def test_frozen_normalises_by_the_stored_statistics(network):
    set_batch_norm(network, "frozen")
    network[1].running_mean.fill_(5.0)
    image = torch.randn(2, 3, 8, 8)
    convolved = torch.nn.functional.conv2d(image, network[0].weight, network[0].bias)
    expected = (convolved - 5) / (1 + network[1].eps) ** 0.5
    assert torch.allclose(network[1](network[0](image)), expected, atol=1e-5)
