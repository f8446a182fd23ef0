"""The training loop that every training stage shares: step, record, save, resume.

A stage gives a `Task`; everything a step needs is a function of the step's number (the data) and of
the modules and optimisers (the state), so a run that is killed and started again ends in the same
weights, bit for bit on a CPU. Of several processes (`tpld.compute.distributed`) all take every step
together, all see the joint losses, and the first one records and saves.
"""

from __future__ import annotations

import io
import logging
import math
import signal
import time
import zipfile
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader, Dataset

from tpld.compute.distributed import Processes
from tpld.compute.progress import progress
from tpld.compute.runtime import Runtime
from tpld.errors import StoreError, TrainingError
from tpld.stores.atomic import alone, replacing
from tpld.training.stop import Stop, stop_between_steps

log = logging.getLogger("tpld")
Batch = dict[str, Any]
# Steps whose losses are read at once: each reading waits until a GPU has done all it was asked.
_READ_EVERY = {"cpu": 1, "cuda": 10}


class _Taken(NamedTuple):
    """A step that was taken: its losses, perhaps still being computed, and the images of it."""

    step: int
    losses: dict[str, Tensor]
    names: list[str]


@dataclass
class Task:
    """What a training stage asks of the loop.

    Attributes:
        title: shown beside the progress bar.
        steps: number of optimisation steps.
        batches: data set whose item t is the batch of step t.
        step: runs forward, backward and the optimisers of one step; returns named scalar losses.
        modules: networks whose weights change, by name.
        optimizers: by name.
        checkpoint_every: steps between two resume points.
        state: file of the resume point.
    """

    title: str
    steps: int
    batches: Dataset[Batch]
    step: Callable[[Batch, int], dict[str, Tensor]]
    modules: dict[str, nn.Module]
    optimizers: dict[str, Optimizer]
    checkpoint_every: int
    state: Path
    history: list[dict[str, float]] = field(default_factory=list)


def run(task: Task, runtime: Runtime) -> pd.DataFrame:
    """Train to the end, resuming if a state file is there; returns the history, a row a step.

    SIGTERM and Ctrl-C end it after the step in hand, whose state is saved first.

    Raises:
        TrainingError: a loss is not finite (step and files of the batch are named).
        StoreError: the state file is damaged, the disk is full, or another process trains this.
    """
    # Another name than the state's own, whose lock its writer takes for a moment.
    whole = task.state.with_suffix(".training")
    # Of several processes of one training the first one keeps others out.
    lock = alone(whole, f"training {task.title}") if runtime.processes.first else nullcontext()
    with lock, stop_between_steps() as stop:
        return _train(task, runtime, stop)


def _train(task: Task, runtime: Runtime, stop: Stop) -> pd.DataFrame:
    start = _restore(task, runtime)
    began = time.monotonic()
    loader = DataLoader(
        task.batches,
        batch_size=None,
        sampler=range(start, task.steps),
        num_workers=runtime.workers,
        worker_init_fn=_begin_worker,
        pin_memory=runtime.device.type == "cuda",  # a copy from there need not be waited for
        # Its own: else each start would draw a seed from the random state just restored.
        generator=torch.Generator(),
    )
    every = _READ_EVERY[runtime.device.type]
    unread = list[_Taken]()
    with progress(task.title, task.steps, start) as tick:
        for step, batch in zip(range(start, task.steps), loader, strict=True):
            unread.append(_Taken(step, task.step(batch, step), batch["names"]))
            done = step + 1
            stopping = _any(stop.wanted, runtime)
            saving = stopping or done % task.checkpoint_every == 0
            if saving or len(unread) == every or done == task.steps:
                _read(unread, task, runtime.processes)
            losses = task.history[-1] if task.history else {}
            shown = (f"{k} {value:.3f}" for k, value in losses.items() if k != "step")
            tick(done, " ".join(shown))
            if saving and done < task.steps:
                _save(task, done, runtime.processes)
            if stopping:
                stop.now()
    history = pd.DataFrame(task.history)
    history.attrs["seconds"] = time.monotonic() - began
    return history


def _begin_worker(_: int) -> None:
    """A forked worker must not wake the parent's thread pools; torch does this for its own.

    Nor does it take part in stopping: Ctrl-C reaches it too, while the step in hand needs it.
    """
    import numba

    numba.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def finish(task: Task) -> None:
    """Drop the resume point once the stage's outputs are in place."""
    task.state.unlink(missing_ok=True)


def _read(unread: list[_Taken], task: Task, processes: Processes) -> None:
    """Add steps to the history, once their losses are known to be finite; empties the list.

    The losses are those of the joint batch: those of its parts add up.
    """
    table = torch.stack([torch.stack([v.float() for v in t.losses.values()]) for t in unread])
    rows = (processes.sum(table) if processes.size > 1 else table).tolist()
    for taken, values in zip(unread, rows, strict=True):
        losses = dict(zip(taken.losses, values, strict=True))
        _check_finite(losses, taken, task, processes)
        task.history.append({"step": taken.step, **losses})
    unread.clear()


def _check_finite(
    losses: dict[str, float], taken: _Taken, task: Task, processes: Processes
) -> None:
    bad = [name for name, value in losses.items() if not math.isfinite(value)]
    if bad:
        names = [name for part in processes.gather(taken.names) for name in part]
        raise TrainingError(
            f"step {taken.step}: {', '.join(bad)} is {losses[bad[0]]} on the batch "
            f"{', '.join(names)}. Lower the learning rate, use compute.precision: "
            f"float32, or look at these files. To start over, delete {task.state}"
        )


def _any(here: bool, runtime: Runtime) -> bool:
    """Whether it holds in any process: all stop together, or some would wait for the others."""
    if runtime.processes.size == 1:
        return here
    return bool(runtime.processes.sum(torch.tensor([float(here)], device=runtime.device)) > 0)


def _save(task: Task, done: int, processes: Processes) -> None:
    """Write model, optimisers, step, history and the random state, whole or not at all."""
    random = torch.stack(processes.gather(torch.get_rng_state()))
    if not processes.first:
        return
    state = {
        "step": done,
        "history": task.history,
        "rng": random,
        "modules": {name: module.state_dict() for name, module in task.modules.items()},
        "optimizers": {name: opt.state_dict() for name, opt in task.optimizers.items()},
    }
    # By way of memory: on a full disk torch.save fails with an error that does not say so.
    buffer = io.BytesIO()
    torch.save(state, buffer)
    with replacing(task.state) as partial:
        partial.write_bytes(buffer.getbuffer())


def _restore(task: Task, runtime: Runtime) -> int:
    """Load the resume point, if any; returns the first step still to do."""
    processes = runtime.processes
    if not task.state.exists():
        if not processes.first:  # the same weights, but noise (dropout) of their own
            torch.manual_seed(torch.initial_seed() + processes.rank)
        return 0
    try:
        # torch writes a checksum of every entry, and does not look at it when it reads.
        with zipfile.ZipFile(task.state) as archive:
            damaged = archive.testzip()
        if damaged:
            raise ValueError(f"the checksum of {damaged} is wrong")
        state = torch.load(task.state, map_location=runtime.device, weights_only=True)
        for name, module in task.modules.items():
            module.load_state_dict(state["modules"][name])
        for name, optimizer in task.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        random = state["rng"].cpu()
        mine = random[min(processes.rank, len(random) - 1)]
        torch.set_rng_state(mine.clone())  # of a view of a larger tensor torch reads astray
    except Exception as error:
        raise StoreError(
            f"{task.state} is no resume point of this stage ({error}). Delete it to start the "
            "stage over"
        ) from None
    task.history[:] = state["history"]
    log.info("%s: going on at step %d of %d", task.title, state["step"], task.steps)
    return int(state["step"])
