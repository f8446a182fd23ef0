"""The commands for people: looking at results, using them elsewhere, one's own data."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tpld.cli.options import TOOLS, Log, app, begin_tool
from tpld.config import Config

Json = Annotated[bool, typer.Option("--json", help="JSON instead of tables.")]
OfModel = Annotated[
    Path | None,
    typer.Option("--config", help="Configuration of a checkpoint that does not say what it is."),
]
Model = Annotated[
    Path, typer.Argument(help="A model.safetensors of any stage.", show_default=False)
]
SizeOption = Annotated[
    str | None, typer.Option("--size", help="Height and width such as 512x1024.", metavar="HxW")
]


class Device(StrEnum):
    """Where to compute."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


class Palettes(StrEnum):
    """What is the class in palette files whose palettes differ."""

    INDEX = "index"
    COLOR = "color"


class Effort(StrEnum):
    """How much a configuration asks of the machine."""

    QUICK = "quick"
    FULL = "full"


@app.command(rich_help_panel=TOOLS)
def view(
    folder: Annotated[Path, typer.Argument(help="Folder of an experiment, results/<name>.")],
    config: Annotated[
        Path | None, typer.Option(help="Configuration; left out: the one that Snakemake kept.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Left out: 8642, or a free one.")
    ] = None,
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = True,
) -> None:
    """Look into the stores of an experiment, in a web page on this machine alone.

    Example: `tpld view results/city`
    """
    from tpld.viewer.serve import serve

    serve(folder, config, port, browser)


@app.command("init", rich_help_panel=TOOLS)
def init(
    source: Annotated[
        Path | None,
        typer.Option(help="Labelled source images; or a folder with images/ and labels/."),
    ] = None,
    target: Annotated[
        Path | None, typer.Option(help="Target images; or a folder with images/ (and labels/).")
    ] = None,
    source_labels: Annotated[Path | None, typer.Option(help="Label files of the source.")] = None,
    target_labels: Annotated[
        Path | None, typer.Option(help="Label files of the target, for evaluation alone.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="YAML file to write.  [mine.yaml]")] = None,
    source_names: Annotated[
        str | None,
        typer.Option(
            "--source-names",
            "--names",
            help="What the source's label values are, in ascending order: road,car,sky; or "
            "0=road,255=sky; or a legend's file; or the kind of a public data set.",
        ),
    ] = None,
    target_names: Annotated[
        str | None, typer.Option(help="The same of the target, where its values are others.")
    ] = None,
    source_ignore: Annotated[
        str | None,
        typer.Option(
            "--source-ignore",
            "--ignore",
            help="Label values of the source that stand for no class: 0,11; or #000000; or names.",
        ),
    ] = None,
    target_ignore: Annotated[str | None, typer.Option(help="The same of the target.")] = None,
    map_: Annotated[
        list[str] | None,
        typer.Option(
            "--map", help="A class, and labels of either side that are it: vehicle=car+truck."
        ),
    ] = None,
    effort: Annotated[
        Effort,
        typer.Option(help="quick: a first try on a CPU; full: the paper's schedule on a GPU."),
    ] = Effort.QUICK,
    experiment: Annotated[
        str | None, typer.Option(help="Name of the result folder.  [that of the file]")
    ] = None,
    val_share: Annotated[
        float,
        typer.Option(min=0, max=0.9, help="Share of the labelled target kept for evaluation."),
    ] = 0.2,
    convert_labels: Annotated[
        Path | None,
        typer.Option(help="Folder for index PNGs, where the label files hold colours."),
    ] = None,
    palettes: Annotated[
        Palettes | None,
        typer.Option(help="Where palettes of label files differ: what their class is."),
    ] = None,
    json: Json = False,
) -> None:
    """Write a commented configuration for your own images.

    Asks for two folders, finds images, labels and label values, and proposes what each value is.
    With `--source` and `--target` it asks nothing.

    Example: `tpld init --source day --target night --names road,car,sky --ignore 0 --out mine.yaml`
    """
    begin_tool()
    from tpld.commands import init as tool
    from tpld.commands.own import ask
    from tpld.commands.own.look import Answers, look, settle
    from tpld.commands.show import show

    asking = source is None or target is None
    if source is None or target is None:
        source, target, source_labels = ask.ask_folders(source, target, source_labels)
    answers = Answers(
        source,
        target,
        source_labels,
        target_labels,
        out or Path("mine.yaml"),
        experiment,
        source_names,
        target_names,
        source_ignore,
        target_ignore,
        list(map_ or []),
        palettes.value if palettes else None,
        val_share,
        effort.value,
        convert_labels,
    )
    if asking and out is None:
        answers.out = ask.ask_file(answers.out)
    tool.refuse_taken(answers)
    seen = look(answers)
    found = ask.ask_classes(answers, seen) if asking else settle(answers, seen)
    show(tool.write(answers, found), json)


@app.command("check-data", rich_help_panel=TOOLS)
def check_data(
    configs: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[CONFIG]...",
            help="YAML files, each laid over those before.",
            show_default=False,
        ),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(envvar="TPLD_CONFIG", help="One complete YAML file.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Also write the table to this file (a rule does).")
    ] = None,
    json: Json = False,
    log: Log = None,
) -> None:
    """Check every image and label file before anything is trained.

    Files given as arguments are laid over `config.yaml` of this folder, as Snakemake does.

    Example: `tpld check-data mine.yaml`
    """
    begin_tool(log)
    from tpld.commands.check_data import check_data as tool
    from tpld.commands.show import show

    page = tool(list(configs or []), config, out)
    if out is None or json:
        show(page, json)


@app.command("inspect", rich_help_panel=TOOLS)
def inspect(
    store: Annotated[
        Path,
        typer.Argument(
            help="predictions.zarr, labels.zarr, model.safetensors or data/<split>.",
            show_default=False,
        ),
    ],
    quick: Annotated[bool, typer.Option("--quick", help="Do not verify every checksum.")] = False,
    json: Json = False,
) -> None:
    """Say what a store or checkpoint holds, from which run, and whether it is whole.

    Images, density and λ by class, settings and inputs of the stage that wrote it; every shard is
    read and every checksum compared. Exits with 1 where something is damaged.

    Example: `tpld inspect "results/city/crst_mrkld+tpld/seed0/round0/labels.zarr"`
    """
    begin_tool()
    from tpld.commands.inspect_store import inspect as tool
    from tpld.commands.show import show

    page, damage = tool(store, not quick)
    show(page, json)
    if damage:
        raise typer.Exit(1)


@app.command("explain", rich_help_panel=TOOLS)
def explain(
    store: Annotated[Path, typer.Argument(help="A labels.zarr.", show_default=False)],
    image: Annotated[
        str,
        typer.Argument(
            help="Name of an image, a unique part of it, or a number from 0.", show_default=False
        ),
    ],
    x: Annotated[int, typer.Argument(help="Column, from 0 at the left.", show_default=False)],
    y: Annotated[int, typer.Argument(help="Row, from 0 at the top.", show_default=False)],
    predictions: Annotated[
        Path | None, typer.Option(help="The dump, where it has moved since.")
    ] = None,
    json: Json = False,
) -> None:
    """Say why a pixel has its pseudo label, or has none.

    p, λ and r of its best classes, and every vote up to the one that decided.

    Example: `tpld explain "results/city/crst_mrkld+tpld/seed0/round0/labels.zarr" 0 200 150`
    """
    begin_tool()
    from tpld.commands.explain import explain as tool
    from tpld.commands.show import show

    page, _ = tool(store, image, x, y, predictions)
    show(page, json)


@app.command("compare", rich_help_panel=TOOLS)
def compare(
    first: Annotated[
        Path,
        typer.Argument(help="results/<experiment>, or a row or seed below it.", show_default=False),
    ],
    second: Annotated[Path, typer.Argument(help="The same.", show_default=False)],
    every: Annotated[bool, typer.Option("--all", help="All splits and protocols.")] = False,
    json: Json = False,
) -> None:
    """Show two experiments, or two rows, side by side: figures by class, and keys that differ.

    Example: `tpld compare results/city/crst_mrkld "results/city/crst_mrkld+tpld"`
    """
    begin_tool()
    from tpld.commands.compare import compare as tool
    from tpld.commands.show import show

    show(tool(first, second, every), json)


@app.command("predict", rich_help_panel=TOOLS)
def predict(
    model: Model,
    images: Annotated[
        list[Path], typer.Argument(help="Images, or folders of images.", show_default=False)
    ],
    out: Annotated[Path, typer.Option(help="Folder to write masks/, overlays/, confidence/ into.")],
    overlays: Annotated[bool, typer.Option(help="Write the image under the colours.")] = True,
    confidence: Annotated[bool, typer.Option(help="Write the winner's probability.")] = True,
    label_ids: Annotated[
        bool, typer.Option("--label-ids", help="Masks hold the values of the label files.")
    ] = False,
    size: SizeOption = None,
    scale: Annotated[float, typer.Option(min=0.05, max=8, help="Of the size.")] = 1.0,
    mirror: Annotated[
        bool, typer.Option("--mirror", help="Average with the mirror image; twice the time.")
    ] = False,
    opacity: Annotated[float, typer.Option(min=0, max=1, help="Of colours in overlays.")] = 0.5,
    device: Annotated[Device, typer.Option(help="auto: the GPU where there is one.")] = Device.AUTO,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Write into a folder that holds files of other calls."),
    ] = False,
    follow_links: Annotated[
        bool, typer.Option("--follow-links", help="Also look into sub-folders that are links.")
    ] = False,
    config: OfModel = None,
    json: Json = False,
) -> None:
    """Apply an adapted network to new images of any size.

    The network sees an image at the size that it was adapted with, unless `--size` says otherwise;
    everything that is written has the image's own size, turned as its EXIF orientation says.

    Example: `tpld predict model.safetensors photos/ --out predicted`
    """
    begin_tool()
    from tpld.commands.predict import Wanted
    from tpld.commands.predict import predict as tool
    from tpld.commands.show import show
    from tpld.config import Compute, load_config

    wanted = Wanted(overlays, confidence, label_ids, _size(size), scale, mirror, opacity)
    compute = Compute(device=device.value)
    known = load_config(config) if config else None
    show(tool(model, images, out, wanted, compute, known, overwrite, follow_links), json)


@app.command("export", rich_help_panel=TOOLS)
def export(
    model: Model,
    out: Annotated[Path, typer.Argument(help="File to write, .onnx.", show_default=False)],
    size: SizeOption = None,
    fixed: Annotated[bool, typer.Option("--fixed", help="One image of that size alone.")] = False,
    config: OfModel = None,
    json: Json = False,
) -> None:
    """Write an adapted network as ONNX, checked against torch with onnxruntime.

    Takes RGB pixels, 0 to 255, and gives class probabilities at the same size. Needs an optional
    extra: `pip install 'tpld[onnx]'`.

    Example: `tpld export model.safetensors model.onnx`
    """
    begin_tool()
    from tpld.commands.export_onnx import export as tool
    from tpld.commands.show import show
    from tpld.config import load_config

    show(tool(model, out, _size(size), fixed, load_config(config) if config else None), json)


@app.command("compile-kernels", rich_help_panel=TOOLS)
def compile_kernels() -> None:
    """Compile the numba kernels ahead, so that no stage waits for it; `./run` has done so."""
    from tpld.compute.progress import setup_logging
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


def _size(text: str | None) -> tuple[int, int] | None:
    from tpld.errors import ConfigError

    if text is None:
        return None
    height, _, width = text.lower().partition("x")
    if not (height.isdigit() and width.isdigit() and int(height) and int(width)):
        raise ConfigError(f"--size is '{text}'; height and width are needed, such as 512x1024")
    return int(height), int(width)
