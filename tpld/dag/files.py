"""Which files stand for a split, what they hold, and what makes their decoded form stale."""

from __future__ import annotations

import sys
from functools import cache
from typing import Any

from tpld.config import Config
from tpld.data.extent import Extent, extent_of
from tpld.data.sources import (
    Files,
    city_root,
    folders_of,
    has_split,
    has_truth,
    list_files,
)
from tpld.data.splits import SPLITS, Split
from tpld.errors import TpldError
from tpld.stores.code import digest


class DataFiles:
    """Files of the splits of one configuration; each is listed once.

    Args:
        config: the configuration.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.listed = cache(self._listed)
        self.extent = cache(self._extent)

    def _listed(self, split: Split) -> Files | None:
        """Without its files the plan is made all the same, and check_data will say why."""
        try:
            return list_files(self.config, split, drawn=False)
        except TpldError as error:
            sys.stderr.write(f"note: planned without its files: {error}\n")
            return None

    def splits(self) -> list[Split]:
        """The splits that the configuration has."""
        return [split for split in SPLITS if has_split(self.config, split)]

    def truth(self, split: Split) -> bool:
        """Whether a split has ground truth."""
        return has_truth(self.config, split)

    def fingerprint(self, split: Split, *kinds: str) -> list[str | None]:
        """Names, sizes and times of a split's ``image`` or ``label`` files."""
        files = self.listed(split)
        if files is None or not files.names:  # the city's are known by their settings
            return [None for _ in kinds]
        return [digest(files.names, files.states[kind]) for kind in kinds]

    def inputs(self, *splits: Split) -> list[str]:
        """Files that stand for splits: the city's folder, and each domain's list.

        Braces in a path are wildcards to Snakemake, whatever is done to them. What such a list
        holds is in the `fingerprint` all the same.
        """
        every = [folders for split in splits for folders in folders_of(self.config, split)]
        lists = {f.names for f in every if f.drawn is None and f.names is not None}
        paths = sorted(names.as_posix() for names in lists if names.is_file())
        found = [path for path in paths if "{" not in path]
        drawn = any(f.drawn is not None for f in every)
        return [city_root(self.config).as_posix(), *found] if drawn else found

    def keys(self, split: Split) -> list[Any]:
        """Keys that the decoded arrays depend on: size, and the classes where there are labels."""
        return [
            self.config.data.cache_gib,
            [
                [f.domain, f.weight, f.exif, f.resize, f.table.meaning()]
                for f in folders_of(self.config, split)
            ],
        ]

    def checked(self) -> list[Any]:
        """Keys that the check depends on: domains but for weights, and classes but for colours."""
        data = self.config.data
        sides = (data.source, data.target)
        domains = [[domain.model_dump(exclude={"weight"}) for domain in side] for side in sides]
        return [domains, [entry.name for entry in data.classes or []]]

    def _extent(self, *splits: Split) -> Extent:
        """How many images some splits have together, and their size."""
        found = [
            extent_of(self.config, split, self.listed(split))
            for split in splits
            if has_split(self.config, split)
        ]
        images = sum(e.megapixels for e in found) * 1e6 / (found[0].height * found[0].width)
        return Extent(round(images), found[0].height, found[0].width)
