"""GTA5 (Playing for Data): images/*.png and labels/*.png, palette files of Cityscapes' ids.

The index of the palette is the id; colours are no key, because 34 has the colour of 26. Sizes vary
between images, so all are brought to one size when they are decoded (METHOD 1).
"""

from __future__ import annotations

from tpld.data.datasets.base import Dataset, Label, Part
from tpld.data.datasets.cityscapes import CITYSCAPES

GTA5 = Dataset(
    kind="gta5",
    name="gta5",
    title="GTA5 (Playing for Data)",
    labels=(*CITYSCAPES.labels, Label(34, "license plate", None)),
    train=Part("images", "labels"),
    val=None,
    image_suffix=".png",
    label_suffix=".png",
    layout="images/00001.png ... and labels/00001.png ... (palette PNGs as downloaded)",
    source="the Playing for Data page of its authors (TU Darmstadt and Intel): ten archives of "
    "images and ten of labels, unpacked into one folder",
    resize=(1052, 1914),
    # Second-hand: public projects report that image and label of these two do not fit together.
    left_out=frozenset({"15188", "17705"}),
)
