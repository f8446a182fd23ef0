"""Endless streams of images to train on: in what order, and how often those of each domain."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tpld.data.cache import Group

# Of as many draws, each domain has its share, up to a rounding.
_BLOCK = 1000


def shuffled_index(position: int, count: int, seed: int) -> int:
    """Image at a position of an endless stream: a fresh permutation of all images every epoch."""
    epoch, place = divmod(position, count)
    return int(np.random.default_rng([seed, 1, epoch]).permutation(count)[place])


class Stream:
    """An endless stream of numbers out of some groups; a position always has the same one.

    Of one group it is a fresh permutation every epoch. Of several, each has a share of every
    thousand draws by its weight, at random places, and is itself permuted anew each time that it
    has been drawn through.

    Args:
        groups: numbers of the images, int64 (n,), and weights; those without images are left out.
        seed: of the stream.

    Raises:
        ValueError: no group has an image.
    """

    def __init__(self, groups: Sequence[Group], seed: int) -> None:
        self.groups = [group for group in groups if len(group.images)]
        if not self.groups:
            raise ValueError("a stream needs at least one image")
        self.seed = seed
        weights = np.array([group.weight for group in self.groups], np.float64)
        self._counts = _parts(_BLOCK, weights / weights.sum())

    def __getitem__(self, position: int) -> int:
        if len(self.groups) == 1:
            images = self.groups[0].images
            return int(images[shuffled_index(position, len(images), self.seed)])
        block, place = divmod(position, _BLOCK)
        which = np.repeat(np.arange(len(self.groups)), self._counts)
        order = np.random.default_rng([self.seed, 2, block]).permutation(which)
        group = int(order[place])
        drawn = block * int(self._counts[group]) + int((order[:place] == group).sum())
        images = self.groups[group].images
        stream = self.seed + (group + 1) * 2**33  # apart from those of other seeds
        return int(images[shuffled_index(drawn, len(images), stream)])


def _parts(total: int, shares: np.ndarray) -> np.ndarray:
    """int64 (n,): whole numbers in proportion to `shares`, at least 1 each, that sum to `total`."""
    exact = shares * total
    counts = np.maximum(1, np.floor(exact).astype(np.int64))
    order = np.argsort(counts - exact, kind="stable")  # what lost most comes first
    while counts.sum() < total:
        for place in order[: total - counts.sum()]:
            counts[place] += 1
    while counts.sum() > total:
        counts[np.argmax(counts)] -= 1
    return counts


def scaled(groups: Sequence[Group], total: float) -> list[Group]:
    """The groups with weights that sum to `total`, in proportion; empty ones have no part."""
    filled = [group for group in groups if len(group.images)]
    whole = sum(group.weight for group in filled)
    return [Group(group.images, group.weight * total / whole) for group in filled]


def among(groups: Sequence[Group], images: np.ndarray) -> list[Group]:
    """Of each group those of `images` that it has, in their order."""
    return [Group(images[np.isin(images, group.images)], group.weight) for group in groups]
