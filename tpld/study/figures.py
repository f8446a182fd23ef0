"""The pictures of a study."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from tpld.report.colors import COLORS, RIGHT, UNKNOWN, WRONG
from tpld.report.pictures import added_canvas
from tpld.report.style import FULL_WIDTH, GREY, MARKERS, figure
from tpld.stores.atomic import replacing
from tpld.study.controls import LOWERED, PORTION

_LINE = 0.24  # inches of height that a row takes


def draw_scores(table: pd.DataFrame, seeds: pd.DataFrame, title: str, out: Path) -> None:
    """Write mIoU of each row as a picture (SVG): its seeds, their mean, and the reference's mean.

    Args:
        table: of `tpld.study.scores.compare_rows`.
        seeds: method, value: mIoU of each row and seed.
        title: above the axes.
        out: the file.
    """
    means = dict(zip(table["row"], table["mIoU"].to_numpy(float), strict=True))
    with figure(FULL_WIDTH, 1.0 + _LINE * len(table)) as drawing:
        axes = drawing.add_subplot()
        for place, (row, changes, against) in enumerate(
            zip(table["row"], table["changes"], table["against"], strict=True)
        ):
            color = COLORS[1] if changes else COLORS[0]
            values = seeds.loc[seeds["method"] == row, "value"]
            axes.plot(values, [place] * len(values), "o", color=color, alpha=0.35, ms=4)
            if against in means:
                low, high = sorted((means[against], means[row]))
                axes.plot([low, high], [place, place], color=color, lw=1.2)
                axes.plot(means[against], place, "|", color=GREY, ms=9)
            axes.plot(means[row], place, "D", color=color)
        names = [_label(*pair) for pair in zip(table["row"], table["changes"], strict=True)]
        axes.set_yticks(range(len(table)), names)
        axes.invert_yaxis()
        # Over the whole picture: long names leave the axes too little room for them.
        said = "mIoU, % (diamond: mean; dots: seeds; bar: mean of the row compared with)"
        drawing.supxlabel(said, x=0.99, ha="right", fontsize=9)
        drawing.suptitle(title, x=0.01, ha="left", fontsize=10, weight="bold")
        save(drawing, out)


def draw_labels(table: pd.DataFrame, curves: pd.DataFrame, title: str, out: Path) -> None:
    """Write accuracy over density of each row's labels, and of both controls, as a picture (SVG).

    Args:
        table: row, changes, density, accuracy: means over the seeds.
        curves: seed, and `tpld.study.controls.COLUMNS`.
        title: above the axes.
        out: the file.
    """
    with figure(FULL_WIDTH, 4.6) as drawing:
        axes = drawing.add_subplot()
        for control, style in ((PORTION, "-"), (LOWERED, "--")):
            x, y = _mean_curve(curves[curves["control"] == control])
            axes.plot(x, y, style, color=GREY, lw=1.3, label=f"no voting, {control}")
        points = table[["density", "accuracy"]].to_numpy(float)
        names = [_label(*pair) for pair in zip(table["row"], table["changes"], strict=True)]
        for place, (name, point) in enumerate(zip(names, points, strict=True)):
            color, marker = COLORS[place % len(COLORS)], MARKERS[place % len(MARKERS)]
            axes.plot(*point, marker, color=color, label=name)
        axes.set(xlabel="density of the labels, %", ylabel="accuracy, %")
        axes.set_title(title)
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
        save(drawing, out)


def draw_split(images: pd.DataFrame, title: str, out: Path) -> None:
    """Write accuracy over confidence of each image, easy and hard ones apart, as a picture (SVG).

    Args:
        images: `tpld.study.split.IMAGE_COLUMNS`, of one seed or several.
        title: above the axes.
        out: the file.
    """
    with figure(FULL_WIDTH, 4.2) as drawing:
        axes = drawing.add_subplot()
        for place, (kind, wanted) in enumerate((("easy", True), ("hard", False))):
            part = images[images["easy"] == wanted]
            points = part["confidence"].to_numpy(float), part["accuracy"].to_numpy(float)
            label = f"{kind}: {len(part)} images, {points[1].mean():.1f} % in the mean"
            axes.plot(*points, MARKERS[place], color=COLORS[place], alpha=0.6, label=label)
        axes.set(xlabel="confidence of the image", ylabel="accuracy of its predictions, %")
        axes.set_title(title)
        axes.legend()
        save(drawing, out)


class Example(NamedTuple):
    """An image, and what is added to its labels: name, uint8 (H, W, 3), bool (H, W) twice, labels.

    `label` is what voting gives, `best` is argmax r, which lowered thresholds give; uint8 (H, W) as
    `truth` is.
    """

    name: str
    image: np.ndarray
    voted: np.ndarray
    label: np.ndarray
    lowered: np.ndarray
    best: np.ndarray
    truth: np.ndarray


def draw_added(examples: list[Example], title: str, out: Path) -> None:
    """Write what voting adds beside what lowered thresholds add, a row an image (JPEG).

    Right pixels and wrong ones have colours of their own; pixels without ground truth a third.
    """
    height, width = examples[0].image.shape[:2]
    panel = FULL_WIDTH / 3
    with figure(FULL_WIDTH, len(examples) * panel * height / width + 0.9) as drawing:
        axes = drawing.subplots(len(examples), 3, squeeze=False)
        for line, one in zip(axes, examples, strict=True):
            added = (one.voted, one.label), (one.lowered, one.best)
            shown = [added_canvas(one.image, *pair, one.truth) for pair in added]
            for panel_axes, picture in zip(line, [one.image, *shown], strict=True):
                panel_axes.imshow(picture)
                panel_axes.set_axis_off()
            line[0].set_title(one.name)
            line[1].set_title("added by voting")
            line[2].set_title("added by lowered thresholds")
        legend = (("right", RIGHT), ("wrong", WRONG), ("no ground truth", UNKNOWN))
        patches = [Patch(color="#{:02x}{:02x}{:02x}".format(*c), label=name) for name, c in legend]
        drawing.legend(handles=patches, loc="outside lower center", ncols=3)
        drawing.suptitle(title)
        save(drawing, out, "jpeg")


def save(drawing: Figure, out: Path, kind: Literal["svg", "jpeg"] = "svg") -> None:
    """Write a figure; it appears whole or not at all."""
    with replacing(out) as partial, partial.open("wb") as file:
        drawing.savefig(file, format=kind, metadata={"Date": None} if kind == "svg" else None)


def _label(row: str, changes: str) -> str:
    return f"{row.partition('~')[0]}: {changes}" if changes else row


def _mean_curve(curve: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """The mean over the seeds, where all of them have labels."""
    known = curve.dropna(subset=["accuracy"]).sort_values("density")
    parts = [part for _, part in known.groupby(["network", "seed"])]
    low = max(part["density"].min() for part in parts)
    high = min(part["density"].max() for part in parts)
    x = np.linspace(low, high, 60)
    return x, np.mean([np.interp(x, part["density"], part["accuracy"]) for part in parts], axis=0)
