"""What the label values of one side stand for: as given, as a legend says, or made up.

Numbers, colours and names always refer to the values in the files as they are given, whatever is
converted later.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from tpld.commands.own.label_files import packed_of
from tpld.commands.own.label_values import Values, percent
from tpld.commands.own.legends import Legend, is_void, of_dataset, read_legend
from tpld.commands.own.suspects import refuse_suspects, refuse_too_many
from tpld.data.datasets import DATASETS
from tpld.data.mapping import plain
from tpld.data.table import IGNORE
from tpld.errors import ConfigError, DataError


@dataclass
class Table:
    """The label table of one side.

    Attributes:
        names: of each value that is a label, in ascending order of values.
        ignored: values that stand for no class; 255 need not be among them.
        colors: of names, where somebody says one.
        notes: what somebody should know.
        made_up: nobody has named the values yet.
    """

    names: dict[int, str]
    ignored: list[int]
    colors: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    made_up: bool = False


@dataclass(frozen=True)
class Given:
    """What somebody says about the values of one side.

    Attributes:
        side: ``source`` or ``target``.
        where: folder of the label files, for messages.
        names: names in ascending order of values, pairs ``0=road,255=sky``, a public data set, or
            the file of a legend; None: nothing.
        ignore: values, colours or names that stand for no class.
        legend: what lies beside the files.
        converting: files may be written anew with other values.
    """

    side: str
    where: str
    names: str | None = None
    ignore: str | None = None
    legend: Legend | None = None
    converting: bool = False

    @property
    def option(self) -> str:
        """How names of this side are given on the command line."""
        return f"--{self.side}-names"


def name_values(values: Values, given: Given, void_255: bool = False) -> Table:
    """Say what each value stands for.

    255 stands for no class unless it is named, or there would be fewer than two classes without it.

    Args:
        values: of the label files.
        given: what is known about them.
        void_255: 255 stands for no class on the other side: do not take it for one here.

    Raises:
        ConfigError: names or values that do not fit the files.
        DataError: values that are no classes, or that the legend does not know.
    """
    refuse_too_many(values, given.where)
    said = parse_names(given.names, values)
    legend = said if isinstance(said, Legend) else given.legend if said is None else None
    known = _of_legend(legend, values) if legend else {}
    ignored = parse_values(given.ignore, values, known or (said if isinstance(said, dict) else {}))
    if isinstance(said, dict):
        table = Table(_paired(said, values, ignored, given), sorted(ignored))
    elif isinstance(said, list):
        table = Table(_counted(said, values, ignored, given), sorted(ignored))
    elif legend and known:
        table = _by_legend(legend, known, values, ignored, given)
    else:
        refuse_suspects(values, given.where)
        table = Table(_made_up(values, ignored, void_255), sorted(ignored), made_up=True)
        if legend:
            table.notes.append(f"{legend.where} knows none of the values of {given.where}")
    _check_range(table, values, given)
    _note_255(table, values, given, void_255)
    absent = sorted(ignored - set(values.pixels) - {IGNORE})
    if absent:
        shown = ", ".join(map(values.shown, absent))
        table.notes.append(f"{given.side}: {shown}, which is to be ignored, is in no label file")
    for value, name in table.names.items():
        color = values.colors.get(value)
        if color and any(color):
            table.colors.setdefault(name, color)
    return table


def parse_names(text: str | None, values: Values) -> dict[int, str] | list[str] | Legend | None:
    """Names as somebody types them: ``road,car``; ``0=road,255=car``; a data set; a file.

    Raises:
        ConfigError: pairs and bare names are mixed, or a value is no value.
    """
    if not text or not text.strip():
        return None
    text = text.strip()
    if text in DATASETS:
        return of_dataset(text)
    if Path(text).suffix.lower() in (".csv", ".txt", ".json"):
        if not Path(text).is_file():
            raise ConfigError(f"{text} is no file. Give the file of a legend, or names")
        return read_legend(Path(text))
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not any("=" in word for word in words):
        return words
    pairs: dict[int, str] = {}
    for word in words:
        key, mark, name = (part.strip() for part in word.partition("="))
        if not mark or not name:
            raise ConfigError(f"'{word}' is no pair. Write value=name for each: 0=road,255=sky")
        for value in parse_values(key, values, {}):
            if pairs.setdefault(value, name) != name:
                raise ConfigError(f"value {key} is given two names: {pairs[value]} and {name}")
    return pairs


def parse_values(text: str | None, values: Values, names: dict[int, str]) -> set[int]:
    """Values as somebody types them: ``0,255``; ``#804080``; ``128,64,128;0,0,0``; names.

    Raises:
        ConfigError: something else stands there, or three numbers are needed for a colour.
    """
    found: set[int] = set()
    parts = [part.strip() for part in (text or "").split(";") if part.strip()]
    for part in parts:
        words = [word.strip() for word in part.split(",") if word.strip()]
        numbers = [word for word in words if re.fullmatch(r"[+-]?\d+", word)]
        if values.form == "color" and len(numbers) == len(words):
            if len(words) % 3:
                raise ConfigError(
                    f"'{part}' is no colour. The label files hold colours: write #rrggbb, or red,"
                    "green,blue with ; between colours"
                )
            rgb = [int(word) for word in words]
            found |= {packed_of((r, g, b)) for r, g, b in zip(*[iter(rgb)] * 3, strict=True)}
            continue
        for word in words:
            found |= _value(word, values, names)
    return found


def _value(word: str, values: Values, names: dict[int, str]) -> set[int]:
    if re.fullmatch(r"#[0-9a-fA-F]{6}", word):
        packed = int(word[1:], 16)
        if values.form == "color":
            return {packed}
        same = {v for v, color in values.colors.items() if packed_of(color) == packed}
        if same:
            return same
        raise ConfigError(f"no value of the label files has the colour {word}")
    if values.form == "index" and re.fullmatch(r"[+-]?\d+", word):
        return {int(word)}
    same = {value for value, name in names.items() if plain(name) == plain(word)}
    if not same:
        known = f", or a name: {', '.join(sorted(set(names.values())))}" if names else ""
        example = "#804080" if values.form == "color" else "0"
        raise ConfigError(f"'{word}' is no label value, such as {example}{known}")
    return same


def _of_legend(legend: Legend, values: Values) -> dict[int, str]:
    """Names of those values that a legend knows; by colour where it counts its entries."""
    seen = set(values.pixels)
    if values.form == "color":
        return {value: name for value, name in legend.by_color.items() if value in seen}
    colors = {value: packed_of(color) for value, color in values.colors.items()}
    if legend.ordered and colors and seen - {IGNORE} <= set(colors):
        by_color = {v: legend.by_color[c] for v, c in colors.items() if c in legend.by_color}
        if seen - {IGNORE} <= set(by_color):
            return by_color
    named = {value for value, name in legend.by_value.items() if not is_void(name)}
    return dict(legend.by_value) if seen & named else {}


def _by_legend(
    legend: Legend, known: dict[int, str], values: Values, ignored: set[int], given: Given
) -> Table:
    void = {value for value, name in known.items() if is_void(name)}
    strange = {v for v in values.pixels if v not in known and v not in ignored} - (
        {IGNORE} if values.form == "index" else set()
    )
    if strange:
        first = min(strange)
        raise DataError(
            f"{legend.where} says nothing about values of {given.where}: {values.listed(strange)}, "
            f"first in {values.first[first]}. Complete it, or say that they stand for no class: "
            f"--{'' if given.side == 'source' else 'target-'}ignore "
            f"{','.join(values.shown(v) for v in sorted(strange))}"
        )
    names = {v: name for v, name in sorted(known.items()) if v not in void | ignored}
    if legend.where not in {dataset.title for dataset in DATASETS.values()}:
        names = {v: name for v, name in names.items() if v in values.pixels}
    note = f"names of {given.side} values are those of {legend.where}"
    note += ", in its order from 0" if legend.ordered and values.form == "index" else ""
    return Table(names, sorted(ignored | void), dict(legend.colors), [note])


def _paired(
    said: dict[int, str], values: Values, ignored: set[int], given: Given
) -> dict[int, str]:
    left = {v for v in values.pixels if v not in said and v not in ignored}
    left -= {IGNORE} if values.form == "index" else set()
    if left:
        raise ConfigError(
            f"{given.option} does not name all values of {given.where}: {values.listed(left)} are "
            f"left. Name them, or ignore them ({_ignore_option(given)})"
        )
    return {v: name for v, name in sorted(said.items()) if v not in ignored and not is_void(name)}


def _counted(said: list[str], values: Values, ignored: set[int], given: Given) -> dict[int, str]:
    """Names in ascending order of values; of one name more, 255 is a class, too."""
    every = sorted(set(values.pixels) - ignored)
    usual = [v for v in every if values.form == "color" or v != IGNORE]
    for several in (usual, every):
        if len(said) == len(several):
            return dict(zip(several, said, strict=True))
    refuse_suspects(values, given.where)
    shown = ", ".join(values.shown(v) for v in usual)
    raise ConfigError(
        f"{len(said)} names are given, but the label files in {given.where} hold {len(usual)} "
        f"values that are not ignored: [{shown}]"
    )


def _made_up(values: Values, ignored: set[int], void_255: bool) -> dict[int, str]:
    every = sorted(set(values.pixels) - ignored)
    usual = [v for v in every if values.form == "color" or v != IGNORE]
    if len(usual) < 2 and not void_255:
        usual = every
    name = "color" if values.form == "color" else "class"
    return {v: f"{name}_{values.shown(v).removeprefix('#')}" for v in usual}


def _check_range(table: Table, values: Values, given: Given) -> None:
    if values.form == "color":
        return
    strange = sorted(v for v in values.pixels if not 0 <= v <= 65535)
    unsaid = [
        v for v in strange if v not in table.ignored and (table.made_up or v not in table.names)
    ]
    if unsaid or (strange and not given.converting):
        v = (unsaid or strange)[0]
        raise DataError(
            f"value {v} holds {percent(values.share(v))} % of the pixels of {given.where} (first "
            f"in {values.first[v]}) and is outside of 0..65535. Say what it stands for, such as "
            f"{_ignore_option(given)}={v} for no class, and write files without it: "
            "--convert-labels FOLDER"
        )


def _note_255(table: Table, values: Values, given: Given, void_255: bool) -> None:
    unsaid = IGNORE in values.pixels and IGNORE not in table.names and IGNORE not in table.ignored
    if values.form == "index" and unsaid and not void_255:
        pairs = [f"{v}={n}" for v, n in table.names.items()]
        example = ",".join(pairs if len(pairs) <= 4 else [*pairs[:2], "..."])
        table.notes.append(
            f"{given.side}: value 255 holds {percent(values.share(IGNORE))} % of the pixels and is "
            f"ignored; if it is a class, name it: {given.option} {example},255=NAME"
        )


def _ignore_option(given: Given) -> str:
    return "--ignore" if given.side == "source" else "--target-ignore"
