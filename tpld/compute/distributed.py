"""Training in several processes, each with one GPU (or, on a CPU, a share of the cores).

The processes of a job draw the same joint batch and each takes some of its crops, so that a step of
n processes is the step of one with the whole batch:

    loss of a process   Σ over its crops / count over the joint batch
    gradient            Σ over the processes (DistributedDataParallel gives the mean: times n)

Only the order of the sums differs. torchrun starts the processes (`tpld.compute.launch`) and tells
each its place by environment variables. Without them there is one process, and nothing here does
anything.
"""

from __future__ import annotations

import ctypes
import os
import signal
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from tpld.compute.launch import place

Item = TypeVar("Item")
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Processes:
    """The place of this process among those of its job.

    Attributes:
        rank: 0 in the first one, which alone writes results.
        size: how many there are.
    """

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this one writes what the job has to say."""
        return self.rank == 0

    def slots(self, count: int) -> range:
        """The crops of a joint batch of `count` that are this process's; together they are all."""
        return range(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def share(self, mine: int, count: int) -> float:
        """What a mean over `mine` of a joint batch's `count` crops weighs in the joint mean."""
        return mine / count if self.size > 1 else 1.0

    def sum(self, values: Tensor) -> Tensor:
        """The sum of a tensor over the processes; a constant for the gradient."""
        if self.size == 1:
            return values
        total = values.detach().clone()
        dist.all_reduce(total)
        return total

    def gather(self, value: Item) -> list[Item]:
        """Everyone's value, by rank; small ones, for they are pickled."""
        if self.size == 1:
            return [value]
        found: list[Any] = [None] * self.size
        dist.all_gather_object(found, value)
        return found

    def backward(self, loss: Tensor) -> None:
        """Add the gradient of the joint loss, of which `loss` is this process's part."""
        (loss * self.size if self.size > 1 else loss).backward()

    def wrap(self, module: nn.Module) -> nn.Module:
        """The module with gradients that are exchanged during the backward pass.

        Call it when it is decided which parameters learn. Buffers are those of the first process.
        """
        if self.size == 1 or not any(p.requires_grad for p in module.parameters()):
            return module
        unused = any(getattr(part, "has_unused_parameters", False) for part in module.modules())
        return DistributedDataParallel(module, find_unused_parameters=unused)

    def synchronise_norms(self, network: nn.Module) -> nn.Module:
        """BatchNorm over the joint batch on GPUs; torch has none for CPUs.

        There each process normalises by its own crops, and the running statistics are the first
        one's. A frozen BatchNorm is the same anywhere.
        """
        if self.size == 1 or not next(network.parameters()).is_cuda:
            return network
        return nn.SyncBatchNorm.convert_sync_batchnorm(network)


ALONE = Processes()


def join(use_gpu: bool) -> Processes:
    """Meet the other processes of this job; NCCL between GPUs, gloo between CPUs."""
    rank, size = place()
    if size == 1:
        return Processes()
    if not dist.is_initialized():
        _die_with_parent()
        if use_gpu:
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        dist.init_process_group("cpu:gloo,cuda:nccl" if use_gpu else "gloo")
    return Processes(rank, size)


def _die_with_parent() -> None:
    """torchrun killed at once (kill -9) must not leave trainings behind that go on writing."""
    if hasattr(signal, "SIGKILL") and os.name == "posix":
        prctl = getattr(ctypes.CDLL(None), "prctl", None)
        if prctl is not None:
            prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
