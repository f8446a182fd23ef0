"""Where and how to compute: device, precision, memory format, threads, processes."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tpld.compute.distributed import ALONE, Processes, join
from tpld.compute.launch import threads_of
from tpld.config import Compute
from tpld.errors import DeviceError

# Trained a tenth faster so in float32 on a CPU. Deeper ones, EfficientNet and prediction are not.
_CHANNELS_FIRST = ("deeplabv2_resnet18", "deeplabv2_resnet34")


@dataclass(frozen=True)
class Runtime:
    """A resolved `Compute` section."""

    device: torch.device
    bfloat16: bool
    channels_last: bool
    workers: int
    processes: Processes = ALONE

    def autocast(self) -> AbstractContextManager[Any]:
        """bfloat16 autocast, or nothing in float32."""
        if self.bfloat16:
            return torch.autocast(self.device.type, torch.bfloat16)
        return nullcontext()

    def place(self, network: nn.Module) -> nn.Module:
        """Move a network to the device in the memory format; see `synchronise_norms`."""
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        placed = network.to(self.device, memory_format=layout)  # pyright: ignore[reportCallIssue]
        return self.processes.synchronise_norms(placed)

    def images(self, images: Tensor) -> Tensor:
        """Move a batch (B, 3, H, W) to the device in the memory format."""
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        return images.to(self.device, memory_format=layout, non_blocking=True)

    def describe(self) -> dict[str, str]:
        """For the run record."""
        name = torch.cuda.get_device_name() if self.device.type == "cuda" else "cpu"
        found = {"device": name, "precision": "bfloat16" if self.bfloat16 else "float32"}
        if self.processes.size > 1:
            found["processes"] = str(self.processes.size)
        return found


def resolve(compute: Compute, network: str = "") -> Runtime:
    """Choose device and precision, set the number of CPU threads, and meet the other processes.

    `network` is the name of the model that is trained, for which the memory format is chosen.

    The thread count comes from the configuration or the machine, never from Snakemake's
    ``--cores``: sums in another order would give other weights.

    Raises:
        DeviceError: a GPU is demanded and there is none.
    """
    available = torch.cuda.is_available()
    if compute.device == "cuda" and not available:
        raise DeviceError(
            "compute.device is 'cuda', but torch sees no GPU here. Use 'auto' or 'cpu', or run on "
            "a machine with one"
        )
    use_gpu = available and compute.device != "cpu"
    processes = join(use_gpu)
    _fix_order_of_sums(compute.deterministic)
    torch.set_num_threads(threads_of(compute))
    if compute.precision == "auto":
        bfloat16 = torch.cuda.is_bf16_supported() if use_gpu else _cpu_has_bfloat16()
    else:
        bfloat16 = compute.precision == "bfloat16"
    workers = compute.workers if compute.workers >= 0 else (4 if use_gpu else 0)
    device = torch.device("cuda" if use_gpu else "cpu")
    layout = compute.channels_last
    if layout == "auto":
        layout = use_gpu or bfloat16 or network not in _CHANNELS_FIRST
    return Runtime(device, bfloat16, layout, workers, processes)


def _fix_order_of_sums(wanted: bool) -> None:
    """Deterministic algorithms on a GPU; an operation that has none warns and runs all the same."""
    if wanted:
        # Read when cuBLAS starts, which nothing has made it do before this.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    if wanted != torch.are_deterministic_algorithms_enabled():  # the call loads torch's compiler
        torch.use_deterministic_algorithms(wanted, warn_only=True)
    deterministic = torch.utils.deterministic
    deterministic.fill_uninitialized_memory = False  # pyright: ignore[reportAttributeAccessIssue]


def _cpu_has_bfloat16() -> bool:
    """Whether bfloat16 convolutions are native; emulated ones are slower than float32."""
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, probe, lambda: False)() for probe in probes)
