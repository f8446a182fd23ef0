"""The public data sets by name: label table, folder layout and reader, one file each.

To add one, write a file like `gta5` and name it here and in the configuration's `kind`
(docs/datasets.md).
"""

from __future__ import annotations

from tpld.data.datasets.acdc import ACDC
from tpld.data.datasets.base import CLASSES, Dataset, Label
from tpld.data.datasets.bdd100k import BDD100K
from tpld.data.datasets.camvid import CAMVID
from tpld.data.datasets.camvid_segnet import CAMVID_SEGNET
from tpld.data.datasets.cityscapes import CITYSCAPES, CITYSCAPES_TRAIN_IDS
from tpld.data.datasets.dark_zurich import DARK_ZURICH
from tpld.data.datasets.gta5 import GTA5
from tpld.data.datasets.idd import IDD, IDD_CS_TRAIN_IDS
from tpld.data.datasets.idd_lite import IDD_LITE
from tpld.data.datasets.kitti import KITTI
from tpld.data.datasets.mapillary_1_2 import MAPILLARY_1_1, MAPILLARY_1_2
from tpld.data.datasets.mapillary_2_0 import MAPILLARY_2_0
from tpld.data.datasets.synscapes import SYNSCAPES
from tpld.data.datasets.synthia import SYNTHIA

DATASETS: dict[str, Dataset] = {
    dataset.kind: dataset
    for dataset in (
        GTA5,
        SYNTHIA,
        SYNSCAPES,
        CITYSCAPES,
        CITYSCAPES_TRAIN_IDS,
        ACDC,
        DARK_ZURICH,
        BDD100K,
        IDD,
        IDD_CS_TRAIN_IDS,
        IDD_LITE,
        MAPILLARY_1_1,
        MAPILLARY_1_2,
        MAPILLARY_2_0,
        CAMVID,
        CAMVID_SEGNET,
        KITTI,
    )
}

__all__ = ["CLASSES", "DATASETS", "Dataset", "Label"]
