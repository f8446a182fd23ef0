"""Which rounds a variant of a row has in common with that row: they run once, in its folder."""

from __future__ import annotations

from typing import Any

from tpld.config import Config
from tpld.dag.rows import phase1_rounds, phase2_rounds, portion_of
from tpld.dag.settings import Stage, settings_of
from tpld.methods import parse_method

_PHASE1: tuple[Stage, ...] = ("thresholds", "label", "train_round")
_PHASE2: tuple[Stage, ...] = ("thresholds", "score", "split", "label_easy", "train_phase2")


def shared_rounds(config: Config, method: str) -> int:
    """Number of rounds, from the first on, that a variant shares with its parent.

    They end where a portion, or a key that a stage of the round uses, differs: from there on the
    networks differ. 0 for a row that is no variant.
    """
    row = parse_method(method)
    if row.variant is None:
        return 0
    pairs = zip(_recipes(config, method), _recipes(config, row.parent), strict=False)
    shared = 0
    for mine, parents in pairs:
        if mine != parents:
            break
        shared += 1
    return shared


def _recipes(config: Config, method: str) -> list[Any]:
    """What the rounds of a row are made with, in their order."""
    row = parse_method(method)
    found: list[Any] = []
    for phase2, count, stages in (
        (False, phase1_rounds(config, row), _PHASE1),
        (True, phase2_rounds(config, row), _PHASE2),
    ):
        keys = [settings_of(config, stage, method) for stage in stages] if count else []
        found += [(phase2, r, portion_of(config, row, phase2, r), keys) for r in range(count)]
    return found
