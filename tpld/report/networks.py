"""Predictions that no store holds: those of the last checkpoints, for a few images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tpld.report.experiment import Experiment


class Predicted(NamedTuple):
    """Of one image."""

    prediction: np.ndarray
    """uint8 (H, W)."""
    information: np.ndarray
    """float32 (H, W), see `self_information_map`."""


def predict_images(
    experiment: Experiment, method: str, images: Sequence[np.ndarray]
) -> list[Predicted] | None:
    """Predict uint8 (H, W, 3) images as `tpld dump` does, with a method's last checkpoint.

    Returns None where there is no checkpoint. The first seed's is taken.
    """
    model = Path(experiment.layout.final_model(method, experiment.seeds[0]))
    if not model.exists():
        return None
    # torch is loaded only where there is something to predict.
    from tpld.compute.runtime import resolve
    from tpld.models.inference import load_predictor, predict_views

    config = experiment.config.of(method)
    runtime = resolve(config.compute)
    network = load_predictor(config, len(experiment.classes.names), model, runtime)
    found = []
    for image in images:
        scale, mirror = config.dump.scale, config.dump.mirror
        views = predict_views(network, np.asarray(image), scale, mirror, runtime).cpu().numpy()
        found.append(from_logits(views, (image.shape[0], image.shape[1])))
    return found


def from_logits(logits: np.ndarray, size: tuple[int, int]) -> Predicted:
    """Prediction and self-information of logits (V, K, h, w) at a size (H, W)."""
    from tpld.core.mixture import log_probabilities

    log_p = log_probabilities(logits, size)
    return Predicted(log_p.argmax(axis=0).astype(np.uint8), self_information_map(log_p))


def self_information_map(log_p: np.ndarray) -> np.ndarray:
    """float32 (H, W), 0 to 1: the sum over K of I[k] = -p[k] log2 p[k] / log2 K (METHOD 9).

    log_p: float32 (K, H, W); -inf counts as p = 0.
    """
    finite = np.maximum(log_p, np.float32(-80))
    return -(np.exp(finite) * finite).sum(axis=0) / np.float32(np.log(len(log_p)))
