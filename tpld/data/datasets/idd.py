"""IDD (20k): leftImg8bit and gtFine as Cityscapes has them, labels made by its authors' scripts.

The download has polygons alone. `idd` reads the level3Ids that the scripts make by default, 26
labels of which some are two in one; `idd_cs_train_ids` reads the training ids of Cityscapes that
they make with ``--id-type csTrainId``.
"""

from __future__ import annotations

from dataclasses import replace

from tpld.data.datasets.base import Dataset, Label, Part
from tpld.data.datasets.cityscapes import CITYSCAPES_TRAIN_IDS

IDD = Dataset(
    kind="idd",
    name="idd",
    title="IDD (20k)",
    # Classes as in the authors' column csTrainId; where a label holds two, that of the larger.
    labels=(
        Label(0, "road", "road"),
        Label(1, "drivable fallback", None),  # and parking
        Label(2, "sidewalk", "sidewalk"),
        Label(3, "non-drivable fallback", "terrain"),  # and rail track
        Label(4, "person", "person"),  # and animal
        Label(5, "rider", "rider"),
        Label(6, "motorcycle", "motorcycle"),
        Label(7, "bicycle", "bicycle"),
        Label(8, "autorickshaw", None),
        Label(9, "car", "car"),
        Label(10, "truck", "truck"),
        Label(11, "bus", "bus"),
        Label(12, "vehicle fallback", None),  # and caravan, trailer, train
        Label(13, "curb", None),
        Label(14, "wall", "wall"),
        Label(15, "fence", "fence"),
        Label(16, "guard rail", None),
        Label(17, "billboard", None),
        Label(18, "traffic sign", "traffic_sign"),
        Label(19, "traffic light", "traffic_light"),
        Label(20, "pole", "pole"),  # and polegroup
        Label(21, "obs-str-bar-fallback", None),
        Label(22, "building", "building"),
        Label(23, "bridge", None),  # and tunnel
        Label(24, "vegetation", "vegetation"),
        Label(25, "sky", "sky"),  # and fallback background
    ),
    train=Part("leftImg8bit/train", "gtFine/train"),
    val=Part("leftImg8bit/val", "gtFine/val"),
    # The second part of the download has JPEGs.
    image_suffix=("_leftImg8bit.png", "_leftImg8bit.jpg"),
    label_suffix="_gtFine_labellevel3Ids.png",
    layout="leftImg8bit/{train,val}/<drive>/*_leftImg8bit.{png,jpg} and "
    "gtFine/{train,val}/<drive>/*_gtFine_labellevel3Ids.png (the authors' createLabels.py with "
    "--id-type level3Id writes them; for --id-type csTrainId use kind idd_cs_train_ids)",
    source="the IDD site (IIIT Hyderabad), after registration: the packages 'IDD Segmentation' I "
    "and II, unpacked into one folder, and the AutoNUE scripts to make labels of the polygons",
)

IDD_CS_TRAIN_IDS = replace(
    IDD,
    kind="idd_cs_train_ids",
    labels=CITYSCAPES_TRAIN_IDS.labels,
    label_suffix="_gtFine_labelcsTrainIds.png",
    layout="leftImg8bit/{train,val}/<drive>/*_leftImg8bit.{png,jpg} and "
    "gtFine/{train,val}/<drive>/*_gtFine_labelcsTrainIds.png (the authors' createLabels.py with "
    "--id-type csTrainId writes them; for --id-type level3Id use kind idd)",
)
