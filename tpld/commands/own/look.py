"""What the two folders of `tpld init` hold: files, label values, legends, public data sets."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tpld.commands.own.discover import Domain, find_domains
from tpld.commands.own.label_values import Palettes, Values, count_values
from tpld.commands.own.legends import Legend, find_legend, of_dataset
from tpld.commands.own.matching import Classes, Labelled, match, same_table
from tpld.commands.own.naming import Given, Table, name_values
from tpld.commands.own.public import recognise_public
from tpld.commands.own.splits import Plan, plan_source, plan_target
from tpld.commands.own.suspects import refuse_suspects, refuse_too_many
from tpld.data.datasets import Dataset
from tpld.data.table import IGNORE
from tpld.errors import ConfigError, DataError

Effort = Literal["quick", "full"]
_CITYSCAPES = {"labelTrainIds": "cityscapes_train_ids", "labelIds": "cityscapes"}


@dataclass
class Answers:
    """What `init` has to know; what is None is found or proposed.

    Attributes:
        source: folder of the source images, or one with ``images`` and ``labels`` in it.
        target: the same of the target.
        source_labels: folder of the source's label files.
        target_labels: of the target's, if any.
        out: the YAML file to write.
        experiment: name of the result folder.
        source_names: of the source's label values (`naming.parse_names`).
        target_names: of the target's, where they are others.
        source_ignore: label values of the source that stand for no class (`naming.parse_values`).
        target_ignore: of the target.
        maps: classes, and which labels they are (`matching.match`).
        palettes: how files are read whose palettes differ.
        val_share: share of the labelled target images that is kept for evaluation.
        effort: ``quick`` for a first try on a CPU, ``full`` for the paper's schedule on a GPU.
        convert: folder for index PNGs, where label files cannot be used as they are.
    """

    source: Path
    target: Path
    source_labels: Path | None = None
    target_labels: Path | None = None
    out: Path = Path("mine.yaml")
    experiment: str | None = None
    source_names: str | None = None
    target_names: str | None = None
    source_ignore: str | None = None
    target_ignore: str | None = None
    maps: list[str] = field(default_factory=list)
    palettes: Palettes | None = None
    val_share: float = 0.2
    effort: Effort = "quick"
    convert: Path | None = None


@dataclass
class Side:
    """One of the two folders.

    Attributes:
        name: ``source`` or ``target``.
        folder: as it was given.
        dataset: the public data set that lies there; then there are no domains.
        domains: pairs of folders of images and labels.
        counted: values of the label files; None without labels.
        legend: names that lie beside the files.
    """

    name: str
    folder: Path
    dataset: Dataset | None = None
    domains: list[Domain] = field(default_factory=list)
    counted: Values | None = None
    legend: Legend | None = None

    @property
    def where(self) -> str:
        """Folder of the label files, for messages."""
        labels = [str(d.labels) for d in self.domains if d.labels]
        if not labels:
            return str(self.folder)
        return labels[0] + (f" and {len(labels) - 1} others" if len(labels) > 1 else "")

    @property
    def notes(self) -> list[str]:
        """What somebody should know about the files."""
        found = [f"{self.name}: {note}" for domain in self.domains for note in domain.notes]
        if self.dataset:
            found.append(
                f"{self.name}: {self.folder} is {self.dataset.title} in its own layout; to read it "
                f"as plain folders, give --{self.name}-labels, too"
            )
        return found + (self.counted.notes if self.counted else [])


@dataclass
class Seen:
    """Both folders, before anybody has said what their label values mean."""

    source: Side
    target: Side


@dataclass
class Found:
    """Everything that is written, before anything is.

    Attributes:
        source: the source's files.
        target: the target's.
        labels: label tables by side; the target's are missing without labels.
        classes: the experiment's classes.
        plans: domains of the configuration by side; of a public data set there are none.
        notes: what somebody should know.
    """

    source: Side
    target: Side
    labels: dict[str, Labelled]
    classes: Classes
    plans: dict[str, Plan]
    notes: list[str]


def look(answers: Answers) -> Seen:
    """Look into both folders and read every label file.

    Raises:
        DataError: folders are missing or hold nothing that fits together; label files cannot be
            read, or hold no classes.
        ConfigError: label files must be converted, and `convert` names no folder.
    """
    source = _side("source", answers.source, answers.source_labels, answers)
    target = _side("target", answers.target, answers.target_labels, answers)
    return Seen(source, target)


def settle(answers: Answers, seen: Seen) -> Found:
    """Say what every label value stands for, and which images are trained on.

    Raises:
        ConfigError: names, values or mappings do not fit the files.
        DataError: values are no classes, or a legend does not know them.
    """
    for side in (seen.source, seen.target):
        _need_conversion(side, answers)
    labels = {"source": _labelled(seen.source, answers)}
    match(labels["source"], None)  # its own faults are said before those of the target
    if seen.target.dataset and seen.target.dataset.classes:
        labels["target"] = Labelled("target", dataset=seen.target.dataset)
    elif seen.target.counted:
        labels["target"] = _target(seen, labels["source"], answers)
    classes = match(labels["source"], labels.get("target"), answers.maps)
    plans = {
        "source": plan_source(seen.source.domains, seen.source.folder),
        "target": plan_target(seen.target.domains, seen.target.folder, answers.val_share),
    }
    notes = [*seen.source.notes, *seen.target.notes]
    if _images(seen.source) & _images(seen.target):
        notes.append("source and target have images in common: there is nothing to adapt to")
    notes += [note for x in labels.values() if x.table for note in x.table.notes]
    notes += [*plans["source"].notes, *plans["target"].notes, *classes.notes]
    return Found(seen.source, seen.target, labels, classes, plans, list(dict.fromkeys(notes)))


def _images(side: Side) -> set[str]:
    """Images of a side, wherever links lead."""
    return {os.path.realpath(f) for d in side.domains for f in d.image_files.values()}


def _side(name: str, folder: Path, labels: Path | None, answers: Answers) -> Side:
    dataset = recognise_public(folder) if labels is None and folder.is_dir() else None
    if dataset:
        return Side(name, folder, dataset)
    domains = find_domains(folder, labels, want_labels=name == "source")
    files = [file for domain in domains for file in domain.label_files.values()]
    side = Side(name, folder, domains=domains)
    if files:
        side.counted = count_values(files, answers.palettes)
        side.legend = _legend(side)
    return side


def _legend(side: Side) -> Legend | None:
    """Names that are known: from a file beside the labels, or of Cityscapes' own files."""
    places: list[Path] = []
    for domain in side.domains:
        if domain.labels:
            places += [domain.labels, domain.labels.parent, domain.images.parent]
    legend = find_legend([*places, side.folder])
    if legend is None:
        for part, kind in _CITYSCAPES.items():
            if all(part in suffix for d in side.domains for suffix in d.label_suffixes):
                return of_dataset(kind)
    return legend


def _need_conversion(side: Side, answers: Answers) -> None:
    """Refuse files that the pipeline cannot read as they are, unless they may be converted."""
    values = side.counted
    if values is None or not values.convert or answers.convert is not None:
        return
    # Values outside of the range are named one by one; see `naming`.
    if values.form == "index" and any(not 0 <= v <= 65535 for v in values.pixels):
        return
    # Whoever converts files that are no classes is refused next: say that at once.
    named = answers.source_names if side.name == "source" else answers.target_names
    (refuse_too_many if named or side.legend else refuse_suspects)(values, side.where)
    first = next(iter(values.first.values()))
    raise DataError(
        f"label files in {side.where} cannot be used as they are (first {first}): "
        f"{values.convert}. `tpld init --convert-labels FOLDER` writes index PNGs of them"
    )


def _given(side: Side, answers: Answers) -> Given:
    source = side.name == "source"
    return Given(
        side.name,
        side.where,
        answers.source_names if source else answers.target_names,
        answers.source_ignore if source else answers.target_ignore,
        side.legend,
        answers.convert is not None,
    )


def _labelled(side: Side, answers: Answers) -> Labelled:
    given = _given(side, answers)
    if side.dataset:
        if given.names or given.ignore:
            raise ConfigError(
                f"{side.folder} is {side.dataset.title}, which has its own label table. Leave "
                f"{given.option} out, or give --{side.name}-labels to read it as plain folders"
            )
        return Labelled(side.name, dataset=side.dataset)
    assert side.counted is not None  # `find_domains` has seen labels
    return Labelled(side.name, name_values(side.counted, given), side.counted)


def _target(seen: Seen, source: Labelled, answers: Answers) -> Labelled:
    """The target's label table: as given, its legend's, or the source's."""
    side = seen.target
    assert side.counted is not None
    void = source.table is not None and IGNORE not in source.table.names
    void &= source.counted is not None and IGNORE in source.counted.pixels
    given = _given(side, answers)
    if given.names or given.legend:
        return Labelled("target", name_values(side.counted, given, void), side.counted)
    _compare_palettes(seen, answers)
    table = _as_source(source, side, void)
    ignored = name_values(side.counted, given, void).ignored if given.ignore else []
    names = {value: name for value, name in table.names.items() if value not in ignored}
    table.names, table.ignored = names, sorted({*table.ignored, *ignored})
    return Labelled("target", table, side.counted)


def _compare_palettes(seen: Seen, answers: Answers) -> None:
    """Ask what the classes are where a colour has one index in the source, another in the target.

    Raises:
        ConfigError: so it is, and nobody has said that indices are meant.
    """
    ours, theirs = seen.source.counted, seen.target.counted
    if ours is None or theirs is None or "color" in (ours.form, theirs.form):
        return
    at = {color: value for value, color in ours.colors.items()}
    for value, color in sorted(theirs.colors.items()):
        if value in ours.colors and ours.colors[value] != color and color in at:
            said = (
                f"index {value} is {_hex(ours.colors[value])} in the palettes of the source and "
                f"{_hex(color)} in those of the target, which is index {at[color]} of the source"
            )
            if answers.palettes == "index":
                theirs.notes.append(f"{said}. They are read by index")
                return
            raise ConfigError(
                f"{said}. Do the values of both mean the same? Then say --palettes index; "
                "otherwise name those of both: --source-names, --target-names"
            )


def _hex(color: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*color)


def _as_source(source: Labelled, side: Side, void: bool) -> Table:
    assert side.counted is not None
    others = set(side.counted.pixels) - {IGNORE}
    return same_table(source, side.counted, void or len(others) > 1)
