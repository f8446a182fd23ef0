"""What `test_processes` runs, once in one process and once in each of two.

python -m torch.distributed.run --standalone --nproc-per-node 2 tests/training/two_processes.py OUT
"""

import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import Dataset

from tpld.compute.runtime import Runtime, resolve
from tpld.config import Adversarial, Compute, Loss, Phase2, SelfTraining, SourceTraining
from tpld.methods import known_methods
from tpld.models.network import Network
from tpld.training.adversarial import AdversarialStep
from tpld.training.loop import Task, run
from tpld.training.phase2 import Phase2Step
from tpld.training.self_training import RoundStep
from tpld.training.source import SourceStep

CROPS, SIZE = 3, (32, 40)  # three crops: one process has one of them, the other two
KEYS = {"momentum": 0.0, "weight_decay": 0.0, "learning_rate": 1e-3, "batch_norm": "frozen"}
BARS = np.log([0.9, 0.8, 0.7])


class TwoHeads(Network):
    """Three classes at stride 4, with BatchNorm that is frozen."""

    def __init__(self, heads="single") -> None:
        super().__init__()
        self.heads = heads
        self.backbone = nn.Sequential(
            nn.Conv2d(3, 8, 5, stride=4, padding=2, bias=False), nn.BatchNorm2d(8), nn.ReLU()
        )
        names = ("main",) if heads == "single" else ("main", "extra")
        self.head = nn.ModuleDict({n: nn.Conv2d(8, 3, 3, padding=1) for n in names})

    def features(self, image):
        found = self.backbone(image)
        return found, found


def discriminator() -> nn.Module:
    """A small one."""
    first, last = nn.Conv2d(3, 8, 4, stride=2, padding=1), nn.Conv2d(8, 1, 4, stride=2, padding=1)
    return nn.Sequential(first, nn.LeakyReLU(0.2), last)


def images() -> torch.Tensor:
    """A joint batch."""
    return torch.randn(CROPS, 3, *SIZE)


def labels() -> torch.Tensor:
    """Of each crop another share is labelled: the joint count is no multiple of a part's."""
    label = torch.randint(0, 3, (CROPS, *SIZE))
    for i in range(CROPS):
        label[i, : 9 * i + 2] = 255
    return label


def part(batch: dict, slots: range) -> dict:
    """The crops of a joint batch at `slots`; one number stands for the pairs of phase 2."""
    return {
        key: value[list(slots)] if torch.is_tensor(value) else value for key, value in batch.items()
    }


def source(runtime: Runtime, slots: range):
    """Plain cross-entropy."""
    network = TwoHeads()
    step = SourceStep(network, SourceTraining(steps=10, **KEYS), runtime)
    return step, part({"image": images(), "label": labels()}, slots), {"network": network}


def round_(runtime: Runtime, slots: range):
    """Bootstrapping of labelled and unlabelled pixels, MRKLD, and source crops."""
    network = TwoHeads()
    loss = Loss(beta=0.6, mrkld_weight=0.1, on_unlabelled=True)
    step = RoundStep(network, SelfTraining(**KEYS), loss, BARS, runtime)
    batch = {
        "image": images(),
        "label": labels(),
        "is_target": torch.tensor([True, False, True]),
        "inside": torch.ones(CROPS, *SIZE, dtype=torch.bool),
    }
    return step, part(batch, slots), {"network": network}


def phase2(runtime: Runtime, slots: range):
    """Full labels, D_intra, and a source crop beside each pair."""
    network, judge = TwoHeads(), discriminator()
    section = Phase2(pairs=CROPS, learning_rate=1e-3, adversarial_weight=0.5, source_crops=1)
    step = Phase2Step(network, judge, section, SelfTraining(**KEYS), Loss(), BARS, runtime)
    easy = {
        "image": images(),
        "soft_label": torch.rand(CROPS, 3, *SIZE),
        "weight": torch.rand(CROPS, *SIZE),
    }
    hard, of_source = images(), images()
    mine = part(easy | {"label": labels()}, slots)
    mine["image"] = torch.cat([mine["image"], hard[list(slots)], of_source[list(slots)]])
    return step, mine, {"network": network, "discriminator": judge}


def adversarial(name: str):
    """A method of METHOD 10, its two passes apart."""

    def make(runtime: Runtime, slots: range):
        made = known_methods()[name]
        network = TwoHeads(made.heads)
        judges = nn.ModuleList(discriminator() for _ in range(made.discriminators))
        section = Adversarial(steps=9, batch_size=CROPS, source_size=SIZE, target_size=SIZE, **KEYS)
        step = AdversarialStep(network, judges, made(made.Options()), section, runtime)
        batch = {"source": images(), "label": labels(), "target": images()}
        return step, part(batch, slots), {"network": network, "discriminators": judges}

    return make


CASES = {
    "source": source,
    "round": round_,
    "phase2": phase2,
    "adaptsegnet": adversarial("adaptsegnet"),
    "clan": adversarial("clan"),
}


def gradients(runtime: Runtime) -> dict[str, torch.Tensor]:
    """Of every parameter after one step of each training, and the joint losses."""
    found = {}
    for name, make in CASES.items():
        torch.manual_seed(0)
        step, batch, modules = make(runtime, runtime.processes.slots(CROPS))
        for key, value in step(batch, 5).items():
            found[f"{name}: loss {key}"] = runtime.processes.sum(value)
        for key, module in modules.items():
            for parameter, tensor in module.named_parameters():
                if tensor.grad is not None:
                    found[f"{name}: {key}.{parameter}"] = tensor.grad
    return found


class Batches(Dataset):
    """Batch t of this process: its crops of the joint batch."""

    def __init__(self, slots: range) -> None:
        self.slots = slots

    def __len__(self):
        return 100

    def __getitem__(self, t):
        generator = torch.Generator().manual_seed(t)
        image = torch.randn(CROPS, 3, *SIZE, generator=generator)
        label = torch.randint(0, 3, (CROPS, *SIZE), generator=generator)
        names = [f"image{slot}" for slot in self.slots]
        return {**part({"image": image, "label": label}, self.slots), "names": names}


class Interrupted(Exception):
    """The kill of a test."""


def train(runtime: Runtime, state: Path, die_at: int | None = None, spoil: int | None = None):
    """History and weights of a training of 7 steps, with noise of each process's own in it."""
    torch.manual_seed(0)
    network = TwoHeads()
    step = SourceStep(network, SourceTraining(steps=10, **{**KEYS, "momentum": 0.9}), runtime)

    def noisy(batch, t):
        if t == die_at:
            raise Interrupted
        losses = step(batch, t) | {"noise": torch.rand(())}
        if t == spoil and not runtime.processes.first:
            losses["loss"] = losses["loss"] * float("nan")
        return losses

    batches = Batches(runtime.processes.slots(CROPS))
    modules, optimizers = {"network": network}, {"sgd": step.optimizer}
    history = run(Task("test", 7, batches, noisy, modules, optimizers, 2, state), runtime)
    return history, network.state_dict()


def main(out: Path) -> None:
    """Run everything; the first process saves what it found."""
    runtime = resolve(Compute(device="cpu", precision="float32", threads=2, workers=0))
    found = {"gradients": gradients(runtime), "threads": torch.get_num_threads()}
    whole, weights = train(runtime, out / "whole.pt")
    try:
        train(runtime, out / "killed.pt", die_at=5)
    except Interrupted:
        resumed, again = train(runtime, out / "killed.pt")
        found["resumed"] = resumed.equals(whole) and all(
            torch.equal(value, again[name]) for name, value in weights.items()
        )
    try:
        train(runtime, out / "spoilt.pt", spoil=3)
    except Exception as error:
        found["spoilt"] = str(error)
    found["noise"] = whole["noise"].tolist()
    if runtime.processes.first:
        torch.save(found, out / "found.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
