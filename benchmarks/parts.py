"""What single cures of a training step are worth on this CPU, and the rate that bounds them all.

    python benchmarks/parts.py [--out docs/results/performance_parts.csv]        # five minutes

Medians; the two of a row take turns. The allocators need their libraries (Debian: libjemalloc2,
libmimalloc2.0, libtcmalloc-minimal4) and are left out where they are missing.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tpld.cli import begin_process  # importing it sets how OpenMP waits, before torch is loaded

# isort: split
import pandas as pd
import torch
from beside import STEP, environment
from depthwise import milliseconds
from torch import Tensor, nn

from tpld.config import load_config
from tpld.models.deeplabv2 import SummedASPP
from tpld.models.folding import fold_batch_norm
from tpld.models.registry import build_model

HERE = Path(__file__).resolve().parents[1]
NETWORK = "deeplabv2_efficientnet_lite0"
LIBRARIES = Path("/usr/lib/x86_64-linux-gnu")
TRAININGS = (
    f"{NETWORK} train float32 4 192 256 7",
    f"{NETWORK} frozen float32 4 192 256 7",
    "deeplabv2_resnet18 train float32 4 64 80 15",
)
ALLOCATORS = {
    "jemalloc": "libjemalloc.so.2",
    "mimalloc": "libmimalloc.so.2.0",
    "tcmalloc": "libtcmalloc_minimal.so.4",
}


START = """
import json, re, sys, time
from pathlib import Path
began = time.perf_counter()
from tpld.compute.compiler import leave_out_compiler
if sys.argv[1] == "without":
    leave_out_compiler()
import tpld.stages.evaluate
if sys.argv[1] == "with":
    import torch._dynamo                         # torch did so, one way or another
seconds = time.perf_counter() - began
# Not getrusage's, which starts at what the process that called this one held.
peak = int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024
print(json.dumps({"seconds": seconds, "peak MB": peak}))
"""


def row(name: str, before: float, now: float) -> dict[str, object]:
    return {"what": name, "before ms": before, "now ms": now, "ratio": before / now}


def network(classes: int = 7) -> nn.Module:
    model = {"name": NETWORK, "output_stride": 16, "aspp_dilations": [2, 4, 6, 8]}
    built = build_model(load_config({"model": model}), classes)
    return built.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def rates(repeat: int) -> list[dict[str, object]]:
    """GFLOP/s of a matrix product, and of a dense convolution in either direction."""
    a, b = torch.randn(1024, 1024), torch.randn(1024, 1024)
    image = torch.randn(4, 192, 12, 16).to(memory_format=torch.channels_last).requires_grad_()
    weight = torch.randn(1152, 192, 1, 1, requires_grad=True)
    output = nn.functional.conv2d(image, weight)
    upstream, leaves = torch.randn_like(output), (image, weight)
    works = {
        "matrix product 1024": lambda: a @ b,
        "convolution 192 to 1152, 1x1, forward": lambda: nn.functional.conv2d(image, weight),
        "the same, backward": lambda: torch.autograd.grad(output, leaves, upstream, True),
    }
    count = 2e-6 * output.numel() * 192
    operations = dict(zip(works, (2e-6 * 1024**3, count, 2 * count), strict=True))
    took = milliseconds(works, repeat)
    return [{"what": k, "now ms": took[k], "GFLOP/s": operations[k] / took[k]} for k in works]


def head_row(repeat: int) -> dict[str, object]:
    """Backward pass of the head on 4 crops of 192x256."""
    head = SummedASPP(320, 7, [2, 4, 6, 8])
    features = torch.randn(4, 320, 12, 16).to(memory_format=torch.channels_last).requires_grad_()
    leaves = (features, *head.parameters())
    theirs = head.branches[0](features)
    for branch in head.branches[1:]:
        theirs = theirs + branch(features)
    ours = head(features)
    upstream = torch.randn_like(ours)

    def backward(output: Tensor) -> Callable[[], object]:
        return lambda: torch.autograd.grad(output, leaves, upstream, True)

    took = milliseconds({"torch": backward(theirs), "ours": backward(ours)}, repeat)
    return row("the head's gradients, branch by branch and together", took["torch"], took["ours"])


def optimizer_row(repeat: int) -> dict[str, object]:
    """A step of AdamW on all weights of the network."""
    steps: dict[str, Callable[[], object]] = {}
    for name, fused in (("plain", False), ("fused", True)):
        parameters = list(network().parameters())
        for parameter in parameters:
            parameter.grad = torch.randn_like(parameter)
        steps[name] = torch.optim.AdamW(parameters, fused=fused).step
    took = milliseconds(steps, repeat)
    return row("AdamW of EfficientNet-Lite0, plain and fused", took["plain"], took["fused"])


@torch.inference_mode()
def prediction_rows(repeat: int) -> list[dict[str, object]]:
    """An image of 227x320 and its mirror image, milliseconds an image."""
    plain = network().eval()
    folded = fold_batch_norm(plain)
    images = torch.randn(8, 3, 227, 320).to(memory_format=torch.channels_last)
    pairs = images.split(2)

    def by_threads() -> None:
        def predict(pair: Tensor) -> None:
            torch.set_num_threads(1)
            with torch.inference_mode():
                folded(pair)

        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(predict, pairs))

    threads = torch.get_num_threads()
    works = {
        "plain": lambda: [plain(pair) for pair in pairs],
        "folded": lambda: [folded(pair) for pair in pairs],
        "four at once": lambda: folded(images),
    }
    took = milliseconds(works, repeat)
    torch.set_num_threads(1)
    took |= milliseconds({"a thread an image": by_threads}, repeat)
    torch.set_num_threads(threads)
    per_image = {name: ms / len(pairs) for name, ms in took.items()}
    return [
        row("prediction, BatchNorm apart and folded", per_image["plain"], per_image["folded"]),
        row("folded, and four images at once", per_image["folded"], per_image["four at once"]),
        row("folded, and a thread an image", per_image["folded"], per_image["a thread an image"]),
    ]


def run(script: str, arguments: Sequence[str], variables: dict[str, str]) -> dict[str, float]:
    """What a script prints in a process of its own: seconds and peak MB."""
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(
        command, env=environment(HERE) | variables, check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def start_row(repeat: int) -> dict[str, object]:
    """The imports of `tpld evaluate` with torch's compiler and without."""
    found: dict[str, list[dict[str, float]]] = {"with": [], "without": []}
    for _ in range(repeat):
        for how, runs in found.items():
            runs.append(run(START, [how], {}))
    table = {how: pd.DataFrame(runs).median() for how, runs in found.items()}
    before, now = table["with"], table["without"]
    name = "imports of evaluate, with and without torch's compiler"
    saved = {"peak MB before": before["peak MB"], "peak MB": now["peak MB"]}
    return row(name, 1000 * before["seconds"], 1000 * now["seconds"]) | saved


def allocator_rows(repeat: int) -> list[dict[str, object]]:
    """Training steps with glibc as it is and told to keep memory; the first by others as well."""
    others = {
        name: {"LD_PRELOAD": str(LIBRARIES / file)}
        for name, file in ALLOCATORS.items()
        if (LIBRARIES / file).exists()
    }
    rows = []
    for place, work in enumerate(TRAININGS):
        # A variable of the user's keeps `keep_memory` from doing anything; this one is the default.
        kinds = {"as it is": {"MALLOC_ARENA_MAX": "64"}, "told to keep memory": {}}
        kinds |= {} if place else others
        runs: dict[str, list[dict[str, float]]] = {name: [] for name in kinds}
        for _ in range(repeat):
            for name, variables in kinds.items():
                runs[name].append(run(STEP, work.split(), variables))
        found = {name: pd.DataFrame(several).median() for name, several in runs.items()}
        base = 1000 * found["as it is"]["seconds"]
        for name in list(kinds)[1:]:
            what = f"step {work}: glibc as it is, and {name}"
            peaks = {"peak MB before": found["as it is"]["peak MB"]}
            peaks["peak MB"] = found[name]["peak MB"]
            rows.append(row(what, base, 1000 * found[name]["seconds"]) | peaks)
    return rows


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--repeat", type=int, default=9)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    begin_process()
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    repeat = options.repeat
    rows = [*rates(repeat), head_row(repeat), optimizer_row(repeat), *prediction_rows(repeat)]
    few = max(1, repeat // 3)
    table = pd.DataFrame([*rows, start_row(few), *allocator_rows(few)])
    print(table.round(2).to_markdown(index=False))
    if options.out:
        table.round(3).to_csv(options.out, index=False)


if __name__ == "__main__":
    main()
