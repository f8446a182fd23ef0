"""Training on the labelled source (METHOD 1)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from tpld.compute.distributed import ALONE, Processes
from tpld.compute.runtime import Runtime
from tpld.config import SourceTraining
from tpld.data import augment
from tpld.data.cache import Cache
from tpld.data.sources import IGNORE
from tpld.models.batchnorm import set_batch_norm
from tpld.models.deeplabv2 import upsample
from tpld.training.draw import Stream
from tpld.training.loop import Batch
from tpld.training.optim import make_source_optimizer, set_rate, source_schedule


class Sample(NamedTuple):
    """One crop: image float32 (3, h, w), label int64 (h, w), inside bool (h, w), not padding.

    With soft labels also soft float32 (K, h, w).
    """

    image: Tensor
    label: Tensor
    inside: Tensor
    soft: Tensor | None = None


class SourceBatches(Dataset[Batch]):
    """Batch t of source training, a function of (seed, t) alone.

    Each batch is a dictionary: ``image`` float32 (B, 3, h, w), ``label`` int64 (B, h, w) with 255,
    ``names`` of its images. Of several processes, each draws its own `slots` of the joint batch.
    """

    def __init__(
        self, cache: Cache, section: SourceTraining, seed: int, processes: Processes = ALONE
    ) -> None:
        self.cache, self.section, self.seed = cache, section, seed
        self.slots = processes.slots(section.batch_size)
        # The oracle's cache has images of domains without labels, too: they teach nothing.
        self.stream = Stream(cache.labelled_groups, seed)

    def __len__(self) -> int:
        return self.section.steps

    def __getitem__(self, step: int) -> Batch:
        first = step * self.section.batch_size
        picked = [self.stream[first + j] for j in self.slots]
        samples = [
            source_sample(self.cache, i, self.section, np.random.default_rng([self.seed, step, j]))
            for j, i in zip(self.slots, picked, strict=True)
        ]
        return {
            "image": torch.stack([sample.image for sample in samples]),
            "label": torch.stack([sample.label for sample in samples]),
            "names": [self.cache.names[i] for i in picked],
        }


def source_sample(
    cache: Cache, i: int, section: augment.CropSettings, rng: np.random.Generator
) -> Sample:
    """One augmented source crop."""
    scale = augment.draw_scale(rng, section.scale)
    size = augment.window_size(cache.size(i), section.crop, scale)
    origin = augment.random_origin(cache.size(i), size, rng)
    geo = augment.geometry(origin, size, section.crop, scale, bool(rng.integers(2)))
    image = augment.crop_image(cache.image(i, geo.window), geo, section.crop, section.jitter, rng)
    label = cache.label(i, geo.window)
    return Sample(image, *augment.crop_label(label, geo, section.crop, IGNORE))


class SourceStep:
    """One step of plain cross-entropy on the source.

    Args:
        network: in training mode afterwards, under the section's BatchNorm policy.
        section: hyperparameters.
        runtime: device and precision.
    """

    def __init__(self, network: nn.Module, section: SourceTraining, runtime: Runtime) -> None:
        self.runtime = runtime
        set_batch_norm(network, section.batch_norm)
        self.network = runtime.processes.wrap(network)
        self.optimizer = make_source_optimizer(network, section)
        self.factor = source_schedule(section)

    def __call__(self, batch: Batch, step: int) -> dict[str, Tensor]:
        """Train on one batch; returns the loss."""
        set_rate(self.optimizer, self.factor(step))
        label = batch["label"].to(self.runtime.device)
        with self.runtime.autocast():
            logits = self.network(self.runtime.images(batch["image"]))
        full = upsample(logits, (label.shape[1], label.shape[2]))
        # A crop may hold ignored pixels alone: the sum over none is then 0, not NaN.
        count = self.runtime.processes.sum((label != IGNORE).sum()).clamp(min=1)
        total = torch.nn.functional.cross_entropy(full, label, ignore_index=IGNORE, reduction="sum")
        loss = total / count
        self.optimizer.zero_grad(set_to_none=True)
        self.runtime.processes.backward(loss)
        self.optimizer.step()
        return {"loss": loss.detach()}
