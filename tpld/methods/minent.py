"""MinEnt: direct entropy minimisation (METHOD 10).

No discriminator: the entropy of the target predictions itself is a loss of each head.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tpld.methods.base import Adversarial
from tpld.section import NotNegative, Section

if TYPE_CHECKING:
    from torch import Tensor, nn


class MinEntKeys(Section):
    """Keys of MinEnt."""

    entropy_weight: NotNegative = 0.001
    """λ_ent of the main head."""
    auxiliary_entropy_weight: NotNegative = 0.0002
    """λ_ent of the auxiliary head."""
    auxiliary_weight: NotNegative = 0.1
    """Weight of the auxiliary head's cross-entropy on the source."""


class MinEnt(Adversarial[MinEntKeys]):
    """Entropy of both heads."""

    name = "minent"
    meaning = "minimisation of the prediction's entropy on the target (MinEnt)"
    heads = "auxiliary"
    discriminators = 0
    steps, decay_steps = 120_000, 250_000
    Options = MinEntKeys

    def source_weights(self) -> list[float]:
        """1 for the main head."""
        return [1.0, self.options.auxiliary_weight]

    def align(
        self,
        target: list[Tensor],
        discriminators: list[nn.Module],
        classifiers: list[Tensor],
        progress: float,
    ) -> dict[str, Tensor]:
        """Weighted entropy of each head."""
        from tpld.core.adversarial import entropy_loss

        main, auxiliary = (entropy_loss(logits) for logits in target)
        keys = self.options
        return {"entropy": keys.entropy_weight * main + keys.auxiliary_entropy_weight * auxiliary}
