"""Colours that the report and the viewer share; readable to colour-blind people."""

from __future__ import annotations

BLUE, VERMILION, ORANGE = "#0072B2", "#D55E00", "#E69F00"
PINK, SKY, GREEN = "#CC79A7", "#56B4E9", "#009E73"
# Okabe and Ito's palette, in an order whose neighbours differ in lightness too.
COLORS = (BLUE, VERMILION, GREEN, PINK, ORANGE, SKY)
ORIGIN_COLORS = {
    "confident": BLUE,
    "voted_1": ORANGE,
    "voted_2": VERMILION,
    "voted_3": PINK,
    "full": SKY,
}
LATER_VOTES = "#882255"
"""Of voting iterations beyond the third."""
RIGHT, WRONG, UNKNOWN = (30, 136, 229), (230, 97, 0), (235, 235, 235)
# -log p is shown on a logarithmic scale between these: p = 0.9999 to 0.1.
SURE, UNSURE = 1e-4, 2.303
CONFIDENCE_MAP = "cividis"


def rgb(color: str) -> tuple[int, int, int]:
    """``#rrggbb`` -> three numbers from 0 to 255."""
    red, green, blue = bytes.fromhex(color.removeprefix("#"))
    return red, green, blue


def color_of_origin(meaning: str) -> str:
    """Colour of a value of ``origin``, by its meaning in the label store."""
    return ORIGIN_COLORS.get(meaning, LATER_VOTES)
