"""Stage: evaluation of a network on a labelled split (METHOD 12)."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from tpld.config import Config
from tpld.data.cache import Cache
from tpld.data.sources import class_table
from tpld.evaluation.confusions import confusions_to_table
from tpld.evaluation.metrics import confusion_matrix
from tpld.models.deeplabv2 import upsample
from tpld.models.inference import predict_views
from tpld.models.weights import load_trained
from tpld.progress import progress
from tpld.runtime import Runtime, resolve
from tpld.stages.common import write_csv


class Protocol(NamedTuple):
    """A named way to predict: scales whose logits are averaged, with or without mirror image."""

    name: str
    scales: list[float]
    mirror: bool


def protocols(config: Config, single: bool) -> list[Protocol]:
    """The protocols of a configuration; the name says all that the numbers depend on."""
    plain = Protocol("scale 1", [1.0], False)
    section = config.evaluation
    if single or (section.scales == [1.0] and not section.mirror):
        return [plain]
    scales = ", ".join(f"{scale:g}" for scale in section.scales)
    name = f"scales {scales}{' + mirror' if section.mirror else ''}"
    return [Protocol(name, section.scales, section.mirror), plain]


def evaluate(config: Config, model: Path, data: Path, single: bool, out: Path) -> None:
    """Write the confusion matrix of each protocol to the table `out`.

    Args:
        config: the configuration.
        model: checkpoint.
        data: cache with images and ground truth.
        single: scale 1 alone, for the curves over rounds.
        out: CSV with columns protocol, truth, predicted, pixels; every figure derives from it.
    """
    runtime, table = resolve(config.compute), class_table(config)
    cache = Cache(data, table)
    network = load_trained(config, len(table.names), model, runtime).eval()
    wanted = protocols(config, single)
    totals = {p.name: np.zeros((len(table.names),) * 2, np.int64) for p in wanted}
    with progress(f"evaluating {data.name}", len(cache)) as tick:
        for i in range(len(cache)):
            image, truth = cache.image(i), cache.label(i)
            for protocol in wanted:
                prediction = predict_image(network, image, protocol, runtime)
                totals[protocol.name] += confusion_matrix(truth, prediction, len(table.names))
            tick(i + 1)
    write_csv(confusions_to_table(totals, table.names), out)


@torch.inference_mode()
def predict_image(
    network: torch.nn.Module, image: np.ndarray, protocol: Protocol, runtime: Runtime
) -> np.ndarray:
    """uint8 (H, W): predicted class of each pixel, logits averaged over scales and mirror [C]."""
    total: Tensor | None = None
    for scale in protocol.scales:
        views = predict_views(network, image, scale, protocol.mirror, runtime)
        full = upsample(views, (image.shape[0], image.shape[1]))
        merged = full[0] + full[1].flip(-1) if protocol.mirror else full[0]
        total = merged if total is None else total + merged
    assert total is not None
    return total.argmax(0).to(torch.uint8).cpu().numpy()
