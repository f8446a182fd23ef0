import pytest
import torch
from torch import nn

from tpld.models.deeplabv2 import DeepLabV2, SummedASPP, upsample


def test_all_branches_are_summed():
    """Branch i answers i + 1 everywhere: 1 + 2 + 4 + 8 = 15 says that each counts once."""
    head = SummedASPP(3, 2, [6, 12, 18, 24])
    for power, branch in enumerate(head.branches):
        nn.init.zeros_(branch.weight)
        nn.init.constant_(branch.bias, 2.0**power)
    assert torch.equal(head(torch.randn(1, 3, 9, 9)), torch.full((1, 2, 9, 9), 15.0))


def test_a_hand_made_sum_over_dilated_neighbours():
    """Weights of 1 and no bias: each branch adds what its nine taps see of a single lit pixel."""
    head = SummedASPP(1, 1, [1, 2])
    for branch in head.branches:
        nn.init.ones_(branch.weight)
    image = torch.zeros(1, 1, 7, 7)
    image[0, 0, 3, 3] = 1
    expected = torch.zeros(7, 7)
    expected[2:5, 2:5] += 1  # dilation 1
    expected[1:6:2, 1:6:2] += 1  # dilation 2
    assert torch.equal(head(image)[0, 0], expected)


def test_all_branches_get_gradients():
    head = SummedASPP(3, 2, [1, 2, 3, 4])
    logits = head(torch.randn(2, 3, 9, 9))
    # Whole numbers: their sums are exact in whatever order a convolution adds them.
    (logits * torch.randint(-9, 9, logits.shape)).sum().backward()
    for branch in head.branches:
        assert branch.weight.grad.abs().sum() > 0
        assert branch.bias.grad.abs().sum() > 0
    biases = [branch.bias.grad for branch in head.branches]
    assert all(torch.equal(bias, biases[0]) for bias in biases)  # a sum treats all alike


def test_initial_weights_of_the_head():
    torch.manual_seed(0)
    head = SummedASPP(512, 19, [6, 12, 18, 24])
    for branch in head.branches:
        assert branch.weight.std().item() == pytest.approx(0.01, rel=0.02)
        assert branch.weight.mean().item() == pytest.approx(0, abs=2e-4)
        assert not branch.bias.any()


@pytest.mark.parametrize(("stride", "size"), [(8, (9, 12)), (16, (5, 6)), (32, (3, 3))])
def test_output_sizes(stride, size):
    """ceil(H / stride): 65 and 96 pixels."""
    network = DeepLabV2("deeplabv2_resnet18", 5, stride, [1, 2]).eval()
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, 65, 96)).shape == (1, 5, *size)


@pytest.mark.parametrize("name", ["deeplabv2_resnet18", "deeplabv2_resnet50"])
@pytest.mark.parametrize(("stride", "dilations"), [(8, (2, 4)), (16, (1, 2)), (32, (1, 1))])
def test_strides_and_dilations_of_the_last_layers(name, stride, dilations):
    with torch.device("meta"):
        backbone = DeepLabV2(name, 5, stride, [1]).backbone
    found = []
    for part in ("layer3", "layer4"):
        convolutions = [m for m in getattr(backbone, part).modules() if isinstance(m, nn.Conv2d)]
        threes = {m.dilation for m in convolutions if m.kernel_size == (3, 3)}
        assert len(threes) == 1, "the whole layer is dilated, its first block too"
        (dilation,) = threes
        assert {m.padding for m in convolutions if m.kernel_size == (3, 3)} == threes
        assert {m.dilation for m in convolutions if m.kernel_size == (1, 1)} == {(1, 1)}
        strides = {m.stride for m in convolutions}
        assert strides == ({(1, 1)} if dilation != (1, 1) else {(1, 1), (2, 2)})
        found.append(dilation[0])
    assert tuple(found) == dilations


def test_the_backbone_is_torchvisions_in_name_and_shape():
    import torchvision

    with torch.device("meta"):
        own = DeepLabV2("deeplabv2_resnet18", 5, 8, [1]).backbone.state_dict()
        theirs = torchvision.models.resnet18().state_dict()
    assert set(theirs) - set(own) == {"fc.weight", "fc.bias"}
    assert {k: v.shape for k, v in own.items()} == {k: theirs[k].shape for k in own}


def test_upsample_aligns_corners_and_answers_in_float32():
    logits = torch.tensor([[[[0.0, 4.0]]]], dtype=torch.bfloat16)
    full = upsample(logits, (1, 5))
    assert full.dtype == torch.float32
    assert full.flatten().tolist() == [0, 1, 2, 3, 4]
