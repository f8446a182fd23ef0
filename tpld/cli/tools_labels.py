"""The commands that bring labels to annotation tools and other frameworks, and from there."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tpld.cli.options import TOOLS, app, begin_tool

Json = Annotated[bool, typer.Option("--json", help="JSON instead of tables.")]


class Form(StrEnum):
    """What label files hold, or which tool reads them."""

    INDEX = "index"
    COLOR = "color"
    COCO = "coco"
    CVAT = "cvat"
    LABELSTUDIO = "labelstudio"


class Source(StrEnum):
    """Which annotation tool wrote a file."""

    LABELME = "labelme"
    COCO = "coco"
    CVAT = "cvat"
    VOC = "voc"
    LABELSTUDIO = "labelstudio"


@app.command("import-labels", rich_help_panel=TOOLS)
def import_labels(
    source: Annotated[
        Path,
        typer.Argument(help="A file of an annotation tool, or a folder.", show_default=False),
    ],
    out: Annotated[
        Path, typer.Argument(help="Folder to write; new, or empty.", show_default=False)
    ],
    form: Annotated[
        Source | None,
        typer.Option("--format", help="Left out: told by names and keys of the files."),
    ] = None,
    names: Annotated[
        str | None,
        typer.Option(
            help="Labels that become classes 0, 1, ...: road,car. Pixels of others become 255."
        ),
    ] = None,
    background: Annotated[
        str | None,
        typer.Option(help="Class of pixels that nothing covers; left out, they become 255."),
    ] = None,
    images: Annotated[
        Path | None, typer.Option(help="Folder of the images: label files are called like them.")
    ] = None,
    json: Json = False,
) -> None:
    """Turn annotations of labelme, CVAT, Label Studio, COCO or Pascal VOC into label files.

    Writes an index PNG an image, and `classes.csv`, which says what the values mean.

    Example: `tpld import-labels annotations.xml labels --images photos`
    """
    begin_tool()
    from tpld.commands.import_labels import import_labels as tool
    from tpld.commands.show import show

    wanted = [name.strip() for name in names.split(",")] if names else None
    known = form.value if form else None
    show(tool(source, out, known, wanted, background, images), json)


@app.command("export-labels", rich_help_panel=TOOLS)
def export_labels(
    store: Annotated[Path, typer.Argument(help="A labels.zarr.", show_default=False)],
    out: Annotated[Path, typer.Argument(help="Folder to write into.", show_default=False)],
    form: Annotated[
        Form,
        typer.Option(
            "--format",
            help="index: class numbers, 255 where unlabelled; color: RGB; coco, cvat, labelstudio: "
            "masks in one file, to correct in these tools.",
        ),
    ] = Form.INDEX,
    suffix: Annotated[
        str | None,
        typer.Option(
            help="What follows the image's name.  [_gtFine_labelTrainIds.png, _gtFine_color.png]"
        ),
    ] = None,
    images: Annotated[
        Path | None, typer.Option(help="coco, cvat, labelstudio: folder of the target images.")
    ] = None,
    domain: Annotated[
        str | None,
        typer.Option(help="Of a target of several domains, the images of the one of this name."),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(help="labelstudio: what stands before names.  [/data/local-files/?d=]"),
    ] = None,
    min_score: Annotated[
        float, typer.Option(min=0, help="Leave out labels whose `score` in the store is below.")
    ] = 0.0,
    config: Annotated[
        Path | None, typer.Option(help="Where colours come from; else the experiment around.")
    ] = None,
    json: Json = False,
) -> None:
    """Write pseudo labels as PNGs, or as a file of an annotation tool.

    Example: `tpld export-labels "results/city/crst_mrkld+tpld/seed0/round0/labels.zarr" labels`
    """
    begin_tool()
    from tpld.commands.export_annotations import export_annotations
    from tpld.commands.export_labels import export_labels as tool
    from tpld.commands.show import show
    from tpld.config import load_config
    from tpld.errors import ConfigError

    known = load_config(config) if config else None
    if form in (Form.INDEX, Form.COLOR):
        if images or address:
            raise ConfigError("--images and --address belong to --format coco, cvat, labelstudio")
        show(tool(store, out, form.value, suffix, min_score, known, domain), json)
        return
    if suffix or (address and form is not Form.LABELSTUDIO):
        option = "--suffix" if suffix else "--address"
        raise ConfigError(f"{option} means nothing to --format {form.value}: leave it out")
    page = export_annotations(store, out, form.value, images, address, min_score, known, domain)
    show(page, json)
