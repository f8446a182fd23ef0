"""Sections about the network, and how to compute."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydantic import Field

from tpld.section import Count, Section


class Model(Section):
    """The segmentation network (METHOD 11)."""

    name: str = Field(default="deeplabv2_resnet101", pattern=r"^(torchvision/)?[a-z0-9_]+$")
    """deeplabv2_resnet18, 34, 50, 101, deeplabv2_vgg16, deeplabv2_efficientnet_lite0 (small, for
    CPUs), deeplabv3_resnet50, 101, torchvision/<segmentation model>, or transformers
    (docs/networks.md)."""
    output_stride: Literal[8, 16, 32] = 8
    """Input pixels per output pixel of deeplabv2_resnet* and deeplabv2_efficientnet_lite0; smaller
    is finer and slower."""
    aspp_dilations: list[Count] = Field(default=[6, 12, 18, 24], min_length=1)
    """Dilations of the summed 3x3 convolutions of the head of deeplabv2_*."""
    weights: str = "DEFAULT"
    """`random`, a name of the torchvision weight enum (downloads; of deeplabv2_efficientnet_lite0,
    DEFAULT is a package), a local weight file, or for transformers a local directory."""

    @property
    def folder_name(self) -> str:
        """The network as one part of a path; a transformers model goes by its directory."""
        if self.name == "transformers":
            directory = re.sub(r"[^A-Za-z0-9_.-]", "_", Path(self.weights).name)
            return f"transformers-{directory}"
        return self.name.replace("/", "-")


class Compute(Section):
    """How to compute, not what: no key here changes which stages are up to date."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """`auto`: the GPU where there is one."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """`auto`: bfloat16 autocast where the hardware has it, else float32."""
    channels_last: Literal["auto"] | bool = "auto"
    """Memory format of convolutions. `auto`: the faster one, which is true but for the training of
    ResNet-18 and 34 in float32 on a CPU."""
    threads: int = Field(default=0, ge=0)
    """CPU threads of training and prediction; 0: all cores of the machine."""
    workers: int = Field(default=-1, ge=-1)
    """Processes that load training crops; -1: none on CPU, 4 with a GPU; 0: in the main process."""
    deterministic: bool = False
    """On a GPU, choose algorithms whose sums have a fixed order, where torch has them: slower, and
    equal runs then give equal weights as far as docs/faults.md says. A CPU needs no such key."""
    devices: Count = 1
    """GPUs of one training (on a CPU: processes), which share its batch. docs/cluster.md."""
    parts: Count = 1
    """Jobs among which the target images are split for predictions, thresholds and labels."""
    checkpoint_every: Count = 100
    """Training steps between two resume points."""
