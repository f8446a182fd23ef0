"""Starting a command again as several processes, one a GPU. Does not load torch."""

from __future__ import annotations

import os
import sys

from tpld.config import Compute, Config

_BATCHES = {
    "train_source": "source_training.batch_size",
    "train_round": "self_training.batch_size",
    "train_phase2": "phase2.pairs",
    "train_adversarial": "adversarial.batch_size",
}


def processes_of(config: Config, stage: str) -> int:
    """How many processes a stage uses: `compute.devices` in training, else one.

    Each needs a crop of the joint batch (in phase 2 a pair, in adversarial training an image of
    each domain), so with a batch smaller than `compute.devices` there are as many as crops.
    """
    key = _BATCHES.get(stage)
    return min(config.compute.devices, config.get(key)) if key else 1


def spread(config: Config, stage: str) -> None:
    """Replace this process by torchrun and as many copies as `processes_of` says, if several.

    In those copies it returns at once.
    """
    count = processes_of(config, stage)
    if count == 1 or started():
        return
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, threads_of(config.compute) // count)))
    os.environ["PYTHONSAFEPATH"] = "1"  # `-m` would look for this package in the folder first
    # One node, and a free port of its own: several jobs may share a node.
    torchrun = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
    # Behind the two dashes nothing is an option of torchrun's, which has a --log of its own.
    command = [sys.executable, *torchrun, "-m", "--", "tpld", *sys.argv[1:]]
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, command)


def started() -> bool:
    """Whether torchrun has started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def place() -> tuple[int, int]:
    """Rank of this process among those of its job, and their number."""
    if not started():
        return 0, 1
    return int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])


def threads_of(compute: Compute) -> int:
    """CPU threads of this process: its share of `compute.threads`, or of the machine's cores."""
    total = compute.threads or len(os.sched_getaffinity(0))
    return max(1, total // place()[1])
