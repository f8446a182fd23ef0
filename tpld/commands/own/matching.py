"""The experiment's classes, and which values of each side are which class: a table to confirm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from tpld.commands.own.label_values import Values
from tpld.commands.own.naming import Table
from tpld.data.datasets import CLASSES, Dataset
from tpld.data.datasets.base import RGB, Label
from tpld.data.mapping import map_labels, plain
from tpld.data.table import IGNORE, spread_colors
from tpld.errors import ConfigError, nearest


@dataclass
class Labelled:
    """The labels of one side.

    Attributes:
        side: ``source`` or ``target``.
        table: label table of own folders; None of a public data set.
        counted: what their files hold; None of a public data set.
        dataset: the public data set; None of own folders.
    """

    side: str
    table: Table | None = None
    counted: Values | None = None
    dataset: Dataset | None = None

    @property
    def labels(self) -> tuple[Label, ...]:
        """The label table as the pipeline has it."""
        if self.dataset:
            return self.dataset.labels
        assert self.table is not None
        return tuple(Label(value, name, None) for value, name in self.table.names.items())

    def share(self, values: Sequence[int]) -> float:
        """Percent of the pixels that are not ignored; NaN where nobody has counted."""
        if self.counted is None or self.table is None:
            return float("nan")
        total = sum(self.counted.pixels.get(v, 0) for v in self.table.names)
        return 100 * sum(self.counted.pixels.get(v, 0) for v in values) / max(total, 1)

    def shown(self, values: Sequence[int]) -> str:
        """Values as people read them, with the share of each."""
        if self.counted is None:
            return ", ".join(map(str, values))
        known = self.counted
        return ", ".join(f"{known.shown(v)} ({self.share([v]):.2f} %)" for v in values)


@dataclass
class Classes:
    """The classes of the experiment.

    Attributes:
        names: in their order.
        colors: of each.
        source: of each class, its values in the source's files.
        target: the same of the target; None without labels.
        maps: by side: class, and labels that are it without being called so.
        notes: what somebody should know.
    """

    names: list[str]
    colors: list[RGB]
    source: list[list[int]]
    target: list[list[int]] | None
    maps: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def frame(self, source: Labelled, target: Labelled | None) -> pd.DataFrame:
        """The table that somebody confirms: class, colour, and the values of both sides."""
        rows: list[dict[str, Any]] = []
        for place, name in enumerate(self.names):
            row: dict[str, Any] = {
                "class": name,
                "color": "#{:02x}{:02x}{:02x}".format(*self.colors[place]),
                "source values": source.shown(self.source[place]),
            }
            if target is not None and self.target is not None:
                row["target values"] = target.shown(self.target[place]) or "none"
            rows.append(row)
        for said, side in (("source", source), ("target", target)):
            if side is None or side.table is None or side.counted is None:
                continue
            out = [v for v in side.counted.pixels if v not in side.table.names]
            shown = [
                f"{side.counted.shown(v)} ({side.counted.share(v):.2f} %)" for v in sorted(out)
            ]
            if out:
                if not rows or rows[-1]["class"] != "(ignored)":
                    rows.append(dict.fromkeys(rows[0], "") | {"class": "(ignored)"})
                rows[-1][f"{said} values"] = ", ".join(shown)
        return pd.DataFrame(rows)


def match(source: Labelled, target: Labelled | None, asked: Sequence[str] = ()) -> Classes:
    """The classes are the source's labels; the target's are found by name.

    Args:
        source: its labels.
        target: the target's; None without labels.
        asked: ``vehicle=car+truck``: a class, and labels of either side that are it.

    Raises:
        ConfigError: a mapping names unknown labels, fewer than two classes are left, or source and
            target have no class in common.
    """
    maps = _maps(source, target, asked)
    names = _names(source, maps["source"])
    if len(names) < 2:
        held = source.counted.listed(source.counted.pixels) if source.counted else ""
        raise ConfigError(
            f"the source's label files have {len(names)} classes beside ignored values ({held}); "
            "at least two classes are needed. Are these the right files?"
        )
    of_source = map_labels(names, source.labels, maps["source"], "--map")[0]
    colors = _colors(names, source, of_source)
    classes = Classes(names, colors, of_source, None, maps)
    if target is not None:
        known = {name: labels for name, labels in maps["target"].items() if name in names}
        maps["target"] = known
        classes.target = map_labels(names, target.labels, known, "--map")[0]
        _compare(classes, source, target)
    return classes


def _compare(classes: Classes, source: Labelled, target: Labelled) -> None:
    """Say which classes the target lacks, and which of its labels are no class."""
    assert classes.target is not None
    lacking = [n for n, values in zip(classes.names, classes.target, strict=True) if not values]
    theirs = sorted({label.name for label in target.labels})
    if len(lacking) == len(classes.names):
        raise ConfigError(
            f"no class of the source ({', '.join(classes.names[:12])}) is a label of the target "
            f"({', '.join(theirs[:12])}). Name the values of both (--source-names, "
            "--target-names), or say which labels are which class: --map road=street+lane"
        )
    if lacking:
        classes.notes.append(
            f"the target's labels have no {', '.join(lacking)}: learned from the source, and not "
            "evaluated"
        )
    used = {value for values in classes.target for value in values}
    if target.counted is not None and target.table is not None:
        rest = [v for v in target.table.names if v not in used and v in target.counted.pixels]
        if rest:
            named = ", ".join(dict.fromkeys(target.table.names[v] for v in rest))
            classes.notes.append(
                f"target: {named} ({target.counted.listed(rest)}) is no class of the source: "
                "nothing could learn it, so it is ignored. To give it to one: --map CLASS=LABEL"
            )


def _maps(
    source: Labelled, target: Labelled | None, asked: Sequence[str]
) -> dict[str, dict[str, list[str]]]:
    """What `asked` says, side by side: of each class the labels that this side has."""
    maps: dict[str, dict[str, list[str]]] = {"source": {}, "target": {}}
    sides = [side for side in (source, target) if side is not None]
    for text in asked:
        for part in text.split(";"):
            name, mark, labels = (word.strip() for word in part.partition("="))
            wanted = [word.strip() for word in labels.replace("|", "+").split("+") if word.strip()]
            if not mark or not name or not wanted:
                raise ConfigError(f"--map '{part}' is no mapping. Write class=label+label")
            for label in wanted:
                same = [
                    (maps[side.side], x.name)
                    for side in sides
                    for x in side.labels
                    if plain(x.name) == plain(label)
                ]
                if not same:
                    every = sorted({x.name for side in sides for x in side.labels})
                    raise ConfigError(
                        f"--map names '{label}', which is a label of neither side; "
                        f"{nearest(label, every)}Labels: {', '.join(every)}"
                    )
                for of_side, theirs in same:
                    _claim(of_side, name, theirs)
    return maps


def _claim(of_side: dict[str, list[str]], name: str, label: str) -> None:
    """Give a label of one side to a class.

    Raises:
        ConfigError: another class has it.
    """
    taken = next((n for n, labels in of_side.items() if label in labels), name)
    if taken != name:
        raise ConfigError(
            f"--map gives '{label}' to two classes, '{taken}' and '{name}'. Name it once"
        )
    if label not in of_side.setdefault(name, []):
        of_side[name].append(label)


def _names(source: Labelled, mapped: dict[str, list[str]]) -> list[str]:
    """Names of classes in the order of the source's labels."""
    to = {plain(label): name for name, labels in mapped.items() for label in labels}
    found: dict[str, str] = {}
    for label in source.labels:
        if source.dataset:
            own = label.stands_for
        else:
            assert source.counted is not None
            own = label.name if label.id in source.counted.pixels else None
        name = to.get(plain(label.name), own)
        if name:
            found.setdefault(plain(name), name)
    names = list(found.values())
    if source.dataset and set(names) <= set(CLASSES):
        names = [name for name in CLASSES if name in names]
    return names


def _colors(names: list[str], source: Labelled, values: list[list[int]]) -> list[RGB]:
    """A colour for each class: the files' or the legend's, Cityscapes', or one of our own."""
    said = source.table.colors if source.table else {}
    of_value = {v: said.get(n) for v, n in source.table.names.items()} if source.table else {}
    colors: list[RGB] = []
    for name, of_class, made in zip(names, values, spread_colors(len(names)), strict=True):
        theirs = next((c for v in of_class if (c := of_value.get(v))), None)
        color = said.get(name) or theirs or CLASSES.get(name) or made
        colors.append(color if color not in colors else made)
    return colors


def same_table(source: Labelled, values: Values, void: bool) -> Table:
    """The target's label table where nobody names its values: the source's, if they fit.

    Args:
        source: the source's labels, of own folders.
        values: of the target's label files.
        void: 255 stands for no class at the source.

    Raises:
        ConfigError: the values of the two have too little in common to mean the same.
    """
    how = (
        "Say what they are: --target-names 0=road,1=sky,..., a legend's file, or a public data set"
    )
    if source.table is None or source.counted is None or source.counted.form != values.form:
        raise ConfigError(
            f"the target's label values ({values.listed(values.pixels)}) are not those of the "
            f"source. {how}"
        )
    seen = set(values.pixels) - ({IGNORE} if void and values.form == "index" else set())
    known = set(source.table.names) | set(source.table.ignored)
    if len(seen & known) <= len(seen) / 2:
        theirs = ", ".join(values.shown(v) for v in sorted(seen))
        ours = ", ".join(values.shown(v) for v in sorted(source.table.names))
        raise ConfigError(
            f"the target's label values ({theirs}) are others than the source's ({ours}). {how}"
        )
    only = sorted(seen - known)
    table = Table(
        {v: n for v, n in source.table.names.items() if v in seen},
        sorted({*source.table.ignored, *only}),
        dict(source.table.colors),
        [
            "target: nobody names its label values, so each is taken for what it is in the source. "
            "If the two were labelled by different lists, that is wrong: use --target-names"
        ],
    )
    if only:
        table.notes.append(
            f"target: values {values.listed(only)} occur in its labels alone: nothing could learn "
            "them, so they are ignored; if they mean something, use --target-names"
        )
    return table
