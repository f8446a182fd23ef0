import os
import pickle
import re

import pytest
import torch
import torchvision
from safetensors.torch import save_file

from tpld.config import load_config
from tpld.errors import ConfigError, StoreError
from tpld.models.weights import build_model, load_initial, load_model, save_model


def config(**model):
    section = {
        "name": "deeplabv2_resnet18",
        "output_stride": 16,
        "aspp_dilations": [1, 2],
        "weights": "random",
    }
    return load_config({"model": {**section, **model}, "source_training": {"batch_norm": "train"}})


@pytest.fixture(scope="module")
def resnet():
    torch.manual_seed(1)
    return torchvision.models.resnet18().state_dict()


@pytest.fixture()
def network():
    torch.manual_seed(0)
    return build_model(config(), 3)


def test_unknown_architecture():
    with pytest.raises(ConfigError) as caught:
        build_model(config(name="deeplabv2_resnet19"), 3)
    assert "model.name: 'deeplabv2_resnet19' is unknown; known: deeplabv2_resnet18" in str(
        caught.value
    )


def test_random_weights_stay_as_they_are(network):
    before = network.state_dict()["backbone.conv1.weight"].clone()
    assert load_initial(network, config()) == "random"
    assert torch.equal(network.state_dict()["backbone.conv1.weight"], before)


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_a_backbone_from_a_local_file(network, resnet, tmp_path, suffix):
    path = tmp_path / f"resnet18.{suffix}"
    save_file(resnet, path) if suffix == "safetensors" else torch.save(resnet, path)
    head = {k: v.clone() for k, v in network.head.state_dict().items()}
    said = load_initial(network, config(weights=str(path)))
    heads = [f"head.main.branches.{i}.{part}" for i in (0, 1) for part in ("bias", "weight")]
    assert said == (
        f"{path}: {len(resnet) - 2} matched, 4 missing {heads}, "
        "2 unexpected ['fc.bias', 'fc.weight']"
    )
    own = network.backbone.state_dict()
    assert all(torch.equal(own[name], resnet[name]) for name in own)
    assert all(torch.equal(v, head[k]) for k, v in network.head.state_dict().items())


def test_a_state_inside_a_checkpoint(network, resnet, tmp_path):
    torch.save({"state_dict": resnet, "epoch": 3}, tmp_path / "c.pth")
    assert "4 missing ['head." in load_initial(network, config(weights=str(tmp_path / "c.pth")))


def test_one_of_our_checkpoints_as_a_start(network, tmp_path):
    torch.manual_seed(7)
    other = build_model(config(), 3)
    save_model(other, tmp_path / "m.safetensors", {})
    said = load_initial(network, config(weights=str(tmp_path / "m.safetensors")))
    assert "0 missing [], 0 unexpected []" in said
    theirs = other.state_dict()
    assert all(torch.equal(v, theirs[k]) for k, v in network.state_dict().items())


def test_a_checkpoint_of_other_classes_gives_its_backbone_and_says_so(network, tmp_path):
    save_model(build_model(config(), 5), tmp_path / "m.safetensors", {})
    said = load_initial(network, config(weights=str(tmp_path / "m.safetensors")))
    assert "4 missing ['head.main.branches.0.bias', 'head.main.branches.0.weight'" in said
    assert "4 unexpected ['head.main.branches.0.bias'" in said


def test_a_missing_file(network):
    with pytest.raises(ConfigError, match=r"model\.weights: /no/w\.pth does not exist"):
        load_initial(network, config(weights="/no/w.pth"))


def test_an_unknown_name_of_the_enum_lists_the_known_ones(network):
    with pytest.raises(ConfigError) as caught:
        load_initial(network, config(weights="IMAGENET"))
    assert "model.weights: 'IMAGENET' is unknown for resnet18; known: random, DEFAULT, " in str(
        caught.value
    )
    assert "IMAGENET1K_V1" in str(caught.value)
    assert "path of a local file" in str(caught.value)


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_nonsense_is_refused(network, tmp_path, suffix):
    path = tmp_path / f"w.{suffix}"
    path.write_bytes(b"these are no weights" * 10)
    with pytest.raises(ConfigError, match=re.escape(f"{path} cannot be read as weights")):
        load_initial(network, config(weights=str(path)))


class Malicious:
    """Unpickling it makes a folder."""

    def __init__(self, path) -> None:
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_a_malicious_pickle_does_not_run(network, tmp_path):
    trap = tmp_path / "executed"
    torch.save({"state_dict": Malicious(trap)}, tmp_path / "zip.pth")
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(Malicious(trap), protocol=2))
    for name in ("zip.pth", "plain.pth"):
        with pytest.raises(ConfigError, match="cannot be read as weights"):
            load_initial(network, config(weights=str(tmp_path / name)))
    assert not trap.exists()
    pickle.loads(pickle.dumps(Malicious(trap)))  # the trap does work
    assert trap.exists()


def test_weights_of_another_network(network, tmp_path):
    save_file({"a.weight": torch.zeros(2), "b": torch.zeros(1)}, tmp_path / "w.safetensors")
    with pytest.raises(ConfigError) as caught:
        load_initial(network, config(weights=str(tmp_path / "w.safetensors")))
    said = f"none of the 2 entries of {tmp_path / 'w.safetensors'} fits DeepLabV2"
    assert said in str(caught.value)
    assert "wanted names like backbone.conv1.weight, backbone.bn1.weight" in str(caught.value)


# --- our own checkpoints ----------------------------------------------------------------------


def test_a_checkpoint_round_trips_with_its_metadata(network, tmp_path):
    path = tmp_path / "deep" / "model.safetensors"
    save_model(network.to(memory_format=torch.channels_last), path, {"stage": "source"})
    assert [p.name for p in path.parent.iterdir()] == ["model.safetensors"]
    torch.manual_seed(5)
    other = build_model(config(), 3)
    assert load_model(other, path) == {"stage": "source", "heads": "single"}
    mine = network.state_dict()
    assert all(torch.equal(v, mine[k]) for k, v in other.state_dict().items())


@pytest.mark.parametrize("keep", [0, 5, 1000, -1])
def test_a_checkpoint_that_was_cut_short(network, tmp_path, keep):
    path = tmp_path / "model.safetensors"
    save_model(network, path, {})
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(StoreError) as caught:
        load_model(network, path)
    assert str(caught.value).startswith(f"{path} is no whole checkpoint (")
    assert str(caught.value).endswith("Delete it and rerun its stage")


def test_a_missing_checkpoint(network, tmp_path):
    with pytest.raises(StoreError, match="is no whole checkpoint"):
        load_model(network, tmp_path / "none.safetensors")


def test_a_checkpoint_of_another_class_count(network, tmp_path):
    path = tmp_path / "model.safetensors"
    save_model(build_model(config(), 5), path, {})
    with pytest.raises(StoreError) as caught:
        load_model(network, path)
    text = str(caught.value)
    mismatch = "(size mismatch for head.main.branches.0"
    assert text.startswith(f"{path} belongs to another network {mismatch}")
    assert "Give the model section of the configuration that trained it" in text


def test_a_checkpoint_of_another_architecture(network, tmp_path):
    path = tmp_path / "model.safetensors"
    save_model(build_model(config(name="deeplabv2_resnet34"), 3), path, {})
    with pytest.raises(StoreError, match="belongs to another network"):
        load_model(network, path)


@pytest.mark.parametrize("kind", ["other network", "no tensors", "no mapping"])
def test_a_file_that_holds_only_part_of_the_backbone(tmp_path, kind):
    state = {
        "other network": torchvision.models.resnet18().state_dict(),
        "no tensors": {"conv1.weight": 3},
        "no mapping": {"state_dict": None},
    }[kind]
    torch.save(state, tmp_path / "w.pth")
    config = load_config(
        {"model": {"name": "deeplabv2_resnet34", "weights": str(tmp_path / "w.pth")}}
    )
    with pytest.raises(ConfigError, match=r"model\.weights: "):
        load_initial(build_model(config, 3), config)
