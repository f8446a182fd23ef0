"""IDD-Lite: leftImg8bit/<split>/<drive>/*_image.jpg, gtFine/<split>/<drive>/*_label.png.

Seven labels, the authors' level 1. Most hold several classes of Cityscapes, so they stand for
none: give the classes and a `map` of the other domain.
"""

from __future__ import annotations

from tpld.data.datasets.base import Dataset, Label, Part

IDD_LITE = Dataset(
    kind="idd_lite",
    name="idd_lite",
    title="IDD-Lite",
    labels=(
        Label(0, "drivable", "road"),  # and parking, drivable fallback
        Label(1, "non-drivable", None),
        Label(2, "living thing", None),
        Label(3, "vehicle", None),
        Label(4, "roadside object", None),
        Label(5, "far object", None),
        Label(6, "sky", "sky"),
    ),
    train=Part("leftImg8bit/train", "gtFine/train"),
    val=Part("leftImg8bit/val", "gtFine/val"),
    image_suffix="_image.jpg",
    label_suffix="_label.png",
    layout="leftImg8bit/{train,val}/<drive>/*_image.jpg and "
    "gtFine/{train,val}/<drive>/*_label.png (not the *_inst_label.png beside them)",
    source="the IDD site (IIIT Hyderabad), after registration: the package 'IDD Lite', whose "
    "folder idd20k_lite is the root",
    size=(227, 320),
)
