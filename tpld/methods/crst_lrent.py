"""CRST-LRENT: CBST with label regularisation (METHOD 4 and 6).

The label itself is soft, s[k] ∝ (p[k] / λ[k])^(1/α); a pixel is kept where
-Σ s log p + α Σ s log s < -Σ s log λ, and trains on s by soft cross-entropy.

With TPLD, voting starts from the hard labels argmax s. What voting adds has a one-hot target, for
it is elected against the pixel's own scores, which s repeats [O]; phase 2 has no regulariser, so
its one-hot labels are those with r >= 1 [O].
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tpld.methods.base import SelfTraining
from tpld.section import Positive, Section

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class LRENTKeys(Section):
    """Keys of CRST-LRENT."""

    alpha: Positive = 0.25
    """Weight α of the entropy regulariser: the larger, the softer the labels."""


class CRSTLRENT(SelfTraining[LRENTKeys]):
    """Soft labels on confident pixels."""

    name = "crst_lrent"
    meaning = "self-training on soft pseudo labels (CRST with its LRENT regulariser)"
    soft = True
    Options = LRENTKeys

    def select(
        self, log_p: NDArray[np.float32], log_threshold: NDArray[np.float32]
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Hard label argmax s where LRENT keeps the pixel."""
        from tpld.core.lrent import select_lrent

        return select_lrent(log_p, log_threshold, self.options.alpha)

    def soft_label(
        self, log_p: NDArray[np.float32], log_threshold: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Distribution s of every pixel."""
        from tpld.core.lrent import soft_label

        return soft_label(log_p, log_threshold, self.options.alpha)
