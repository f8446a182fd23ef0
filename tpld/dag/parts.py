"""compute.parts: where the parts of a result are, which several jobs make of the target images.

Each job writes ``.parts/<result>/<n>/<i>of<n>``, with the shards (or rows, or counts) of its own
images. The stage's own rule puts them together, and with one part makes the result by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tpld.dag.layout import Layout

PARTS_FOLDER = ".parts"
SHARED = ("dump", "thresholds", "label", "label_easy", "score")
"""Stages whose images are shared among several jobs, where the configuration says so."""


class Parts:
    """Paths of parts, with Snakemake's wildcards.

    Args:
        layout: of the experiment, whose configuration has their number.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.count = layout.config.compute.parts

    def piece(self, result: str, round_name: str = "{round}", folder: str | None = None) -> str:
        """Pattern of a part of a result, of a round or in another folder."""
        folder = folder or self.layout.round("{method}", "{seed}", round_name)
        return f"{folder}/{PARTS_FOLDER}/{result}/{{parts}}/{{part}}of{{parts}}"

    def pieces(
        self, result: str, folder: str | None = None, of_parts: bool = False
    ) -> Callable[[Any], list[str]]:
        """All parts of a result, in their order; none where one job makes it.

        A job that makes a part itself needs no other parts, unless `of_parts`.
        """
        count = self.count if self.count > 1 else 0
        pattern = self.piece(result, folder=folder)

        def of(wildcards: Any) -> list[str]:
            if hasattr(wildcards, "part") and not of_parts:
                return []
            values = {
                key: value for key, value in wildcards.items() if key not in ("part", "parts")
            }
            return [pattern.format(**values, part=i, parts=count) for i in range(count)]

        return of

    def note(self, name: str, folder: str | None = None) -> str:
        """Pattern of a part's log or benchmark."""
        stem, _, kind = name.partition(".")
        folder = folder or self.layout.round("{method}", "{seed}", "{round}")
        return f"{folder}/logs/{stem}_{{part}}of{{parts}}.{kind}"

    def message(self, work: str, *names: str) -> str:
        """What Snakemake says of a job that makes a part; `names` are the wildcards to say."""
        named = {"method": "{}", "network": "{}", "seed": "seed {}", "round": "{}"}
        places = [
            named[name].format(f"{{wildcards.{name}}}")
            for name in names or ("method", "seed", "round")
        ]
        return f"{work}, part {{wildcards.part}} of {{wildcards.parts}}: {', '.join(places)}"


def part_option(wildcards: Any) -> str:
    """Which part a job makes, if it does not make the whole."""
    return f"--part {wildcards.part}/{wildcards.parts}" if hasattr(wildcards, "part") else ""
