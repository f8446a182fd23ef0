"""Sections about predictions, thresholds and phase-1 labels (METHOD 2 to 5)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from tpld.section import Count, NotNegative, Portion, Positive, Section


class Dump(Section):
    """Target predictions (METHOD 2)."""

    scale: Positive = 0.9
    """Image scale at which the network predicts."""
    mirror: bool = True
    """Average with the prediction of the mirror image."""
    dtype: Literal["uint16", "float32"] = "uint16"
    """Of the stored logits; `uint16`: distance below the pixel's largest, in steps of 1/512."""


class Thresholds(Section):
    """Class thresholds λ (METHOD 3)."""

    start_portion: Portion = 0.20
    """Portion of each class that round 0 labels."""
    portion_step: NotNegative = 0.05
    """Growth of the portion a round."""
    max_portion: Portion = 0.50
    """Upper bound of the portion."""
    factor: float = Field(default=1.0, gt=0, le=1)
    """λ of every class is multiplied by it: below 1, all classes label more (1 in the paper)."""
    every: Count = 4
    """Count every d-th pixel of a class and image."""
    mined_share: NotNegative = 1e-3
    """Classes below this share of the predictions are mined in the next training."""


class Voting(Section):
    """Phase 1, voting (METHOD 5)."""

    window: int = Field(default=57, ge=1)
    """Side of the square neighbourhood in pixels (odd)."""
    iterations: int = Field(default=3, ge=0)
    """Voting iterations; 0 keeps the sparse labels."""
    alpha: float = Field(default=0.7, ge=0, le=1)
    """Weight of the pooled value; 1 - alpha weighs the pixel's own."""
    pool: Literal["mean", "sum", "share"] = "mean"
    """How the confident neighbours' values are pooled."""
    rank_by: Literal["normalised", "probability"] = "normalised"
    """What elects the two competing classes."""
    fresh: Literal["combined", "pooled"] = "combined"
    """What a voted label counts as from the next iteration on: the combined value that it won
    with, or the pooled value that elected it, which does not fade as labels spread."""

    @model_validator(mode="after")
    def _odd(self) -> Voting:
        if self.window % 2 == 0:
            raise ValueError(f"window is {self.window}; it must be odd (it has a centre pixel)")
        return self
