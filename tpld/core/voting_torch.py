"""Voting (METHOD 5) in torch, for pixels that already are on a GPU; the same result as `voting`.

Where the numba kernel slides its sums, this one takes differences of running totals:

    totals   0  a  a+b  a+b+c  a+b+c+d  ...      window of b, c, d = (a+b+c+d) - a

once along y and once along x, a class at a time. The sums are the same int64 fixed point, which
wraps around without harm in a difference, and the rest is the same float64 arithmetic in the same
order: labels, origins and excesses equal those of `voting.vote` bit for bit. On a CPU it takes many
times as long as the kernel: `voting.vote` is the default.
"""

from typing import Literal, NamedTuple

import torch
from torch import Tensor

from tpld.core import voting
from tpld.core.labels import IGNORE, ORIGIN_CONFIDENT, ORIGIN_NONE, ORIGIN_VOTED_FIRST


class TensorCandidates(NamedTuple):
    """`selection.Candidates` as tensors: the two competing classes and their excesses e = r - 1."""

    first: Tensor  # uint8 (H, W)
    second: Tensor  # uint8 (H, W)
    first_excess: Tensor  # float32 (H, W)
    second_excess: Tensor  # float32 (H, W)


class TensorVotingResult(NamedTuple):
    """`voting.VotingResult` as tensors on the device of the input."""

    label: Tensor  # uint8 (H, W), 255 = none
    origin: Tensor  # uint8 (H, W)
    excess: Tensor  # float32 (H, W)


def vote(
    label: Tensor,
    candidates: TensorCandidates,
    label_excess: Tensor,
    *,
    num_classes: int,
    window: int = 57,
    iterations: int = 3,
    alpha: float = 0.7,
    pool: Literal["mean", "sum", "share"] = "mean",
    fresh: Literal["combined", "pooled"] = "combined",
) -> TensorVotingResult:
    """`voting.vote` on tensors of one device; see there. METHOD 5.

    label uint8 (H, W), 255 = none; candidates and label_excess (H, W). Extra memory: about ten
    int64 maps. Raises ValueError for shapes that differ, classes out of range or bad keys.
    """
    voting.check_keys(window, iterations, alpha, pool, fresh)
    _check(label, candidates, label_excess, num_classes)
    height, width = label.shape
    radius = min(window // 2, height - 1), min(window // 2, width - 1)
    scale = voting.fixed_point_scale((2 * radius[0] + 1) * (2 * radius[1] + 1))
    unlabelled = label == IGNORE
    label = label.clone()
    excess = torch.where(unlabelled, -1.0, label_excess.float())
    origin = torch.where(unlabelled, ORIGIN_NONE, ORIGIN_CONFIDENT).to(torch.uint8)
    for iteration in range(iterations):
        value, pooled, winner = _combine(label, candidates, excess, radius, scale, alpha, pool)
        wins = (label == IGNORE) & (value >= 0)
        if not wins.any():
            break
        kept = torch.maximum(pooled, value) if fresh == "pooled" else value
        label[wins], excess[wins] = winner[wins], kept[wins].float()
        origin[wins] = ORIGIN_VOTED_FIRST + iteration
    return TensorVotingResult(label, origin, excess)


def _combine(
    label: Tensor,
    candidates: TensorCandidates,
    excess: Tensor,
    radius: tuple[int, int],
    scale: float,
    alpha: float,
    pool: str,
) -> tuple[Tensor, Tensor, Tensor]:
    """Of every pixel's winner: combined - 1 and v_e, float64, and its class. METHOD 5.2 to 5.4."""
    own = [(1.0 - alpha) * candidates[i].double() for i in (2, 3)]
    pooled = [torch.full_like(own[0], -1.0) for _ in own]
    fixed = (excess.double().clamp(-1.0, voting.CLIP) * scale).round().long()
    count_any = _window_sum((label != IGNORE).long(), radius) if pool == "share" else None
    for c in label[label != IGNORE].unique().tolist():  # of other classes there is nothing to pool
        asks = [candidates[i] == c for i in (0, 1)]
        if not (asks[0].any() or asks[1].any()):
            continue
        of_class = label == c
        count = _window_sum(of_class.long(), radius)
        total = _window_sum(fixed * of_class, radius)
        value = _pooled_excess(pool, total, count, count_any, 1.0 / scale)
        for i in (0, 1):
            pooled[i] = torch.where(asks[i] & (count > 0), value, pooled[i])
    first, second = (own[i] + alpha * pooled[i] for i in (0, 1))
    second_wins = second > first
    winner = torch.where(second_wins, candidates.second, candidates.first)
    value = torch.where(second_wins, second, first)
    return value, torch.where(second_wins, pooled[1], pooled[0]), winner


def _pooled_excess(
    pool: str, total: Tensor, count: Tensor, count_any: Tensor | None, unit: float
) -> Tensor:
    """v_e of the docstring of `voting`, where count > 0."""
    sum_of_excess = total.double() * unit  # explicitly: int64 times a float would be float32
    if pool == "sum":
        return sum_of_excess + (count - 1)
    if count_any is not None:
        return (sum_of_excess + (count - count_any)) / count_any
    return sum_of_excess / count


def _window_sum(values: Tensor, radius: tuple[int, int]) -> Tensor:
    """Sum over the clipped window centred on every pixel: int64 (H, W) -> (H, W)."""
    for dim, reach in enumerate(radius):
        size = values.shape[dim]
        at = torch.arange(size, device=values.device)
        totals = torch.cat([torch.zeros_like(values.narrow(dim, 0, 1)), values.cumsum(dim)], dim)
        upper = totals.index_select(dim, (at + reach + 1).clamp(max=size))
        values = upper - totals.index_select(dim, (at - reach).clamp(min=0))
    return values


def _check(
    label: Tensor, candidates: TensorCandidates, label_excess: Tensor, num_classes: int
) -> None:
    shapes = {tuple(t.shape) for t in (label, *candidates, label_excess)}
    if len(shapes) > 1 or label.ndim != 2 or label.numel() == 0:
        raise ValueError(f"shapes are {sorted(shapes)}; expected (H, W), one image for all of them")
    highest = torch.where(label == IGNORE, 0, label).max()
    highest = max(int(t.max()) for t in (highest, candidates.first, candidates.second))
    if highest >= num_classes:
        raise ValueError(f"a class id is {highest}; expected 0 to {num_classes - 1}, or 255")
    if label_excess[label != IGNORE].isnan().any():
        raise ValueError("label_excess is NaN at labelled pixels: pass the excess of each label")
