"""KITTI's semantic benchmark: training/image_2/*.png and training/semantic/*.png.

200 labelled images whose files hold the ids of Cityscapes. There is no validation part. Sizes
differ by a few pixels.
"""

from __future__ import annotations

from tpld.data.datasets.base import Dataset, Part
from tpld.data.datasets.cityscapes import CITYSCAPES

KITTI = Dataset(
    kind="kitti",
    name="kitti",
    title="KITTI (semantics)",
    labels=CITYSCAPES.labels,
    train=Part("training/image_2", "training/semantic"),
    val=None,
    image_suffix=".png",
    label_suffix=".png",
    layout="training/image_2/000000_10.png ... and training/semantic/000000_10.png ... (not "
    "training/instance or training/semantic_rgb)",
    source="the semantic benchmark of the KITTI site (KIT and MPI Tübingen), after registration: "
    "the archive data_semantics",
)
