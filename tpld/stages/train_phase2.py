"""Stage: training of a phase-2 round (METHOD 9)."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from tpld.compute.runtime import resolve
from tpld.config import Config
from tpld.dag.settings import settings_of
from tpld.data.cache import Cache
from tpld.data.sources import class_table
from tpld.errors import ConfigError
from tpld.models.card import card_of
from tpld.models.discriminator import Discriminator
from tpld.models.weights import load_trained, save_model
from tpld.stages.common import state_file, write_history
from tpld.stages.full_labels import easy_and_hard
from tpld.stages.thresholds import read_thresholds
from tpld.stores.lineage import expect_made_from
from tpld.stores.predictions import Predictions
from tpld.stores.provenance import fingerprint, write_record
from tpld.training.loop import Task, finish, run
from tpld.training.phase2 import Phase2Batches, Phase2Data, Phase2Step


class Phase2Inputs(NamedTuple):
    """Files that a phase-2 round is trained from.

    Attributes:
        model: checkpoint that it starts from.
        target: cache without ground truth.
        predictions: the dump of this round.
        thresholds: λ of this round.
        split: easy and hard images of this round.
        source: cache with ground truth, needed where `phase2.source_crops` is above 0.
    """

    model: Path
    target: Path
    predictions: Path
    thresholds: Path
    split: Path
    source: Path | None = None


def train_phase2(
    config: Config, method: str, seed: int, round_index: int, inputs: Phase2Inputs, out: Path
) -> None:
    """Train a checkpoint on easy and hard images; write model.safetensors, history.csv, run.json.

    Raises:
        ConfigError: source images are needed and not given.
    """
    runtime, settings = (
        resolve(config.compute, config.model.name),
        settings_of(config, "train_phase2", method),
    )
    torch.manual_seed(seed + 1000 * (round_index + 1))  # of the discriminator's weights
    data = _opened(config, inputs)
    network = load_trained(config, len(data.log_threshold), inputs.model, runtime)
    discriminator = runtime.place(Discriminator(len(data.log_threshold)))
    sections = config.phase2, config.self_training, config.loss
    step = Phase2Step(network, discriminator, *sections, data.log_threshold, runtime)
    batches = Phase2Batches(
        data, config.phase2, config.self_training, round_index, seed, runtime.processes
    )
    files = [*inputs[:-1], *([inputs.source] if data.source and inputs.source else [])]
    task = Task(
        title=f"{method}, seed {seed}, phase-2 round {round_index}",
        steps=batches.steps,
        batches=batches,
        step=step,
        modules={"network": network, "discriminator": discriminator},
        optimizers={"sgd": step.optimizer, "adam": step.adam},
        checkpoint_every=config.compute.checkpoint_every,
        state=state_file(config, f"{method}-phase2-{round_index}", settings, seed, files, __name__),
    )
    history = run(task, runtime)
    if not runtime.processes.first:
        return
    write_history(history, out)
    metadata = {"stage": "train_phase2", "method": method, "round": str(round_index)}
    save_model(network, out / "model.safetensors", metadata | card_of(config))
    write_record(
        out / "run.json",
        "train_phase2",
        settings,
        files,
        seed=seed,
        method=method,
        round=round_index,
        batch_norm=config.self_training.batch_norm,
        seconds=round(history.attrs["seconds"], 1),
        **runtime.describe(),
    )
    finish(task)


def _opened(config: Config, inputs: Phase2Inputs) -> Phase2Data:
    """What the round trains on, each part checked to belong to the others."""
    model, target, predictions, thresholds, split, source = inputs
    if config.phase2.source_crops and source is None:
        raise ConfigError(
            f"phase2.source_crops is {config.phase2.source_crops}, and no source images are given. "
            "Give their cache by --source, or set source_crops to 0"
        )
    table = class_table(config)
    cache, dump = Cache(target, table), Predictions(predictions)
    dump.expect(cache.names, table.names)
    expect_made_from(dump, "dump", model=fingerprint(model), images=fingerprint(target))
    mark = fingerprint(predictions)
    bars = read_thresholds(thresholds, table.names, mark)["log_threshold"].to_numpy(np.float32)
    labelled = Cache(source, table) if source and config.phase2.source_crops else None
    return Phase2Data(cache, dump, bars, *easy_and_hard(split, cache.names, mark), labelled)
