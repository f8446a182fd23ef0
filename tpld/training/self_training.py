"""A phase-1 round: retraining on pseudo labels and a source subset (METHOD 6 and 7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from tpld.compute.distributed import ALONE, Processes
from tpld.compute.runtime import Runtime
from tpld.config import Loss, SelfTraining
from tpld.core.labels import ORIGIN_CONFIDENT
from tpld.core.losses import pixel_counts, self_training_loss
from tpld.core.mining import crop_origin
from tpld.core.schedule import source_share_of_round
from tpld.data import augment
from tpld.data.cache import Cache, Group
from tpld.data.sources import IGNORE
from tpld.methods.base import SelfTraining as SelfTrainingRecipe
from tpld.models.batchnorm import set_batch_norm
from tpld.models.deeplabv2 import upsample
from tpld.stores.labels import Labels
from tpld.stores.predictions import Predictions
from tpld.training.draw import Stream, among, scaled
from tpld.training.loop import Batch
from tpld.training.optim import make_sgd
from tpld.training.source import Sample, source_sample


@dataclass(frozen=True)
class SoftLabels:
    """A method's soft labels, computed on read for a crop alone: K planes would be gigabytes.

    Attributes:
        predictions: dump of the round.
        recipe: the method.
        log_threshold: log λ (K,) of the round.
    """

    predictions: Predictions
    recipe: SelfTrainingRecipe[Any]
    log_threshold: np.ndarray

    def window(self, i: int, window: tuple[slice, slice], confident: np.ndarray, label: np.ndarray):
        """float32 (K, h, w): soft where `confident`, elsewhere the one-hot of `label` (0 at 255).

        confident bool and label uint8 (h, w), of the window's pixels.
        """
        log_p = self.predictions.log_probabilities(i, window)
        soft = self.recipe.soft_label(log_p, self.log_threshold)
        return np.where(confident, soft, one_hot(label, len(soft)))


def one_hot(label: np.ndarray, num_classes: int) -> np.ndarray:
    """uint8 (h, w) -> float32 (K, h, w); all 0 at 255."""
    classes = np.arange(num_classes, dtype=np.uint8)[:, None, None]
    return (label == classes).astype(np.float32)


@dataclass(frozen=True)
class RoundData:
    """What a round trains on.

    Attributes:
        source: labelled source images.
        target: target images; this cache holds no labels.
        labels: pseudo labels of the target images, in the same order.
        mined: class ids that target crops are centred on.
        soft: soft labels of confident target pixels, for methods that train on them.
    """

    source: Cache
    target: Cache
    labels: Labels
    mined: list[int]
    soft: SoftLabels | None = None


def draw_source_subset(
    count: int, round_index: int, section: SelfTraining, seed: int
) -> np.ndarray:
    """Indices of the source images of a round, redrawn without replacement each round [C]."""
    share = source_share_of_round(
        round_index, section.source_share, section.source_share_step, section.max_source_share
    )
    rng = np.random.default_rng([seed, 2, round_index])
    return np.sort(rng.choice(count, size=max(1, round(share * count)), replace=False))


class RoundBatches(Dataset[Batch]):
    """Batch t of a round, a function of (seed, round, t) alone.

    Each batch is a dictionary: ``image`` float32 (B, 3, h, w), ``label`` int64 (B, h, w) with 255,
    ``inside`` bool (B, h, w), False on padding, ``is_target`` bool (B,), ``names`` of its images,
    and with soft labels ``soft_label`` float32 (B, K, h, w), all 0 where there is no label. Of
    several processes, each draws its own `slots` of the joint batch.
    """

    def __init__(
        self,
        data: RoundData,
        section: SelfTraining,
        round_index: int,
        seed: int,
        processes: Processes = ALONE,
    ) -> None:
        self.data, self.section = data, section
        self.slots = processes.slots(section.batch_size)
        self.key = [seed, 100 + round_index]
        subset = draw_source_subset(len(data.source), round_index, section, seed)
        self.entries = [(True, i) for i in range(len(data.target))]
        self.entries += [(False, int(i)) for i in subset]
        self.stream = Stream(self._groups(subset), self.key[0] * 1000 + self.key[1])
        self.steps = max(1, round(section.epochs * len(self.entries) / section.batch_size))

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> Batch:
        size = self.section.batch_size
        picked = [self.entries[self.stream[step * size + slot]] for slot in self.slots]
        samples = []
        for slot, (is_target, i) in zip(self.slots, picked, strict=True):
            rng = np.random.default_rng([*self.key, step, slot])
            sample = self._target_sample if is_target else self._source_sample
            samples.append(sample(i, rng))
        caches = [self.data.target if is_target else self.data.source for is_target, _ in picked]
        batch: Batch = {
            "image": torch.stack([sample.image for sample in samples]),
            "label": torch.stack([sample.label for sample in samples]),
            "inside": torch.stack([sample.inside for sample in samples]),
            "is_target": torch.tensor([is_target for is_target, _ in picked]),
            "names": [cache.names[i] for cache, (_, i) in zip(caches, picked, strict=True)],
        }
        if self.data.soft:
            batch["soft_label"] = torch.stack([self._soft(sample) for sample in samples])
        return batch

    def _groups(self, subset: np.ndarray) -> list[Group]:
        """Places of `entries` by domain; of target and source as many as there are images."""
        of_target, of_source = self.data.target.groups, self.data.source.groups
        if len(of_target) == len(of_source) == 1:
            return [Group(np.arange(len(self.entries)), 1.0)]
        first = len(self.data.target)
        chosen = [
            Group(first + np.searchsorted(subset, group.images), group.weight)
            for group in among(of_source, subset)
        ]
        return [*scaled(of_target, first), *scaled(chosen, len(subset))]

    def _soft(self, sample: Sample) -> Tensor:
        """Soft label of a target crop, one-hot of a source crop."""
        if sample.soft is not None:
            return sample.soft
        classes = len(self.data.labels.classes)
        return torch.from_numpy(one_hot(sample.label.numpy(), classes))

    def _source_sample(self, i: int, rng: np.random.Generator) -> Sample:
        return source_sample(self.data.source, i, self.section, rng)

    def _target_sample(self, i: int, rng: np.random.Generator) -> Sample:
        """Crop with pseudo labels, centred on a mined class with some probability."""
        section, cache = self.section, self.data.target
        scale = augment.draw_scale(rng, section.scale)
        size = augment.window_size(cache.size(i), section.crop, scale)
        label = self.data.labels.layer("label", i)
        origin = crop_origin(
            label, self.data.mined, size, cache.size(i), rng, section.mining_probability
        )
        geo = augment.geometry(origin, size, section.crop, scale, bool(rng.integers(2)))
        pixels = cache.image(i, geo.window)
        image = augment.crop_image(pixels, geo, section.crop, section.jitter, rng)
        sample = Sample(image, *augment.crop_label(label[geo.window], geo, section.crop, IGNORE))
        if self.data.soft is None:
            return sample
        confident = self.data.labels.layer("origin", i)[geo.window] == ORIGIN_CONFIDENT
        soft = self.data.soft.window(i, geo.window, confident, label[geo.window])
        return sample._replace(soft=augment.crop_map(soft, geo, section.crop))


class RoundStep:
    """One step of a round: source cross-entropy, bootstrapped target loss, MRKLD.

    Args:
        network: in training mode afterwards, under the section's BatchNorm policy.
        section: hyperparameters.
        loss: target loss; the plain base method runs with beta 1.
        log_threshold: log λ (K,) that the labels were made with.
        runtime: device and precision.
    """

    def __init__(
        self,
        network: nn.Module,
        section: SelfTraining,
        loss: Loss,
        log_threshold: np.ndarray,
        runtime: Runtime,
    ) -> None:
        self.runtime = runtime
        self.log_threshold = torch.as_tensor(log_threshold, dtype=torch.float32).to(runtime.device)
        self.options: dict[str, Any] = {
            "beta": loss.beta,
            "bootstrap_target": loss.bootstrap_target,
            "stop_gradient": loss.stop_gradient,
            "mrkld_weight": loss.mrkld_weight,
        }
        self.on_unlabelled = loss.on_unlabelled
        set_batch_norm(network, section.batch_norm)
        self.network = runtime.processes.wrap(network)
        self.optimizer = make_sgd(network, section, section.learning_rate)

    def __call__(self, batch: Batch, step: int) -> dict[str, Tensor]:
        """Train on one mixed batch; returns the loss."""
        device = self.runtime.device
        label, is_target = batch["label"].to(device), batch["is_target"].to(device)
        with self.runtime.autocast():
            logits = self.network(self.runtime.images(batch["image"]))
        full = upsample(logits, (label.shape[1], label.shape[2]))
        unlabelled = None
        if self.on_unlabelled:
            inside = batch["inside"].to(device)
            unlabelled = inside & is_target.view(-1, 1, 1) & (label == IGNORE)
        soft = batch["soft_label"].to(device) if "soft_label" in batch else None
        counts = self.runtime.processes.sum(pixel_counts(label, is_target, unlabelled))
        loss = self_training_loss(
            full,
            label,
            is_target,
            self.log_threshold,
            soft_label=soft,
            unlabelled=unlabelled,
            counts=counts,
            **self.options,
        )
        self.optimizer.zero_grad(set_to_none=True)
        self.runtime.processes.backward(loss)
        self.optimizer.step()
        return {"loss": loss.detach()}
