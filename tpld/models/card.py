"""What a checkpoint says of itself, so that it can be used without the configuration behind it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import safetensors

from tpld.config import Compute, Config, SourceTraining
from tpld.config.model import Model
from tpld.data.classes import class_table
from tpld.data.folders import folders_of, has_truth
from tpld.errors import StoreError


class Card(NamedTuple):
    """A network and its classes.

    Attributes:
        model: the network's section of the configuration.
        names: class names; the position is the class that the network gives.
        ids: value of each class in the target's label files, or the source's where the target has
            none; the first of several; -1 where no value stands for it.
        colors: uint8 (K, 3), RGB of each class.
        size: height and width that images of the first target were brought to; None: they stayed as
            they were.
        said: everything else that the stage wrote (stage, method, round, heads).
    """

    model: Model
    names: list[str]
    ids: list[int]
    colors: np.ndarray
    size: tuple[int, int] | None
    said: dict[str, Any]

    def config(self, compute: Compute) -> Config:
        """A configuration of this network, enough to build it."""
        trains = SourceTraining(batch_norm="train")  # what random weights ask for; nothing trains
        return Config(model=self.model, compute=compute, source_training=trains)


def card_of(config: Config) -> dict[str, Any]:
    """The entries of a checkpoint's metadata that `read_card` needs."""
    # A target without labels has no values of its own.
    of_target = has_truth(config, "target_train") or has_truth(config, "target_val")
    table = class_table(config, "target_train" if of_target else "source_train")
    folders = folders_of(config, "target_train")
    return {
        "model": config.model.model_dump(mode="json"),
        "classes": [
            {"name": name, "id": number, "color": color}
            for name, number, color in zip(
                table.names, table.ids, table.colors.tolist(), strict=True
            )
        ],
        "size": folders[0].resize,
    }


def read_card(path: Path, config: Config | None = None) -> Card:
    """What the checkpoint `path` says of itself; of one that is silent, what `config` says.

    Raises:
        StoreError: the file is no checkpoint, or says nothing and there is no configuration.
    """
    try:
        with safetensors.safe_open(path, framework="np") as file:
            said = json.loads((file.metadata() or {}).get("tpld", "{}"))
    except (OSError, safetensors.SafetensorError) as error:
        raise StoreError(
            f"{path} is no whole checkpoint ({error}). Give a model.safetensors of a finished stage"
        ) from None
    if config is not None:
        said |= card_of(config)
    if "classes" not in said:
        raise StoreError(
            f"{path} does not say which network and classes it has: an older tpld wrote it, or "
            "another program. Give the configuration that trained it: --config FILE"
        )
    classes, size = said.pop("classes"), said.pop("size")
    return Card(
        Model.model_validate(said.pop("model")),
        [entry["name"] for entry in classes],
        [entry["id"] for entry in classes],
        np.array([entry["color"] for entry in classes], np.uint8),
        (size[0], size[1]) if size else None,
        said,
    )
