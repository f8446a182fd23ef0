"""CBST: class-balanced self-training (METHOD 3 and 4).

Each class has its own threshold λ[k], so that the same portion of every class is selected:
k* = argmax p[k] / λ[k], a pixel keeps it where p[k*] >= λ[k*], and trains on it by cross-entropy.
"""

from __future__ import annotations

from tpld.methods.base import NoKeys, SelfTraining


class CBST(SelfTraining[NoKeys]):
    """Hard labels, no regulariser."""

    name = "cbst"
    meaning = "self-training on class-balanced pseudo labels (CBST)"
