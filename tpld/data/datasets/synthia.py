"""SYNTHIA-RAND-CITYSCAPES: RGB/*.png and GT/LABELS/*.png, 16-bit RGB files.

The class is in the first channel, the instance in the second. PIL and imageio read such files as 8
bits a channel and turn every class into 0; a file that was once saved by them is spoilt.
"""

from __future__ import annotations

from tpld.data.datasets.base import Dataset, Label, Part

SYNTHIA = Dataset(
    kind="synthia",
    name="synthia",
    title="SYNTHIA-RAND-CITYSCAPES",
    labels=(
        Label(0, "void", None),
        Label(1, "sky", "sky"),
        Label(2, "building", "building"),
        Label(3, "road", "road"),
        Label(4, "sidewalk", "sidewalk"),
        Label(5, "fence", "fence"),
        Label(6, "vegetation", "vegetation"),
        Label(7, "pole", "pole"),
        Label(8, "car", "car"),
        Label(9, "traffic sign", "traffic_sign"),
        Label(10, "pedestrian", "person"),
        Label(11, "bicycle", "bicycle"),
        Label(12, "motorcycle", "motorcycle"),
        Label(13, "parking slot", None),
        Label(14, "road work", None),
        Label(15, "traffic light", "traffic_light"),
        Label(16, "terrain", None),  # the benchmark leaves it, truck and train out
        Label(17, "rider", "rider"),
        Label(18, "truck", None),
        Label(19, "bus", "bus"),
        Label(20, "train", None),
        Label(21, "wall", "wall"),
        Label(22, "lane marking", None),
    ),
    train=Part("RGB", "GT/LABELS"),
    val=None,
    image_suffix=".png",
    label_suffix=".png",
    layout="RGB/0000000.png ... and GT/LABELS/0000000.png ... (16-bit PNGs as downloaded)",
    source="the SYNTHIA site (Computer Vision Center, Barcelona): the set "
    "SYNTHIA-RAND-CITYSCAPES, whose folder RAND_CITYSCAPES is the root",
    reader="first_of_16_bit",
    size=(760, 1280),
)
