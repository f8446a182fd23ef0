"""Splitting the target images over jobs: which images a job has, and which files it left."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tpld.errors import ConfigError


@dataclass(frozen=True)
class Part:
    """One of `count` jobs that share the images of a stage."""

    index: int
    count: int

    def of(self, images: int) -> range:
        """The images of this part: neighbours, so that a part reads its own files alone."""
        return range(images * self.index // self.count, images * (self.index + 1) // self.count)


WHOLE = Part(0, 1)


def parse_part(text: str | None) -> Part:
    """``2/8``, the third of eight; without a text, the whole.

    Raises:
        ConfigError: it is something else.
    """
    if text is None:
        return WHOLE
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    part = Part(*map(int, found.groups())) if found else None
    if part is None or part.index >= part.count:
        raise ConfigError(f"--part: '{text}' is no part. Write I/N with I from 0 to N - 1")
    return part


def in_order(pieces: Sequence[Path] | None) -> list[Path]:
    """What the jobs of a stage made, in the order of their parts; maybe nothing.

    Raises:
        ConfigError: some are missing, or there is something else.
    """
    named = {path.name: path for path in pieces or []}
    wanted = [f"{index}of{len(named)}" for index in range(len(named))]
    if sorted(named) != sorted(wanted):
        raise ConfigError(
            f"{', '.join(map(str, named.values()))} are not all parts of one whole. Name 0ofN to "
            "(N - 1)ofN"
        )
    return [named[name] for name in wanted]
