"""Source only: the network trained on the labelled source, as it is (METHOD 1)."""

from __future__ import annotations

from tpld.methods.base import NoKeys, SourceOnly


class Source(SourceOnly[NoKeys]):
    """The source model; what adaptation is compared with."""

    name = "source"
    meaning = "the source model, trained on the source domain alone, without adaptation"
