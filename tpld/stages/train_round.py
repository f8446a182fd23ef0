"""Stage: retraining of a phase-1 round (METHOD 6 and 7)."""

from __future__ import annotations

from pathlib import Path

import torch

from tpld.config import Config
from tpld.data.cache import Cache
from tpld.data.sources import class_table
from tpld.errors import StoreError
from tpld.methods import loss_of, parse_method
from tpld.models.weights import load_trained, save_model
from tpld.provenance import write_record
from tpld.runtime import resolve
from tpld.settings import settings_of
from tpld.stages.common import state_file, write_history
from tpld.stages.thresholds import read_thresholds
from tpld.stores.labels import Labels
from tpld.training.loop import Task, finish, run
from tpld.training.self_training import RoundBatches, RoundData, RoundStep


def train_round(
    config: Config,
    method: str,
    seed: int,
    round_index: int,
    model: Path,
    source: Path,
    target: Path,
    labels: Path,
    thresholds: Path,
    out: Path,
) -> None:
    """Retrain the checkpoint `model`; write model.safetensors, history.csv and run.json.

    `source` and `target` are caches (that of the target without ground truth), `labels` and
    `thresholds` the pseudo labels of this round.
    """
    runtime, settings = resolve(config.compute), settings_of(config, "train_round", method)
    torch.manual_seed(seed)
    table = class_table(config)
    pseudo = Labels(labels)
    data = RoundData(Cache(source, table), Cache(target, table), pseudo, [])
    if pseudo.names != data.target.names or pseudo.classes != table.names:
        raise StoreError(f"{labels} labels other images or classes. Rerun `tpld label`")
    bars = read_thresholds(thresholds, table.names)
    data.mined.extend(bars.index[bars["mined"]])
    network = load_trained(config, len(table.names), model, runtime)
    loss = loss_of(config, parse_method(method))
    step = RoundStep(network, config.self_training, loss, pseudo.log_threshold, runtime)
    batches = RoundBatches(data, config.self_training, round_index, seed)
    inputs = [model, source, target, labels, thresholds]
    task = Task(
        title=f"{method}, seed {seed}, round {round_index}",
        steps=batches.steps,
        batches=batches,
        step=step,
        modules={"network": network},
        optimizers={"sgd": step.optimizer},
        checkpoint_every=config.compute.checkpoint_every,
        state=state_file(config, f"{method}-{round_index}", settings, seed, inputs, __name__),
    )
    history = run(task, runtime)
    write_history(history, out)
    metadata = {"stage": "train_round", "method": method, "round": str(round_index)}
    save_model(network, out / "model.safetensors", metadata)
    write_record(
        out / "run.json",
        "train_round",
        settings,
        inputs,
        seed=seed,
        method=method,
        round=round_index,
        batch_norm=config.self_training.batch_norm,
        seconds=round(history.attrs["seconds"], 1),
        **runtime.describe(),
    )
    finish(task)
