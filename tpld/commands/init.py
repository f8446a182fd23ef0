"""`tpld init`: a commented configuration for somebody's own two folders of images."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from tpld.commands.own.convert import convert_labels, number_values
from tpld.commands.own.look import Answers, Found, Side
from tpld.commands.own.write_domains import Section, refuse_edited, section_of
from tpld.commands.show import Page
from tpld.config import load_config
from tpld.errors import ConfigError
from tpld.stores.atomic import replacing

# Height and width of a crop in a first try on a CPU, and at most in the paper's schedule.
_QUICK_CROP, _FULL_CROP, _SOURCE_CROP = (128, 192), (512, 1024), (500, 500)
_DIVISOR = 16


def refuse_taken(answers: Answers) -> None:
    """Refuse files and folders that exist, before anything is read.

    Raises:
        ConfigError: the YAML file or the folder for index PNGs is there already.
    """
    if answers.out.exists():
        raise ConfigError(f"{answers.out} exists already. Give another --out, or delete it")
    if answers.convert is not None and answers.convert.exists():
        raise ConfigError(
            f"{answers.convert} exists already. Give another --convert-labels, or delete it"
        )


def write(answers: Answers, found: Found) -> Page:
    """Write the configuration, its lists of images and index PNGs: all of them or none.

    Everything is checked first; the configuration loads before anything appears.

    Raises:
        ConfigError: a file exists already, or a list that somebody has edited does.
        DataError: a label file cannot be read any more.
    """
    refuse_taken(answers)
    out, sides = answers.out, (found.source, found.target)
    numbers = {side.name: _numbers(found, side) for side in sides}
    ids = answers.convert or Path()
    folder = out.parent / _plain(out.stem)
    sections = {
        side.name: section_of(
            found, side, folder, answers.effort == "quick", numbers[side.name], ids / side.name
        )
        for side in sides
    }
    text = _render(answers, found, sections)
    load_config(yaml.safe_load(text))
    lists = sections["source"].lists | sections["target"].lists
    refuse_edited(lists)
    with _converted(answers, found, numbers):
        for path, names in lists.items():
            with replacing(path) as partial:
                partial.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
        with replacing(out) as partial:
            partial.write_text(text + "\n", encoding="utf-8")
    return _page(answers, found, sections, numbers)


def _numbers(found: Found, side: Side) -> dict[int, int] | None:
    """Numbers of the values of both sides in index PNGs, if those of this one are converted."""
    if side.counted is None or not side.counted.convert:
        return None
    tables = [
        (other.counted, table)
        for other in (found.source, found.target)
        if other.counted is not None
        and other.counted.convert
        and other.counted.form == side.counted.form
        and (table := found.labels[other.name].table) is not None
    ]
    return number_values(tables)


@contextmanager
def _converted(
    answers: Answers, found: Found, numbers: dict[str, dict[int, int] | None]
) -> Iterator[None]:
    """Index PNGs of the sides that need them; taken away again where the block fails."""
    if answers.convert is None or all(of_side is None for of_side in numbers.values()):
        yield
        return
    answers.convert.parent.mkdir(parents=True, exist_ok=True)
    with replacing(answers.convert) as partial:
        for side in (found.source, found.target):
            of_side, labelled = numbers[side.name], found.labels.get(side.name)
            if of_side is not None and labelled and labelled.table and side.counted:
                domains = [domain for domain in side.domains if domain.labels]
                where = partial / side.name
                convert_labels(domains, side.counted, labelled.table, of_side, where)
    try:
        yield
    except BaseException:
        shutil.rmtree(answers.convert, ignore_errors=True)
        raise


def _render(answers: Answers, found: Found, sections: dict[str, Section]) -> str:
    sizes = [sections[name].size for name in ("source", "target")]
    smallest = (min(s[0] for s in sizes), min(s[1] for s in sizes))
    quick = answers.effort == "quick"
    domains = [d for side in (found.source, found.target) for d in side.domains]
    public = found.source.dataset is not None and found.target.dataset is not None
    loader = PackageLoader("tpld.commands", "")
    surroundings = Environment(loader=loader, undefined=StrictUndefined, autoescape=False)
    return surroundings.get_template("init.yaml.j2").render(
        experiment=answers.experiment or _plain(answers.out.stem),
        file=shlex.quote(str(answers.out)),
        source=sections["source"],
        target=sections["target"],
        names=found.classes.names,
        colors=[list(color) for color in found.classes.colors],
        by_name=public and not answers.maps,
        follow_links=any(domain.linked for domain in domains),
        effort=answers.effort,
        steps=300,
        crop=list(_crop(smallest, _QUICK_CROP if quick else _FULL_CROP)),
        source_crop=list(_crop(sizes[0], _SOURCE_CROP)),
    )


def _page(
    answers: Answers,
    found: Found,
    sections: dict[str, Section],
    numbers: dict[str, dict[int, int] | None],
) -> Page:
    facts: dict[str, Any] = {}
    for side in (found.source, found.target):
        section = sections[side.name]
        if side.dataset:
            facts[side.name] = f"{side.dataset.title} in {side.folder}"
            continue
        labels = f", labels {side.where}" if side.counted else ", no labels"
        facts[side.name] = f"{section.images} images of {side.domains[0].images}{labels}"
    lists = [*sections["source"].lists, *sections["target"].lists]
    if lists:
        facts["lists"] = [str(path) for path in lists]
    if any(of_side is not None for of_side in numbers.values()):
        facts["index PNGs"] = str(answers.convert)
    elif answers.convert is not None:
        facts["index PNGs"] = "none: the label files can be used as they are"
    notes = list(found.notes)
    if sections["target"].images == 1:
        notes.append("target: one image is adapted to, so there is no phase 2, which needs several")
    for place, note in enumerate(notes, start=1):
        facts[f"note {place}"] = note
    file = shlex.quote(str(answers.out))
    facts["next"] = f"tpld check-data {file}"
    facts["then"] = f"snakemake --cores 2 --configfile {file}"
    return Page(f"{answers.out}: written", facts, {"classes": class_table(found)})


def class_table(found: Found) -> Any:
    """The table to confirm: classes, and the values of both sides in the files as given."""
    return found.classes.frame(found.labels["source"], found.labels.get("target"))


def _plain(stem: str) -> str:
    """A name for a folder: of letters, digits, - _ and dots."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", stem).lstrip(".-") or "mine"


def _crop(size: tuple[int, int], most: tuple[int, int]) -> tuple[int, int]:
    """A crop within images of `size`, each side a multiple of 16 and at least 32."""
    height, width = (
        max(32, _DIVISOR * (min(n, bound) // _DIVISOR)) for n, bound in zip(size, most, strict=True)
    )
    return height, width
