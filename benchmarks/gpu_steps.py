"""What makes a training step on a GPU fast: each cure by itself, and all of them.

    python benchmarks/gpu_steps.py [--out docs/results/performance_gpu_steps.csv]
    python benchmarks/gpu_steps.py --device cpu --quick     # that the script runs

A step of self-training, as the rounds take it, on random crops, under frozen BatchNorm. By the
clock, for the waiting of the host is what most of it is about; medians of blocks of ten steps.

    as before       BatchNorm apart, the loss read in every step, plain optimiser
    fused           torch's fused optimiser
    + BatchNorm     computed in the convolutions (`tpld.models.folding`)
    + losses        read every ten steps: what the pipeline does now
    + compiled      the network by torch.compile; not in the pipeline
    + CUDA graph    forward and backward pass of the network replayed; not in the pipeline
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import SGD
from torch.utils.flop_counter import FlopCounterMode

from tpld.compute.runtime import resolve
from tpld.config import Compute, load_config
from tpld.core.losses import self_training_loss
from tpld.models.batchnorm import set_batch_norm
from tpld.models.deeplabv2 import upsample
from tpld.models.registry import build_model

STEPS = {"deeplabv2_resnet101": (2, 512, 1024), "deeplabv2_efficientnet_lite0": (4, 240, 320)}
QUICK = {"deeplabv2_resnet18": (2, 64, 64), "deeplabv2_efficientnet_lite0": (2, 64, 64)}
CLASSES, BLOCK = 19, 10
CURES = ("as before", "fused", "+ BatchNorm", "+ losses", "+ compiled", "+ CUDA graph")


class Step:
    """A step with the first cures of `CURES`, and a caller of the network for the last two."""

    def __init__(self, name: str, shape: tuple[int, int, int], cure: str, device: Any) -> None:
        place = CURES.index(cure)
        torch.manual_seed(0)
        self.runtime = resolve(Compute(device=device), name)
        model = {"name": name, "output_stride": 16 if "lite" in name else 8}
        network = self.runtime.place(build_model(load_config({"model": model}), CLASSES))
        batch, *size = shape
        self.size = (size[0], size[1])
        where = self.runtime.device
        self.images = self.runtime.images(torch.randn(batch, 3, *size))
        settle(network, self.images)
        if place >= CURES.index("+ BatchNorm"):
            set_batch_norm(network, "frozen")
        else:
            freeze(network)
        trained = [p for p in network.parameters() if p.requires_grad]
        self.optimizer = SGD(trained, 5e-5, momentum=0.9, fused=place >= CURES.index("fused"))
        self.reads = 1 if place < CURES.index("+ losses") else BLOCK
        self.forward: Callable[[Tensor], Tensor] = network
        if cure == "+ compiled":
            self.forward = torch.compile(network)
        if cure == "+ CUDA graph":
            with self.runtime.autocast():
                self.forward = torch.cuda.make_graphed_callables(network, (self.images,))
        self.label = torch.randint(0, CLASSES, (batch, *size), device=where)
        self.is_target = torch.arange(batch, device=where) % 2 == 0
        self.log_bar = torch.full((CLASSES,), -0.1, device=where)

    def __call__(self) -> Tensor:
        """One step; its loss, which nobody has waited for."""
        self.optimizer.zero_grad(set_to_none=True)
        with self.runtime.autocast():
            logits = self.forward(self.images)
        full = upsample(logits, self.size)
        loss = self_training_loss(full, self.label, self.is_target, self.log_bar)
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def block(self) -> None:
        """Ten steps, with their losses read one at a time or together."""
        losses = []
        for _ in range(BLOCK):
            losses.append(self())
            if self.reads == 1:
                losses[-1].item()
        torch.stack(losses).tolist()


def freeze(network: nn.Module) -> None:
    """Frozen BatchNorm as separate operations."""
    network.train()
    for module in network.modules():
        if isinstance(module, _BatchNorm):
            module.eval().requires_grad_(False)


@torch.no_grad()
def settle(network: nn.Module, images: Tensor) -> None:
    """Take running statistics from these images: frozen at 0 and 1, random weights overflow."""
    network.train()
    for module in network.modules():
        if isinstance(module, _BatchNorm):
            module.momentum = 1.0
    network(images)


def rows(name: str, shape: tuple[int, int, int], device: str, blocks: int) -> list[dict[str, Any]]:
    """One row a cure, each with its gain over the first."""
    found: list[dict[str, Any]] = []
    for cure in CURES:
        if device == "cpu" and cure in CURES[4:]:
            continue  # neither pays nor exists there
        step = Step(name, shape, cure, device)
        step.block()
        if device != "cpu":
            torch.cuda.reset_peak_memory_stats()
        times = []
        for _ in range(blocks):
            began = time.perf_counter()
            step.block()
            times.append(1000 * (time.perf_counter() - began) / BLOCK)
        row: dict[str, Any] = {"network": name, "step": cure, "ms": statistics.median(times)}
        row["gain"] = found[0]["ms"] / row["ms"] if found else 1.0
        if cure == "as before":
            with FlopCounterMode(display=False) as counter:
                step()
            operations = counter.get_total_flops()
        row["TFLOP/s"] = 1e-9 * operations / row["ms"]
        row["peak GB"] = torch.cuda.max_memory_allocated() / 1e9 if device != "cpu" else None
        found.append(row)
        print({k: round(v, 3) if isinstance(v, float) else v for k, v in row.items()}, flush=True)
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--quick", action="store_true", help="small networks and crops")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error("torch sees no GPU here; run it on a machine with one, or with --device cpu")
    table = [
        row
        for name, shape in (QUICK if options.quick else STEPS).items()
        for row in rows(name, shape, options.device, 1 if options.quick else 5)
    ]
    if options.out:
        pd.DataFrame(table).to_csv(options.out, index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
