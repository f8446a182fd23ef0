"""What the targets share."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[3]
Case = Callable[[random.Random], None]
CLASSES = [{"name": name, "id": i, "color": [i, i, i]} for i, name in enumerate("abcd")]
CPU = {"source_training": {"batch_norm": "train"}, "compute": {"device": "cpu", "threads": 1}}


class Trap:
    """Unpickled by a careless reader, it makes a file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self):
        return os.system, (f"touch {self.folder / 'PWNED'}",)


def folders_of_four(images: Path):
    """The folder of images without labels, of these classes."""
    from tpld.data.folders import Folders

    return [
        Folders("folder", "", images, None, (".png",), (".png",), None, None, class_table_of_four())
    ]


def class_table_of_four():
    """Classes a to d as label values 0 to 3; value 9 is none of them."""
    from tpld.data.table import ClassTable

    values = [[i] for i in range(4)]
    return ClassTable(list("abcd"), values, np.zeros((4, 3), np.uint8), [9])
