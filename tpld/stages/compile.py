"""What a first run would wait for, ahead of time: numba's kernels, and hashes of our own code."""

from __future__ import annotations

from itertools import product

import numpy as np
import torch

from tpld.compute.progress import progress
from tpld.config.labels import Voting
from tpld.core.confidence import confident_counts
from tpld.core.losses import easy_loss, self_training_loss
from tpld.core.mixture import log_probabilities, predict
from tpld.core.thresholds import ConfidenceRanks
from tpld.evaluation.metrics import confusion_matrix
from tpld.models.depthwise import depthwise_conv2d
from tpld.stages.label import label_image
from tpld.stores.code import keep_all

_CLASSES, _SIZE = 3, (96, 96)


def compile_kernels() -> None:
    """Run every kernel once on a small image, with the types that the stages give it.

    numba keeps what it compiles beside the modules, and compiles again only what has changed.
    """
    steps = (_label, _threshold, _evaluate, _lose, _convolve, keep_all)
    with progress("compiling kernels", len(steps)) as tick:
        for done, step in enumerate(steps, 1):
            step()
            tick(done)


def _logits() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(2, _CLASSES, 6, 6)).astype(np.float32)


def _label() -> None:
    bars = np.full(_CLASSES, -1, np.float32)
    label_image(_logits(), _SIZE, bars, Voting(window=7, iterations=1))
    log_probabilities(_logits(), _SIZE)


def _threshold() -> None:
    ranks = ConfidenceRanks(_CLASSES, 0.5, 2)
    found = predict(_logits(), _SIZE)
    ranks.count(*found)
    ranks.refine(*found)
    ranks.result()
    confident_counts(found[0], found[1] + 1, _CLASSES)


def _evaluate() -> None:
    prediction, _ = predict(_logits(), _SIZE)
    truth = prediction.copy()
    truth.setflags(write=False)  # as the decoded-image cache gives it
    confusion_matrix(truth, prediction, _CLASSES)


def _lose() -> None:
    logits = torch.zeros(2, _CLASSES, 8, 8, requires_grad=True)
    bars, label = torch.zeros(_CLASSES), torch.zeros(2, 8, 8, dtype=torch.int64)
    self_training_loss(logits, label, torch.tensor([True, False]), bars).backward()
    soft = torch.full(logits.shape, 1 / _CLASSES)
    easy_loss(logits, soft, torch.ones(2, 8, 8), bars).backward()


def _convolve() -> None:
    for kind, stride in product((torch.float32, torch.bfloat16), (1, 2)):
        image = torch.zeros(1, 2, 6, 6, dtype=kind, requires_grad=True)
        weight = torch.zeros(2, 1, 3, 3, dtype=kind, requires_grad=True)
        geometry = ((stride, stride), (1, 1), (1, 1))
        depthwise_conv2d(image, weight, None, *geometry).sum().backward()
