"""Stage: retraining of a phase-1 round (METHOD 6 and 7)."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch

from tpld.compute.runtime import resolve
from tpld.config import Config
from tpld.dag.rows import loss_of, recipe_of
from tpld.dag.settings import settings_of
from tpld.data.cache import Cache
from tpld.data.sources import class_table
from tpld.errors import StoreError
from tpld.methods import Method, SelfTraining, parse_method, recipe_class
from tpld.models.card import card_of
from tpld.models.weights import load_trained, save_model
from tpld.stages.common import state_file, write_history
from tpld.stages.thresholds import read_thresholds
from tpld.stores.labels import Labels
from tpld.stores.lineage import expect_made_from
from tpld.stores.predictions import Predictions
from tpld.stores.provenance import fingerprint, write_record
from tpld.training.loop import Task, finish, run
from tpld.training.self_training import RoundBatches, RoundData, RoundStep, SoftLabels


class RoundInputs(NamedTuple):
    """Files that a round is trained from.

    Attributes:
        model: checkpoint that it starts from.
        source: cache with ground truth.
        target: cache without.
        labels: pseudo labels of this round.
        thresholds: λ of this round.
        predictions: the dump of this round, for methods that train on soft labels.
    """

    model: Path
    source: Path
    target: Path
    labels: Path
    thresholds: Path
    predictions: Path | None = None


def train_round(
    config: Config, method: str, seed: int, round_index: int, inputs: RoundInputs, out: Path
) -> None:
    """Retrain a checkpoint on pseudo labels; write model.safetensors, history.csv and run.json."""
    runtime, settings = (
        resolve(config.compute, config.model.name),
        settings_of(config, "train_round", method),
    )
    torch.manual_seed(seed)
    row = parse_method(method)
    table, data = class_table(config), _read(config, row, inputs)
    network = load_trained(config, len(table.names), inputs.model, runtime)
    bars = data.labels.log_threshold
    step = RoundStep(network, config.self_training, loss_of(config, row), bars, runtime)
    batches = RoundBatches(data, config.self_training, round_index, seed, runtime.processes)
    files = [path for path in inputs if path is not None]
    code = recipe_class(row.base).__module__
    task = Task(
        title=f"{method}, seed {seed}, round {round_index}",
        steps=batches.steps,
        batches=batches,
        step=step,
        modules={"network": network},
        optimizers={"sgd": step.optimizer},
        checkpoint_every=config.compute.checkpoint_every,
        state=state_file(config, f"{method}-{round_index}", settings, seed, files, __name__, code),
    )
    history = run(task, runtime)
    if not runtime.processes.first:
        return
    write_history(history, out)
    metadata = {"stage": "train_round", "method": method, "round": str(round_index)}
    save_model(network, out / "model.safetensors", metadata | card_of(config))
    write_record(
        out / "run.json",
        "train_round",
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


def _read(config: Config, row: Method, inputs: RoundInputs) -> RoundData:
    """Open the data of a round.

    Raises:
        StoreError: the labels belong to other images or classes, were made from another model or
            with other thresholds, or soft labels lack their dump.
    """
    table, pseudo = class_table(config), Labels(inputs.labels)
    source, target = Cache(inputs.source, table), Cache(inputs.target, table)
    if pseudo.names != target.names or pseudo.classes != table.names:
        raise StoreError(f"{inputs.labels} labels other images or classes. Rerun `tpld label`")
    expect_made_from(
        pseudo,
        "label",
        thresholds=fingerprint(inputs.thresholds),
        model=fingerprint(inputs.model),
        images=fingerprint(inputs.target),
    )
    bars = read_thresholds(inputs.thresholds, table.names)
    mined = [int(k) for k in bars.index[bars["mined"]]]
    recipe = recipe_of(config, row)
    soft = None
    if isinstance(recipe, SelfTraining) and recipe.soft:
        if inputs.predictions is None:
            raise StoreError(f"'{row.name}' trains on soft labels. Give its dump: --predictions")
        dump = Predictions(inputs.predictions)
        dump.expect(target.names, table.names)
        expect_made_from(pseudo, "label", predictions=fingerprint(inputs.predictions))
        soft = SoftLabels(dump, recipe, pseudo.log_threshold)
    return RoundData(source, target, pseudo, mined, soft)
