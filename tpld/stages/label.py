"""Stage: pseudo labels of a round: selection, then phase-1 voting (METHOD 4 and 5)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from tpld.config import Config, Voting
from tpld.method.labels import IGNORE, ORIGIN_CONFIDENT, ORIGIN_NONE, ORIGIN_VOTED_FIRST
from tpld.method.selection import select_from_logs, top_two_from_logs
from tpld.method.voting import VotingResult, vote
from tpld.methods import SelfTraining, parse_method, recipe_of
from tpld.progress import progress
from tpld.provenance import record
from tpld.settings import settings_of
from tpld.stages.thresholds import read_thresholds
from tpld.stores.labels import new_labels
from tpld.stores.predictions import Predictions

Select = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def label(config: Config, method: str, predictions: Path, thresholds: Path, out: Path) -> None:
    """Label every image of `predictions` into the store `out` as a method does, TPLD by voting."""
    row = parse_method(method)
    recipe = recipe_of(config, row)
    assert isinstance(recipe, SelfTraining)
    store = Predictions(predictions)
    log_threshold = read_thresholds(thresholds, store.classes)["log_threshold"].to_numpy(np.float32)
    settings = config.voting if row.tpld else config.voting.model_copy(update={"iterations": 0})
    run = record("label", settings_of(config, "label", method), [predictions, thresholds])
    with (
        new_labels(
            out,
            store.names,
            [store.size(i) for i in range(len(store))],
            store.classes,
            log_threshold,
            _origins(settings.iterations),
            run,
        ) as writer,
        progress("labelling target images", len(store)) as tick,
    ):
        for i in range(len(store)):
            result = label_image(store.log_probabilities(i), log_threshold, settings, recipe.select)
            writer.write(i, label=result.label, origin=result.origin, score=result.excess + 1)
            tick(i + 1)


def label_image(
    log_p: np.ndarray,
    log_threshold: np.ndarray,
    settings: Voting,
    select: Select = select_from_logs,
) -> VotingResult:
    """Pseudo labels of one image: what is confident (METHOD 4), then what voting adds (METHOD 5).

    Args:
        log_p: float32 (K, H, W).
        log_threshold: float32 (K,).
        settings: voting keys; 0 iterations leave the sparse labels.
        select: the base method's selection.
    """
    confident, best = select(log_p, log_threshold)
    candidates = top_two_from_logs(log_p, log_threshold, settings.rank_by)
    voted = vote(
        confident,
        candidates,
        best,
        num_classes=len(log_p),
        window=settings.window,
        iterations=settings.iterations,
        alpha=settings.alpha,
        pool=settings.pool,
    )
    # The score of an unlabelled pixel tells how far its best class stays below the bar.
    score = np.where(voted.label == IGNORE, best, voted.excess)
    return VotingResult(voted.label, voted.origin, score)


def _origins(iterations: int) -> dict[int, str]:
    voted = {ORIGIN_VOTED_FIRST + i: f"voted_{i + 1}" for i in range(iterations)}
    return {ORIGIN_NONE: "none", ORIGIN_CONFIDENT: "confident", **voted}
