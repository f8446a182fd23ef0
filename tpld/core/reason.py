"""Why a pixel has its pseudo label: the rules of METHOD 4, 5 and 9 replayed for one pixel.

Nothing here decides anything. Labels never change once they are given, and the origin of a pixel
says in which iteration it got its label, so the finished maps of an image hold the state at the
start of every voting iteration i: the labels whose origin lies under 1 + i. Pooling that state over
the window of one pixel gives back the numbers that `voting.vote` decided by.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tpld.core import checks
from tpld.core.labels import (
    IGNORE,
    ORIGIN_CONFIDENT,
    ORIGIN_FULL,
    ORIGIN_NONE,
    ORIGIN_VOTED_FIRST,
)
from tpld.core.voting import CLIP, check_keys


@dataclass(frozen=True)
class ClassScore:
    """One class at one pixel: probability p, threshold λ, normalised score r = p / λ."""

    class_id: int
    name: str
    p: float
    threshold: float
    r: float


@dataclass(frozen=True)
class Vote:
    """One candidate class in one voting iteration (METHOD 5.2 and 5.3).

    Attributes:
        iteration: from 1.
        class_id: the candidate.
        name: its name.
        own: r of the pixel itself.
        pooled: v, the pooled r of the neighbours of this class; 0 without any.
        combined: (1-α) own + α pooled, which is compared with 1.
        neighbours: pixels of the window that have this label at the start of the iteration.
        labelled: pixels of the window that have any label then.
        window: pixels of the window, clipped at the border of the image.
    """

    iteration: int
    class_id: int
    name: str
    own: float
    pooled: float
    combined: float
    neighbours: int
    labelled: int
    window: int


@dataclass(frozen=True)
class Reason:
    """Everything that tells why the pixel (y, x) has its label.

    Attributes:
        y: row.
        x: column.
        label: class id, or None without a label.
        label_name: its name; empty without a label.
        origin: value of the origin map.
        kind: ``none``, ``confident``, ``voted`` or ``full``.
        iteration: voting iteration that labelled the pixel, from 1; else 0.
        scores: the classes of largest r, best first.
        votes: both candidates in each iteration up to the deciding one, in order.
        sentence: the reason in words.
    """

    y: int
    x: int
    label: int | None
    label_name: str
    origin: int
    kind: Literal["none", "confident", "voted", "full"]
    iteration: int
    scores: tuple[ClassScore, ...]
    votes: tuple[Vote, ...]
    sentence: str

    @property
    def winner(self) -> Vote | None:
        """The vote that won, or in a pixel without label the one that came nearest to the bar."""
        last = [v for v in self.votes if v.iteration == self.iteration] or self.votes
        return max(last, key=lambda vote: vote.combined, default=None)


def explain_pixel(
    y: int,
    x: int,
    *,
    log_p: ArrayLike,
    log_threshold: ArrayLike,
    label: ArrayLike,
    origin: ArrayLike,
    excess: ArrayLike,
    classes: Sequence[str],
    window: int = 57,
    iterations: int = 0,
    alpha: float = 0.7,
    pool: Literal["mean", "sum", "share"] = "mean",
    fresh: Literal["combined", "pooled"] = "combined",
    rank_by: Literal["normalised", "probability"] = "normalised",
    gamma: float = 2.0,
    full_label: Literal["soft", "hard", "argmax", "sparse"] = "soft",
    top: int = 3,
) -> Reason:
    """Why the pixel in row y and column x has its label, or has none. METHOD 4, 5 and 9.

    log_p: (K,) float32, log p of every class at this pixel. log_threshold: (K,), log λ.
    label, origin: (H, W) uint8, the finished maps of the image, 255 and 0 = none.
    excess: (H, W) float, r - 1 of each label; ignored where there is none. `score` of a label
    store minus 1 serves too, but is rounded to float16: pooled values are then good to 1e-3.
    window, iterations, alpha, pool, rank_by: as the labels were made; 0 iterations without TPLD.
    fresh: likewise; what a voted label counts as is in `excess` already.
    gamma, full_label: of phase 2, for pixels whose label is a full one.
    top: how many classes to list; the candidates and the label are listed in any case.

    Raises ValueError for a pixel outside the image, or arrays that do not fit together.
    """
    check_keys(window, iterations, alpha, pool, fresh)
    checks.one_of("rank_by", rank_by, ("normalised", "probability"))
    label, origin, values = _maps_around(y, x, label, origin, excess)
    log_p = checks.per_class("log_p", log_p, len(classes))
    log_threshold = checks.per_class("log_threshold", log_threshold, len(classes))
    log_r = log_p - log_threshold
    order = np.argsort(-(log_p if rank_by == "probability" else log_r), kind="stable")
    code, class_id = int(origin[y, x]), int(label[y, x])
    iteration = code - ORIGIN_CONFIDENT if ORIGIN_VOTED_FIRST <= code < ORIGIN_FULL else 0
    turns = (iteration or iterations) if code == ORIGIN_NONE or iteration else 0
    own = {int(c): math.expm1(float(log_r[c])) for c in order[:2]}
    around = _around(y, x, label, origin, values, window)
    votes = _votes(turns, own, classes, around, alpha, pool)
    listed = _listed(log_r, [*own, class_id], top)
    reason = Reason(
        y=y,
        x=x,
        label=None if class_id == IGNORE else class_id,
        label_name="" if class_id == IGNORE else classes[class_id],
        origin=code,
        kind=_kind(code),
        iteration=iteration,
        scores=tuple(_score(c, classes[c], log_p[c], log_threshold[c]) for c in listed),
        votes=votes,
        sentence="",
    )
    return replace(reason, sentence=_sentence(reason, alpha, gamma, full_label))


def _maps_around(
    y: int, x: int, label: ArrayLike, origin: ArrayLike, excess: ArrayLike
) -> tuple[NDArray, NDArray, NDArray]:
    """The maps as arrays (H, W) that hold the pixel."""
    maps = np.asarray(label), np.asarray(origin), np.asarray(excess)
    checks.same_shape(label=maps[0], origin=maps[1], excess=maps[2])
    shape = maps[0].shape
    if len(shape) != 2 or not (0 <= y < shape[0] and 0 <= x < shape[1]):
        raise ValueError(f"pixel (y, x) = ({y}, {x}) is outside the image of {shape} pixels")
    return maps


def _listed(log_r: NDArray, shown: Sequence[int], top: int) -> list[int]:
    """The `top` classes of largest r, and those that are shown in any case."""
    listed = [int(c) for c in np.argsort(-log_r, kind="stable")[: max(top, 2)]]
    return listed + [c for c in dict.fromkeys(shown) if c != IGNORE and c not in listed]


def _score(class_id: int, name: str, log_p: float, log_threshold: float) -> ClassScore:
    """p, λ and r of a class from their logarithms."""
    log_p, log_threshold = float(log_p), float(log_threshold)
    r = 1 + math.expm1(log_p - log_threshold)
    return ClassScore(class_id, name, math.exp(log_p), math.exp(log_threshold), r)


@dataclass(frozen=True)
class _Around:
    """The pixels of a window, flat."""

    label: NDArray[np.uint8]
    origin: NDArray[np.uint8]
    excess: NDArray[np.float64]


def _around(
    y: int, x: int, label: NDArray, origin: NDArray, excess: NDArray, window: int
) -> _Around:
    reach = window // 2
    place = np.s_[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1]
    values = np.clip(excess[place].astype(np.float64), -1, CLIP)
    return _Around(label[place].ravel(), origin[place].ravel(), values.ravel())


def _vote(
    iteration: int, class_id: int, name: str, own: float, around: _Around, alpha: float, pool: str
) -> Vote:
    """METHOD 5.2 and 5.3 for one candidate: `own` is its excess at the pixel."""
    counts = (around.origin != ORIGIN_NONE) & (around.origin <= iteration)
    of_class = counts & (around.label == class_id)
    neighbours, labelled = int(of_class.sum()), int(counts.sum())
    total = neighbours + float(around.excess[of_class].sum())  # of r
    divisor = {"mean": neighbours, "sum": 1, "share": labelled}[pool]
    pooled = total / divisor if neighbours else 0.0
    return Vote(
        iteration=iteration,
        class_id=class_id,
        name=name,
        own=1 + own,
        pooled=pooled,
        combined=1 + (1 - alpha) * own + alpha * (pooled - 1),
        neighbours=neighbours,
        labelled=labelled,
        window=around.label.size,
    )


def _votes(
    turns: int,
    own: dict[int, float],
    classes: Sequence[str],
    around: _Around,
    alpha: float,
    pool: str,
) -> tuple[Vote, ...]:
    """Votes of both candidates in each turn; `own` is the excess of each at the pixel."""
    return tuple(
        _vote(turn, c, classes[c], excess, around, alpha, pool)
        for turn in range(1, turns + 1)
        for c, excess in own.items()
    )


def _kind(origin: int) -> Literal["none", "confident", "voted", "full"]:
    if origin == ORIGIN_NONE:
        return "none"
    if origin == ORIGIN_CONFIDENT:
        return "confident"
    return "full" if origin == ORIGIN_FULL else "voted"


def _sentence(reason: Reason, alpha: float, gamma: float, full_label: str) -> str:
    best, winner = reason.scores[0], reason.winner
    own = next((s for s in reason.scores if s.class_id == reason.label), best)
    if reason.kind == "confident":
        if own.r >= 1:
            return f"Confident: r = {number(own.r)} of {own.name} reaches 1."
        return (
            f"Confident by the method's own rule: r = {number(own.r)} of {own.name} stays under "
            "1, but the method keeps the pixel."
        )
    if reason.kind == "full":
        return f"Full label of an easy image: {own.name} is the best class, r = " + (
            f"{number(own.r)}; {_weight(own.r, gamma, full_label)}."
        )
    if winner is None:
        return f"None: the best class, {best.name}, has r = {number(best.r)}, which is under 1."
    sum_of_it = (
        f"({1 - alpha:.3g} × {number(winner.own)} + {alpha:.3g} × {number(winner.pooled)} = "
        f"{number(winner.combined)})"
    )
    if reason.kind == "voted":
        return (
            f"Voted {winner.name} in iteration {reason.iteration} from {winner.neighbours} of "
            f"{winner.window} neighbours {sum_of_it}."
        )
    if not any(vote.neighbours for vote in reason.votes):
        two = " or ".join(dict.fromkeys(vote.name for vote in reason.votes))
        return (
            f"None: the best class, {best.name}, has r = {number(best.r)}, and none of "
            f"{winner.window} neighbours is labelled {two}."
        )
    return (
        f"None: best {number(winner.combined)}, {winner.name} in iteration {winner.iteration} "
        f"with {winner.neighbours} of {winner.window} neighbours {sum_of_it}."
    )


def _weight(r: float, gamma: float, full_label: str) -> str:
    """What phase 2 makes of a pixel under the bar (METHOD 9; see `full_labels.full_label`)."""
    weight = {"argmax": 1.0, "sparse": 0.0}.get(full_label, min(1.0, r) ** gamma)
    if full_label in ("soft", "hard"):
        return f"its weight in the loss is r^{gamma:.3g} = {weight:.2f}"
    return f"its weight in the loss is {weight:.0f}"


def number(value: float) -> str:
    """Two decimals, or as many as it takes to see on which side of 1 a score lies."""
    for digits in range(2, 8):
        text = f"{value:.{digits}f}"
        if float(text) != 1 or value == 1:
            return text
    return "1.00" if value >= 1 else "just under 1"
