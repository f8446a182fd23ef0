"""CamVid: 701_StillsRaw_full/*.png and LabeledApproved_full/*_L.png, label files in 32 colours.

The ids are ours: the place of a label in the authors' list of colours, which is in the order of the
alphabet. There is no split; lists make one.
"""

from __future__ import annotations

from tpld.data.datasets.base import Dataset, Label, Part

CAMVID = Dataset(
    kind="camvid",
    name="camvid",
    title="CamVid (32 colours)",
    labels=(
        Label(0, "Animal", None, (64, 128, 64)),
        Label(1, "Archway", None, (192, 0, 128)),
        Label(2, "Bicyclist", "rider", (0, 128, 192)),  # with the bicycle
        Label(3, "Bridge", None, (0, 128, 64)),
        Label(4, "Building", "building", (128, 0, 0)),
        Label(5, "Car", "car", (64, 0, 128)),
        Label(6, "CartLuggagePram", None, (64, 0, 192)),
        Label(7, "Child", "person", (192, 128, 64)),
        Label(8, "Column_Pole", "pole", (192, 192, 128)),
        Label(9, "Fence", "fence", (64, 64, 128)),
        Label(10, "LaneMkgsDriv", "road", (128, 0, 192)),
        Label(11, "LaneMkgsNonDriv", "road", (192, 0, 64)),
        Label(12, "Misc_Text", None, (128, 128, 64)),
        Label(13, "MotorcycleScooter", "motorcycle", (192, 0, 192)),  # with its rider
        Label(14, "OtherMoving", None, (128, 64, 64)),
        Label(15, "ParkingBlock", None, (64, 192, 128)),
        Label(16, "Pedestrian", "person", (64, 64, 0)),
        Label(17, "Road", "road", (128, 64, 128)),
        Label(18, "RoadShoulder", None, (128, 128, 192)),
        Label(19, "Sidewalk", "sidewalk", (0, 0, 192)),
        Label(20, "SignSymbol", "traffic_sign", (192, 128, 128)),
        Label(21, "Sky", "sky", (128, 128, 128)),
        Label(22, "SUVPickupTruck", "car", (64, 128, 192)),
        Label(23, "TrafficCone", None, (0, 0, 64)),
        Label(24, "TrafficLight", "traffic_light", (0, 64, 64)),
        Label(25, "Train", "train", (192, 64, 128)),
        Label(26, "Tree", "vegetation", (128, 128, 0)),
        Label(27, "Truck_Bus", None, (192, 128, 192)),  # truck or bus: not told apart
        Label(28, "Tunnel", None, (64, 0, 64)),
        Label(29, "VegetationMisc", "vegetation", (192, 192, 0)),
        Label(30, "Void", None, (0, 0, 0)),
        Label(31, "Wall", "wall", (64, 192, 0)),
    ),
    train=Part("701_StillsRaw_full", "LabeledApproved_full"),
    val=None,
    image_suffix=".png",
    label_suffix="_L.png",
    layout="701_StillsRaw_full/0001TP_006690.png ... and "
    "LabeledApproved_full/0001TP_006690_L.png ... (RGB files in the authors' 32 colours; SegNet's "
    "class numbers are kind camvid_segnet)",
    source="the CamVid page of its authors (University of Cambridge): the archives "
    "701_StillsRaw_full and LabeledApproved_full, unpacked into one folder",
    reader="color",
    size=(720, 960),
)
