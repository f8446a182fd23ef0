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
    like it, and those that stand for it and are called like no other class; case, blanks, - and _
    make no difference. A label of `given` is that class alone.

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
    exact, loose = {name: place for place, name in enumerate(classes)}, {}
    for place, name in enumerate(classes):
        loose.setdefault(plain(name), place)
    claimed = {loose[plain(name)] for name in given}
    values: list[list[int]] = [[] for _ in classes]
    ignored: list[int] = []
    for label in labels:
        name = plain(label.name)
        place = loose[taken[name]] if name in taken else exact.get(label.name, loose.get(name))
        if name not in taken and place in {None, *claimed}:
            place = loose.get(plain(label.stands_for or ""))
            place = None if place in claimed else place
        (ignored if place is None else values[place]).append(label.id)
    return Mapped(values, ignored)


def plain(name: str) -> str:
    """A name as it is compared: without case, blanks, - and _."""
    return "".join(sign for sign in name.casefold() if sign not in " -_")


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
