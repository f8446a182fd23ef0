"""What commands share: the application, their options, and how each begins."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from tpld.config import Config, load_config

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Two-phase pseudo label densification: adapt a segmentation network to a new domain.\n\n"
    "`snakemake --cores 2` runs everything; each stage below can be rerun alone on its files.",
)
TOOLS, STAGES = "Tools", "Stages, in the order of the pipeline"

Configuration = Annotated[
    Path,
    typer.Option("--config", envvar="TPLD_CONFIG", help="YAML file of the configuration."),
]
Log = Annotated[Path | None, typer.Option(help="Also write messages to this file.")]
Out = Annotated[Path, typer.Option(help="What to write; it appears only when it is whole.")]
Seed = Annotated[int, typer.Option(help="Seed of sampling and initial weights.")]
Round = Annotated[int, typer.Option("--round", help="Round, from 0.")]
MethodOption = Annotated[str, typer.Option("--method", help="The method: a row of the table.")]
RowOption = Annotated[
    str | None, typer.Option("--method", help="Row whose keys count, where it is a variant.")
]
NetworkOption = Annotated[
    str | None, typer.Option("--network", help="Network; left out: that of the model section.")
]
Input = Annotated[Path, typer.Option()]
PartOption = Annotated[
    str | None, typer.Option("--part", help="I/N: part I, from 0, of N parts of the images.")
]
Parts = Annotated[
    list[Path] | None, typer.Argument(help="All parts, made by other jobs: put them together.")
]


def begin(
    config: Path,
    log: Path | None,
    method: str | None = None,
    network: str | None = None,
    training: str | None = None,
) -> Config:
    """Logging, and the configuration as a row (or the rows of a network) sees it.

    A training goes on in several processes from here, where the configuration wants them.
    """
    from tpld.compute.launch import spread, threads_of
    from tpld.compute.progress import setup_logging
    from tpld.errors import ConfigError

    setup_logging(log)
    try:
        settings = load_config(config).of(method)
        settings = settings.with_network(network) if network else settings
    except ValueError as error:
        raise ConfigError(str(error)) from None
    if training:
        spread(settings, training)
    # Before numba is imported. It shares OpenMP with torch, and its thread count becomes torch's:
    # were they to differ, sums would be taken in another order once a kernel has run.
    os.environ.setdefault("NUMBA_NUM_THREADS", str(threads_of(settings.compute)))
    return settings


def begin_tool(log: Path | None = None) -> None:
    """Logging for a command that no configuration is handed to, and the threads of its kernels."""
    from tpld.compute.progress import setup_logging

    setup_logging(log)
    os.environ.setdefault("NUMBA_NUM_THREADS", str(len(os.sched_getaffinity(0))))
