"""What a GPU does for the pipeline: steps, predictions, memory, voting, equal weights.

    python benchmarks/gpu.py [--out docs/results/performance_gpu.csv]

Each row beside its limit of the same run: a large bfloat16 or TF32 matrix product for networks, a
copy on the GPU for voting. Medians of CUDA's own timers after a warm-up. Operations are counted by
torch, two for a multiplication and addition. Random images; random weights.
"""

import argparse
import itertools
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numba
import numpy as np
import pandas as pd
import torch
from core import Scene
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from tpld.compute.runtime import Runtime, resolve
from tpld.config import Compute, load_config
from tpld.core.losses import self_training_loss
from tpld.core.selection import select_from_logs, top_two_from_logs
from tpld.core.voting import vote
from tpld.core.voting_torch import TensorCandidates
from tpld.core.voting_torch import vote as vote_in_torch
from tpld.models.batchnorm import set_batch_norm
from tpld.models.deeplabv2 import upsample
from tpld.models.registry import build_model
from tpld.training.optim import make_sgd

STEPS = {
    "deeplabv2_resnet101": (2, 512, 1024),
    "deeplabv2_vgg16": (2, 512, 1024),
    "deeplabv2_efficientnet_lite0": (4, 240, 320),
}
IMAGE = (1024, 2048)
CLASSES = 19


def milliseconds(work: Callable[[], object], runs: int = 20, warm: int = 5) -> float:
    """Median time of a call on the GPU, by events; the host's waiting counts."""
    for _ in range(warm):
        work()
    times = []
    for _ in range(runs):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        work()
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end))
    return statistics.median(times)


def limits() -> dict[str, float]:
    """TFLOP/s of a matrix product in both precisions, GB/s of a copy (read and written)."""
    size, found = 8192, {}
    torch.backends.cuda.matmul.allow_tf32 = True
    for name, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        a, b = (torch.randn(size, size, device="cuda", dtype=dtype) for _ in range(2))
        found[name] = 2e-9 * size**3 / milliseconds(lambda a=a, b=b: a @ b)
    source = torch.randn(2**30 // 4, device="cuda")
    target = torch.empty_like(source)
    found["copy"] = 2e-6 * source.nbytes / milliseconds(lambda: target.copy_(source))
    return found


class Training:
    """A self-training step of a network, as the rounds take it, on random crops."""

    def __init__(self, name: str, precision: str, deterministic: bool = False) -> None:
        torch.manual_seed(0)
        self.runtime: Runtime = resolve(
            Compute(device="cuda", precision=precision, deterministic=deterministic)  # pyright: ignore[reportArgumentType]
        )
        model: dict[str, object] = {"name": name, "weights": "random"}
        if "lite" in name:  # as the CamVid presets have it
            model |= {"output_stride": 16, "aspp_dilations": [2, 4, 6, 8]}
        config = load_config({"model": model, "source_training": {"batch_norm": "train"}})
        self.network: nn.Module = self.runtime.place(build_model(config, CLASSES))
        batch, *self.size = STEPS[name]
        self.images = self.runtime.images(torch.randn(batch, 3, *self.size))
        settle_batch_norm(self.network, self.images)
        set_batch_norm(self.network, "frozen")
        self.optimizer = make_sgd(self.network, config.self_training, 5e-5)
        self.label = torch.randint(0, CLASSES, (batch, *self.size), device="cuda")
        self.is_target = torch.arange(batch, device="cuda") % 2 == 0
        self.log_bar = torch.full((CLASSES,), -0.1, device="cuda")

    def __call__(self) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        with self.runtime.autocast():
            logits = self.network(self.images)
        self_training_loss(
            upsample(logits, (self.size[0], self.size[1])), self.label, self.is_target,
            self.log_bar, mrkld_weight=0.01, beta=0.95,
        ).backward()  # fmt: skip
        self.optimizer.step()


@torch.no_grad()
def settle_batch_norm(network: nn.Module, images: Tensor) -> None:
    """Take running statistics from these images: frozen at 0 and 1, random weights overflow."""
    network.train()
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = 1.0
    network(images)


def operations(work: Callable[[], object]) -> float:
    """TFLOP of a call."""
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops() / 1e12


def training_row(
    name: str, precision: str, limit: dict[str, float], search: bool = False
) -> dict[str, object]:
    """`search`: cuDNN tries its algorithms and keeps the fastest, which the pipeline does not."""
    torch.backends.cudnn.benchmark = search
    step = Training(name, precision)
    batch, height, width = STEPS[name]
    title = f"training step, {name}, {batch} x {height}x{width}{', cuDNN searches' * search}"
    return network_row(title, precision, limit, step)


def prediction_row(name: str, precision: str, limit: dict[str, float]) -> dict[str, object]:
    """An image and its mirror image, logits as the dump stores them."""
    step = Training(name, precision)
    images = step.runtime.images(torch.randn(2, 3, *IMAGE))
    step.network.eval()

    def predict() -> Tensor:
        with torch.inference_mode(), step.runtime.autocast():
            return step.network(images)

    title = f"prediction, {name}, an image of {IMAGE[0]}x{IMAGE[1]} and its mirror image"
    return network_row(title, precision, limit, predict)


def network_row(
    title: str, precision: str, limit: dict[str, float], work: Callable[[], object]
) -> dict[str, object]:
    """Time, rate and peak memory of a call."""
    work()
    torch.cuda.reset_peak_memory_stats()
    took, count = milliseconds(work), operations(work)
    return {
        "work": title,
        "precision": precision,
        "ms": took,
        "TFLOP/s": 1e3 * count / took,
        "of the limit, %": 1e5 * count / took / limit[precision],
        "peak GB": torch.cuda.max_memory_allocated() / 1e9,
    }


def voting_rows(limit: dict[str, float]) -> list[dict[str, object]]:
    """Three iterations on one image: the torch function on the GPU, the kernel on the CPU."""
    seen = Scene(IMAGE)
    label, best = select_from_logs(seen.log_p, seen.bar)
    candidates = top_two_from_logs(seen.log_p, seen.bar)
    on_gpu = [torch.from_numpy(part).cuda() for part in (label, best, *candidates)]

    def kernel():
        return vote(label, candidates, best, num_classes=CLASSES)

    def in_torch():
        tensors = TensorCandidates(*on_gpu[2:])
        return vote_in_torch(on_gpu[0], tensors, on_gpu[1], num_classes=CLASSES)

    for ours, theirs in zip(kernel(), in_torch(), strict=True):
        if not np.array_equal(ours, theirs.cpu().numpy()):
            raise SystemExit("voting in torch differs from the kernel")
    times = []
    for _ in range(5):
        began = time.perf_counter()
        kernel()
        times.append(1e3 * (time.perf_counter() - began))
    moved = 2e-6 * seen.log_p.nbytes / limit["copy"]  # R+W of the softmax, on the GPU
    work = f"voting, window 57, three iterations, {IMAGE[0]}x{IMAGE[1]}"
    took = milliseconds(in_torch)
    return [
        {"work": f"{work}, torch", "ms": took, "R+W": took / moved},
        {
            "work": f"{work}, kernel on {numba.get_num_threads()} CPU threads",
            "ms": statistics.median(times),
        },
    ]


def weights_after(deterministic: bool, steps: int = 5) -> tuple[Tensor, float]:
    """All weights after some steps, and the milliseconds of a step."""
    step = Training("deeplabv2_resnet101", "bfloat16", deterministic)
    for _ in range(steps):
        step()
    weights = torch.cat([p.detach().flatten() for p in step.network.parameters()])
    if not weights.isfinite().all():
        raise SystemExit("weights have overflown: nothing can be said of determinism")
    return weights.cpu(), milliseconds(step, runs=10)


def determinism_rows() -> list[dict[str, object]]:
    """Whether two runs end with equal weights, with and without `compute.deterministic`."""
    rows = []
    for deterministic in (False, True):
        # cuBLAS reads what makes it deterministic when it starts: a process of its own.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            (one, took), (two, _) = pool.map(weights_after, [deterministic] * 2)
        rows.append(
            {
                "work": f"training step, deeplabv2_resnet101, deterministic: {deterministic}",
                "precision": "bfloat16",
                "ms": took,
                "weights that differ, %": 100 * (one != two).float().mean().item(),
            }
        )
    return rows


def rows(limit: dict[str, float]) -> Iterator[dict[str, object]]:
    """Every row of the table."""
    for name, precision in itertools.product(STEPS, ("float32", "bfloat16")):
        yield training_row(name, precision, limit)
    for name in STEPS:
        yield training_row(name, "bfloat16", limit, search=True)
    torch.backends.cudnn.benchmark = False
    for precision in ("float32", "bfloat16"):
        yield prediction_row("deeplabv2_resnet101", precision, limit)
    yield from voting_rows(limit)
    yield from determinism_rows()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--out", type=Path)
    out = parser.parse_args().out
    if not torch.cuda.is_available():
        parser.error("torch sees no GPU here; run it on a machine with one")
    limit = limits()
    print(
        f"{torch.cuda.get_device_name()}: {limit['float32']:.0f} TFLOP/s in TF32, "
        f"{limit['bfloat16']:.0f} in bfloat16, copy {limit['copy']:.0f} GB/s", flush=True,
    )  # fmt: skip
    table = []
    for row in rows(limit):
        table.append(row)
        print({k: round(v, 2) if isinstance(v, float) else v for k, v in row.items()}, flush=True)
        if out:
            pd.DataFrame(table).to_csv(out, index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
