"""Times every kernel of the method against what one would write with the usual libraries.

    python benchmarks/core.py [--quick] [--out docs/results/performance_core.csv]

Both sides take turns in one process with the same number of threads; medians. On a machine that
others use too, --clock cpu --threads 1 counts the processor's time instead of the clock's. R+W is
one read and one write of the float32 softmax of an image. Extra memory is the peak of the process
above its state before the call, outputs included. Takes under ten minutes; --quick, on
quarter-size images and without repeats, is for trying it out.
"""

import argparse
import ctypes
import gc
import importlib.util
import os
import re
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as tpld.cli: or two pools fight for the cores

import maps
import numba
import numpy as np
import pandas as pd
import references as ref
import torch
from rich.console import Console
from rich.table import Table

from tpld.core.confidence import confident_counts
from tpld.core.losses import self_training_loss
from tpld.core.mixture import candidates_from_logits, log_probabilities, predict
from tpld.core.selection import normalised_excess, select_from_logs, top_two_from_logs
from tpld.core.thresholds import ConfidenceRanks, log_thresholds
from tpld.core.voting import vote
from tpld.evaluation.metrics import confusion_matrix

K = maps.CLASSES
COLUMNS = ("work", "reference ms", "ours ms", "ratio", "must", "aim", "R+W limit", "extra MB")


@dataclass
class Work:
    """One row: ours against a reference, or against R+W where `must` is a multiple of that."""

    name: str
    ours: Callable[[], object]
    reference: Callable[[], object]
    must: str
    aim: str
    share_of_limit: bool = False


class Scene:
    """One image as the network sees it, at label resolution."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.size, self.logits = size, maps.low_logits(size)
        self.prediction, self.log_p_best = predict(self.logits, size)
        self.bar = own_thresholds([(self.prediction, self.log_p_best)])
        self.log_p = log_probabilities(self.logits, size)
        self.truth = maps.label_map(size)


def works(size: tuple[int, int], small: tuple[int, int], images: int) -> Iterator[Work]:
    """Every row of the table; what a row needs is made when it is asked for."""
    yield from threshold_works(small, images)
    scene = Scene(size)
    yield from voting_works(scene)
    yield from pixel_works(scene)
    yield from loss_works(small)


def voting_works(scene: Scene) -> Iterator[Work]:
    """METHOD 5 on one image."""
    log_p, bar = scene.log_p, scene.bar
    softmax = torch.from_numpy(log_p)
    copy = torch.empty_like(softmax)
    candidates = top_two_from_logs(log_p, bar)
    label, best = select_from_logs(log_p, bar)
    r = [best + 1, candidates.first_excess + 1, candidates.second_excess + 1]

    def voting(window: int, iterations: int = 1) -> None:
        vote(label, candidates, best, num_classes=K, window=window, iterations=iterations)

    def filters(window: int, reference=ref.voting_by_filters) -> np.ndarray:
        first, second = candidates.first, candidates.second
        return reference(label, r[0], first, second, r[1], r[2], window, 0.7)

    if importlib.util.find_spec("cv2"):
        yield Work(
            "voting, one iteration, window 57, against OpenCV", lambda: voting(57),
            lambda: filters(57, ref.voting_by_opencv), "15x", "-", True,
        )  # fmt: skip
    for window in (57, 7):
        yield Work(
            f"voting, one iteration, window {window}",
            lambda w=window: voting(w), lambda w=window: filters(w), "50x", "100x", True,
        )  # fmt: skip
    yield Work("voting: window 57 against 7", lambda: voting(57), lambda: voting(7), "0.91x", "1x")

    def phase_one() -> None:
        found = top_two_from_logs(log_p, bar)
        vote(label, found, best, num_classes=K, iterations=3)

    yield Work(
        "top-2 and 3 iterations, against R+W",
        phase_one,
        lambda: copy.copy_(softmax),
        "9 R+W",
        "3 R+W",
    )


def pixel_works(scene: Scene) -> Iterator[Work]:
    """What looks at each pixel by itself."""
    size, logits, bar, log_p = scene.size, scene.logits, scene.bar, scene.log_p
    prediction, log_p_best, truth = scene.prediction, scene.log_p_best, scene.truth
    in_torch = torch.from_numpy(logits), torch.from_numpy(bar)
    yield Work(
        "logits to top-2",
        lambda: candidates_from_logits(logits, size, bar),
        lambda: ref.top_two_by_torch(in_torch[0], size, in_torch[1]), "6x", "20x", True,
    )  # fmt: skip
    lam, p_last = np.exp(bar), np.ascontiguousarray(np.exp(log_p).transpose(1, 2, 0))
    yield Work(
        "selection from float32",
        lambda: select_from_logs(log_p, bar),
        lambda: ref.selection_by_numpy(p_last, lam), "8x", "40x", True,
    )  # fmt: skip
    excess, p_best = log_p_best - bar[prediction], np.exp(log_p_best)
    yield Work(
        "conf_t",
        lambda: confident_counts(prediction, excess, K),
        lambda: ref.counts_by_masks(prediction, p_best, lam), "11x", "20x",
    )  # fmt: skip
    yield Work(
        "confusion matrix",
        lambda: confusion_matrix(truth, prediction, K),
        lambda: ref.confusion_by_bincount(truth, prediction, K), "4x", "15x",
    )  # fmt: skip


def own_thresholds(images, every: int = 1) -> np.ndarray:
    """log λ at portion 0.2 of (prediction, log confidence) maps."""
    ranks = ConfidenceRanks(K, 0.2, every)
    for step in (ranks.count, ranks.refine):
        for prediction, confidence in images:
            step(prediction, confidence)
    return log_thresholds(ranks.result().value)


def threshold_works(size: tuple[int, int], images: int) -> Iterator[Work]:
    """λ_k over many images: ten different ones in turn, as a store would give them."""
    several = [predict(maps.low_logits(size, i), size) for i in range(min(images, 10))]
    series = [several[i % len(several)] for i in range(images)]
    for every, must, aim in ((1, "30x", "100x"), (4, "-", "-")):
        yield Work(
            f"λ_k of {images} images, every {every}. pixel",
            lambda d=every: own_thresholds(series, d),
            lambda d=every: ref.thresholds_by_lists(series, K, 0.2, d), must, aim,
        )  # fmt: skip
    few = series[: images // 5]
    yield Work(
        f"λ_k of {images // 5} images, the memory of a fifth",
        lambda: own_thresholds(few), lambda: ref.thresholds_by_lists(few, K, 0.2, 1), "-", "-",
    )  # fmt: skip


def loss_works(size: tuple[int, int]) -> Iterator[Work]:
    """Forward and backward on a batch of two crops, sparse labels on the target one."""
    low = [maps.low_logits(size, i) for i in range(2)]
    log_p = np.stack([log_probabilities(views, size) for views in low])
    logits = torch.from_numpy(log_p).requires_grad_()
    label = torch.from_numpy(np.stack([maps.label_map(size, i) for i in range(2)])).long()
    bar = own_thresholds([predict(low[1], size)])
    label[1] = torch.from_numpy(select_from_logs(log_p[1], bar)[0]).long()
    is_target, log_bar = torch.tensor([False, True]), torch.from_numpy(bar)
    sharpened = torch.from_numpy(np.stack([normalised_excess(p, bar) + 1 for p in log_p])) ** 4
    soft = sharpened / sharpened.sum(1, keepdim=True) * (label != 255)[:, None]

    def step(loss: torch.Tensor) -> None:
        logits.grad = None
        loss.backward()

    def ours(**options) -> None:
        step(self_training_loss(logits, label, is_target, log_bar, beta=1, **options))

    yield Work(
        "MRKLD loss and gradient", lambda: ours(mrkld_weight=0.01),
        lambda: step(ref.mrkld_by_tensors(logits, label, is_target, 0.01)), "10x", "15x",
    )  # fmt: skip
    yield Work(
        "LRENT loss and gradient", lambda: ours(mrkld_weight=0, soft_label=soft),
        lambda: step(ref.soft_by_tensors(logits, label, soft)), "7x", "15x",
    )  # fmt: skip


def measure(
    work: Work, runs: int, seconds: float, clock: Callable[[], float]
) -> tuple[float, float, float]:
    """Median milliseconds of the reference and of ours, and our extra memory in MB.

    Both sides take turns, so that whatever else the machine does meets both. A reference so slow
    that `seconds` would not hold `runs` of it is run three times.
    """
    work.ours()
    extra = extra_memory(work.ours)
    slow, fast, started = [], [], time.perf_counter()
    while len(slow) < runs:
        for times, function in ((slow, work.reference), (fast, work.ours)):
            began = clock()
            function()
            times.append(1e3 * (clock() - began))
        if len(slow) >= 3 and time.perf_counter() - started > seconds:
            break
    return statistics.median(slow), statistics.median(fast), extra


def extra_memory(function: Callable[[], object]) -> float:
    """Peak resident memory of a call above what the process held before, in MB (Linux)."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # or the call would find room in what was freed before
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from here
    before = _status("VmRSS")
    function()
    return max(0.0, (_status("VmHWM") - before) / 1000)


def _status(key: str) -> int:
    """A field of /proc/self/status in kB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(key)).split()[1])


def read_and_write_ms(size: tuple[int, int], clock: Callable[[], float]) -> float:
    """R+W: the median of copying one float32 softmax with all threads."""
    source = torch.rand(K, *size)
    target = torch.empty_like(source)
    times = []
    for _ in range(9):
        began = clock()
        target.copy_(source)
        times.append(1e3 * (clock() - began))
    return statistics.median(times)


def main() -> None:
    """Measure every row, print the table and write it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--threads", type=int, default=numba.get_num_threads())
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall")
    parser.add_argument("--only", default="", help="rows whose name this pattern finds")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    numba.set_num_threads(options.threads)
    torch.set_num_threads(options.threads)
    big, small, images = (1024, 2048), (512, 1024), 50
    if options.quick:
        big, small, images = (512, 1024), (256, 512), 10
    runs, seconds = (1, 0) if options.quick else (7, 20)
    clock = time.perf_counter if options.clock == "wall" else time.process_time
    limit, rows = read_and_write_ms(big, clock), []
    console = Console() if Console().is_terminal else Console(width=140)
    console.print(
        f"R+W of {K} x {big[0]} x {big[1]}: {limit:.1f} ms; threads: {options.threads}; "
        f"{options.clock} clock"
    )
    for work in works(big, small, images):
        if not re.search(options.only, work.name):
            continue
        slow, fast, extra = measure(work, runs, seconds, clock)
        ratio = f"{fast / slow:.2f} R+W" if "R+W" in work.must else f"{slow / fast:.3g}x"
        share = f"{100 * limit / fast:.0f} %" if work.share_of_limit else ""
        figures = (f"{slow:.1f}", f"{fast:.2f}", ratio, work.must, work.aim, share, f"{extra:.1f}")
        rows.append((work.name, *figures))
        console.print("  ".join(rows[-1]))
        if options.out:  # after each row: what was measured survives a run that is cut short
            pd.DataFrame(rows, columns=list(COLUMNS)).to_csv(options.out, index=False)
    table = Table(COLUMNS[0], title=f"milliseconds, {options.clock} clock")
    for column in COLUMNS[1:]:
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    console.print(table)


if __name__ == "__main__":
    main()
