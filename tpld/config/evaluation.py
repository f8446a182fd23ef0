"""Section about evaluation (METHOD 12)."""

from __future__ import annotations

from pydantic import Field, model_validator

from tpld.section import Name, Positive, Section, Size


class Protocol(Section):
    """A named way to predict the images that are scored, always at the size of their labels."""

    name: str = Field(pattern=r"^[A-Za-z0-9_.-]+$")
    """Name in tables; the settings below are printed with it, and so are size and classes."""
    size: Size | None = None
    """Height and width that an image is brought to first; left out: it stays as it is."""
    scales: list[Positive] = Field(default=[1.0], min_length=1)
    """Scales of that image whose logits are averaged."""
    mirror: bool = False
    """Average with the mirror image at each scale."""


CRST = Protocol(name="crst", scales=[0.9, 1.0, 1.2], mirror=True)
SINGLE = Protocol(name="single")


class Evaluation(Section):
    """How the last checkpoint of each method is scored."""

    protocols: list[Protocol] = Field(default=[CRST, SINGLE], min_length=1)
    """Each gives one table. The first is the headline; the last, the plainest, also scores the
    network of each round where that is wanted. Default: the CRST authors' and a single scale."""
    every_round: bool = False
    """Evaluate the network of each round too, by the last protocol, for the report's curves."""
    on_source: bool = False
    """Score every row on source_val too, where there is one, not the source model alone: what a
    learning rate may be chosen by without a look at target labels."""
    subsets: dict[Name, list[str]] = Field(default={})
    """Named means over some classes, e.g. R-mIoU."""

    @model_validator(mode="after")
    def _distinct(self) -> Evaluation:
        names = [protocol.name for protocol in self.protocols]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"protocols names {', '.join(twice)} twice; every name must differ")
        return self
