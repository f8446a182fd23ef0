"""Label values that are hardly classes: mixed at borders, ids of single objects, depths."""

from __future__ import annotations

from collections import Counter

from tpld.commands.own.label_values import Values
from tpld.errors import DataError

# Percent of all pixels below which a value is rare, and the part of its pixels at borders from
# which on it lies at borders alone.
_RARE, _AT_BORDER = 2.0, 0.9
_MOST = 254


def refuse_suspects(values: Values, where: str) -> None:
    """Refuse values that cannot be class ids, naming what they are.

    Whoever names every value has said that they are classes: then nobody asks here.

    Args:
        values: of the label files of a domain.
        where: their folder, for messages.

    Raises:
        DataError: values are mixtures at borders, ids of single objects, or too many.
    """
    named = "If they are classes all the same, name each of them (--source-names, --target-names)"
    mixed = mixtures(values)
    if mixed:
        raise DataError(f"{_said_of_mixed(values, mixed, where)} {named}")
    instances = instance_ids(values)
    if instances:
        raise DataError(
            f"the label files in {where} hold ids of single objects (instances), not of classes: "
            f"{instances}. Give the folder or the suffix of the class ids (--source-labels, "
            f"--target-labels). {named}"
        )
    refuse_too_many(values, where)


def _said_of_mixed(values: Values, mixed: set[int], where: str) -> str:
    """What values at borders alone are: mixtures of others, or a picture where these are few."""
    others = [v for v in values.pixels if v not in mixed]
    if sum(map(values.share, others)) < 50:
        return (
            f"{len(mixed)} of {len(values.pixels)} values of the label files in {where} are rare "
            "and have no areas of their own: these are no classes. Are they depth maps, "
            "photographs or probabilities? --source-labels and --target-labels name the folder of "
            "class ids."
        )
    what = "colours" if values.form == "color" else "values"
    return (
        f"{len(mixed)} of {len(values.pixels)} {what} of the label files in {where} are rare "
        "and occur only at borders between others: they were mixed by resizing, drawing with "
        "soft edges (antialiasing) or lossy compression, and are no classes. Frequent values: "
        f"{values.listed(others)}. Make the files again with nearest-neighbour resizing and "
        "hard edges."
    )


def refuse_too_many(values: Values, where: str) -> None:
    """Refuse more values than there can be classes.

    Raises:
        DataError: there are more than 254.
    """
    if len(values.pixels) > _MOST:
        mixed = mixtures(values)
        if mixed:
            raise DataError(_said_of_mixed(values, mixed, where))
        what = "colours" if values.form == "color" else "values"
        raise DataError(
            f"the label files in {where} hold {len(values.pixels)} {what}: these are no classes "
            f"(at most {_MOST}). Are they depth maps, photographs or instance ids? --source-labels "
            "names the folder of class ids"
        )


def mixtures(values: Values) -> set[int]:
    """Values that are rare and lie at borders alone, where these are most of the values.

    A thin class, such as a pole, lies at borders alone, too; so few of them prove nothing.
    """
    rare = {
        value
        for value, pixels in values.pixels.items()
        if values.share(value) < _RARE and values.border[value] >= _AT_BORDER * pixels
    }
    return rare if len(rare) >= 4 and len(rare) > len(values.pixels) - len(rare) else set()


def instance_ids(values: Values) -> str:
    """Why the values are ids of single objects; empty where they do not look so."""
    if values.form == "color":
        return ""
    large = sorted(v for v in values.pixels if 1000 <= v <= 65535)
    by_class: dict[int, list[int]] = {}
    for value in large:
        by_class.setdefault(value // 1000, []).append(value % 1000)
    several = {k: rest for k, rest in by_class.items() if len(rest) > 1 and rest == _run(rest)}
    if several and sum(map(len, several.values())) >= len(large) / 2 >= 1.5:
        kind, rest = max(several.items(), key=lambda pair: len(pair[1]))
        return (
            f"{1000 * kind + rest[0]} to {1000 * kind + rest[-1]} are class {kind} x 1000 + number"
        )
    sets = [found - {0, 255} for found in values.sets]
    full = [found for found in sets if found]
    sizes = {len(found) for found in full}
    if len(full) >= 3 and len(sizes) >= 3 and all(sorted(f) == _count(f) for f in full):
        return f"each file counts its objects from 1, up to {max(sizes)}"
    often = Counter(value for found in sets for value in found)
    once = [value for value, files in often.items() if files == 1]
    if len(values.sets) >= 4 and len(often) >= 10 and len(once) >= 0.8 * len(often):
        return f"{len(once)} of {len(often)} values occur in one file only"
    return ""


def _run(rest: list[int]) -> list[int]:
    return list(range(rest[0], rest[0] + len(rest))) if rest[0] in (0, 1) else []


def _count(found: frozenset[int]) -> list[int]:
    return list(range(1, len(found) + 1))
