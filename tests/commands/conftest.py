"""What commands work on: a checkpoint of three classes, and stores made of it by the stages."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.conftest import Folders, blocks
from tests.stores.conftest import Stores
from tpld.config import Config, load_config
from tpld.models.card import card_of
from tpld.models.registry import build_model
from tpld.models.weights import save_model
from tpld.stages.label import label
from tpld.stages.thresholds import estimate_thresholds


@pytest.fixture(autouse=True)
def threads_of_numba(monkeypatch):
    """Commands set them where nobody has; numba accepts no other number than its first."""
    import numba

    monkeypatch.setenv("NUMBA_NUM_THREADS", str(numba.config.NUMBA_NUM_THREADS))


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> tuple[Path, Config]:
    """A checkpoint of a small network with random weights, and its configuration."""
    made = Folders(tmp_path_factory.mktemp("trained"))
    made.folder["target"]["resize"] = [32, 48]
    config = load_config(made.tree)
    torch.manual_seed(0)
    network = build_model(config, 3)
    # Random weights alone predict one class everywhere.
    for parameter in network.get_submodule("head.main").parameters():
        torch.nn.init.normal_(parameter)
    path = made.root / "model.safetensors"
    save_model(network, path, {"stage": "source", "seed": "0"} | card_of(config))
    return path, config


@pytest.fixture()
def experiment(tmp_path, stores_of_commands) -> Path:
    """Folder of a round: predictions.zarr, thresholds.csv, labels.zarr."""
    folder = tmp_path / "results" / "tiny" / "cbst+tpld" / "seed0" / "round0"
    folder.mkdir(parents=True)
    config = Config(voting={"window": 5, "iterations": 2, "pool": "sum"})
    predictions = stores_of_commands.predictions(folder / "predictions.zarr", "uint16")
    estimate_thresholds(config, predictions, 0.4, folder / "thresholds.csv")
    label(config, "cbst+tpld", predictions, folder / "thresholds.csv", folder / "labels.zarr")
    return folder


@pytest.fixture()
def stores_of_commands() -> Stores:
    return Stores()


@pytest.fixture()
def photos(tmp_path) -> Path:
    """Images of three sizes, one in a sub-folder."""
    from PIL import Image

    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    for place, (name, size) in enumerate(
        {"a.png": (33, 70), "more/b.jpg": (50, 41), "c.PNG": (32, 48)}.items()
    ):
        grey = 80 * blocks(*size, place) + 20
        Image.fromarray(np.stack([grey] * 3, axis=-1).astype(np.uint8)).save(folder / name)
    return folder
