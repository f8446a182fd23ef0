"""Networks, their weights and the sizes of crops and images, tried before any training.

All of it is done on torch's device ``meta``, which computes shapes and no values: seconds for the
largest network, and no memory. This is no part of the stage `tpld.stages.check`, whose results
would otherwise be made anew with each change of a network.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import NamedTuple

import torch

from tpld.config import Config
from tpld.dag.rows import phase2_rounds
from tpld.data.sources import class_table
from tpld.errors import ConfigError
from tpld.methods import Method, parse_method, recipe_class
from tpld.models.batchnorm import Policy, batch_norm_modes
from tpld.models.network import Heads, Network
from tpld.models.weights import check_initial, still_to_download

Size = tuple[int, int]


class _Training(NamedTuple):
    """The batch of a training, and how BatchNorm takes it."""

    key: str
    images: int
    size: Size
    batch_norm: Policy
    heads: Heads = "single"
    initial: bool = False


def check_networks(config: Config, sizes: Collection[Size]) -> None:
    """Try the network of every row: its weights, a batch of each training, the smallest images.

    Args:
        config: the configuration.
        sizes: heights and widths of the images that are predicted, as they are decoded.

    Raises:
        ConfigError: weights are missing, damaged or another network's; a training's batch or an
            image is too small for a network.
    """
    classes, done = len(class_table(config).names), set[str]()
    missing: set[str | None] = set()
    for row in map(parse_method, config.methods):
        mine = config.of(row.name)
        trainings = _trainings(mine, row)
        tried = f"{mine.model} {trainings} {mine.dump.scale}"
        if tried in done:
            continue
        done.add(tried)
        try:
            for training in trainings:
                network = check_initial(mine, classes, training.heads)
                if not training.initial:
                    network.random_norms = frozenset()
                _train(network, training, mine.model.name)
            network = check_initial(mine, classes)
            missing |= {still_to_download(network, mine.model.weights)}
            _predict(network.eval(), mine, sizes)
        except ConfigError as error:
            where = f"networks.{row.network}: " if row.network in config.networks else ""
            raise ConfigError(f"{where}{error}") from None
    log = logging.getLogger("tpld")
    log.info("%d networks and their weights fit", len(done))
    for address in sorted(filter(None, missing)):
        log.warning("%s is not on this machine: training will download it", address)


def _trainings(config: Config, row: Method) -> list[_Training]:
    """The trainings of a row, as its own configuration says."""
    found = []
    source, rounds, phase2 = config.source_training, config.self_training, config.phase2
    if row.kind != "adversarial" or config.adversarial.start == "source":
        batch = (source.batch_size, source.crop, source.batch_norm)
        found.append(_Training("source_training", *batch, initial=True))
    if row.kind == "self_training":
        batch = (rounds.batch_size, rounds.crop, rounds.batch_norm)
        found.append(_Training("self_training", *batch))
    if phase2_rounds(config, row):
        crops = phase2.pairs * (2 + phase2.source_crops)
        found.append(_Training("phase2", crops, rounds.crop, rounds.batch_norm))
    if row.kind == "adversarial":
        section = config.adversarial
        heads: Heads = getattr(recipe_class(row.base), "heads")  # noqa: B009 - of such methods alone
        together = section.batch_norm == "train" and section.source_size == section.target_size
        for size in {section.source_size, section.target_size}:
            images = section.batch_size * (2 if together else 1)
            initial = section.start == "initial"
            batch = (images, size, section.batch_norm, heads, initial)
            found.append(_Training("adversarial", *batch))
    return found


def _train(network: Network, training: _Training, name: str) -> None:
    """A forward pass in training mode, without values."""
    batch_norm_modes(network, training.batch_norm)
    height, width = training.size
    try:
        network.forward_heads(torch.empty(training.images, 3, height, width, device="meta"))
    except (RuntimeError, ValueError) as error:
        raise ConfigError(
            f"{training.key}: {name} cannot be trained on {training.images} crops of "
            f"{height}x{width} pixels a step ({_first(error)}). Give more of them (batch_size), or "
            "larger ones"
        ) from None


def _predict(network: Network, config: Config, sizes: Collection[Size]) -> None:
    """Forward passes of the lowest and the narrowest image at the smallest scale."""
    if not sizes:
        return
    scale = min(config.dump.scale, *(min(p.scales) for p in config.evaluation.protocols))
    for height, width in {min(sizes), min(sizes, key=lambda size: size[1])}:
        scaled = [max(1, round(side * scale)) for side in (height, width)]
        try:
            with torch.no_grad():
                network(torch.empty(1, 3, *scaled, device="meta"))
        except (RuntimeError, ValueError) as error:
            raise ConfigError(
                f"{config.model.name} cannot predict images of {width}x{height} pixels at scale "
                f"{scale:g} ({_first(error)}). Remove such images, or bring them to a larger size "
                "(`resize`)"
            ) from None


def _first(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".")
