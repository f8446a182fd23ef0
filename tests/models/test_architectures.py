"""Every network of the paper on the meta device: sizes, parameters, heads, gradients."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from tpld.config import SelfTraining, load_config
from tpld.errors import ConfigError
from tpld.models.batchnorm import set_batch_norm
from tpld.models.registry import NETWORKS, build_model
from tpld.training.optim import make_sgd

K = 19


def config(name, **model):
    return load_config({"model": {"name": name, **model}})


def build(name, heads="single", **model):
    with torch.device("meta"):
        return build_model(config(name, **model), K, heads)


def images(*size):
    return torch.empty(*size, device="meta")


# --- by hand ----------------------------------------------------------------------------------

BATCH_NORM = 2  # parameters a channel


def convolution(inputs, outputs, size, bias=False):
    return outputs * (inputs * size * size + bias)


def resnet(blocks, bottleneck):
    """Parameters of a ResNet without its fc."""
    total = convolution(3, 64, 7) + BATCH_NORM * 64
    inputs = 64
    for place, count in enumerate(blocks):
        width = 64 * 2**place
        outputs = width * (4 if bottleneck else 1)
        for block in range(count):
            if bottleneck:
                shapes = [(inputs, width, 1), (width, width, 3), (width, outputs, 1)]
            else:
                shapes = [(inputs, width, 3), (width, width, 3)]
            if block == 0 and inputs != outputs:
                shapes.append((inputs, outputs, 1))
            total += sum(convolution(*s) + BATCH_NORM * s[1] for s in shapes)
            inputs = outputs
    return total


RESNET101 = 42_500_160  # torchvision's 44 549 160 without the fc of 2048 * 1000 + 1000
ASPP_2048 = 4 * (2048 * 9 * K + K)  # 1 400 908
VGG_CONV = 14_714_688  # torchvision's 138 357 544 without its three fc layers
# Four branches (1x1 and three 3x3) and the pooled one, their projection, a 3x3, the classifier.
DEEPLABV3_HEAD = (
    2 * (2048 * 256 + 512)
    + 3 * (2048 * 256 * 9 + 512)
    + (5 * 256 * 256 + 512)
    + (256 * 256 * 9 + 512)
    + (256 * K + K)
)
FCN_HEAD = 1024 * 256 * 9 + 512 + 256 * K + K


def test_the_hand_made_formula_gives_the_published_resnet():
    assert resnet([3, 4, 23, 3], True) == RESNET101
    assert resnet([2, 2, 2, 2], False) == 11_689_512 - (512 * 1000 + 1000)


PARAMETERS = {
    "deeplabv2_resnet18": resnet([2, 2, 2, 2], False) + 4 * (512 * 9 * K + K),
    "deeplabv2_resnet34": resnet([3, 4, 6, 3], False) + 4 * (512 * 9 * K + K),
    "deeplabv2_resnet50": resnet([3, 4, 6, 3], True) + ASPP_2048,
    "deeplabv2_resnet101": RESNET101 + ASPP_2048,
    "deeplabv2_vgg16": VGG_CONV
    + convolution(512, 1024, 3, bias=True)
    + convolution(1024, 1024, 3, bias=True)
    + 4 * convolution(1024, K, 3, bias=True),
    "deeplabv3_resnet50": resnet([3, 4, 6, 3], True) + DEEPLABV3_HEAD,
    "deeplabv3_resnet101": RESNET101 + DEEPLABV3_HEAD,
}
EXTRA = {  # name: parameters of the auxiliary head, of the twin
    "deeplabv2_resnet18": (4 * (256 * 9 * K + K), 4 * (512 * 9 * K + K)),
    "deeplabv2_resnet101": (4 * (1024 * 9 * K + K), ASPP_2048),
    "deeplabv2_vgg16": (4 * (512 * 9 * K + K), 4 * (1024 * 9 * K + K)),
    "deeplabv3_resnet50": (FCN_HEAD, DEEPLABV3_HEAD),
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_and_output_at_512x1024(name):
    network = build(name).eval()
    assert sum(p.numel() for p in network.parameters()) == PARAMETERS[name]
    assert network(images(1, 3, 512, 1024)).shape == (1, K, 64, 128)
    assert len(network.forward_heads(images(1, 3, 64, 64))) == 1


def test_the_numbers_of_the_paper_networks_written_out():
    assert PARAMETERS["deeplabv2_resnet101"] == 43_901_068
    assert PARAMETERS["deeplabv2_vgg16"] == 29_573_004
    assert PARAMETERS["deeplabv3_resnet101"] == 58_630_483


# --- second heads -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", EXTRA)
@pytest.mark.parametrize("heads", ["auxiliary", "twin"])
def test_a_second_head(name, heads):
    network = build(name, heads).eval()
    extra = EXTRA[name][heads == "twin"]
    assert sum(p.numel() for p in network.parameters()) == PARAMETERS[name] + extra
    main, other = network.forward_heads(images(2, 3, 64, 96))
    assert main.shape == other.shape == (2, K, 8, 12)
    section = SelfTraining()
    _, fast = make_sgd(network, section, section.learning_rate).param_groups
    assert sum(p.numel() for p in fast["params"]) == extra + sum(
        p.numel() for p in network.head["main"].parameters()
    )


@pytest.mark.parametrize("heads", ["auxiliary", "twin"])
@pytest.mark.parametrize("name", ["deeplabv2_resnet18", "deeplabv2_vgg16", "deeplabv3_resnet50"])
def test_every_parameter_gets_a_gradient(name, heads):
    network = build(name, heads)
    set_batch_norm(network, "train")
    sum(logits.sum() for logits in network.forward_heads(images(2, 3, 64, 64))).backward()
    assert [n for n, p in network.named_parameters() if p.grad is None] == []


def tiny(heads):
    """Real weights on crops of 32 pixels."""
    torch.manual_seed(0)
    return build_model(config("deeplabv2_resnet18", aspp_dilations=[1, 2]), 3, heads).eval()


def test_plain_forward_gives_the_main_head_of_two():
    network, image = tiny("auxiliary"), torch.randn(1, 3, 32, 32)
    with torch.inference_mode():
        main, auxiliary = network.forward_heads(image)
        assert torch.equal(network(image), main)
        assert not torch.equal(main, auxiliary)
        earlier = network.features(image)[1]
        assert torch.equal(network.head["extra"](earlier), auxiliary)


def test_plain_forward_sums_twins():
    network, image = tiny("twin"), torch.randn(1, 3, 32, 32)
    with torch.inference_mode():
        first, second = network.forward_heads(image)
        assert torch.equal(network(image), first + second)
        assert not torch.equal(first, second)  # each starts from its own random weights


# --- VGG16 ------------------------------------------------------------------------------------


def test_vgg16_has_three_pools_and_a_dilated_conv5():
    layers = [m for m in build("deeplabv2_vgg16").backbone.modules() if not list(m.children())]
    assert sum(isinstance(m, nn.MaxPool2d) for m in layers) == 3
    convolutions = [m for m in layers if isinstance(m, nn.Conv2d)]
    dilations = [1] * 10 + [2] * 3 + [4] * 2  # conv1 to conv4, conv5, fc6 and fc7
    assert [m.dilation for m in convolutions] == [(d, d) for d in dilations]
    assert [m.padding for m in convolutions] == [(d, d) for d in dilations]
    assert [m.out_channels for m in convolutions[-2:]] == [1024, 1024]
    after = [type(b) for a, b in pairwise(layers) if isinstance(a, nn.Conv2d)]
    assert after == [nn.ReLU] * 15


def test_the_features_of_vgg16_are_torchvisions_in_name_and_shape():
    import torchvision

    own = build("deeplabv2_vgg16").backbone.features.state_dict()
    with torch.device("meta"):
        theirs = torchvision.models.vgg16().features.state_dict()
    assert {k: v.shape for k, v in own.items()} == {k: v.shape for k, v in theirs.items()}


def test_the_auxiliary_head_of_vgg16_reads_conv4_after_its_relu():
    network = build("deeplabv2_vgg16")
    seen = {}
    for name, layer in network.backbone.features.named_children():
        layer.register_forward_hook(lambda _, __, value, name=name: seen.update({name: value}))
    _, earlier = network.features(images(1, 3, 16, 16))
    assert earlier is seen["22"]  # conv4_3 is 21, its ReLU 22
    assert earlier.shape == (1, 512, 2, 2)


# --- names ------------------------------------------------------------------------------------


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ConfigError) as caught:
        build("deeplabv4")
    text = str(caught.value)
    assert text.startswith("model.name: 'deeplabv4' is unknown; known: deeplabv2_resnet18, ")
    for name in ("deeplabv2_vgg16", "deeplabv3_resnet101", "torchvision/fcn_resnet50"):
        assert name in text


@pytest.mark.parametrize("name", [name for name in NETWORKS if name.startswith("torchvision/")])
def test_any_segmentation_model_of_torchvision(name):
    network = build(name).eval()
    batch, classes, height, width = network(images(1, 3, 128, 256)).shape
    assert (batch, classes) == (1, K)
    assert 128 // height == 256 // width in (8, 16)
    assert list(network.head.parameters())


def test_a_network_without_a_place_for_an_auxiliary_head():
    with pytest.raises(ConfigError, match="'lraspp_mobilenet_v3_large' has no place for an aux"):
        build("torchvision/lraspp_mobilenet_v3_large", "auxiliary")


def test_vgg16_refuses_another_stride():
    with pytest.raises(ConfigError, match=r"model\.output_stride: is 16; deeplabv2_vgg16 knows 8"):
        build("deeplabv2_vgg16", output_stride=16)


@pytest.mark.parametrize(
    ("model", "folder"),
    [
        ({"name": "deeplabv2_vgg16"}, "deeplabv2_vgg16"),
        ({"name": "torchvision/fcn_resnet50"}, "torchvision-fcn_resnet50"),
        ({"name": "transformers", "weights": "/far/segformer b0/"}, "transformers-segformer_b0"),
    ],
)
def test_the_folder_of_a_network_is_one_part_of_a_path(model, folder):
    assert load_config({"model": model}).model.folder_name == folder


@pytest.mark.parametrize("name", ["../x", "torchvision/../x", "a/b", "torchvision/", "A"])
def test_a_name_cannot_leave_its_folder(name):
    with pytest.raises(ConfigError, match=r"model\.name"):
        config(name)
