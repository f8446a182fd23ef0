"""Dark Zurich: rgb_anon/train/night/<sequence>/* without labels, 50 labelled night images in val.

Names begin below ``rgb_anon``, as in the lists of its authors (``lists_file_names``).
"""

from __future__ import annotations

from tpld.data.datasets.base import Dataset, Part
from tpld.data.datasets.cityscapes import CITYSCAPES_TRAIN_IDS

DARK_ZURICH = Dataset(
    kind="dark_zurich",
    name="dark_zurich",
    title="Dark Zurich",
    labels=CITYSCAPES_TRAIN_IDS.labels,
    train=Part("rgb_anon", None, "train/night/*"),
    val=Part("rgb_anon", "gt", "val/night/*"),
    image_suffix="_rgb_anon.png",
    label_suffix="_gt_labelTrainIds.png",
    layout="rgb_anon/train/night/<sequence>/*_rgb_anon.png (no labels), "
    "rgb_anon/val/night/<sequence>/*_rgb_anon.png and "
    "gt/val/night/<sequence>/*_gt_labelTrainIds.png",
    source="the GCMA/UIoU page of its authors (ETH Zurich): the packages "
    "Dark_Zurich_train_anon and Dark_Zurich_val_anon, unpacked into one folder",
    size=(1080, 1920),
)
