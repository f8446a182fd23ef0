import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import two_processes as both
from torch.distributed.run import parse_args

from tpld.compute import launch
from tpld.compute.distributed import Processes
from tpld.compute.launch import processes_of, spread
from tpld.config import Adversarial, Config, Phase2, SelfTraining, SourceTraining
from tpld.training.adversarial import AdversarialBatches
from tpld.training.phase2 import Phase2Batches, Phase2Data
from tpld.training.self_training import RoundBatches, RoundData
from tpld.training.source import SourceBatches

ROOT = Path(__file__).parents[2]
TWO = [Processes(0, 2), Processes(1, 2)]
CROPPED = {"crop": (32, 32), "batch_norm": "train"}


@pytest.fixture(scope="module")
def of_two(tmp_path_factory):
    """What two processes found together."""
    out = tmp_path_factory.mktemp("two")
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [sys.executable, *torchrun, both.__file__, str(out)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return torch.load(out / "found.pt", weights_only=True)


def test_a_step_of_two_processes_has_the_gradients_of_one(of_two, runtime):
    alone, together = both.gradients(runtime), of_two["gradients"]
    assert alone.keys() == together.keys()
    for name in both.CASES:
        assert any(key.startswith(f"{name}: network.") for key in alone)
    for key, gradient in alone.items():
        assert torch.isfinite(gradient).all()
        assert gradient.any(), key
        assert torch.allclose(together[key], gradient, rtol=1e-5, atol=1e-6), key
        assert (together[key] - gradient).abs().max() <= 1e-6, key


def test_two_processes_resume_in_the_same_bits(of_two):
    assert of_two["resumed"] is True
    # Noise is each process's own: twice the same number would be a sum of two equal ones.
    torch.manual_seed(0)
    both.TwoHeads()
    assert of_two["noise"][0] != pytest.approx(2 * torch.rand(()).item())


def test_a_loss_that_is_not_finite_stops_all_and_names_all_files(of_two):
    assert "step 3: loss is nan on the batch image0, image1, image2." in of_two["spoilt"]


def test_threads_are_shared(of_two):
    assert of_two["threads"] == 1


# --- which crops each process draws ---------------------------------------------------------------


def joined(parts: list[dict], key: str):
    """The crops of both processes, in order."""
    values = [part[key] for part in parts]
    return torch.cat(values) if torch.is_tensor(values[0]) else [x for v in values for x in v]


@pytest.mark.parametrize("count", [2, 3, 5])
def test_slots_are_a_partition(count):
    for size in range(1, count + 1):
        found = [slot for rank in range(size) for slot in Processes(rank, size).slots(count)]
        assert found == list(range(count))
        assert all(len(Processes(rank, size).slots(count)) for rank in range(size))


def test_two_processes_draw_the_joint_source_batch(folders):
    cache = folders.cache("source_train")
    section = SourceTraining(batch_size=3, **CROPPED)
    alone = SourceBatches(cache, section, 7)[4]
    parts = [SourceBatches(cache, section, 7, place)[4] for place in TWO]
    for key in alone:
        whole = joined(parts, key)
        assert torch.equal(whole, alone[key]) if torch.is_tensor(whole) else whole == alone[key]


def test_two_processes_mine_the_crops_of_one(folders, make_labels):
    source, target = folders.cache("source_train"), folders.cache("target_train", ("images",))
    truth = folders.cache("target_train", ("labels",))
    labels = make_labels(target.names, [truth.label(i) for i in range(len(target))])
    section = SelfTraining(batch_size=3, mining_probability=1, source_share=0.5, **CROPPED)
    data = RoundData(source, target, labels, [1])
    for step in range(3):
        alone = RoundBatches(data, section, 1, 7)[step]
        parts = [RoundBatches(data, section, 1, 7, place)[step] for place in TWO]
        assert [len(part["names"]) for part in parts] == [1, 2]
        for key in ("image", "label", "is_target"):
            assert torch.equal(joined(parts, key), alone[key]), key
        assert joined(parts, "names") == alone["names"]


def test_two_processes_draw_the_joint_pairs(folders, make_predictions):
    target = folders.cache("target_train", ("images",))
    dump = make_predictions(target.names, (32, 48))
    data = Phase2Data(target, dump, torch.zeros(3).numpy(), [0, 1], [2])
    section, crops = Phase2(pairs=2), SelfTraining(**CROPPED)
    alone = Phase2Batches(data, section, crops, 0, 7)[1]
    parts = [Phase2Batches(data, section, crops, 0, 7, place)[1] for place in TWO]
    for place, part in enumerate(parts):
        assert torch.equal(part["image"], alone["image"][[place, place + 2]])
        assert torch.equal(part["soft_label"][0], alone["soft_label"][place])


def test_two_processes_draw_the_joint_images_of_both_domains(folders):
    caches = folders.cache("source_train"), folders.cache("target_train", ("images",))
    section = Adversarial(batch_size=3, source_size=(32, 32), target_size=(32, 40))
    alone = AdversarialBatches(*caches, section, 9, 7)[5]
    parts = [AdversarialBatches(*caches, section, 9, 7, place)[5] for place in TWO]
    for key in ("source", "label", "target"):
        assert torch.equal(joined(parts, key), alone[key])


# --- starting them --------------------------------------------------------------------------------


def config(devices: int) -> Config:
    return Config(compute={"devices": devices}, source_training={"batch_norm": "train"})


def test_a_batch_smaller_than_the_devices_bounds_them():
    found = [
        processes_of(config(4), stage)
        for stage in ("train_source", "train_round", "train_phase2", "train_adversarial", "dump")
    ]
    assert found == [4, 2, 1, 1, 1]


def test_a_training_becomes_torchrun_with_its_own_arguments(monkeypatch):
    started = []
    monkeypatch.setattr(os, "execv", lambda *call: started.append(call))
    for name in ("OMP_NUM_THREADS", "PYTHONSAFEPATH"):
        monkeypatch.setenv(name, "1")  # as they were, afterwards
    own = ["train-source", "--seed", "3", "--log", "x.log", "--out", "y"]
    monkeypatch.setattr(sys, "argv", ["tpld", *own])
    spread(config(1), "train_source")
    assert started == []
    spread(config(2), "train_source")
    ((program, arguments),) = started
    assert program == sys.executable
    assert arguments[1:3] == ["-m", "torch.distributed.run"]
    understood = parse_args(arguments[3:])
    assert (understood.nproc_per_node, understood.standalone, understood.module) == (
        "2",
        True,
        True,
    )
    assert [understood.training_script, *understood.training_script_args] == ["tpld", *own]
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    spread(config(2), "train_source")
    assert len(started) == 1, "a copy does not start copies"
    assert launch.place() == (1, 2)
