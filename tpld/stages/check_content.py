"""What single files do not show: images that are elsewhere, too, and labels that say nothing."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from tpld.config import Config, Data
from tpld.data.sources import Folders, Item, folders_of
from tpld.data.splits import Split
from tpld.errors import DataError

_APART: tuple[tuple[Split, Split], ...] = (
    ("source_train", "source_val"),
    ("target_train", "target_val"),
    ("source_train", "target_val"),
)
_MOST_STRETCH = 1.5
_SMALLEST = 2
_SHOWN = 5


def check_copies(
    config: Config,
    listed: Mapping[Split, Sequence[Item]],
    pixels: Mapping[Split, Sequence[bytes]],
) -> None:
    """Compare the images of different splits by their pixels.

    Args:
        config: the configuration.
        listed: images of each split.
        pixels: a digest of each of these images, as it is decoded.

    Raises:
        DataError: an image to evaluate on is a copy of one that is trained on (of a public data
            set, which comes as it is, a warning), or all target images are source images.
    """
    log = logging.getLogger("tpld")
    for train, val in _APART:
        copies = _copies(listed, pixels, train, val)
        if not copies:
            continue
        said = (
            f"{len(copies)} of {len(listed[val])} images of {val} are copies of images of {train}: "
            f"{_pairs(copies)}. Evaluation would be on training images"
        )
        if all(_is_public(config, val, item) for item, _ in copies):
            log.warning("%s; the data set is as its authors distribute it", said)
        else:
            raise DataError(f"{said}; remove them from one of the two")
    target = listed.get("target_train", ())
    copies = _copies(listed, pixels, "source_train", "target_train")
    if copies and len(copies) == len(target):
        raise DataError(
            f"all {len(target)} images of target_train are images of source_train, too: "
            f"{_pairs(copies)}. There is nothing to adapt to; give data.target the images of "
            "another domain, or both sides different lists (`train`)"
        )
    if copies:
        log.warning(
            "%d of %d images of target_train are images of source_train, too: %s",
            len(copies), len(target), _pairs(copies),
        )  # fmt: skip


def _copies(
    listed: Mapping[Split, Sequence[Item]],
    pixels: Mapping[Split, Sequence[bytes]],
    first: Split,
    second: Split,
) -> list[tuple[Item, Item]]:
    """Images of the second split, each with one of the first that has the same pixels."""
    pairs = zip(pixels.get(first, ()), listed.get(first, ()), strict=True)
    known = {digest: item for digest, item in pairs if digest}
    others = zip(pixels.get(second, ()), listed.get(second, ()), strict=True)
    return [(item, known[digest]) for digest, item in others if digest in known]


def _pairs(copies: Sequence[tuple[Item, Item]]) -> str:
    shown = [f"'{item.name}' is '{other.name}'" for item, other in copies[:_SHOWN]]
    more = [f"and {len(copies) - _SHOWN} more"] if len(copies) > _SHOWN else []
    return ", ".join(shown + more)


def _is_public(config: Config, split: Split, item: Item) -> bool:
    side = config.data.source if split.startswith("source") else config.data.target
    kinds = {name: d.kind for name, d in zip(Data.names_of(side), side, strict=True)}
    return kinds[folders_of(config, split)[item.domain].domain] not in ("folder", "city")


def check_names(items: Sequence[Item]) -> list[str]:
    """What is wrong with the names of images; lists and tables have one name a line."""
    odd = [item for item in items if not item.name.isprintable()]
    return [
        f"the name of {str(item.image)!r} has a line break or another control character in it, and "
        "lists have one name a line. Rename it"
        for item in odd
    ]


def check_shapes(split: Split, folders: Folders, sizes: Counter[tuple[int, int]]) -> None:
    """Say once a split and domain which images `resize` distorts.

    Args:
        split: the split.
        folders: the domain.
        sizes: how many images have which height and width, as they are stored.

    Raises:
        DataError: images are a single pixel high or wide.
    """
    lines = {size: n for size, n in sizes.items() if min(size) < _SMALLEST}
    if lines:
        (height, width), _ = next(iter(lines.items()))
        raise DataError(
            f"{split}: {sum(lines.values())} of {sizes.total()} images of '{folders.domain}' are a "
            f"single pixel high or wide, for example {width}x{height} pixels. They are no images "
            "of scenes; remove them"
        )
    if folders.resize is None:
        return
    bad = {size: n for size, n in sizes.items() if _is_distorted(size, folders.resize)}
    if bad:
        (height, width), count = max(bad.items(), key=lambda entry: entry[1])
        logging.getLogger("tpld").warning(
            "%s: `resize` of '%s' distorts %d of %d images: %d of %dx%d pixels (width x height) "
            "become %dx%d. Give a size of their own shape, or leave it out",
            split, folders.domain, sum(bad.values()), sizes.total(), count, width, height,
            folders.resize[1], folders.resize[0],
        )  # fmt: skip


def _is_distorted(size: tuple[int, int], wanted: tuple[int, int]) -> bool:
    """Whether a shape changes by more than a half, or from upright to wide."""
    before, after = size[1] / size[0], wanted[1] / wanted[0]
    turned = (before - 1) * (after - 1) < 0 and not 1 / 1.1 < before / after < 1.1
    return turned or not 1 / _MOST_STRETCH <= before / after <= _MOST_STRETCH


def check_counts(config: Config, rows: Sequence[tuple[Split, int, str, int]]) -> None:
    """What the labels of each split say altogether.

    Args:
        config: the configuration.
        rows: split, its images, a class, and its pixels in all label files.

    Raises:
        DataError: the labels of the source, or those of an evaluation, are ignored altogether.
    """
    log = logging.getLogger("tpld")
    counts: defaultdict[Split, dict[str, int]] = defaultdict(dict)
    for split, _, name, pixels in rows:
        counts[split][name] = pixels
    for split, pixels in counts.items():
        if not any(folders.labels for folders in folders_of(config, split)):
            continue
        side, part = split.split("_")
        if not any(pixels.values()):
            said = f"{split}: no pixel of the labels is a class of the experiment; all are ignored"
            if split == "target_train":
                log.warning("%s. Reports will not score its pseudo labels", said)
                continue
            effect = "be evaluated" if part == "val" else "be learnt"
            raise DataError(
                f"{said}, and nothing could {effect}. Correct data.{side}.values or map"
            )
        absent = [name for name, count in pixels.items() if not count]
        if split == "source_train" and absent:
            log.warning(
                "%s: no pixel of the labels is %s (%d of %d classes), which the network cannot "
                "learn then", split, " or ".join(absent), len(absent), len(pixels),
            )  # fmt: skip
