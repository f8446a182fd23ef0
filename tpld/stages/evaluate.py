"""Stage: evaluation of a network on a labelled split (METHOD 12)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from tpld.compute.overlap import overlap
from tpld.compute.progress import progress
from tpld.compute.runtime import Runtime, resolve
from tpld.config import Config, Protocol
from tpld.data.cache import Cache
from tpld.data.sources import class_table
from tpld.errors import TrainingError
from tpld.evaluation.confusions import confusions_to_table
from tpld.evaluation.metrics import confusion_matrix
from tpld.evaluation.protocols import stamp
from tpld.models.deeplabv2 import upsample
from tpld.models.inference import load_predictor, predict_views
from tpld.stages.common import write_csv


def evaluate(config: Config, model: Path, data: Path, single: bool, out: Path) -> None:
    """Write the confusion matrix of each protocol to the table `out`.

    Of several domains: of all together, then of each by itself.

    Args:
        config: the configuration.
        model: checkpoint.
        data: cache with images and ground truth.
        single: the last protocol alone, for the curves over rounds.
        out: CSV with columns protocol, truth, predicted, pixels; every figure derives from it.
    """
    runtime, table = resolve(config.compute), class_table(config)
    cache = Cache(data, table)
    network = load_predictor(config, len(table.names), model, runtime)
    wanted = config.evaluation.protocols[-1 if single else 0 :]
    classes = len(table.names)
    parts: list[str | None] = [None, *(cache.domains if len(cache.domains) > 1 else [])]
    totals = {part: np.zeros((len(wanted), classes, classes), np.int64) for part in parts}
    sizes: dict[str | None, set[tuple[int, int]]] = {part: set() for part in parts}

    def predict(i: int, image: np.ndarray) -> list[np.ndarray]:
        return [predict_image(network, image, protocol, runtime) for protocol in wanted]

    def count(i: int, predictions: list[np.ndarray]) -> None:
        truth = cache.label(i)
        found = np.stack([confusion_matrix(truth, one, classes) for one in predictions])
        for part in {None, cache.domain(i)} & set(parts):
            totals[part] += found
            sizes[part].add(cache.size(i))

    with progress(f"evaluating {data.name}", len(cache)) as tick:
        overlap(len(cache), lambda i: np.array(cache.image(i)), predict, count, tick)
    matrices = {
        stamp(protocol, sizes[part], classes, part): totals[part][place]
        for part in parts
        for place, protocol in enumerate(wanted)
    }
    write_csv(confusions_to_table(matrices, table.names), out)


@torch.inference_mode()
def predict_image(
    network: torch.nn.Module, image: np.ndarray, protocol: Protocol, runtime: Runtime
) -> np.ndarray:
    """uint8 (H, W): predicted class of each pixel, logits averaged over scales and mirror [C].

    Raises:
        TrainingError: a logit is not finite; an argmax would hide it.
    """
    total: Tensor | None = None
    seen = _resized(image, protocol.size)
    for scale in protocol.scales:
        views = predict_views(network, seen, scale, protocol.mirror, runtime)
        full = upsample(views, (image.shape[0], image.shape[1]))
        merged = full[0] + full[1].flip(-1) if protocol.mirror else full[0]
        total = merged if total is None else total + merged
    assert total is not None
    if not total.isfinite().all():
        raise TrainingError(
            "the network gives logits that are not finite. Its training diverged, or precision "
            "bfloat16 overflows: lower the learning rate or set compute.precision: float32"
        )
    return total.argmax(0).to(torch.uint8).cpu().numpy()


def _resized(image: np.ndarray, size: tuple[int, int] | None) -> np.ndarray:
    """uint8 (h, w, 3): the image at the size of a protocol, bicubic as when it is decoded."""
    if size is None or size == image.shape[:2]:
        return image
    shrunk = Image.fromarray(image).resize((size[1], size[0]), Image.Resampling.BICUBIC)
    return np.asarray(shrunk, np.uint8)
