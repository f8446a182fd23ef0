"""Oracle: the network trained on the labels of the target, which adaptation must do without.

What it reaches is the upper end of the gap that a method closes a share of. It is trained exactly
as the source model is (`source_training`), on target_train instead of source_train.
"""

from __future__ import annotations

from tpld.methods.base import NoKeys, TargetTrained


class Oracle(TargetTrained[NoKeys]):
    """Not a competitor: it sees the target's ground truth."""

    name = "oracle"
    meaning = (
        "no competitor: trained on the target's own labels, as the source model on the source's"
    )
