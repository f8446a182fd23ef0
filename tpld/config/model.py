"""Sections about the network, and how to compute."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tpld.config.base import Count, Section


class Model(Section):
    """The segmentation network (METHOD 11)."""

    name: str = Field(default="deeplabv2_resnet101", pattern=r"^[a-z0-9_]+$")
    """Architecture and name of the result folder: deeplabv2_resnet18, 34, 50 or 101."""
    output_stride: Literal[8, 16, 32] = 8
    """Input pixels per output pixel; smaller is finer and slower."""
    aspp_dilations: list[Count] = Field(default=[6, 12, 18, 24], min_length=1)
    """Dilations of the summed 3x3 convolutions of the head."""
    weights: str = "DEFAULT"
    """`random`, a name of the torchvision weight enum (downloads), or a local weight file."""


class Compute(Section):
    """How to compute, not what: no key here changes which stages are up to date."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """`auto`: the GPU where there is one."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """`auto`: bfloat16 autocast where the hardware has it, else float32."""
    channels_last: bool = True
    """Memory format of convolutions; faster on recent CPUs and GPUs."""
    threads: int = Field(default=0, ge=0)
    """CPU threads of training and prediction; 0: all cores of the machine."""
    workers: int = Field(default=-1, ge=-1)
    """Processes that load training crops; -1: none on CPU, 4 with a GPU; 0: in the main process."""
    checkpoint_every: Count = 100
    """Training steps between two resume points."""
