"""BDD100K, the 10K images with semantic labels: images/10k and labels/sem_seg/masks.

The masks hold the training ids of Cityscapes. The 10K images are not a part of the 100K, so
``images/100k`` has no image for most of the masks.
"""

from __future__ import annotations

from tpld.data.datasets.base import Dataset, Part
from tpld.data.datasets.cityscapes import CITYSCAPES_TRAIN_IDS

BDD100K = Dataset(
    kind="bdd100k",
    name="bdd100k",
    title="BDD100K (10K)",
    labels=CITYSCAPES_TRAIN_IDS.labels,
    train=Part("images/10k/train", "labels/sem_seg/masks/train"),
    val=Part("images/10k/val", "labels/sem_seg/masks/val"),
    image_suffix=".jpg",
    label_suffix=".png",
    layout="images/10k/{train,val}/*.jpg and labels/sem_seg/masks/{train,val}/*.png",
    source="the BDD100K site (UC Berkeley), after registration: the packages '10K Images' and "
    "'Segmentation', whose folder bdd100k is the root",
    size=(720, 1280),
)
