"""The discriminator, prediction of views, the device, and the learning-rate groups."""

import numpy as np
import pytest
import torch
from torch import nn

from tpld.compute.runtime import resolve
from tpld.config import Compute, SelfTraining, SourceTraining
from tpld.data.normalise import normalise
from tpld.errors import DeviceError
from tpld.models.batchnorm import set_batch_norm
from tpld.models.deeplabv2 import DeepLabV2
from tpld.models.discriminator import Discriminator
from tpld.models.inference import predict_views
from tpld.training.optim import make_sgd, set_rate, source_schedule


def test_discriminator_layers_and_shapes():
    discriminator = Discriminator(19)
    widths = [(m.in_channels, m.out_channels) for m in discriminator if isinstance(m, nn.Conv2d)]
    assert widths == [(19, 64), (64, 128), (128, 256), (256, 512), (512, 1)]
    kinds = [type(m) for m in discriminator]
    assert kinds == [nn.Conv2d, nn.LeakyReLU] * 4 + [nn.Conv2d]
    for module in discriminator:
        if isinstance(module, nn.Conv2d):
            assert (module.kernel_size, module.stride, module.padding) == ((4, 4), (2, 2), (1, 1))
        else:
            assert module.negative_slope == 0.2
    assert discriminator(torch.zeros(2, 19, 64, 96)).shape == (2, 1, 2, 3)
    assert discriminator(torch.zeros(1, 19, 32, 32)).shape == (1, 1, 1, 1)


class Columns(nn.Module):
    """Two classes: the red channel, and the column's number."""

    def forward(self, image):
        columns = torch.arange(image.shape[-1]).float().expand_as(image[:, 0])
        return torch.stack([image[:, 0], columns], dim=1)


@pytest.fixture()
def runtime():
    threads = torch.get_num_threads()
    yield resolve(Compute(device="cpu", precision="float32", threads=1))
    torch.set_num_threads(threads)


def test_the_mirror_view_is_the_mirror_image_and_not_mirrored_back(runtime):
    image = np.random.default_rng(0).integers(0, 255, (6, 8, 3), np.uint8)
    views = predict_views(Columns(), image, 1.0, True, runtime)
    assert views.shape == (2, 2, 6, 8)
    red = normalise(torch.from_numpy(image).permute(2, 0, 1))[0]
    assert torch.allclose(views[0, 0], red)
    assert torch.allclose(views[1, 0], red.flip(-1))
    assert views[1, 1, 0].tolist() == list(range(8))
    assert predict_views(Columns(), image, 1.0, False, runtime).shape == (1, 2, 6, 8)


@pytest.mark.parametrize(("scale", "size"), [(0.5, (3, 4)), (1.25, (8, 10)), (0.01, (1, 1))])
def test_the_scale_of_a_prediction(runtime, scale, size):
    image = np.zeros((6, 8, 3), np.uint8)
    assert predict_views(Columns(), image, scale, False, runtime).shape == (1, 2, *size)


def test_normalise_uses_imagenets_numbers():
    image = torch.tensor([255, 0, 51], dtype=torch.uint8)[:, None, None]
    expected = [(1 - 0.485) / 0.229, -0.456 / 0.224, (0.2 - 0.406) / 0.225]
    assert normalise(image).flatten().tolist() == pytest.approx(expected, rel=1e-5)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there():
    with pytest.raises(DeviceError) as caught:
        resolve(Compute(device="cuda"))
    assert "compute.device is 'cuda', but torch sees no GPU here" in str(caught.value)
    assert "Use 'auto' or 'cpu'" in str(caught.value)


def test_the_runtime_takes_what_it_is_told(runtime):
    assert runtime.device.type == "cpu"
    assert not runtime.bfloat16
    assert runtime.workers == 0
    assert torch.get_num_threads() == 1
    assert runtime.describe() == {"device": "cpu", "precision": "float32"}
    other = resolve(Compute(device="cpu", precision="bfloat16", threads=1, workers=3))
    assert other.workers == 3
    with other.autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16
    with runtime.autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


# --- optimiser --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def network():
    return DeepLabV2("deeplabv2_resnet18", 3, 16, [1, 2])


@pytest.mark.parametrize("policy", ["train", "frozen"])
def test_the_head_learns_at_its_own_rate(network, policy):
    set_batch_norm(network, policy)
    section = SelfTraining(head_factor=10, momentum=0.8, weight_decay=0.25)
    backbone, head = make_sgd(network, section, 5e-5).param_groups
    assert backbone["lr"] == 5e-5
    assert head["lr"] == pytest.approx(5e-4)
    for group in (backbone, head):
        assert group["momentum"] == 0.8
        assert group["weight_decay"] == 0.25
    assert {id(p) for p in head["params"]} == {id(p) for p in network.head.parameters()}
    trained = {id(p) for p in backbone["params"]}
    for name, parameter in network.backbone.named_parameters():
        of_norm = "bn" in name or "downsample.1" in name
        assert (id(parameter) in trained) == (policy == "train" or not of_norm), name


def test_set_rate_starts_from_the_base_each_time(network):
    optimizer = make_sgd(network, SelfTraining(head_factor=10), 1.0)
    for factor in (0.5, 0.25):
        set_rate(optimizer, factor)
    assert [group["lr"] for group in optimizer.param_groups] == [0.25, 2.5]


def test_the_schedule_of_source_training():
    factor = source_schedule(SourceTraining(steps=100))
    assert factor(0) == 1
    assert factor(50) == pytest.approx(0.5**0.9)
    assert factor(99) == pytest.approx(0.01**0.9)
    warm = source_schedule(SourceTraining(steps=100, warmup_steps=4))
    assert warm(0) == pytest.approx(0.25)
    assert warm(1) == pytest.approx(0.5 * 0.99**0.9)
    assert warm(3) == factor(3)
    assert warm(50) == factor(50)
