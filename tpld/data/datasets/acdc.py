"""ACDC: rgb_anon and gt, each as <condition>/<split>/<sequence>/*: fog, night, rain and snow.

The classes are the 19 of Cityscapes. The download has them as labelIds and as labelTrainIds; the
latter are read, as the benchmarks do.
"""

from __future__ import annotations

from tpld.data.datasets.base import Dataset, Part
from tpld.data.datasets.cityscapes import CITYSCAPES_TRAIN_IDS

ACDC = Dataset(
    kind="acdc",
    name="acdc",
    title="ACDC",
    labels=CITYSCAPES_TRAIN_IDS.labels,
    # The normal images of the same places are in train_ref and val_ref beside these.
    train=Part("rgb_anon", "gt", "*/train/*"),
    val=Part("rgb_anon", "gt", "*/val/*"),
    image_suffix="_rgb_anon.png",
    label_suffix="_gt_labelTrainIds.png",
    layout="rgb_anon/{fog,night,rain,snow}/{train,val}/<sequence>/*_rgb_anon.png and "
    "gt/{fog,night,rain,snow}/{train,val}/<sequence>/*_gt_labelTrainIds.png (not the "
    "*_gt_labelIds.png beside them)",
    source="the ACDC site (ETH Zurich), after registration: the packages rgb_anon_trainvaltest and "
    "gt_trainval, unpacked into one folder",
    size=(1080, 1920),
)
