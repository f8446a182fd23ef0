"""Networks are tried before any training: weights, batches, sizes of images."""

import pytest
import torch
import torchvision

from tpld.config import load_config
from tpld.errors import ConfigError
from tpld.stages.check_networks import check_networks
from tpld.stores.code import _closure

V3 = "torchvision/deeplabv3_mobilenet_v3_large"


def config(**sections):
    tree = {
        "model": {"name": "deeplabv2_resnet18", "output_stride": 32, "weights": "random"},
        "source_training": {"batch_norm": "train"},
        "methods": ["source"],
    }
    for key, value in sections.items():
        tree[key] = {**tree[key], **value} if isinstance(tree.get(key), dict) else value
    return load_config(tree)


def refused(sizes=(), **sections) -> str:
    with pytest.raises(ConfigError) as caught:
        check_networks(config(**sections), sizes)
    return str(caught.value)


def test_usual_networks_pass_without_values():
    rows = ["source", "crst_mrkld+tpld", "adaptsegnet", "clan@deeplabv2_resnet34", "oracle"]
    check_networks(
        config(methods=rows, adversarial={"batch_norm": "train", "batch_size": 2}),
        [(64, 128), (16, 16)],
    )


@pytest.mark.parametrize("methods", [["source"], ["cbst"], ["minent"]])
def test_weights_that_are_not_there_are_found_for_every_kind_of_row(methods, tmp_path):
    said = refused(methods=methods, model={"weights": str(tmp_path / "w.pth")})
    assert said == f"model.weights: {tmp_path}/w.pth does not exist. Correct the path"


def test_the_weights_of_other_networks_are_tried_as_well(tmp_path):
    torch.save(torchvision.models.resnet34().state_dict(), tmp_path / "deep.pth")
    said = refused(
        methods=["source", "source@small"],
        networks={"small": {"name": "deeplabv2_resnet18", "weights": str(tmp_path / "deep.pth")}},
    )
    assert said.startswith("networks.small: model.weights: ")
    assert "They are those of torchvision's resnet34" in said


def test_an_unknown_network_is_found():
    assert "model.name: 'deeplabv2_resnet19' is unknown" in refused(
        model={"name": "deeplabv2_resnet19"}
    )


@pytest.mark.parametrize(
    ("methods", "sections", "said"),
    [
        (["source"], {"source_training": {"batch_size": 1}}, "source_training: "),
        (["cbst"], {"self_training": {"batch_size": 1, "batch_norm": "train"}}, "self_training: "),
        (["source", "minent"], {"adversarial": {"batch_norm": "train"}}, ""),
        (["minent"], {"adversarial": {"batch_norm": "train", "start": "source"}}, "adversarial: "),
    ],
)
def test_a_batch_that_batch_norm_cannot_take_is_found(methods, sections, said):
    """DeepLabv3 normalises a pooled image, a single value a channel of a batch of one."""
    text = refused(methods=methods, model={"name": V3, "output_stride": 8}, **sections)
    assert said in text
    assert f"{V3} cannot be trained on 1 crops of" in text
    assert "Expected more than 1 value per channel" in text and "batch_size" in text


def test_where_batch_norm_is_frozen_one_crop_is_enough():
    check_networks(
        config(
            methods=["cbst"],
            model={"name": V3, "output_stride": 8},
            self_training={"batch_size": 1, "batch_norm": "frozen"},
        ),
        [],
    )


@pytest.mark.parametrize("size", [(7, 64), (64, 7), (8, 8)])
def test_an_image_that_is_too_small_for_the_network_is_found(size):
    model = {"name": "deeplabv2_vgg16", "output_stride": 8}
    check_networks(config(model=model), [(64, 64), (16, 400), (9, 20)])
    said = refused([(64, 64), size], model=model)
    assert (
        f"deeplabv2_vgg16 cannot predict images of {size[1]}x{size[0]} pixels at scale 0.9" in said
    )


def test_no_result_of_the_check_of_the_data_rests_on_networks():
    assert not [name for name in _closure("tpld.stages.check") if name.startswith("tpld.models")]


@pytest.mark.parametrize(("there", "said"), [(False, 1), (True, 0)])
def test_weights_that_training_would_download_are_named(tmp_path, monkeypatch, caplog, there, said):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    file = tmp_path / "hub" / "checkpoints" / "resnet18-f37072fd.pth"
    if there:
        file.parent.mkdir(parents=True)
        file.touch()
    with caplog.at_level("WARNING", "tpld"):
        check_networks(
            config(model={"name": "deeplabv2_resnet18", "weights": "DEFAULT"}), {(64, 64)}
        )
    named = [r.getMessage() for r in caplog.records if "training will download" in r.getMessage()]
    assert len(named) == said and all(file.name in line for line in named)
