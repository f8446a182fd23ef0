"""What a row of the table means with a configuration: its method's keys, rounds, portions, loss."""

from __future__ import annotations

from typing import Any

from tpld.config import Config, Loss
from tpld.core.schedule import portion_of_round
from tpld.methods import Method, Recipe, recipe_class
from tpld.section import Section


def options_of(config: Config, method: Method) -> Section:
    """The keys of a row's method, below ``options.<base>``."""
    tree: dict[str, Any] = config.options.get(method.base, {})
    return recipe_class(method.base).Options.model_validate(tree)


def recipe_of(config: Config, method: Method) -> Recipe:
    """A row's method with its keys."""
    return recipe_class(method.base)(options_of(config, method))


def phase1_rounds(config: Config, method: Method) -> int:
    """Self-training rounds: more with TPLD [L], which has more labels to digest."""
    if method.kind != "self_training":
        return 0
    section = config.of(method.name).self_training
    return section.rounds if method.tpld else section.base_rounds


def phase2_rounds(config: Config, method: Method) -> int:
    """Phase-2 rounds, TPLD alone."""
    return config.of(method.name).phase2.rounds if method.tpld else 0


def portion_of(config: Config, method: Method, phase2: bool, round_index: int) -> float:
    """Portion of a round; phase-2 rounds go on counting where phase 1 ended."""
    section = config.of(method.name).thresholds
    first = phase1_rounds(config, method) if phase2 else 0
    return portion_of_round(
        first + round_index, section.start_portion, section.portion_step, section.max_portion
    )


def loss_of(config: Config, method: Method) -> Loss:
    """The target loss: bootstrapping belongs to TPLD; the plain base trains without it."""
    recipe = recipe_class(method.base)
    changes: dict[str, Any] = {}
    if not method.tpld:
        changes |= {"beta": 1.0, "on_unlabelled": False}
    if not recipe.regularised:
        changes["mrkld_weight"] = 0.0
    return config.loss.model_copy(update=changes)
