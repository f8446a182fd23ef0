"""Synscapes: img/rgb/*.png and img/class/*.png, 25 000 rendered images with Cityscapes' ids."""

from __future__ import annotations

from tpld.data.datasets.base import Dataset, Part
from tpld.data.datasets.cityscapes import CITYSCAPES

SYNSCAPES = Dataset(
    kind="synscapes",
    name="synscapes",
    title="Synscapes",
    labels=CITYSCAPES.labels,
    train=Part("img/rgb", "img/class"),
    val=None,
    image_suffix=".png",
    label_suffix=".png",
    layout="img/rgb/1.png ... and img/class/1.png ... (not img/rgb-2k, whose size is another)",
    source="the Synscapes site (Linköping University), after registration: the archive's folder "
    "Synscapes is the root",
    size=(720, 1440),
)
