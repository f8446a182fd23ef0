"""Stage: pseudo labels of a round: selection, then phase-1 voting (METHOD 4 and 5)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from tpld.compute.overlap import overlap
from tpld.compute.progress import progress
from tpld.config import Config, Voting
from tpld.core.labels import IGNORE, ORIGIN_CONFIDENT, ORIGIN_NONE, ORIGIN_VOTED_FIRST
from tpld.core.mixture import candidates_from_logits, log_probabilities
from tpld.core.voting import VotingResult, vote
from tpld.dag.rows import recipe_of
from tpld.dag.settings import settings_of
from tpld.methods import SelfTraining, parse_method, recipe_class
from tpld.stages.thresholds import read_thresholds
from tpld.stores.labels import measure_labels, new_labels
from tpld.stores.lineage import inputs_of
from tpld.stores.parts import WHOLE, Part
from tpld.stores.predictions import Predictions
from tpld.stores.provenance import fingerprint, made_from, record
from tpld.stores.space import ensure_space

Select = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def label(
    config: Config,
    method: str,
    predictions: Path,
    thresholds: Path,
    out: Path,
    part: Part = WHOLE,
) -> None:
    """Label every image of `predictions` into the store `out` as a method does, TPLD by voting.

    Of a part of the images, `out` is a part of the store; see `tpld.stores.assemble`.

    Raises:
        StoreError: the disk is too small for it; nothing is written then.
    """
    row = parse_method(method)
    select = _selection(config, method)
    store = Predictions(predictions)
    bars = read_thresholds(thresholds, store.classes, fingerprint(predictions))
    log_threshold = bars["log_threshold"].to_numpy(np.float32)
    settings = config.voting if row.tpld else config.voting.model_copy(update={"iterations": 0})
    keys = settings_of(config, "label", method)
    inputs = {
        **{role: mark for role, mark in inputs_of(store).items() if role != "fingerprint"},
        "predictions": fingerprint(predictions),
        "thresholds": fingerprint(thresholds),
    }
    code = (__name__, recipe_class(row.base).__module__)
    lineage = made_from("label", keys, inputs, *code)
    run = record("label", keys, [predictions, thresholds], made_from=lineage)

    def labels_of(i: int, logits: np.ndarray) -> VotingResult:
        return label_image(logits, store.size(i), log_threshold, settings, select)

    sizes, mine = [store.size(i) for i in range(len(store))], part.of(len(store))
    measured = measure_labels(**_layers(labels_of(0, store.logits(0))))
    ensure_space(out, measured, sizes[0][0] * sizes[0][1], sizes[mine.start : mine.stop])
    with (
        new_labels(
            out,
            store.names,
            sizes,
            store.classes,
            log_threshold,
            _origins(settings.iterations),
            run,
            part=part,
        ) as writer,
        progress("labelling target images", len(mine)) as tick,
    ):
        overlap(
            len(mine),
            lambda k: store.logits(mine[k]),
            lambda k, logits: labels_of(mine[k], logits),
            lambda k, result: writer.write(mine[k], **_layers(result)),
            tick,
        )


def _selection(config: Config, method: str) -> Select | None:
    """The selection of a method; None where it is that of CBST, which the candidates tell."""
    recipe = recipe_of(config, parse_method(method))
    assert isinstance(recipe, SelfTraining)
    return None if type(recipe).select is SelfTraining.select else recipe.select


def label_image(
    logits: np.ndarray,
    size: tuple[int, int],
    log_threshold: np.ndarray,
    settings: Voting,
    select: Select | None = None,
) -> VotingResult:
    """Pseudo labels of one image: what is confident (METHOD 4), then what voting adds (METHOD 5).

    Args:
        logits: float32 (V, K, h, w) as in `mixture.log_probabilities`.
        size: (H, W) at label resolution.
        log_threshold: float32 (K,).
        settings: voting keys; 0 iterations leave the sparse labels.
        select: the base method's selection from log p (K, H, W); None: label argmax r, r >= 1.

    Returns:
        Label and origin; the excess of an unlabelled pixel is that of its best class, and tells
        how far that stays below the bar.
    """
    by_score = candidates_from_logits(logits, size, log_threshold)
    if select:
        confident, best = select(log_probabilities(logits, size), log_threshold)
    else:
        best = by_score.first_excess
        confident = np.where(best >= 0, by_score.first, np.uint8(IGNORE))
    if settings.iterations and settings.rank_by == "probability":
        candidates = candidates_from_logits(logits, size, log_threshold, "probability")
    else:
        candidates = by_score
    voted = vote(
        confident,
        candidates,
        best,
        num_classes=len(log_threshold),
        window=settings.window,
        iterations=settings.iterations,
        alpha=settings.alpha,
        pool=settings.pool,
        fresh=settings.fresh,
    )
    score = np.where(voted.label == IGNORE, best, voted.excess)
    return VotingResult(voted.label, voted.origin, score)


def _layers(result: VotingResult) -> dict[str, np.ndarray]:
    """What the store keeps of the labels of an image; the score is r = e + 1."""
    return {"label": result.label, "origin": result.origin, "score": result.excess + 1}


def _origins(iterations: int) -> dict[int, str]:
    voted = {ORIGIN_VOTED_FIRST + i: f"voted_{i + 1}" for i in range(iterations)}
    return {ORIGIN_NONE: "none", ORIGIN_CONFIDENT: "confident", **voted}
