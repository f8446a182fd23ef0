"""The commands for people: looking at results, using them elsewhere, one's own data."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from tpld.cli.options import TOOLS, Configuration, Log, Out, app, begin
from tpld.config import Config


@app.command("check-data", rich_help_panel=TOOLS)
def check_data(config: Configuration, out: Out, log: Log = None) -> None:
    """Check every image and label file before anything is trained.

    Example: `tpld check-data --config config.yaml --out check.csv`
    """
    settings = begin(config, log)
    from tpld.stages import check

    check.check_data(settings, out)


@app.command("compile-kernels", rich_help_panel=TOOLS)
def compile_kernels() -> None:
    """Compile the numba kernels ahead, so that no stage waits for it; `./run` has done so."""
    from tpld.progress import setup_logging
    from tpld.stages.compile import compile_kernels as stage

    setup_logging(None)
    stage()


@app.command(rich_help_panel=TOOLS)
def schema(
    out: Annotated[Path | None, typer.Option(help="File to write; else standard output.")] = None,
) -> None:
    """Print the JSON schema of the configuration (for editors; a test keeps the file in step)."""
    import json

    text = json.dumps(Config.model_json_schema(), indent=2) + "\n"
    if out:
        out.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)
