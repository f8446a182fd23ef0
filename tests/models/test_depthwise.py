"""Our depthwise convolution against torch's: values, gradients, types, resume."""

import numba
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from tpld.models.depthwise import depthwise_conv2d, hasten_depthwise

GEOMETRIES = [  # channels, kernel, stride, padding, dilation, size
    (8, (3, 3), (1, 1), (1, 1), (1, 1), (6, 7)),
    (40, (5, 5), (1, 1), (2, 2), (1, 1), (9, 21)),
    (32, (5, 5), (1, 1), (4, 4), (2, 2), (9, 40)),
    (200, (3, 3), (1, 1), (2, 2), (2, 2), (5, 6)),
    (24, (3, 3), (2, 2), (0, 0), (1, 1), (9, 12)),
    (144, (5, 5), (2, 2), (2, 2), (1, 1), (11, 10)),
    (3, (3, 5), (2, 3), (1, 2), (2, 1), (12, 13)),  # nothing the same in both directions
    (4, (3, 3), (1, 1), (3, 3), (1, 1), (5, 5)),  # padding wider than the kernel reaches
    (2, (7, 7), (1, 1), (3, 3), (1, 1), (2, 3)),  # a kernel larger than the image
]


def both(geometry, kind=torch.float32, layout=torch.channels_last):
    """Output and gradients of torch's convolution, then of ours."""
    channels, kernel, stride, padding, dilation, size = geometry
    torch.manual_seed(0)
    shapes = ((3, channels, *size), (channels, 1, *kernel), (channels,))
    # Numbers that every type can hold.
    image, weight, bias = (torch.randn(shape).bfloat16().to(kind) for shape in shapes)
    image = image.to(memory_format=layout)
    found = list[tuple[Tensor, ...]]()
    for ours in (False, True):
        leaves = [t.clone().requires_grad_() for t in (image, weight, bias)]
        if ours:
            out = depthwise_conv2d(*leaves, stride, padding, dilation)
        else:
            out = functional.conv2d(*leaves, stride, padding, dilation, groups=channels)
        torch.manual_seed(1)
        upstream = torch.randn(out.shape).bfloat16().to(kind)
        found.append((out, *torch.autograd.grad(out, leaves, upstream)))
    return found


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format], ids=str)
def test_agrees_with_torch(geometry, layout):
    theirs, ours = both(geometry, layout=layout)
    for a, b in zip(theirs, ours, strict=True):
        torch.testing.assert_close(b, a, rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
def test_bfloat16_is_the_truth_rounded(geometry):
    _, ours = both(geometry, torch.bfloat16)
    truth, _ = both(geometry, torch.float64)
    for a, b in zip(truth, ours, strict=True):
        assert b.dtype == torch.bfloat16
        scale = a.abs().max().item()  # 8 bits of mantissa
        torch.testing.assert_close(b.double() / scale, a / scale, rtol=0, atol=1 / 200)


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
def test_gradcheck(geometry):
    channels, kernel, stride, padding, dilation, size = geometry
    channels = min(channels, 3)
    image = torch.randn(2, channels, *size, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(channels, 1, *kernel, dtype=torch.float64, requires_grad=True)

    def convolve(image: Tensor, weight: Tensor) -> Tensor:
        return depthwise_conv2d(image, weight, None, stride, padding, dilation)

    assert torch.autograd.gradcheck(convolve, (image, weight))


def test_the_number_of_threads_changes_no_bit():
    """Of the kernels, which numba shares among threads: both gradients at a stride, one without."""
    most = numba.get_num_threads()
    if most == 1:
        pytest.skip("one core alone")
    for geometry in (GEOMETRIES[3], GEOMETRIES[5]):
        many = both(geometry)[1]
        try:
            numba.set_num_threads(1)
            one = both(geometry)[1]
        finally:
            numba.set_num_threads(most)
        for a, b in zip(many, one, strict=True):
            assert torch.equal(a, b)


def test_only_depthwise_convolutions_change_and_state_stays():
    depthwise = nn.Conv2d(6, 6, 3, padding=1, groups=6)
    grouped, dense = nn.Conv2d(6, 6, 3, groups=2), nn.Conv2d(6, 6, 3)
    named = nn.Conv2d(6, 6, 3, padding="same", groups=6)
    network = nn.Sequential(depthwise, grouped, dense, named)
    state = {name: value.clone() for name, value in network.state_dict().items()}
    image = torch.randn(2, 6, 9, 9)
    before = network(image)
    hasten_depthwise(network)
    assert "_conv_forward" in vars(depthwise)
    assert not any("_conv_forward" in vars(other) for other in (grouped, dense, named))
    torch.testing.assert_close(network(image), before)
    assert network.state_dict().keys() == state.keys()
    with torch.inference_mode():
        torch.testing.assert_close(network(image), before)


def test_autocast_computes_in_bfloat16_and_gradients_stay_float32():
    conv = nn.Conv2d(6, 6, 3, padding=1, groups=6)
    hasten_depthwise(conv)
    image = torch.randn(2, 6, 9, 9, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        out = conv(image)
    assert out.dtype == torch.bfloat16
    out.float().sum().backward()
    assert conv.weight.grad is not None and conv.weight.grad.dtype == torch.float32
    assert image.grad is not None and image.grad.dtype == torch.float32


def test_a_frozen_weight_gets_no_gradient_and_the_image_does():
    conv = nn.Conv2d(6, 6, 3, padding=1, groups=6, bias=False).requires_grad_(False)
    hasten_depthwise(conv)
    image = torch.randn(2, 6, 9, 9, requires_grad=True)
    conv(image).sum().backward()
    assert conv.weight.grad is None and image.grad is not None
