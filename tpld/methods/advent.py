"""ADVENT: adversarial entropy minimisation (METHOD 10).

AdaptSegNet, but the discriminators see the weighted self-information map
I[k] = -p[k] log2 p[k] / log2 K, so that target predictions become as sure as those on the source.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tpld.methods.adaptsegnet import AdaptSegNet

if TYPE_CHECKING:
    from torch import Tensor


class ADVENT(AdaptSegNet):
    """Discriminators see I."""

    name = "advent"
    meaning = "adversarial training on self-information maps (ADVENT)"
    steps = 120_000

    def seen(self, logits: Tensor) -> Tensor:
        """The weighted self-information map."""
        from tpld.core.self_information import self_information

        return self_information(logits)
