"""CamVid as the SegNet tutorial has it: train, trainannot, val, valannot; 11 classes and void."""

from __future__ import annotations

from tpld.data.datasets.base import Dataset, Label, Part

CAMVID_SEGNET = Dataset(
    kind="camvid_segnet",
    name="camvid_segnet",
    title="CamVid (SegNet)",
    labels=(
        Label(0, "sky", "sky"),
        Label(1, "building", "building"),  # and wall, bridge, tunnel, archway
        Label(2, "pole", "pole"),
        Label(3, "road", "road"),
        Label(4, "pavement", "sidewalk"),
        Label(5, "tree", "vegetation"),
        Label(6, "sign", "traffic_sign"),  # and traffic light
        Label(7, "fence", "fence"),
        Label(8, "car", "car"),  # and truck, bus
        Label(9, "pedestrian", "person"),
        Label(10, "bicyclist", "rider"),  # with the bicycle
        Label(11, "void", None),
    ),
    train=Part("train", "trainannot"),
    val=Part("val", "valannot"),
    image_suffix=".png",
    label_suffix=".png",
    layout="{train,val}/0001TP_006690.png ... and {trainannot,valannot}/0001TP_006690.png ... "
    "(PNGs of class numbers, 11 is void; the original in colours is kind camvid)",
    source="the SegNet tutorial's repository, folder CamVid",
    size=(360, 480),
)
