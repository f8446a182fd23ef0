"""Backward over forward pass of EfficientNet-Lite0's depthwise convolutions, torch's and ours.

    python benchmarks/depthwise.py [--batch 4] [--crop 192 256] [--out depthwise.csv]

Both take turns in one process; medians. On a CPU without bfloat16 those rows time an emulation.
"""

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import NamedTuple

from tpld.cli import begin_process  # importing it sets how OpenMP waits, before torch is loaded

# isort: split
import pandas as pd
import torch
from torch import Tensor, nn

from tpld.config import load_config
from tpld.models.depthwise import depthwise_conv2d
from tpld.models.registry import build_model


class Shape(NamedTuple):
    channels: int
    kernel: int
    stride: int
    dilation: int
    height: int
    width: int


def shapes_of(size: tuple[int, int]) -> list[Shape]:
    """Distinct depthwise convolutions of the network on images of a size."""
    name = "deeplabv2_efficientnet_lite0"
    network = build_model(load_config({"model": {"name": name, "output_stride": 16}}), 7)
    found: dict[Shape, None] = {}

    def note(conv: nn.Conv2d, images: tuple[Tensor, ...], _: Tensor) -> None:
        if conv.groups > 1:
            kernel, stride, dilation = conv.kernel_size[0], conv.stride[0], conv.dilation[0]
            size = tuple(images[0].shape[2:])
            found[Shape(conv.in_channels, kernel, stride, dilation, *size)] = None

    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(note)
    with torch.no_grad():
        network(torch.zeros(1, 3, *size))
    return list(found)


def milliseconds(works: dict[str, Callable[[], object]], repeat: int) -> dict[str, float]:
    """Median of each work; they take turns, and the first round does not count."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repeat + 1):
        for name, work in works.items():
            began = time.perf_counter()
            work()
            times[name].append(1000 * (time.perf_counter() - began))
    return {name: median(values[1:]) for name, values in times.items()}


def measure(shape: Shape, kind: torch.dtype, batch: int, repeat: int) -> dict[str, object]:
    """One row of the table."""
    channels, kernel, step, spread, height, width = shape
    stride, dilation = (step, step), (spread, spread)
    padding = (spread * (kernel - 1) // 2,) * 2
    image = torch.randn(batch, channels, height, width).to(kind, memory_format=torch.channels_last)
    weight = torch.randn(channels, 1, kernel, kernel).to(kind).requires_grad_()
    image.requires_grad_()
    theirs = nn.functional.conv2d(image, weight, None, stride, padding, dilation, channels)
    ours = depthwise_conv2d(image, weight, None, stride, padding, dilation)
    upstream = torch.randn_like(theirs)

    def forward() -> Tensor:
        with torch.no_grad():
            return nn.functional.conv2d(image, weight, None, stride, padding, dilation, channels)

    def backward(output: Tensor) -> Callable[[], object]:
        leaves = (image, weight)
        return lambda: torch.autograd.grad(output, leaves, upstream, retain_graph=True)

    works = {"forward": forward, "torch": backward(theirs), "ours": backward(ours)}
    ms = milliseconds(works, repeat)
    row = {"precision": str(kind).removeprefix("torch."), **shape._asdict()}
    row |= {f"{name} ms": value for name, value in ms.items()}
    ratios = {f"{name} / forward": ms[name] / ms["forward"] for name in ("torch", "ours")}
    return row | ratios | {"gain": ms["torch"] / ms["ours"]}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--crop", type=int, nargs=2, default=(192, 256))
    parser.add_argument("--repeat", type=int, default=9)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    begin_process()
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    table = pd.DataFrame(
        measure(shape, kind, options.batch, options.repeat)
        for kind in (torch.float32, torch.bfloat16)
        for shape in shapes_of(tuple(options.crop))
    )
    print(table.round(2).to_markdown(index=False))
    if options.out:
        table.round(4).to_csv(options.out, index=False)


if __name__ == "__main__":
    main()
