"""One look for all figures: vector, readable in print and for colour-blind readers."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from tpld.report.blocks import Plot
from tpld.report.colors import COLORS, ORIGIN_COLORS

GREY = "#555555"
# One more than colours, so that both together tell many methods apart.
MARKERS = "sD^vPX<"
_HATCHES = {"confident": "", "voted_1": "///", "voted_2": "\\\\\\", "voted_3": "xxx", "full": "--"}
ORIGINS = {meaning: (color, _HATCHES[meaning]) for meaning, color in ORIGIN_COLORS.items()}
FULL_WIDTH = 10.6  # inches; 96 of a browser's pixels each

_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.8,
    "lines.markersize": 5.5,
    "hatch.linewidth": 0.5,
    "svg.hashsalt": "tpld",  # the same data give the same bytes
    "text.parse_math": False,  # a class may be called $x$
}


@contextmanager
def figure(width: float, height: float) -> Iterator[Figure]:
    """A figure in the report's style; draw and `plot` inside the block."""
    with mpl.rc_context(_STYLE):
        yield Figure(figsize=(width, height), layout="constrained")


def plot(drawing: Figure, alt: str, note: str = "", wide: bool = True) -> Plot:
    """The finished figure as an embedded SVG."""
    buffer = io.BytesIO()
    drawing.savefig(buffer, format="svg", metadata={"Date": None})
    return Plot(data_uri(buffer.getvalue(), "image/svg+xml"), alt, note, wide)


def data_uri(content: bytes, mime: str) -> str:
    """Bytes as an address that needs no network."""
    return f"data:{mime};base64,{base64.b64encode(content).decode()}"


def method_looks(methods: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Colour and marker of each method: grey circles for the source model."""
    adapting = [method for method in methods if method != "source"]
    looks = {
        method: (COLORS[place % len(COLORS)], MARKERS[place % len(MARKERS)])
        for place, method in enumerate(adapting)
    }
    return {"source": (GREY, "o"), **looks}


def short_round(name: str) -> str:
    """``round3`` -> ``r3``; ``phase2_round1`` -> ``P2 r1``."""
    return name.replace("phase2_", "P2 ").replace("round", "r")
