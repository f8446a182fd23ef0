"""CRST-MRKLD: CBST with model regularisation (METHOD 4 and 6).

Labels as CBST; on labelled target pixels the loss also has ``loss.mrkld_weight`` times
(1/K) Σ_k -log p[k], which keeps the prediction from becoming surer than it is.
"""

from __future__ import annotations

from tpld.methods.base import NoKeys, SelfTraining


class CRSTMRKLD(SelfTraining[NoKeys]):
    """Hard labels, MRKLD regulariser."""

    name = "crst_mrkld"
    meaning = "self-training on sparse pseudo labels (CRST with its MRKLD regulariser)"
    regularised = True
