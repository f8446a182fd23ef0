"""Label files as index PNGs: what `tpld init --convert-labels` does."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from tpld.commands.own.discover import Domain
from tpld.commands.own.label_files import read_labels
from tpld.commands.own.label_values import Values, as_colors
from tpld.commands.own.naming import Table
from tpld.commands.palette import index_picture, write_legend
from tpld.compute.progress import progress
from tpld.data.table import IGNORE
from tpld.errors import ConfigError, DataError


def number_values(tables: list[tuple[Values, Table]]) -> dict[int, int]:
    """The number that each value gets in index PNGs.

    Ids keep their value where that fits into 8 bits. Colours are numbered in ascending order of
    red, green, blue over all of them, so that the same colour is the same number everywhere, and
    what is frequent makes no difference.

    Args:
        tables: values of the files to convert, all of the same form, with their label tables.

    Raises:
        ConfigError: there are more values than numbers.
    """
    every = sorted({v for values, _ in tables for v in values.pixels})
    named = {v for _, table in tables for v in table.names}
    if tables[0][0].form == "index":
        numbers = {v: v for v in every if 0 <= v <= IGNORE}
        free = iter(sorted(set(range(IGNORE)) - set(numbers)))
        for value in every:
            if value not in numbers:
                number = next(free, None) if value in named else IGNORE
                if number is None or (number == IGNORE and IGNORE in named):
                    raise ConfigError("the label files hold more values than 8 bits have room for")
                numbers[value] = number
        return numbers
    if len(every) >= IGNORE:
        raise ConfigError(f"{len(every)} colours are more than the 254 classes that there can be")
    return {color: number for number, color in enumerate(every)}


def convert_labels(
    domains: list[Domain], values: Values, table: Table, numbers: dict[int, int], out: Path
) -> None:
    """Write the label files of some domains as index PNGs, with a ``classes.csv`` beside them.

    Args:
        domains: those of one side.
        values: what their files hold.
        table: names of the values.
        numbers: see `number_values`.
        out: folder; a domain of several gets one below it.

    Raises:
        DataError: a file has changed since it was read, or cannot be read.
    """
    known = np.array(sorted(numbers), np.int64)
    index = np.array([numbers[v] for v in known.tolist()], np.uint8)
    palette = np.zeros((256, 3), np.uint8)
    for value, color in values.colors.items():
        palette[numbers[value]] = color
    for value, name in table.names.items():
        if name in table.colors and value in numbers:
            palette[numbers[value]] = table.colors[name]

    def one(job: tuple[Path, Path]) -> None:
        source, target = job
        labels = read_labels(source)
        raw = as_colors(labels) if values.form == "color" else labels.values
        place = np.clip(np.searchsorted(known, raw), 0, len(known) - 1)
        if (known[place] != raw).any():
            raise DataError(f"{source} has changed since it was read. Try again")
        target.parent.mkdir(parents=True, exist_ok=True)
        index_picture(index[place], palette).save(target, "PNG")

    jobs = [
        (file, below(out, domain, len(domains)) / f"{name}.png")
        for domain in domains
        for name, file in domain.label_files.items()
    ]
    with progress(f"writing {out.name} labels", len(jobs)) as tick, ThreadPoolExecutor() as pool:
        for done, _ in enumerate(pool.map(one, jobs), start=1):
            tick(done)
    at = {numbers[v]: "unlabelled" for v in table.ignored if v in numbers}
    at |= {numbers[v]: name for v, name in table.names.items() if v in numbers}
    order = sorted(at)
    write_legend([at[n] for n in order], order, palette[order], out / "classes.csv")


def below(out: Path, domain: Domain, count: int) -> Path:
    """Folder of the index PNGs of one domain of several."""
    return out / domain.part if count > 1 else out


def converted(domain: Domain, folder: Path) -> Domain:
    """The domain as it is once its label files are index PNGs."""
    return replace(
        domain,
        labels=folder,
        label_suffixes=[".png"],
        label_files={name: folder / f"{name}.png" for name in domain.label_files},
    )


def renumbered(table: Table, numbers: dict[int, int]) -> Table:
    """The label table of the converted files."""
    ignored = {numbers[v] for v in table.ignored if v in numbers}
    names = {numbers[v]: name for v, name in table.names.items() if v in numbers}
    return replace(table, names=dict(sorted(names.items())), ignored=sorted(ignored))
