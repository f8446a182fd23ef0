"""Models of Hugging Face transformers from a local directory, tiny and random."""

import sys

import pytest
import torch
import transformers

from tpld.compute.runtime import resolve
from tpld.config import Compute, SelfTraining, load_config
from tpld.errors import ConfigError
from tpld.models.batchnorm import set_batch_norm
from tpld.models.registry import build_model
from tpld.models.weights import load_initial, load_trained, save_model
from tpld.training.optim import make_sgd


def config(directory):
    return load_config({"model": {"name": "transformers", "weights": str(directory)}})


@pytest.fixture(scope="module")
def segformer():
    torch.manual_seed(0)
    settings = transformers.SegformerConfig(
        num_encoder_blocks=2,
        depths=[1, 1],
        sr_ratios=[2, 1],
        hidden_sizes=[8, 16],
        patch_sizes=[7, 3],
        strides=[4, 2],
        num_attention_heads=[1, 2],
        mlp_ratios=[2, 2],
        decoder_hidden_size=8,
        num_labels=7,
    )
    return transformers.SegformerForSemanticSegmentation(settings)


@pytest.fixture()
def directory(segformer, tmp_path):
    segformer.save_pretrained(tmp_path / "b0")
    return tmp_path / "b0"


def test_segformer_keeps_all_but_the_classifier_of_other_classes(directory, segformer):
    network = build_model(config(directory), 3)
    said = load_initial(network, config(directory))
    lost = "['decode_head.classifier.bias', 'decode_head.classifier.weight']"
    count = len(segformer.state_dict()) - 2
    assert said == f"{directory}: {count} matched, 2 missing {lost}, 2 unexpected {lost}"
    own = network.model.state_dict()
    same = [k for k, v in segformer.state_dict().items() if torch.equal(own[k], v)]
    assert len(same) == count
    assert network.eval()(torch.zeros(1, 3, 64, 96)).shape == (1, 3, 16, 24)
    assert len(network.forward_heads(torch.zeros(1, 3, 64, 64))) == 1


def test_its_head_learns_faster_and_its_batch_norm_stays(directory):
    network = build_model(config(directory), 3)
    load_initial(network, config(directory))
    set_batch_norm(network, "frozen")
    assert not network.model.decode_head.batch_norm.training
    slow, fast = make_sgd(network, SelfTraining(), 1e-4).param_groups
    trained = {id(p) for p in network.model.decode_head.parameters() if p.requires_grad}
    assert {id(p) for p in fast["params"]} == trained
    assert {id(p) for p in slow["params"]} == {id(p) for p in network.model.segformer.parameters()}


def test_our_checkpoint_of_it_loads_by_the_directory(directory, tmp_path):
    network = build_model(config(directory), 3)
    save_model(network, tmp_path / "m.safetensors", {})
    threads = torch.get_num_threads()
    runtime = resolve(Compute(device="cpu", threads=1))
    other = load_trained(config(directory), 3, tmp_path / "m.safetensors", runtime)
    torch.set_num_threads(threads)
    mine = network.state_dict()
    assert all(torch.equal(v, mine[k]) for k, v in other.state_dict().items())


def test_weights_saved_in_half_precision_train_in_float32(segformer, tmp_path):
    half = transformers.SegformerForSemanticSegmentation(segformer.config).half()
    half.save_pretrained(tmp_path)
    network = build_model(config(tmp_path), 7)
    load_initial(network, config(tmp_path))
    assert {p.dtype for p in network.parameters()} == {torch.float32}


def test_dinov2_gets_a_linear_head_and_whole_patches(tmp_path):
    settings = transformers.Dinov2Config(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, mlp_ratio=2, image_size=56
    )
    dino = transformers.Dinov2Model(settings)
    dino.save_pretrained(tmp_path)
    network = build_model(config(tmp_path), 3)
    said = load_initial(network, config(tmp_path))
    count = len(dino.state_dict())
    assert f"{count} matched, 2 missing ['classifier.bias', 'classifier.weight']" in said
    logits = network(torch.randn(1, 3, 60, 85))  # 5 and 7 patches of 14 pixels, begun ones too
    assert logits.shape == (1, 3, 5, 7)
    assert sum(p.numel() for p in network.head.parameters()) == 16 * 3 + 3


def test_a_pickle_is_not_loaded(directory, segformer):
    (directory / "model.safetensors").unlink()
    torch.save(segformer.state_dict(), directory / "pytorch_model.bin")
    network = build_model(config(directory), 3)
    with pytest.raises(ConfigError, match="cannot be used"):
        load_initial(network, config(directory))


def test_no_directory(tmp_path):
    with pytest.raises(ConfigError, match=r"model\.weights: DEFAULT is no local directory of a"):
        build_model(config("DEFAULT"), 3)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ConfigError, match=f"{tmp_path} cannot be used"):
        build_model(config(tmp_path), 3)


def test_other_heads(directory):
    with pytest.raises(ConfigError, match="has a single head, not 'twin' ones"):
        build_model(config(directory), 3, "twin")


def test_the_extra_that_is_not_installed(directory, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ConfigError, match=r"pip install 'tpld\[transformers\]'"):
        build_model(config(directory), 3)
