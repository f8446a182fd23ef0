"""The questions of `tpld init`, for whoever types it without options."""

from __future__ import annotations

import shlex
from pathlib import Path

import typer

from tpld.commands.discover import find_domain
from tpld.commands.init import Answers, Found, look
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
        find_domain(source, source_labels, want_labels=True)
    except DataError as error:
        if source_labels is not None:
            raise
        typer.echo(f"{error}", err=True)
        source_labels = _folder("Folder of the source's label files")
    if target is None:
        target = _folder("Folder of the target images (labels are optional there)")
    return source, target, source_labels


def ask_classes(answers: Answers, found: Found) -> Found:
    """Names of the label values, and which of them to ignore; empty answers keep the proposal."""
    if answers.names is not None or answers.ignore:
        return found
    while True:
        typer.echo("Values of the source's label files:")
        for entry in found.classes:
            typer.echo(f"  {entry['id']:>5}  {entry['share']:6.2f} %  {entry['name']}")
        ignore = typer.prompt(
            "Values that stand for no class, separated by commas", default="", show_default=False
        )
        names = typer.prompt(
            "Names of the others in this order, separated by commas (empty: as above)",
            default="",
            show_default=False,
        )
        try:
            answers.ignore = numbers(ignore)
            answers.names = words(names) or None
            return look(answers)
        except ConfigError as error:
            typer.echo(f"{error}", err=True)
            answers.ignore, answers.names = [], None


def ask_file(default: Path) -> Path:
    """Where to write the configuration."""
    return Path(typer.prompt("File to write", default=str(default)))


def words(text: str | None) -> list[str]:
    """``road, car,sky`` -> the three names."""
    return [word.strip() for word in (text or "").split(",") if word.strip()]


def numbers(text: str | None) -> list[int]:
    """``0, 255`` -> the two numbers.

    Raises:
        ConfigError: something else stands there.
    """
    try:
        return [int(word) for word in words(text)]
    except ValueError:
        raise ConfigError(f"'{text}' is no list of label values, such as 0,255") from None


def _folder(question: str) -> Path:
    while True:
        text = typer.prompt(question).strip()
        # A path that was dragged into the terminal comes quoted.
        path = Path((shlex.split(text) or [text])[0]).expanduser()
        if path.is_dir():
            return path
        typer.echo(f"{path} is no folder", err=True)
