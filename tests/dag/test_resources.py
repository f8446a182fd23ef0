import math

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from tpld.config import Config, load_config
from tpld.dag.resources import _NETWORKS, crops_of, merging, need, network_of
from tpld.data.extent import Extent, extent_of
from tpld.data.sources import list_files
from tpld.models.registry import build_model

CITYSCAPES = Extent(2975, 1024, 2048)
GTA5 = Extent(24966, 1052, 1914)


def paper(**compute) -> Config:
    """The paper's network and values."""
    return Config(compute=compute)


def ask(stage: str, config: Config | None = None, extent: Extent = CITYSCAPES, **keys):
    config = config or paper()
    crops = crops_of(config, stage, GTA5, CITYSCAPES, 150_000)
    return need(config, stage, extent, 19, 8, **{"crops": crops, **keys})


def test_gpus_are_asked_where_a_network_runs():
    with_network = ("train_source", "train_round", "train_phase2", "train_adversarial", "dump")
    for stage in (*with_network, "evaluate"):
        assert ask(stage).gpus == 1
        assert ask(stage, paper(device="cpu")).gpus == 0
    for stage in ("check_data", "prepare", "thresholds", "label", "score", "assess"):
        assert ask(stage).gpus == 0
    assert ask("train_source", paper(devices=4)).gpus == 4
    assert ask("train_round", paper(devices=4)).gpus == 2, "two crops a step"
    assert ask("dump", paper(devices=4)).gpus == 1


def test_the_formula_by_hand():
    # 2975 images of 2.097 megapixels, 0.20 s of one core each; eight cores.
    seconds = 2975 * 1.024 * 2.048 * 0.20 / 8
    assert ask("thresholds").minutes == math.ceil((10 + 2 * seconds / 60) / 5) * 5
    assert ask("thresholds").mem_mb == 1500  # 1000 + 200 * 2.1
    # A GPU: 100 000 steps of 4 crops of 500x500, forward and backward.
    seconds = 100_000 * 4 * 0.25 * 3 * 1396 / 10_000
    assert ask("train_source").minutes == math.ceil((10 + 2 * seconds / 60) / 5) * 5


def test_time_grows_with_images_and_falls_with_parts():
    for stage in ("dump", "thresholds", "label", "score", "label_easy", "prepare", "evaluate"):
        more = ask(stage, extent=CITYSCAPES._replace(images=100 * 2975))
        assert more.minutes - 10 > 20 * (ask(stage).minutes - 15)
        assert more.minutes > 60
        assert more.mem_mb == ask(stage).mem_mb, "one image at a time"
        half = ask(stage, extent=CITYSCAPES._replace(images=100 * 2975), parts=50)
        assert half.minutes - 10 <= (more.minutes - 10) / 50 + 5, "and the ten minutes stay"


def test_a_round_sees_target_and_source_crops():
    config = paper()
    assert crops_of(config, "train_round", GTA5, CITYSCAPES) == pytest.approx(
        2 * (2975 + 0.06 * 24966)
    )
    assert crops_of(config, "train_phase2", GTA5, CITYSCAPES) == pytest.approx(2 * 2 * 0.7 * 2975)
    assert crops_of(config, "train_adversarial", GTA5, CITYSCAPES, 1000) == 1000
    assert crops_of(config, "dump", GTA5, CITYSCAPES) == 0


def test_on_a_cpu_memory_holds_what_the_backward_pass_needs():
    small = load_config(
        {
            "model": {"name": "deeplabv2_resnet18", "output_stride": 16, "weights": "random"},
            "source_training": {"batch_norm": "train"},
            "compute": {"device": "cpu"},
        }
    )
    large = ask("train_round", paper(device="cpu"))
    assert large.mem_mb > 2 * 0.524 * 7054, "two crops of 512x1024 in ResNet-101"
    assert ask("train_round", small).mem_mb < large.mem_mb / 2
    # On a GPU they are not the host's.
    assert ask("train_round").mem_mb < large.mem_mb


def test_putting_parts_together_is_small():
    assert merging(CITYSCAPES) == (0, 1000, 15)


@pytest.mark.parametrize(
    ("name", "stride"), [("deeplabv2_resnet18", 16), ("deeplabv2_resnet34", 8)]
)
def test_the_table_of_networks_is_what_torch_counts(name, stride):
    config = load_config({"model": {"name": name, "output_stride": stride}})
    with torch.device("meta"):
        network, image = build_model(config, 19), torch.empty(1, 3, 512, 512)
    kept = {}

    def keep(tensor):
        kept[tensor.untyped_storage()._cdata] = tensor
        return tensor

    hooks = torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor)
    with FlopCounterMode(display=False) as counter, hooks:
        network.train()(image)
    own = {p.untyped_storage()._cdata for p in network.parameters()}
    activations = sum(t.untyped_storage().nbytes() for key, t in kept.items() if key not in own)
    megapixels, said = 0.512**2, network_of(config)
    assert counter.get_total_flops() / 1e9 / megapixels == pytest.approx(said.gflop, rel=0.01)
    assert activations / 1e6 / megapixels == pytest.approx(said.kept_mb, rel=0.01)
    weights = sum(p.numel() for p in network.parameters()) / 1e6
    assert weights == pytest.approx(said.weights_m, abs=0.6)


def test_an_unknown_network_counts_as_the_largest():
    config = load_config({"model": {"name": "torchvision/fcn_resnet101"}})
    assert network_of(config) == max(_NETWORKS.values())


def test_the_extent_of_a_split(folders):
    config = folders.config()
    assert extent_of(config, "target_train", list_files(config, "target_train")) == (3, 32, 48)
    assert extent_of(config, "target_train", None) == (3000, 1024, 2048)
    city = Config(data={"city": {"target_train": 5, "height": 64, "width": 128}})
    assert extent_of(city, "target_train", None) == (5, 64, 128)
    folders.folder["target"]["resize"] = [16, 24]
    config = folders.config()
    assert extent_of(config, "target_train", list_files(config, "target_train"))[1:] == (16, 24)
