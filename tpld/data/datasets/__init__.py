"""The public data sets by name: label table, folder layout and reader, one file each.

To add one, write a file like `gta5` and name it here and in `tpld.config.data.KnownDomain.kind`.
"""

from __future__ import annotations

from tpld.data.datasets.base import CLASSES, Dataset, Label
from tpld.data.datasets.cityscapes import CITYSCAPES, CITYSCAPES_TRAIN_IDS
from tpld.data.datasets.gta5 import GTA5
from tpld.data.datasets.synthia import SYNTHIA

DATASETS: dict[str, Dataset] = {
    dataset.kind: dataset for dataset in (GTA5, SYNTHIA, CITYSCAPES, CITYSCAPES_TRAIN_IDS)
}

__all__ = ["CLASSES", "DATASETS", "Dataset", "Label"]
