"""`tpld init`: a commented configuration for somebody's own two folders of images."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from tpld.commands.convert import convert_labels
from tpld.commands.discover import (
    Domain,
    find_domain,
    image_size,
    label_values,
    read_legend,
)
from tpld.commands.show import Page
from tpld.config import load_config
from tpld.data.datasets import DATASETS
from tpld.data.datasets.base import CLASSES
from tpld.data.table import spread_colors
from tpld.errors import ConfigError, DataError
from tpld.stores.atomic import replacing

Effort = Literal["quick", "full"]
# Pixels of an image and of a crop in a first try on a CPU.
_QUICK_PIXELS, _QUICK_CROP = 192 * 384, (128, 192)
_DIVISOR = 16


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
        names: of the label values in ascending order, ignored ones left out.
        ignore: label values that stand for no class.
        val_share: share of the labelled target images that is kept for evaluation.
        effort: ``quick`` for a first try on a CPU, ``full`` for the paper's schedule on a GPU.
        convert: folder for index PNGs, where label files hold colours.
    """

    source: Path
    target: Path
    source_labels: Path | None = None
    target_labels: Path | None = None
    out: Path = Path("mine.yaml")
    experiment: str | None = None
    names: list[str] | None = None
    ignore: list[int] = field(default_factory=list)
    val_share: float = 0.2
    effort: Effort = "quick"
    convert: Path | None = None


class Found(NamedTuple):
    """What the folders hold, before anything is written.

    Attributes:
        source: the labelled domain.
        target: the domain to adapt to; without labels unless every image has one.
        pixels: int64 (65536,), of each value of the source's label files.
        classes: proposed entries: id, name, color, share (percent).
        ignored: values without a class.
        notes: what somebody should know.
    """

    source: Domain
    target: Domain
    pixels: np.ndarray
    classes: list[dict[str, Any]]
    ignored: list[int]
    notes: list[str]


def look(answers: Answers) -> Found:
    """Look into the folders: pairs of images and labels, label values, proposed classes.

    Raises:
        DataError: folders are missing or hold nothing that fits together.
        ConfigError: fewer than two classes, or names that do not fit the values.
    """
    notes: list[str] = []
    source = find_domain(answers.source, answers.source_labels, want_labels=True)
    target = find_domain(answers.target, answers.target_labels)
    if answers.convert is not None:
        source, target = _converted(source, target, answers.convert)
    for what, domain in (("source", source), ("target", target)):
        if domain.left_out:
            notes.append(
                f"{what}: {domain.left_out} files that do not end in {domain.image_suffix} are "
                "left out; convert them to one format"
            )
    lacking = len(source.names) - len(source.labelled)
    if lacking:
        notes.append(f"source: {lacking} images without a label are left out")
        source = source._replace(names=source.labelled)
    if target.labels and len(target.labelled) < len(target.names):
        notes.append(
            f"target: only {len(target.labelled)} of {len(target.names)} images have labels. All "
            "are adapted to, and none is evaluated on; to evaluate, give folders of their own to "
            "labelled images"
        )
        target = target._replace(labels=None, labelled=[])
    counted = label_values(source)
    pixels = counted.pixels.copy()
    seen = set(np.flatnonzero(pixels).tolist()) - {255}
    of_target = label_values(target).pixels if target.labels else np.zeros(0)
    only = set(np.flatnonzero(of_target).tolist()) - seen - {255}
    if only:
        notes.append(
            f"values {sorted(only)} occur in the target's labels alone: nothing could learn them, "
            "so they are ignored"
        )
    legend = _legend(source, seen)
    ignored = sorted({*answers.ignore, *only, *(v for v in seen if legend and v not in legend)})
    values = sorted(seen - set(ignored))
    classes = _classes(values, pixels, answers.names, legend, counted.palette)
    return Found(source, target, pixels, classes, [v for v in ignored if v != 255], notes)


def write(answers: Answers, found: Found) -> Page:
    """Write the configuration and its lists of images; they load before they appear.

    Raises:
        ConfigError: the file exists already.
    """
    out = answers.out
    if out.exists():
        raise ConfigError(f"{out} exists already. Give another --out, or delete it")
    experiment = answers.experiment or re.sub(r"[^A-Za-z0-9_.-]", "_", out.stem).lstrip(".-")
    sizes = [image_size(domain) for domain in (found.source, found.target)]
    resized = [_quick_size(size) if answers.effort == "quick" else None for size in sizes]
    seen = [small or size for small, size in zip(resized, sizes, strict=True)]
    smallest = (min(s[0] for s in seen), min(s[1] for s in seen))
    most = _QUICK_CROP if answers.effort == "quick" else (512, 1024)
    lists = _lists(answers, found)
    text = _template().render(
        experiment=experiment,
        file=out,
        source=found.source,
        target=found.target,
        lists=dict.fromkeys(("source_train", "source_val", "target_train", "target_val"))
        | {name: path for name, (path, _) in lists.items()},
        source_resize=list(resized[0]) if resized[0] else None,
        target_resize=list(resized[1]) if resized[1] else None,
        source_size=sizes[0],
        target_size=sizes[1],
        classes=found.classes,
        ignored=found.ignored,
        val_share=answers.val_share,
        effort=answers.effort,
        steps=300,
        crop=list(_crop(smallest, most)),
        source_crop=list(_crop(seen[0], (500, 500))),
    )
    load_config(yaml.safe_load(text))
    for path, names in lists.values():
        with replacing(path) as partial:
            partial.write_text("\n".join(names) + "\n", encoding="utf-8")
    with replacing(out) as partial:
        partial.write_text(text + "\n", encoding="utf-8")
    return _page(out, found, lists)


def _page(out: Path, found: Found, lists: dict[str, tuple[Path, list[str]]]) -> Page:
    facts: dict[str, Any] = {}
    for what, domain in (("source", found.source), ("target", found.target)):
        labels = f", labels {domain.labels}/*{domain.label_suffix}" if domain.labels else ""
        facts[what] = (
            f"{len(domain.names)} images {domain.images}/*{domain.image_suffix}"
            f"{labels or ', no labels'}"
        )
    facts["ignored values"] = [*found.ignored, 255]
    if lists:
        facts["lists"] = [str(path) for path, _ in lists.values()]
    if found.notes:
        facts["note"] = found.notes
    facts["next"] = f"tpld check-data {out}"
    facts["then"] = f"snakemake --cores 2 --configfile {out}"
    table = pd.DataFrame(found.classes)
    table["color"] = [str(color) for color in table["color"]]
    return Page(f"{out}: written", facts, {"classes": table.rename(columns={"share": "share %"})})


def _template() -> Any:
    folder = PackageLoader("tpld.commands", "")
    surroundings = Environment(
        loader=folder, undefined=StrictUndefined, autoescape=False, keep_trailing_newline=False
    )
    return surroundings.get_template("init.yaml.j2")


def _converted(source: Domain, target: Domain, folder: Path) -> tuple[Domain, Domain]:
    """Both domains with index PNGs in place of coloured label files."""
    given = [("source", source), *[("target", target)] * bool(target.labels)]
    folders = [folder / what for what, _ in given]
    taken = next((f for f in folders if f.exists()), None)
    if taken:
        raise ConfigError(f"{taken} exists already. Give another --convert-labels, or delete it")
    convert_labels([domain for _, domain in given], folders)
    changed = [
        domain._replace(labels=path, label_suffix=".png")
        for (_, domain), path in zip(given, folders, strict=True)
    ]
    return changed[0], changed[1] if len(changed) > 1 else target


def _legend(source: Domain, seen: set[int]) -> dict[int, tuple[str, tuple[int, int, int]]]:
    """Names and colours that are known: from a classes.csv, or of Cityscapes' own files."""
    legend = read_legend([source.labels])
    kinds = {"labelTrainIds": "cityscapes_train_ids", "labelIds": "cityscapes"}
    for part, kind in kinds.items():
        if not legend and part in source.label_suffix:
            legend = {
                label.id: (label.stands_for, CLASSES[label.stands_for])
                for label in DATASETS[kind].labels
                if label.stands_for
            }
    return legend if seen & set(legend) else {}


def _classes(
    values: list[int],
    pixels: np.ndarray,
    names: list[str] | None,
    legend: dict[int, tuple[str, tuple[int, int, int]]],
    palette: np.ndarray | None,
) -> list[dict[str, Any]]:
    """Entries of the class table: from the legend, the given names, or made up."""
    if len(values) < 2:
        raise ConfigError(
            f"the label files hold {len(values)} values beside ignored ones ({values}); at least "
            "two classes are needed. Are these the right files?"
        )
    if names is not None and len(names) != len(values):
        raise ConfigError(
            f"{len(names)} names are given, but the label files hold {len(values)} values that "
            f"are not ignored: {values}"
        )
    if len(values) > 254:
        raise DataError(
            f"the label files hold {len(values)} values: these are no class ids. Are they depth or "
            "instance maps? --source-labels names the folder of class ids"
        )
    made = spread_colors(len(values))
    total = max(int(pixels[values].sum()), 1)
    entries = []
    for place, value in enumerate(values):
        name, color = legend.get(value, (f"class_{value}", made[place]))
        if palette is not None and value not in legend and palette[value].any():
            color = tuple(int(channel) for channel in palette[value])
        if names is not None:
            name = names[place]
            color = CLASSES.get(name, color)
        entries.append(
            {
                "id": value,
                "name": name,
                "color": list(color),
                "share": 100 * int(pixels[value]) / total,
            }
        )
    return entries


def _lists(answers: Answers, found: Found) -> dict[str, tuple[Path, list[str]]]:
    """Lists of images where not all of a folder are meant: the file and the names in it."""
    folder = answers.out.with_suffix("")
    lists: dict[str, tuple[Path, list[str]]] = {}
    every = find_domain(found.source.images).names
    if len(every) != len(found.source.names):
        lists["source_train"] = (folder / "source_train.txt", found.source.names)
    names = found.target.names
    kept = round(answers.val_share * len(names)) if found.target.labels else 0
    if kept and len(names) - kept:
        lists["target_train"] = (folder / "target_train.txt", names[:-kept])
        lists["target_val"] = (folder / "target_val.txt", names[-kept:])
    return lists


def _quick_size(size: tuple[int, int]) -> tuple[int, int] | None:
    """Height and width at about the area of a first try; None for images that are small already."""
    factor = math.sqrt(_QUICK_PIXELS / (size[0] * size[1]))
    if factor >= 1:
        return None
    height, width = (max(_DIVISOR, _DIVISOR * round(n * factor / _DIVISOR)) for n in size)
    return height, width


def _crop(size: tuple[int, int], most: tuple[int, int]) -> tuple[int, int]:
    """A crop within images of `size`, each side a multiple of 16 and at least 32."""
    height, width = (
        max(32, _DIVISOR * (min(n, bound) // _DIVISOR)) for n, bound in zip(size, most, strict=True)
    )
    return height, width
