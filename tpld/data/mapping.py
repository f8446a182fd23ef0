"""From the labels of a domain to the classes of the experiment, by name, many to one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tpld.data.datasets.base import Label
from tpld.errors import ConfigError, nearest


class Mapped(NamedTuple):
    """Where the labels of a domain go.

    Attributes:
        values: of each class of the experiment, the label values that are it.
        ignored: all other label values.
    """

    values: list[list[int]]
    ignored: list[int]


def map_labels(
    classes: Sequence[str],
    labels: Sequence[Label],
    given: Mapping[str, Sequence[str]],
    where: str,
) -> Mapped:
    """Map a domain's labels to the experiment's classes.

    A class of `given` is the labels that stand there. Any other class is the labels that are called
    like it, or, where there is none, that stand for it; case, blanks, - and _ make no difference.
    A label of `given` is that class alone.

    Args:
        classes: names of the experiment's classes.
        labels: label table of the domain.
        given: class, and names of labels.
        where: configuration key of the domain, for messages.

    Raises:
        ConfigError: `given` names an unknown class or label, or one label for two classes.
    """
    known = {plain(name): name for name in classes}
    strange = [name for name in given if plain(name) not in known]
    if strange:
        raise ConfigError(
            f"{where}.map names '{strange[0]}', which is no class of the experiment; "
            f"{nearest(strange[0], list(classes))}Classes: {', '.join(classes)}"
        )
    taken = _claimed(labels, given, where)
    values: list[list[int]] = []
    claimed = {plain(name) for name in given}
    for name in classes:
        if plain(name) in claimed:
            found = [label.id for label in labels if taken.get(plain(label.name)) == plain(name)]
        else:
            found = _called(name, [label for label in labels if plain(label.name) not in taken])
        values.append(found)
    used = {value for found in values for value in found}
    return Mapped(values, [label.id for label in labels if label.id not in used])


def plain(name: str) -> str:
    """A name as it is compared: without case, blanks, - and _."""
    return "".join(sign for sign in name.casefold() if sign not in " -_")


def _called(name: str, labels: Sequence[Label]) -> list[int]:
    """Values of the labels of a name; of those that stand for it, where none has the name."""
    for same in (
        [label.id for label in labels if label.name == name],
        [label.id for label in labels if plain(label.name) == plain(name)],
    ):
        if same:
            return same
    return [label.id for label in labels if plain(label.stands_for or "") == plain(name)]


def _claimed(
    labels: Sequence[Label], given: Mapping[str, Sequence[str]], where: str
) -> dict[str, str]:
    """Label name -> class, as `given` says, both as they are compared."""
    known = {plain(label.name) for label in labels}
    taken: dict[str, str] = {}
    for name, of_domain in given.items():
        for label in of_domain:
            if plain(label) not in known:
                names = sorted({label.name for label in labels})
                raise ConfigError(
                    f"{where}.map.{name} names '{label}', which is no label of this domain; "
                    f"{nearest(label, names)}Labels: {', '.join(names)}"
                )
            if taken.setdefault(plain(label), plain(name)) != plain(name):
                raise ConfigError(
                    f"{where}.map gives the label '{label}' to two classes, '{name}' and another. "
                    "Name it once"
                )
    return taken
