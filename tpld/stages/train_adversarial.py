"""Stage: training of a method that aligns domains with discriminators (METHOD 10)."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from tpld.compute.runtime import Runtime, resolve
from tpld.config import Config
from tpld.dag.rows import recipe_of
from tpld.dag.settings import settings_of
from tpld.data.cache import Cache
from tpld.data.sources import class_table
from tpld.methods import Adversarial, parse_method
from tpld.models.card import card_of
from tpld.models.discriminator import Discriminator
from tpld.models.network import Network
from tpld.models.registry import build_model
from tpld.models.weights import load_initial, load_trained, save_model
from tpld.stages.common import state_file, write_history
from tpld.stores.provenance import write_record
from tpld.training.adversarial import AdversarialBatches, AdversarialStep
from tpld.training.loop import Task, finish, run


def train_adversarial(
    config: Config,
    method: str,
    seed: int,
    source: Path,
    target: Path,
    model: Path | None,
    out: Path,
) -> None:
    """Train on the caches `source` and `target`; write model.safetensors, history.csv, run.json.

    `target` holds no ground truth. `model` is the source model, or None for the initial weights.
    """
    runtime, settings = (
        resolve(config.compute, config.model.name),
        settings_of(config, "train_adversarial", method),
    )
    recipe = recipe_of(config, parse_method(method))
    assert isinstance(recipe, Adversarial)
    torch.manual_seed(seed)
    table, section = class_table(config), config.adversarial
    network, start = _start(config, recipe, model, runtime)
    count = recipe.discriminators
    discriminators = nn.ModuleList(Discriminator(len(table.names)) for _ in range(count))
    runtime.place(discriminators)
    step = AdversarialStep(network, discriminators, recipe, section, runtime)
    caches = Cache(source, table), Cache(target, table)
    inputs = [source, target, *([model] if model else [])]
    code = type(recipe).__module__
    task = Task(
        title=f"{method}, seed {seed}",
        steps=step.steps,
        batches=AdversarialBatches(*caches, section, step.steps, seed, runtime.processes),
        step=step,
        modules={"network": network, "discriminators": discriminators},
        optimizers={"sgd": step.optimizer, **({"adam": step.adam} if step.adam else {})},
        checkpoint_every=config.compute.checkpoint_every,
        state=state_file(config, method, settings, seed, inputs, __name__, code),
    )
    history = run(task, runtime)
    if not runtime.processes.first:
        return
    write_history(history, out)
    metadata = {"stage": "train_adversarial", "method": method}
    save_model(network, out / "model.safetensors", metadata | card_of(config))
    write_record(
        out / "run.json",
        "train_adversarial",
        settings,
        inputs,
        seed=seed,
        method=method,
        start=start,
        steps=step.steps,
        batch_norm=section.batch_norm,
        seconds=round(history.attrs["seconds"], 1),
        **runtime.describe(),
    )
    finish(task)


def _start(
    config: Config, recipe: Adversarial, model: Path | None, runtime: Runtime
) -> tuple[Network, str]:
    """The network with the method's heads, and where its weights come from."""
    classes = len(class_table(config).names)
    if model:
        return load_trained(config, classes, model, runtime, recipe.heads), "source model"
    network = build_model(config, classes, recipe.heads)
    start = load_initial(network, config)
    runtime.place(network)
    return network, start
