"""Weights from elsewhere: however deep they lie in a checkpoint, and what is no checkpoint."""

import argparse
import gzip
import io
import logging
import pickle
import zipfile
from itertools import combinations, permutations, product
from pathlib import PosixPath
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import save_file

from tpld.config import load_config
from tpld.errors import ConfigError
from tpld.models.fit import best_fit
from tpld.models.foreign import flattened, read_tensors
from tpld.models.registry import build_model
from tpld.models.weights import check_initial, load_initial

TRAINED = {"source_training": {"batch_norm": "train"}}
SMALL = {"name": "deeplabv2_resnet18", "output_stride": 32, "aspp_dilations": [1]}


def config(path, **model):
    return load_config({"model": {**SMALL, "weights": str(path), **model}, **TRAINED})


def states(name: str = "resnet18", device: str = "cpu") -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    with torch.device(device):
        return torchvision.models.get_model(name, weights=None).state_dict()


@pytest.fixture(scope="module")
def resnet():
    return states()


@pytest.fixture(scope="module")
def shapes(resnet):
    return {name: tensor.to("meta") for name, tensor in resnet.items()}


@pytest.fixture(scope="module")
def network():
    return build_model(config("random"), 3)


def refused(path, **model) -> str:
    """What is said of a file, which the check and the loading say alike."""
    said = []
    for look in (check_initial, lambda c, k: load_initial(build_model(c, k), c)):
        with pytest.raises(ConfigError) as caught:
            look(config(path, **model), 3)
        said.append(str(caught.value))
    assert said[0] == said[1]
    for word in ("weights_only", "add_safe_globals", "Traceback", "\x1b"):
        assert word not in said[0]
    return said[0]


# --- where the weights lie ----------------------------------------------------------------------

KEEPERS = (
    "model", "model_state_dict", "state_dict", "model_ema", "ema", "teacher", "net", "network",
    "student", "params", "weights",
)  # fmt: skip
PREFIXES = ("_orig_mod.", "module.", "encoder.", "backbone.", "model.", "student.backbone.")


def nested(state, keepers, prefixes):
    """A checkpoint that keeps `state` below `keepers`, behind `prefixes`, beside other things."""
    tree = {"".join(prefixes) + name: tensor for name, tensor in state.items()}
    for keeper in reversed(keepers):
        tree = {"epoch": 3, keeper: tree, "optimizer": {"state": {0: {"step": torch.zeros(1)}}}}
    return tree


PLACES = [
    ((), ()),
    *(((keeper,), ()) for keeper in KEEPERS),
    *(((), (prefix,)) for prefix in PREFIXES),
    *(((), pair) for pair in permutations(PREFIXES[:4], 2)),
    *product(permutations(KEEPERS[:3], 2), [(), PREFIXES[:2], PREFIXES[1:4]]),
]


@pytest.mark.parametrize(("keepers", "prefixes"), PLACES)
def test_weights_are_found_below_and_behind_anything(network, shapes, keepers, prefixes):
    state = flattened(nested(shapes, keepers, prefixes))
    fit, others = best_fit(network, state, "w.pth")
    assert fit.whole and not others
    # The prefix is what stands before the longest name that the network has itself.
    before = ".".join([*keepers, "".join(prefixes) + "conv1.weight"]).removesuffix("conv1.weight")
    assert fit.prefix in (before, before.removesuffix("backbone."))
    assert fit.names["backbone.layer4.1.bn2.weight"] == f"{before}layer4.1.bn2.weight"
    assert [name.removeprefix(before) for name in fit.unexpected] == ["fc.bias", "fc.weight"]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    keepers=st.lists(st.sampled_from(KEEPERS), max_size=3),
    prefixes=st.lists(st.sampled_from(PREFIXES), max_size=4),
)
def test_in_any_order_and_depth(network, shapes, keepers, prefixes):
    fit, _ = best_fit(network, flattened(nested(shapes, keepers, prefixes)), "w.pth")
    assert len(fit.names) == 120


@pytest.mark.parametrize("zipped", [True, False])
def test_a_nested_checkpoint_loads_its_values(resnet, tmp_path, zipped, caplog):
    path = tmp_path / "c.pth"
    tree = nested(resnet, ("model",), ("_orig_mod.", "module."))
    torch.save(tree, path, _use_new_zipfile_serialization=zipped)
    check_initial(config(path), 3)
    network = build_model(config(path), 3)
    with caplog.at_level(logging.INFO, "tpld"):
        said = load_initial(network, config(path))
    assert "120 matched, 2 missing ['head.main.branches.0.bias'" in said
    assert f"weights of {path} are those below 'model._orig_mod.module.'" in caplog.text
    own = network.get_submodule("backbone").state_dict()
    assert all(torch.equal(own[name], resnet[name]) for name in own)


RANKS = [
    ("state_dict", "state_dict_ema", "teacher", "student"),
    ("model", "model_ema", "teacher", "momentum_encoder"),
    ("net", "ema", "teacher", "discriminator"),
    ("encoder_q", "swa_model", "teacher", "encoder_k"),
    ("model_state_dict", "ema_state_dict", "teacher_state_dict", "student_state_dict"),
]


@pytest.mark.parametrize(
    ("first", "second"), [pair for row in RANKS for pair in combinations(row, 2)]
)
@pytest.mark.parametrize("flat", [True, False])
def test_of_several_that_fit_the_documented_one_is_taken(network, shapes, first, second, flat):
    for order in ((first, second), (second, first)):
        if flat:
            tree = {f"{keeper}.{k}": v for keeper in order for k, v in shapes.items()}
        else:
            tree = dict.fromkeys(order, shapes)
        fit, others = best_fit(network, flattened(tree), "w.pth")
        assert (fit.prefix, others) == (f"{first}.", [f"{second}."])


def test_a_part_that_does_not_fit_does_not_hinder_one_that_does(network, shapes):
    deep = {f"student.{k}": v for k, v in states("resnet34", "meta").items()}
    fit, others = best_fit(network, {**deep, **{f"ema.{k}": v for k, v in shapes.items()}}, "w")
    assert (fit.prefix, others) == ("ema.", [])


def test_what_trainers_keep_beside_weights_is_no_hindrance(resnet, tmp_path):
    beside = {
        "args": argparse.Namespace(lr=1e-4, out=PosixPath("/tmp/x")),
        "best": np.float64(0.5),
        "epoch": np.int64(3),
        "loss": np.float32(1),
    }
    torch.save({"model": resnet, **beside}, tmp_path / "c.pth")
    check_initial(config(tmp_path / "c.pth"), 3)
    assert "120 matched" in load_initial(
        build_model(config(tmp_path / "c.pth"), 3), config(tmp_path / "c.pth")
    )


def test_a_file_is_known_by_its_content(resnet, tmp_path, monkeypatch):
    """Safetensors called .pth, a pickle without a suffix, a path below the home folder."""
    save_file(resnet, tmp_path / "a.pth")
    torch.save(resnet, tmp_path / "plain")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for weights in (tmp_path / "a.pth", tmp_path / "plain", "plain", "~/a.pth"):
        check_initial(config(weights), 3)
        assert "120 matched" in load_initial(build_model(config(weights), 3), config(weights))


# --- weights of another network -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("theirs", "mine", "said"),
    [
        ("resnet101", "deeplabv2_resnet50", "of another network than DeepLabV2 as configured, "
         "first layer3.10.bn1.bias: of a deeper or wider one? They would be left out without a "
         "word. They are those of torchvision's resnet101. Give"),
        ("resnet152", "deeplabv2_resnet101", "They are those of torchvision's resnet152"),
        ("resnet34", "deeplabv2_resnet18", "They are those of torchvision's resnet34"),
        ("resnet18", "deeplabv2_resnet34", "first backbone.layer1.2.conv1.weight. They are "
         "those of torchvision's resnet18"),
        ("resnet50", "deeplabv2_resnet34", "first backbone.layer1.0.conv1.weight (it is 64x64x1x1 "
         "there, and 64x64x3x3 here). They are those of torchvision's resnet50"),
        ("wide_resnet50_2", "deeplabv2_resnet50", "torchvision's wide_resnet50_2"),
        ("resnext50_32x4d", "deeplabv2_resnet50", "torchvision's resnext50_32x4d"),
        ("vgg19", "deeplabv2_vgg16", "torchvision's vgg19"),
        ("vgg16_bn", "deeplabv2_vgg16", "torchvision's vgg16_bn"),
        ("mobilenet_v3_small", "torchvision/lraspp_mobilenet_v3_large", "'s mobilenet_v3_small"),
        ("resnet50", "torchvision/deeplabv3_resnet101", "torchvision's resnet50"),
        ("resnet101", "torchvision/fcn_resnet50", "torchvision's resnet101"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("below", ["", "teacher.module."])
def test_weights_of_another_architecture_are_refused_by_name(theirs, mine, said, below):
    with torch.device("meta"):
        network = build_model(config("random", name=mine, output_stride=8), 3)
    state = {below + name: tensor for name, tensor in states(theirs, "meta").items()}
    with pytest.raises(ConfigError) as caught:
        best_fit(network, state, "w.pth")
    assert said in str(caught.value).replace(f"first {below}", "first ")
    assert str(caught.value).startswith("model.weights: w.pth ")


@pytest.mark.parametrize(
    "extra",
    [
        "layer3.6.conv1.weight",
        "layer1.0.se.fc1.weight",
        "layer2.1.conv1.bias",
        "backbone.layer4.2.bn1.running_mean",
        "conv1.0.weight",
        "bn1.alpha",
    ],
)
def test_any_entry_within_the_backbone_that_it_lacks_is_refused(network, shapes, extra):
    below = "backbone." if extra.startswith("backbone.") else ""
    state = {**{below + name: tensor for name, tensor in shapes.items()}, extra: torch.zeros(2)}
    with pytest.raises(ConfigError) as caught:
        best_fit(network, state, "w.pth")
    assert f"holds 1 entries of another network than DeepLabV2 as configured, first {extra}" in (
        str(caught.value)
    )


def test_a_deeper_network_is_refused_by_the_check_and_when_it_is_loaded(tmp_path):
    torch.save(states("resnet34"), tmp_path / "w.pth")
    assert "They are those of torchvision's resnet34" in refused(tmp_path / "w.pth")


@pytest.mark.parametrize(
    "extra",
    [
        "fc.2.weight",
        "projector.0.weight",
        "queue",
        "head.predictor.weight",
        "layer5.conv2d_list.0.weight",
        "layer1.0.conv1.total_ops",
        "decode_head.conv_seg.weight",
        "auxlayer.weight",
    ],
)
def test_heads_and_counters_beside_the_backbone_are_not(network, shapes, extra):
    fit, _ = best_fit(network, {**shapes, extra: torch.zeros(2)}, "w.pth")
    assert fit.unexpected == sorted(["fc.bias", "fc.weight", extra])


def test_values_that_are_not_finite_are_refused(resnet, tmp_path):
    bad = {**resnet, "layer1.0.conv1.weight": resnet["layer1.0.conv1.weight"] * float("nan")}
    torch.save(bad, tmp_path / "w.pth")
    with pytest.raises(ConfigError, match=r"not finite \(1 entries, first layer1.0.conv1.weight\)"):
        load_initial(build_model(config("random"), 3), config(tmp_path / "w.pth"))


def test_where_nothing_fits_the_entries_are_listed(tmp_path):
    state = {"model": {"a.weight": torch.zeros(2), "a.bias": torch.zeros(1)}, "step": torch.ones(1)}
    torch.save(state, tmp_path / "w.pth")
    assert refused(tmp_path / "w.pth") == (
        f"model.weights: none of the 3 entries of {tmp_path}/w.pth fits DeepLabV2; wanted names "
        "like backbone.conv1.weight, backbone.bn1.weight, backbone.bn1.bias, and the file has "
        "model.a.weight (2 below model), step"
    )


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ({"epoch": 3, "args": {"lr": 1}}, "holds no tensors, but the entries epoch, args. Give a"),
        ({}, "holds no tensors, but nothing"),
        ([1, 2], "holds no tensors, but a value of type list"),
        ("text", "holds no tensors, but a value of type str"),
        ({str(i): i for i in range(20)}, "the entries 0, 1, 2, 3, 4, 5, 6, 7 and 12 more"),
    ],
)
def test_a_checkpoint_without_tensors_says_what_it_holds(tmp_path, tree, said):
    torch.save(tree, tmp_path / "w.pth")
    assert said in refused(tmp_path / "w.pth")


def test_a_checkpoint_that_holds_itself_has_an_end(tmp_path):
    tree: dict[str, Any] = {"epoch": 1}
    tree["again"] = tree
    torch.save(tree, tmp_path / "w.pth")
    assert "the entries epoch, again" in refused(tmp_path / "w.pth")


# --- what is no checkpoint -----------------------------------------------------------------------


def image(kind):
    stream = io.BytesIO()
    Image.new("RGB", (4, 4)).save(stream, kind)
    return stream.getvalue()


def archive(**files):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as made:
        for name, content in files.items():
            made.writestr(name.replace("__", "/"), content)
    return stream.getvalue()


def saved(**options):
    stream = io.BytesIO()
    torch.save({"conv1.weight": torch.zeros(64, 3, 7, 7)}, stream, **options)
    return stream.getvalue()


def scripted():
    stream = io.BytesIO()
    torch.jit.save(torch.jit.script(torch.nn.Conv2d(1, 1, 1)), stream)
    return stream.getvalue()


NO_WEIGHTS = {
    "empty": (b"", "it is empty. Download or copy it again"),
    "a pointer of LFS": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 3\n",
        "it is a pointer of Git LFS, not the file itself. Run `git lfs pull`",
    ),
    "a page": (b"<!DOCTYPE html><html>Sign in</html>", "it is a web page, as a log-in or an error"),
    "a page in capitals": (b"\n <HTML>", "it is a web page"),
    "an error of a bucket": (b"<?xml version='1.0'?><Error/>", "it is a web page"),
    "a PNG": (image("PNG"), "it is a PNG image. Give a checkpoint of PyTorch"),
    "a JPEG": (image("JPEG"), "it is a JPEG image"),
    "a GIF": (image("GIF"), "it is a GIF image"),
    "a PDF": (b"%PDF-1.7 ...", "it is a PDF document"),
    "of Keras": (b"\x89HDF\r\n\x1a\n0000", "it is an HDF5 file, as Keras writes them"),
    "of numpy": (b"\x93NUMPY\x01\x00", "it is an array of numpy"),
    "a gzip": (gzip.compress(saved()), "it is a gzip archive. Unpack it"),
    "a zip": (archive(weights__w="x"), "it is a zip archive. Unpack it"),
    "a program": (scripted(), "it is a TorchScript archive, a program. Where you trust it, open"),
    "cut short": (saved()[:-100], "its end is missing, or it is damaged"),
    "with a damaged table": (
        saved().replace(b"PK\x01\x02", b"PK\x01\x03"),
        "its end is missing, or it is damaged",
    ),
    "old, cut short": (
        saved(_use_new_zipfile_serialization=False)[:500],
        "it is damaged, or no file of weights",
    ),
    "text": (b"these are no weights" * 10, "it is damaged, or no file of weights"),
    "zeros": (bytes(4096), "it is damaged, or no file of weights"),
    "JSON": (b'{"a": 1}', "it is damaged, or no file of weights"),
    "safetensors, cut short": (
        (200).to_bytes(8, "little") + b'{"a":{"dtype":"F32"',
        "it is no whole safetensors file",
    ),
}


@pytest.mark.parametrize("what", NO_WEIGHTS)
@pytest.mark.parametrize("suffix", [".pth", ".bin", ""])
def test_a_file_that_is_no_checkpoint_is_named_as_what_it_is(tmp_path, what, suffix):
    content, said = NO_WEIGHTS[what]
    path = tmp_path / f"w{suffix}"
    path.write_bytes(content)
    assert f"model.weights: {path} cannot be read as weights: {said}" in refused(path)


def test_a_folder_and_a_file_that_is_not_there(tmp_path):
    assert "it is a folder. Give the file in it" in refused(tmp_path)
    (tmp_path / "resnet18.pth").write_bytes(b"x")
    said = refused(tmp_path / "resnet_18.pth")
    assert said.endswith("resnet_18.pth does not exist. did you mean 'resnet18.pth'?")
    assert "/no/such/w.pth does not exist. Correct the path" in refused("/no/such/w.pth")


class Settings:
    """An object that only unsafe unpickling makes."""


@pytest.mark.parametrize("form", ["zip", "legacy", "plain pickle", "a whole network"])
def test_objects_in_a_checkpoint_are_named_and_never_made(tmp_path, form):
    path, tree = tmp_path / "w.pth", {"state_dict": {"a": torch.zeros(1)}, "config": Settings()}
    if form == "a whole network":
        torch.save(torch.nn.Sequential(torch.nn.Conv2d(1, 1, 1)), path)
    elif form == "plain pickle":
        path.write_bytes(pickle.dumps({"config": Settings()}, protocol=2))
    else:
        torch.save(tree, path, _use_new_zipfile_serialization=form == "zip")
    said = refused(path)
    named = "torch.nn.modules.container.Sequential" if "whole" in form else "Settings"
    assert named in said
    assert "beside tensors it holds objects of Python (" in said
    assert "safetensors.torch.save_file(model.state_dict(), 'weights.safetensors')" in said


def test_shapes_are_read_without_the_values(resnet, tmp_path):
    save_file(resnet, tmp_path / "a.safetensors")
    torch.save({"model": resnet}, tmp_path / "a.pth")
    for name, below in (("a.safetensors", ""), ("a.pth", "model.")):
        found = read_tensors(tmp_path / name, shapes_alone=True)
        assert {tensor.device.type for tensor in found.values()} == {"meta"}
        wanted = {below + key: tensor.shape for key, tensor in resnet.items()}
        assert {key: tensor.shape for key, tensor in found.items()} == wanted


def test_a_name_of_an_enum_is_checked_without_a_download(monkeypatch):
    def download(*_, **__):
        raise AssertionError("a check downloads nothing")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", download)
    check_initial(config("DEFAULT"), 3)
    check_initial(config("IMAGENET1K_V1"), 3)
    check_initial(config("random"), 3)
    assert "'IMAGENET' is unknown for resnet18" in refused("IMAGENET")
