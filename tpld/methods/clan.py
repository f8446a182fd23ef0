"""CLAN: category-level adversarial alignment (METHOD 10).

Two classifiers on the last layer, kept apart by a penalty on the cosine of their weights. Where
they disagree about a target pixel, its class is poorly aligned, and the adversarial loss weighs
more: ε + λ_local (1 - cosine of both softmaxes). One discriminator sees the softmax of their sum.
The local weight starts after a warm-up; both terms fade linearly over the training.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from tpld.methods.base import Adversarial
from tpld.section import NotNegative, Section

if TYPE_CHECKING:
    from torch import Tensor, nn


class CLANKeys(Section):
    """Keys of CLAN."""

    adversarial_weight: NotNegative = 0.001
    """λ_adv."""
    discrepancy_weight: NotNegative = 0.01
    """Weight of the cosine between both classifiers' weights."""
    local_weight: NotNegative = 40.0
    """λ_local: 40 for GTA5, 10 for SYNTHIA."""
    epsilon: NotNegative = 0.4
    """ε, the weight of a pixel about which both classifiers agree."""
    warmup: float = Field(default=0.05, ge=0, le=1)
    """Share of the steps before pixels are weighed by their disagreement."""


class CLAN(Adversarial[CLANKeys]):
    """Two classifiers, one discriminator."""

    name = "clan"
    meaning = "adversarial training weighed by the disagreement of two classifiers (CLAN)"
    heads = "twin"
    discriminators = 1
    steps, decay_steps = 100_000, 100_000
    Options = CLANKeys

    def source_weights(self) -> list[float]:
        """Both classifiers learn alike."""
        return [1.0, 1.0]

    def align(
        self,
        target: list[Tensor],
        discriminators: list[nn.Module],
        classifiers: list[Tensor],
        progress: float,
    ) -> dict[str, Tensor]:
        """The weighed adversarial loss, and the cosine of both classifiers."""
        from tpld.core.adversarial import (
            damping,
            probabilities,
            weight_discrepancy,
            weighted_adversarial_loss,
        )

        scores = discriminators[0](probabilities(target[0] + target[1])).float()
        fooled = weighted_adversarial_loss(scores, self._pixel_weight(target, progress), 1.0)
        apart = weight_discrepancy(*classifiers)
        keys, fade = self.options, damping(progress)
        return {
            "adversarial": fade * keys.adversarial_weight * fooled,
            "discrepancy": fade * keys.discrepancy_weight * apart,
        }

    def judge(
        self,
        source: list[Tensor],
        target: list[Tensor],
        discriminators: list[nn.Module],
        progress: float,
    ) -> Tensor:
        """Source is 1; target is 0, weighed as for the network."""
        from tpld.core.adversarial import probabilities, weighted_adversarial_loss

        d = discriminators[0]
        of_source = d(probabilities(source[0] + source[1])).float()
        of_target = d(probabilities(target[0] + target[1])).float()
        weight = self._pixel_weight(target, progress)
        told = weighted_adversarial_loss(of_source, None, 1.0)
        return (told + weighted_adversarial_loss(of_target, weight, 0.0)) / 2

    def _pixel_weight(self, target: list[Tensor], progress: float) -> Tensor | None:
        """(B, H, W), or None during the warm-up."""
        from tpld.core.adversarial import local_weight

        if progress < self.options.warmup:
            return None
        return local_weight(target[0], target[1], self.options.epsilon, self.options.local_weight)
