"""The questions of `tpld init`, for whoever types it without options."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import typer

from tpld.commands.init import class_table
from tpld.commands.own.discover import find_domains
from tpld.commands.own.look import Answers, Found, Seen, Side, settle
from tpld.commands.own.public import recognise_public
from tpld.commands.show import Page, show
from tpld.errors import ConfigError, DataError


def ask_folders(
    source: Path | None, target: Path | None, source_labels: Path | None
) -> tuple[Path, Path, Path | None]:
    """The two folders, and that of the source's labels where they are not found beside it."""
    if source is None:
        source = _folder(
            "Folder of the labelled source images (or one with images/ and labels/ in it)"
        )
    try:
        if source_labels is not None or recognise_public(source) is None:
            find_domains(source, source_labels, want_labels=True)
    except DataError as error:
        if source_labels is not None:
            raise
        typer.echo(f"{error}", err=True)
        source_labels = _folder("Folder of the source's label files")
    if target is None:
        target = _folder("Folder of the target images (labels are optional there)")
    return source, target, source_labels


def ask_classes(answers: Answers, seen: Seen) -> Found:
    """What the label values are: asked until they fit, then shown as a table to confirm.

    Empty answers keep the proposal.
    """
    if (files := _must_convert(seen)) and answers.convert is None:
        typer.echo(f"{files}: the label files have to be converted.", err=True)
        answers.convert = _fresh("Folder for index PNGs of them")
    sides = [side for side in (seen.source, seen.target) if side.counted is not None]
    open_ = [side for side in sides if side.name == "source" and not _is_said(answers, side.name)]
    while True:
        for side in open_:
            _ask_side(answers, side)
        try:
            found = settle(answers, seen)
        except (ConfigError, DataError) as error:
            typer.echo(f"{error}", err=True)
            open_ = [side for side in sides if side.name == _wrong_side(answers, seen)]
            if not open_:  # nothing that an answer could mend
                raise
            continue
        for note in found.notes:
            typer.echo(f"note: {note}", err=True)
        show(Page("Which values are which class:", tables={"classes": class_table(found)}), False)
        if typer.confirm("Is this right?", default=True):
            return found
        open_ = sides


def ask_file(default: Path) -> Path:
    """Where to write the configuration."""
    return Path(typer.prompt("File to write", default=str(default)))


def _ask_side(answers: Answers, side: Side) -> None:
    """Names of the values of one side, and which of them to ignore."""
    values = side.counted
    if values is None:
        return
    typer.echo(f"Values of the {side.name}'s label files:")
    for value in sorted(values.pixels):
        name = side.legend.by_value.get(value, "") if side.legend else ""
        typer.echo(f"  {values.shown(value):>7}  {values.share(value):6.2f} %  {name}")
    ignore = _line("Values that stand for no class, separated by commas")
    names = _line(
        "Names of the others in this order, separated by commas, or value=name (empty: a proposal)"
    )
    setattr(answers, f"{side.name}_ignore", ignore or None)
    setattr(answers, f"{side.name}_names", names or None)


def _line(question: str) -> str:
    return typer.prompt(question, default="", show_default=False).strip()


def _is_said(answers: Answers, side: str) -> bool:
    return bool(getattr(answers, f"{side}_names") or getattr(answers, f"{side}_ignore"))


def _wrong_side(answers: Answers, seen: Seen) -> str:
    """Which side's answers do not fit: the source's, or the target's to the source's."""
    try:
        settle(answers, Seen(seen.source, replace(seen.target, counted=None, dataset=None)))
    except (ConfigError, DataError):
        return "source"
    return "target"


def _must_convert(seen: Seen) -> str:
    for side in (seen.source, seen.target):
        if side.counted is not None and side.counted.convert:
            return f"{side.where} ({side.counted.convert})"
    return ""


def _asked(question: str, fits: Callable[[Path], bool], otherwise: str) -> Path:
    while True:
        text = typer.prompt(question).strip()
        # A path that was dragged into the terminal comes quoted.
        path = Path((shlex.split(text) or [text])[0]).expanduser()
        if fits(path):
            return path
        typer.echo(f"{path} {otherwise}", err=True)


def _folder(question: str) -> Path:
    return _asked(question, Path.is_dir, "is no folder")


def _fresh(question: str) -> Path:
    return _asked(question, lambda path: not path.exists(), "exists already")
