"""AdaptSegNet: adversarial adaptation of the output space (METHOD 10).

A discriminator a head sees the softmax and tells source from target; the network is trained so
that target predictions are called source. The second head sits on an inner layer and weighs less.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tpld.methods.base import Adversarial
from tpld.section import NotNegative, Section

if TYPE_CHECKING:
    from torch import Tensor, nn


class OutputSpaceKeys(Section):
    """Keys of AdaptSegNet, and of ADVENT, which differs in what its discriminators see."""

    adversarial_weight: NotNegative = 0.001
    """λ_adv of the main head."""
    auxiliary_adversarial_weight: NotNegative = 0.0002
    """λ_adv of the auxiliary head."""
    auxiliary_weight: NotNegative = 0.1
    """Weight of the auxiliary head's cross-entropy on the source."""


class AdaptSegNet(Adversarial[OutputSpaceKeys]):
    """Discriminators see p."""

    name = "adaptsegnet"
    meaning = "adversarial training on the network's output (AdaptSegNet)"
    heads = "auxiliary"
    discriminators = 2
    steps, decay_steps = 150_000, 250_000
    Options = OutputSpaceKeys

    def seen(self, logits: Tensor) -> Tensor:
        """What a discriminator is shown: (B, K, H, W) of logits (B, K, H, W)."""
        from tpld.core.adversarial import probabilities

        return probabilities(logits)

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
        """Each head's target predictions shall be called source."""
        from tpld.core.self_information import adversarial_loss

        main, auxiliary = (
            adversarial_loss(d(self.seen(logits)).float())
            for d, logits in zip(discriminators, target, strict=True)
        )
        keys = self.options
        return {
            "adversarial": keys.adversarial_weight * main
            + keys.auxiliary_adversarial_weight * auxiliary
        }

    def judge(
        self,
        source: list[Tensor],
        target: list[Tensor],
        discriminators: list[nn.Module],
        progress: float,
    ) -> Tensor:
        """Each discriminator calls its head's source predictions 1 and target predictions 0."""
        from tpld.core.self_information import discriminator_loss

        losses = [
            discriminator_loss(d(self.seen(s)).float(), d(self.seen(t)).float())
            for d, s, t in zip(discriminators, source, target, strict=True)
        ]
        return losses[0] + losses[1]
