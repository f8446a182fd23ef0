"""What a stage asks of a cluster: GPUs, memory and time, from the configuration and the data.

    memory  = attempt * (base + what the stage holds at a time)
    time    = attempt * (10 min + 2 * what the stage is expected to take)

A job that ran out of either is submitted again with twice as much (and trainings go on where they
were), so the estimates are near what is needed and not above what could be. docs/cluster.md shows
the figures they rest on; nothing here loads torch.

Work of a network is counted in floating-point operations: forward passes as torch counts them on
one megapixel of input (`_NETWORKS`), a training step three times that. The rates of `_RATES` turn
it into seconds; for a GPU that is an assumption, low enough for ten years of them.
"""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from typing import NamedTuple

from tpld.compute.launch import processes_of
from tpld.config import Config
from tpld.data.extent import Extent


class Network(NamedTuple):
    """Of a forward pass in float32, 19 classes, per megapixel of input; and of the weights."""

    gflop: float
    kept_mb: float
    """Activations that training keeps for the backward pass."""
    weights_m: float
    """Millions of weights."""


class Need(NamedTuple):
    """What a job asks for."""

    gpus: int
    mem_mb: int
    minutes: int


# By name and output stride; measured with torch's FlopCounterMode (tests/dag/test_resources.py).
_NETWORKS: dict[tuple[str, int], Network] = {
    ("deeplabv2_resnet18", 8): Network(378, 820, 12),
    ("deeplabv2_resnet18", 16): Network(124, 496, 12),
    ("deeplabv2_resnet18", 32): Network(73, 442, 12),
    ("deeplabv2_resnet34", 8): Network(701, 1332, 22),
    ("deeplabv2_resnet34", 16): Network(226, 720, 22),
    ("deeplabv2_resnet34", 32): Network(147, 642, 22),
    ("deeplabv2_resnet50", 8): Network(804, 3789, 25),
    ("deeplabv2_resnet50", 16): Network(258, 1941, 25),
    ("deeplabv2_resnet50", 32): Network(166, 1713, 25),
    ("deeplabv2_resnet101", 8): Network(1396, 7054, 44),
    ("deeplabv2_resnet101", 16): Network(406, 2758, 44),
    ("deeplabv2_resnet101", 32): Network(314, 2530, 44),
    ("deeplabv2_vgg16", 8): Network(1242, 1628, 30),
    ("deeplabv3_resnet50", 8): Network(1248, 4093, 40),
    ("deeplabv3_resnet101", 8): Network(1840, 7358, 59),
}
_LARGEST = Network(1840, 7358, 59)
"""Stands for networks that are not in the table."""

_RATES = {"cpu": 20.0, "cuda": 10_000.0}
"""GFLOP/s: of one CPU core, and of a GPU."""
_BASE_MB = {"cpu": 1500, "cuda": 5000}
"""Python with torch; CUDA and pinned batches on top."""

# Seconds of one core per megapixel; 19 classes. docs/growth.md has what they come from.
_SECONDS = {
    "check_data": 0.04,
    "prepare": 0.04,
    "dump": 0.15,
    "thresholds": 0.20,
    "label": 0.20,
    "label_easy": 0.20,
    "score": 0.10,
    "assess": 0.05,
}
_OF_CLASSES = ("dump", "thresholds", "label", "label_easy", "score")
"""Stages whose time grows with the number of classes."""
_TRAININGS = ("train_source", "train_round", "train_phase2", "train_adversarial")
_WITH_NETWORK = (*_TRAININGS, "dump", "evaluate")
_BACKWARD = 3
"""A training step over a forward pass."""


def need(
    config: Config,
    stage: str,
    extent: Extent,
    classes: int,
    threads: int = 1,
    *,
    crops: float = 0.0,
    parts: int = 1,
) -> Need:
    """What a job of a stage asks for at its first attempt.

    Args:
        config: as the job's row sees it (`Config.of`).
        stage: name of its rule.
        extent: the images that it reads; of a training only their size counts.
        classes: K.
        threads: CPU cores that it has.
        crops: how many crops a training sees, over all its steps; `crops_of`.
        parts: jobs that share the images.
    """
    device = "cpu" if config.compute.device == "cpu" else "cuda"
    processes = processes_of(config, stage)
    passes = _passes(config, stage, extent.megapixels / parts, crops)
    rate = _RATES["cpu"] * threads if device == "cpu" else _RATES["cuda"] * processes
    seconds = passes * network_of(config).gflop / rate
    share = classes / 19 if stage in _OF_CLASSES else 1.0
    seconds += _SECONDS.get(stage, 0.0) * share * extent.megapixels / parts / threads
    gpus = processes if device == "cuda" and stage in _WITH_NETWORK else 0
    memory = _memory(config, stage, extent, classes, threads, device if gpus else "cpu")
    return Need(gpus, _up(memory, 500), _up(10 + 2 * seconds / 60, 5))


def merging(extent: Extent) -> Need:
    """What it takes to put parts together: links to their files, and their tables."""
    return Need(0, 1000, _up(10 + extent.images / 10_000, 5))


@cache
def gpu_here() -> bool:
    """Whether this machine has an NVIDIA GPU, by its device files (the workflow loads no torch)."""
    return any(Path("/dev").glob("nvidia[0-9]*"))


def network_of(config: Config) -> Network:
    """Cost of the configuration's network; that of the largest where it is not in the table."""
    name, stride = config.model.name, config.model.output_stride
    return _NETWORKS.get((name, stride)) or _NETWORKS.get((name, 8)) or _LARGEST


def crops_of(config: Config, stage: str, source: Extent, target: Extent, steps: int = 0) -> float:
    """Crops (adversarial: pairs of images) that a training sees, over all its steps.

    `steps`: of a method that brings its own number of them.
    """
    training, phase2 = config.self_training, config.phase2
    if stage == "train_source":
        return config.source_training.steps * config.source_training.batch_size
    if stage == "train_round":  # with the source share of the last round
        return training.epochs * (target.images + training.max_source_share * source.images)
    if stage == "train_phase2":
        pairs = phase2.epochs * (1 - phase2.easy_portion) * target.images
        return (2 + phase2.source_crops) * pairs
    if stage == "train_adversarial":
        return (config.adversarial.steps or steps) * config.adversarial.batch_size
    return 0.0


def _crop(config: Config, stage: str) -> tuple[float, float]:
    """Megapixels of a crop (adversarial: of a pair), and how many of them a step holds."""
    training, phase2 = config.self_training, config.phase2
    found = {
        "train_source": (config.source_training.crop, config.source_training.batch_size),
        "train_round": (training.crop, training.batch_size),
        "train_phase2": (training.crop, (2 + phase2.source_crops) * phase2.pairs),
    }
    if stage in found:
        (height, width), count = found[stage]
        return height * width / 1e6, count
    section = config.adversarial
    pixels = math.prod(section.source_size) + math.prod(section.target_size)
    return pixels / 1e6, section.batch_size


def _passes(config: Config, stage: str, megapixels: float, crops: float) -> float:
    """Megapixels that the network sees, in forward passes."""
    if stage == "dump":
        return megapixels * config.dump.scale**2 * (2 if config.dump.mirror else 1)
    if stage == "evaluate":
        return megapixels * sum(
            scale**2 * (2 if protocol.mirror else 1)
            for protocol in config.evaluation.protocols
            for scale in protocol.scales
        )
    if stage in _TRAININGS:
        return _BACKWARD * crops * _crop(config, stage)[0]
    return 0.0


def _memory(
    config: Config, stage: str, extent: Extent, classes: int, threads: int, device: str
) -> float:
    """Megabytes of the host's memory."""
    image = extent.height * extent.width / 1e6
    if stage not in _WITH_NETWORK:
        # Without torch. Files are decoded by a few threads; predictions by one image after another.
        decoded = 40 * (threads + 4) if stage in ("check_data", "prepare") else 200
        return 1000 + decoded * image
    processes = processes_of(config, stage)
    base = _BASE_MB[device] * processes
    if device == "cuda":  # activations are the GPU's; each process has four that load crops
        return base + 1000 * processes + 100 * image
    network = network_of(config)
    if stage in _TRAININGS:
        crop, count = _crop(config, stage)
        kept = 1.3 * network.kept_mb + 32 * classes  # and the logits at the size of the crop
        return base + 16 * network.weights_m * processes + crop * count * kept
    views = 2 if stage == "evaluate" or config.dump.mirror else 1
    return base + 4 * network.weights_m + image * views * (network.kept_mb / 4 + 16 * classes)


def _up(value: float, step: int) -> int:
    """The next multiple of `step`."""
    return math.ceil(value / step) * step
