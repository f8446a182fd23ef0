"""Stage: train the source model (METHOD 1), or the oracle, which differs in its data alone."""

from __future__ import annotations

from pathlib import Path

import torch

from tpld.compute.runtime import resolve
from tpld.config import Config
from tpld.dag.settings import settings_of
from tpld.data.cache import Cache
from tpld.data.sources import class_table
from tpld.models.card import card_of
from tpld.models.weights import build_model, load_initial, save_model
from tpld.stages.common import state_file, write_history
from tpld.stores.provenance import write_record
from tpld.training.loop import Task, finish, run
from tpld.training.source import SourceBatches, SourceStep


def train_source(config: Config, seed: int, data: Path, out: Path) -> None:
    """Train on the cache `data`; write model.safetensors, history.csv and run.json into `out`."""
    runtime, settings = (
        resolve(config.compute, config.model.name),
        settings_of(config, "train_source"),
    )
    torch.manual_seed(seed)
    table = class_table(config)
    network = build_model(config, len(table.names))
    start = load_initial(network, config)
    network = runtime.place(network)
    section = config.source_training
    step = SourceStep(network, section, runtime)
    task = Task(
        title=f"training on {data.name}, seed {seed}",
        steps=section.steps,
        batches=SourceBatches(Cache(data, table), section, seed, runtime.processes),
        step=step,
        modules={"network": network},
        optimizers={"source": step.optimizer},
        checkpoint_every=config.compute.checkpoint_every,
        state=state_file(config, "source", settings, seed, [data], __name__),
    )
    history = run(task, runtime)
    if not runtime.processes.first:
        return
    write_history(history, out)
    save_model(
        network,
        out / "model.safetensors",
        {"stage": "source", "seed": str(seed), **card_of(config)},
    )
    write_record(
        out / "run.json",
        "train_source",
        settings,
        [data],
        seed=seed,
        start=start,
        batch_norm=section.batch_norm,
        seconds=round(history.attrs["seconds"], 1),
        **runtime.describe(),
    )
    finish(task)
