"""The classes of an experiment, and the label table of each of its domains."""

from __future__ import annotations

import numpy as np

from tpld.config import Config, Data, Domain
from tpld.data.datasets import CLASSES, DATASETS
from tpld.data.datasets.base import RGB, Label
from tpld.data.mapping import map_labels, plain
from tpld.data.splits import Split
from tpld.data.table import ClassTable, spread_colors
from tpld.errors import ConfigError


def class_table(config: Config, split: Split = "source_train") -> ClassTable:
    """Names and colours of the experiment's classes, and the values of a split's first domain.

    Raises:
        ConfigError: see `classes_of` and `table_of`.
    """
    domain, classes = domains_of(config.data, split)[0], classes_of(config.data)
    return table_of(domain, classes, f"data.{split.split('_')[0]}")


def domains_of(data: Data, split: Split) -> list[Domain]:
    """The domains of the side that a split is of."""
    return data.source if split.startswith("source") else data.target


def labels_of(domain: Domain) -> tuple[Label, ...]:
    """The label table of a domain; empty where it has none."""
    if domain.kind == "city":
        from tpld.data.city.style import CITY_CLASSES

        return tuple(Label(i, name, name) for i, (name, _) in enumerate(CITY_CLASSES))
    if domain.kind in DATASETS:
        return DATASETS[domain.kind].labels
    return tuple(Label(value, name, None) for value, name in sorted(domain.values.items()))


def _known(domain: Domain) -> list[str] | None:
    """The classes that a domain offers where the experiment names none; None: any, unlabelled."""
    labels = labels_of(domain)
    names = [label.stands_for for label in labels if label.stands_for]
    names = names or [label.name for label in labels]
    if domain.kind in DATASETS and set(names) <= set(CLASSES):
        names = [name for name in CLASSES if name in names]
    mapped = {plain(name) for several in domain.map.values() for name in several}
    names = [name for name in names if plain(name) not in mapped]
    return list(dict.fromkeys([*domain.map, *names])) if labels else None


def classes_of(data: Data) -> dict[str, RGB]:
    """Names and colours of the experiment's classes, in their order.

    Raises:
        ConfigError: none are given, and both sides have fewer than two in common.
    """
    given = {entry.name: entry.color for entry in data.classes or []}
    names = list(given) or _common(data)
    spread = spread_colors(len(names))
    return {
        name: given.get(name) or CLASSES.get(name) or color
        for name, color in zip(names, spread, strict=True)
    }


def _common(data: Data) -> list[str]:
    """The classes that a source and a target know, by name."""
    names: dict[str, str] = {}
    for domain in data.source:
        names |= {plain(name): name for name in _known(domain) or [] if plain(name) not in names}
    known = [_known(domain) for domain in data.target]
    if not any(several is None for several in known):
        there = {plain(name) for several in known for name in several or []}
        names = {key: name for key, name in names.items() if key in there}
    if set(names.values()) <= set(CLASSES) and all(d.kind in DATASETS for d in data.source):
        names = {name: name for name in CLASSES if name in names.values()}
    if len(names) < 2:
        _must_name_labels(data)
        raise ConfigError(
            f"source and target have {len(names)} classes in common by name; at least two are "
            "needed. Write data.classes, and say with `map` which labels of a domain each class is"
        )
    return list(names.values())


def _must_name_labels(data: Data) -> None:
    """Refuse a `map` of labels that do not exist, such as one the wrong way round."""
    for side, domains in (("source", data.source), ("target", data.target)):
        for place, domain in enumerate(domains):
            where = f"data.{side}" + (f".{place}" if len(domains) > 1 else "")
            map_labels(list(domain.map), labels_of(domain), domain.map, where)


def table_of(domain: Domain, classes: dict[str, RGB], where: str) -> ClassTable:
    """The label table of a domain; `where` is its configuration key, for messages.

    Raises:
        ConfigError: see `tpld.data.mapping.map_labels`.
    """
    labels, dataset = labels_of(domain), DATASETS.get(domain.kind)
    mapped = map_labels(list(classes), labels, domain.map, where)
    return ClassTable(
        names=list(classes),
        values=mapped.values,
        colors=np.array(list(classes.values()), np.uint8),
        ignored=sorted({*mapped.ignored, *domain.ignored}),
        reader=dataset.reader if dataset else "index",
        file_colors=[(x.id, x.color) for x in labels if x.color] or None,
        remedy=f"These are the ids of {dataset.title}: is the file another set's, or changed?"
        if dataset
        else f"Add it to {where}.values or {where}.ignored",
    )
