"""Cityscapes: leftImg8bit/<split>/<city>/*_leftImg8bit.png, gtFine/<split>/<city>/*_labelIds.png.

`cityscapes` reads the labelIds files of the download, `cityscapes_train_ids` the labelTrainIds
files that the authors' scripts make of them.
"""

from __future__ import annotations

from dataclasses import replace

from tpld.data.datasets.base import CLASSES, Dataset, Label, Part

CITYSCAPES = Dataset(
    kind="cityscapes",
    name="cityscapes",
    title="Cityscapes",
    labels=(
        Label(0, "unlabeled", None),
        Label(1, "ego vehicle", None),
        Label(2, "rectification border", None),
        Label(3, "out of roi", None),
        Label(4, "static", None),
        Label(5, "dynamic", None),
        Label(6, "ground", None),
        Label(7, "road", "road"),
        Label(8, "sidewalk", "sidewalk"),
        Label(9, "parking", None),
        Label(10, "rail track", None),
        Label(11, "building", "building"),
        Label(12, "wall", "wall"),
        Label(13, "fence", "fence"),
        Label(14, "guard rail", None),
        Label(15, "bridge", None),
        Label(16, "tunnel", None),
        Label(17, "pole", "pole"),
        Label(18, "polegroup", None),
        Label(19, "traffic light", "traffic_light"),
        Label(20, "traffic sign", "traffic_sign"),
        Label(21, "vegetation", "vegetation"),
        Label(22, "terrain", "terrain"),
        Label(23, "sky", "sky"),
        Label(24, "person", "person"),
        Label(25, "rider", "rider"),
        Label(26, "car", "car"),
        Label(27, "truck", "truck"),
        Label(28, "bus", "bus"),
        Label(29, "caravan", None),
        Label(30, "trailer", None),
        Label(31, "train", "train"),
        Label(32, "motorcycle", "motorcycle"),
        Label(33, "bicycle", "bicycle"),
    ),
    train=Part("leftImg8bit/train", "gtFine/train"),
    val=Part("leftImg8bit/val", "gtFine/val"),
    image_suffix="_leftImg8bit.png",
    label_suffix="_gtFine_labelIds.png",
    layout="leftImg8bit/{train,val}/<city>/*_leftImg8bit.png and "
    "gtFine/{train,val}/<city>/*_gtFine_labelIds.png (where there are only labelTrainIds files, "
    "use kind cityscapes_train_ids)",
    source="the Cityscapes site, after registration: the packages leftImg8bit_trainvaltest and "
    "gtFine_trainvaltest",
    size=(1024, 2048),
)

CITYSCAPES_TRAIN_IDS = replace(
    CITYSCAPES,
    kind="cityscapes_train_ids",
    labels=tuple(Label(i, name.replace("_", " "), name) for i, name in enumerate(CLASSES)),
    label_suffix="_gtFine_labelTrainIds.png",
    layout="leftImg8bit/{train,val}/<city>/*_leftImg8bit.png and "
    "gtFine/{train,val}/<city>/*_gtFine_labelTrainIds.png (the authors' scripts write them; kind "
    "cityscapes reads the labelIds files of the download)",
)
