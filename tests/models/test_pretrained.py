"""Weights of torchvision, by local file and by enum; checkpoints of networks with two heads."""

import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn

from tpld.compute.runtime import resolve
from tpld.config import Compute, load_config
from tpld.errors import ConfigError, StoreError
from tpld.models.batchnorm import set_batch_norm
from tpld.models.registry import build_model
from tpld.models.weights import load_initial, load_model, load_trained, save_model

SMALL = {"name": "deeplabv2_resnet18", "output_stride": 32, "aspp_dilations": [1]}
LRASPP = "torchvision/lraspp_mobilenet_v3_large"
V3_SMALL = "torchvision/deeplabv3_mobilenet_v3_large"


def config(**model):
    return load_config({"model": model})


def equal(mine, theirs):
    return mine.keys() == theirs.keys() and all(torch.equal(v, theirs[k]) for k, v in mine.items())


# --- local files ------------------------------------------------------------------------------


def test_vgg16_takes_torchvisions_features_and_says_what_stays_random(tmp_path):
    with torch.device("meta"):
        names = torchvision.models.vgg16().state_dict()
    features = {k: torch.full(v.shape, 0.5) for k, v in names.items() if k.startswith("features.")}
    fully = {k: torch.zeros(1) for k in names if k.startswith("classifier.")}
    save_file({**features, **fully}, tmp_path / "vgg.safetensors")
    settings = config(
        name="deeplabv2_vgg16", aspp_dilations=[6], weights=str(tmp_path / "vgg.safetensors")
    )
    network = build_model(settings, 3)
    said = load_initial(network, settings)
    assert "26 matched, 6 missing ['backbone.fc6.bias', 'backbone.fc6.weight'," in said
    assert "6 unexpected ['classifier.0.bias', 'classifier.0.weight'," in said
    conv1 = network.backbone.features.state_dict()["0.weight"]
    assert (conv1 == 0.5).all()
    assert not (network.backbone.fc6.weight == 0.5).any()


def test_a_backbone_of_mobilenet_and_the_batch_norm_that_it_leaves_random(tmp_path):
    backbone = torchvision.models.mobilenet_v3_large().state_dict()
    torch.save(backbone, tmp_path / "m.pth")
    settings = config(name=LRASPP, weights=str(tmp_path / "m.pth"))
    network = build_model(settings, 3)
    assert " 4 unexpected ['classifier.0.bias'," in load_initial(network, settings)
    theirs = {k.removeprefix("features."): v for k, v in backbone.items() if "features" in k}
    assert equal(network.backbone.state_dict(), theirs)
    assert network.random_norms == {"head.main.cbr.1"}

    set_batch_norm(network, "frozen")
    norms = {n: m for n, m in network.named_modules() if isinstance(m, nn.BatchNorm2d)}
    assert len(norms) > 40
    assert [name for name, norm in norms.items() if norm.training] == ["head.main.cbr.1"]
    for name, norm in norms.items():
        assert norm.weight.requires_grad == (name == "head.main.cbr.1")


def test_a_whole_segmentation_model_of_other_classes(tmp_path):
    """As torchvision's COCO files are: 21 classes and an auxiliary classifier."""
    coco = torchvision.models.get_model(
        "deeplabv3_mobilenet_v3_large", weights_backbone=None, num_classes=21, aux_loss=True
    ).state_dict()
    torch.save({f"module.{k}": v for k, v in coco.items()}, tmp_path / "coco.pth")
    settings = config(name=V3_SMALL, weights=str(tmp_path / "coco.pth"))
    network = build_model(settings, 3, "auxiliary")
    said = load_initial(network, settings)
    lost = [f"{part}.4.{entry}" for part in ("main", "extra") for entry in ("bias", "weight")]
    assert f"4 missing {sorted(f'head.{name}' for name in lost)}" in said
    assert "4 unexpected ['module.aux_classifier.4.bias', 'module.aux_classifier.4.weight'," in said
    own = network.state_dict()
    assert torch.equal(own["head.main.0.project.0.weight"], coco["classifier.0.project.0.weight"])
    assert torch.equal(own["head.extra.0.weight"], coco["aux_classifier.0.weight"])
    assert not network.random_norms


# --- enums ------------------------------------------------------------------------------------


@pytest.fixture()
def downloads(monkeypatch):
    """Downloads answer with a random model of torchvision; the fixture lists the addresses."""
    asked = []

    def download(url, **_):
        asked.append(url.rsplit("/", 1)[1].split("-")[0])
        if "lraspp" in url:
            return torchvision.models.get_model(asked[-1], weights_backbone=None).state_dict()
        return torchvision.models.get_model(asked[-1]).state_dict()

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", download)
    return asked


@pytest.mark.parametrize(
    ("model", "asked", "said"),
    [
        ({**SMALL, "weights": "DEFAULT"}, "resnet18", "DEFAULT: 120 matched, 2 missing"),
        ({**SMALL, "weights": "IMAGENET1K_V1"}, "resnet18", "IMAGENET1K_V1: 120 matched, 2"),
        ({"name": LRASPP, "weights": "DEFAULT"}, "mobilenet_v3_large", "4 unexpected"),
        (
            {"name": LRASPP, "weights": "COCO_WITH_VOC_LABELS_V1"},
            "lraspp_mobilenet_v3_large",
            "4 missing ['head.main.high_classifier.bias'",
        ),
    ],
)
def test_weights_by_enum(downloads, model, asked, said):
    settings = config(**model)
    assert said in load_initial(build_model(settings, 3), settings)
    assert downloads == [asked]


def test_a_download_that_fails(monkeypatch):
    def download(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", download)
    settings = config(**SMALL, weights="DEFAULT")
    with pytest.raises(ConfigError, match=r"downloading 'DEFAULT' failed \(no route to host\)"):
        load_initial(build_model(settings, 3), settings)


# --- our checkpoints of two heads -------------------------------------------------------------


@pytest.fixture()
def runtime():
    threads = torch.get_num_threads()
    yield resolve(Compute(device="cpu", precision="float32", threads=1))
    torch.set_num_threads(threads)


@pytest.mark.parametrize("heads", ["auxiliary", "twin"])
def test_a_source_model_starts_a_network_of_two_heads(tmp_path, runtime, heads, caplog):
    settings, path = config(**SMALL), tmp_path / "source.safetensors"
    single = build_model(settings, 3)
    save_model(single, path, {"stage": "source"})
    torch.manual_seed(3)
    fresh = build_model(settings, 3, heads).head["extra"].state_dict()
    torch.manual_seed(3)
    caplog.set_level("INFO")
    network = load_trained(settings, 3, path, runtime, heads)
    own = network.state_dict()
    assert all(torch.equal(v, own[k]) for k, v in single.state_dict().items())
    assert equal(network.head["extra"].state_dict(), fresh)
    extra = "['head.extra.branches.0.bias', 'head.extra.branches.0.weight']"
    assert f"{len(single.state_dict())} matched, 2 missing {extra}, 0 unexpected" in caplog.text


@pytest.mark.parametrize("heads", ["single", "auxiliary", "twin"])
def test_a_checkpoint_knows_its_heads(tmp_path, runtime, heads):
    settings, path = config(**SMALL), tmp_path / "model.safetensors"
    saved = build_model(settings, 3, heads)
    save_model(saved, path, {})
    network = load_trained(settings, 3, path, runtime)
    assert network.heads == heads
    assert equal(network.state_dict(), saved.state_dict())


def test_half_a_second_head_is_an_error(tmp_path):
    settings, path = config(**SMALL), tmp_path / "model.safetensors"
    network = build_model(settings, 3, "twin")
    del network.head.extra.branches[0].bias  # as if another version had written it
    save_model(network, path, {})
    with pytest.raises(StoreError, match="belongs to another network"):
        load_model(build_model(settings, 3, "twin"), path)


def test_the_batch_norm_of_a_second_head_trains_until_a_checkpoint_holds_it(tmp_path):
    settings = config(name=V3_SMALL)
    save_model(build_model(settings, 3), tmp_path / "single.safetensors", {})
    network = build_model(settings, 3, "auxiliary")
    load_model(network, tmp_path / "single.safetensors")
    assert network.random_norms == {"head.extra.1"}
    save_model(network, tmp_path / "both.safetensors", {})
    load_model(network, tmp_path / "both.safetensors")
    assert not network.random_norms
