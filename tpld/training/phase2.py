"""Phase 2: full labels on easy images, D_intra between easy and hard ones (METHOD 9).

Two things are added where the configuration asks for them, neither of them the paper's, because a
small easy set and no source make a network forget (docs/results.md): confident labels on hard
images (`hard_label`), and labelled source crops (`source_crops`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import Dataset

from tpld.compute.distributed import ALONE, Processes
from tpld.compute.runtime import Runtime
from tpld.config import Loss, Phase2, SelfTraining
from tpld.core.full_labels import Reading, full_label
from tpld.core.losses import easy_loss
from tpld.core.selection import normalised_excess
from tpld.core.self_information import adversarial_loss, discriminator_loss, self_information
from tpld.data import augment
from tpld.data.cache import Cache
from tpld.data.sources import IGNORE
from tpld.errors import TrainingError
from tpld.models.batchnorm import set_batch_norm
from tpld.models.deeplabv2 import upsample
from tpld.stores.predictions import Predictions
from tpld.training.draw import Stream, among
from tpld.training.loop import Batch
from tpld.training.optim import make_adam, make_sgd
from tpld.training.source import Sample, source_sample


@dataclass(frozen=True)
class Phase2Data:
    """What a phase-2 round trains on.

    Attributes:
        target: target images; this cache holds no labels.
        predictions: dump that the full labels are computed from, in the same order.
        log_threshold: log λ (K,) of this round.
        easy: indices of the easy images.
        hard: indices of the hard images.
        source: labelled source images, where `source_crops` asks for some.
    """

    target: Cache
    predictions: Predictions
    log_threshold: np.ndarray
    easy: list[int]
    hard: list[int]
    source: Cache | None = None


class Phase2Batches(Dataset[Batch]):
    """Batch t of a phase-2 round, a function of (seed, round, t) alone.

    Each batch is a dictionary: ``image`` float32 (2 P + S, 3, h, w), the P easy crops, the P hard
    ones, then S of the source; ``soft_label`` float32 (n, K, h, w) and ``weight`` (n, h, w) of the
    first n, which are the easy ones, or with `hard_label` the pairs; ``label`` int64 (S, h, w) of
    the source, 255 = ignored; ``names``. Of several processes, each draws its own `slots` of the
    joint batch of pairs.
    """

    def __init__(
        self,
        data: Phase2Data,
        section: Phase2,
        crops: SelfTraining,
        round_index: int,
        seed: int,
        processes: Processes = ALONE,
    ) -> None:
        self.data, self.section, self.crops = data, section, crops
        self.slots = processes.slots(section.pairs)
        for kind, images in (("easy", data.easy), ("hard", data.hard)):
            if not images:
                raise TrainingError(
                    f"the split of phase-2 round {round_index} has no {kind} images, and phase 2 "
                    "needs both kinds. Change phase2.easy_portion (and easy_step), or give more "
                    "target images"
                )
        self.key = [seed, 200 + round_index]
        self.steps = max(1, round(section.epochs * len(data.hard) / section.pairs))
        stream, groups = (self.key[0] * 1000 + self.key[1]) * 10, data.target.groups
        self.easy = Stream(among(groups, np.array(data.easy)), stream + 3)
        self.hard = Stream(among(groups, np.array(data.hard)), stream + 4)
        if data.source:
            self.of_source = Stream(data.source.groups, stream + 5)

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> Batch:
        first = step * self.section.pairs
        easy = [self.easy[first + slot] for slot in self.slots]
        hard = [self.hard[first + slot] for slot in self.slots]
        images, labels = [], []
        for slot, i in zip(self.slots, easy, strict=True):
            image, geo = self._crop(i, np.random.default_rng([*self.key, step, slot]))
            images.append(image)
            labels.append(self._label(i, geo, self.section.full_label))
        for slot, i in zip(self.slots, hard, strict=True):
            image, geo = self._crop(i, np.random.default_rng([*self.key, step, 1000 + slot]))
            images.append(image)
            if self.section.hard_label == "sparse":
                labels.append(self._label(i, geo, "sparse"))
        batch: Batch = {
            "image": torch.stack(images),
            "soft_label": torch.stack([soft for soft, _ in labels]),
            "weight": torch.stack([weight for _, weight in labels]),
            "names": [self.data.target.names[i] for i in easy + hard],
        }
        return self._with_source(batch, step) if self.data.source else batch

    def _with_source(self, batch: Batch, step: int) -> Batch:
        """The batch with `source_crops` labelled crops behind those of each pair."""
        cache, each = self.data.source, self.section.source_crops
        assert cache is not None
        samples: list[Sample] = []
        for position in range(self.slots.start * each, self.slots.stop * each):
            i = self.of_source[step * self.section.pairs * each + position]
            rng = np.random.default_rng([*self.key, step, 2000 + position])
            samples.append(source_sample(cache, i, self.crops, rng))
            batch["names"].append(cache.names[i])
        batch["image"] = torch.cat([batch["image"], torch.stack([s.image for s in samples])])
        batch["label"] = torch.stack([s.label for s in samples])
        return batch

    def _crop(self, i: int, rng: np.random.Generator) -> tuple[Tensor, augment.Geometry]:
        """An augmented target crop, and where it lies."""
        crops, size = self.crops, self.data.target.size(i)
        scale = augment.draw_scale(rng, crops.scale)
        window = augment.window_size(size, crops.crop, scale)
        origin = augment.random_origin(size, window, rng)
        geo = augment.geometry(origin, window, crops.crop, scale, bool(rng.integers(2)))
        pixels = self.data.target.image(i, geo.window)
        return augment.crop_image(pixels, geo, crops.crop, crops.jitter, rng), geo

    def _label(self, i: int, geo: augment.Geometry, reading: Reading) -> tuple[Tensor, Tensor]:
        """Label (K, h, w) and weight (h, w), computed from the dump for this window alone."""
        log_p = self.data.predictions.log_probabilities(i, geo.window)
        excess = normalised_excess(log_p, self.data.log_threshold)
        soft, weight = full_label(excess, self.section.gamma, reading)
        crop = self.crops.crop
        return augment.crop_map(soft, geo, crop), augment.crop_map(weight[None], geo, crop)[0]


class Phase2Step:
    """One step: labels and adversarial loss for the network, then one step of D_intra.

    Args:
        network: in training mode afterwards.
        discriminator: D_intra.
        section: phase-2 hyperparameters.
        training: momentum, weight decay, head factor and BatchNorm policy of self-training.
        loss: bootstrapping keys.
        log_threshold: log λ (K,).
        runtime: device and precision.
    """

    def __init__(
        self,
        network: nn.Module,
        discriminator: nn.Module,
        section: Phase2,
        training: SelfTraining,
        loss: Loss,
        log_threshold: np.ndarray,
        runtime: Runtime,
    ) -> None:
        self.discriminator, self.runtime = discriminator, runtime
        self.section, self.loss = section, loss
        self.log_threshold = torch.as_tensor(log_threshold, dtype=torch.float32).to(runtime.device)
        set_batch_norm(network, training.batch_norm)
        self.network = runtime.processes.wrap(network)
        # The network's step goes past the wrapping: there D is a constant.
        self.judge = runtime.processes.wrap(discriminator)
        self.optimizer = make_sgd(network, training, section.learning_rate)
        rate = section.discriminator_learning_rate
        self.adam = make_adam(discriminator, rate)

    def __call__(self, batch: Batch, step: int) -> dict[str, Tensor]:
        """Train on P easy and P hard crops; returns each loss before its weight."""
        pairs = len(batch["image"]) - len(batch.get("label", ()))
        with self.runtime.autocast():
            # One forward pass: with trainable BatchNorm all kinds share their statistics.
            logits = self.network(self.runtime.images(batch["image"]))
        full = upsample(logits, (batch["image"].shape[2], batch["image"].shape[3]))
        supervised, losses = self._labelled(full, batch)
        maps = self_information(full[:pairs])
        self.discriminator.requires_grad_(False)
        with self.runtime.autocast():
            scores = self.discriminator(maps[pairs // 2 :])
        fooled = self._share(pairs // 2) * adversarial_loss(scores.float())
        self.optimizer.zero_grad(set_to_none=True)
        self.runtime.processes.backward(supervised + self.section.adversarial_weight * fooled)
        self.optimizer.step()
        return {
            **losses,
            "adversarial": fooled.detach(),
            "discriminator": self._train_discriminator(maps.detach()),
        }

    def _labelled(self, full: Tensor, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of all crops that have labels, a mean over them; and its parts.

        full (2 P + S, K, h, w) logits.
        """
        device, soft, count = self.runtime.device, batch["soft_label"], len(batch["soft_label"])
        easy = self._share(len(batch["image"]) // (2 + self.section.source_crops)) * easy_loss(
            full[:count],
            soft.to(device),
            batch["weight"].to(device),
            self.log_threshold,
            beta=self.loss.beta,
            bootstrap_target=self.loss.bootstrap_target,
            stop_gradient=self.loss.stop_gradient,
        )
        if "label" not in batch:
            return easy, {"easy": easy.detach()}
        label = batch["label"].to(device)
        valid = self.runtime.processes.sum((label != IGNORE).sum()).clamp(min=1)
        of_source = full[-len(label) :]
        source = cross_entropy(of_source, label, ignore_index=IGNORE, reduction="sum") / valid
        mean = (count * easy + len(label) * source) / (count + len(label))
        return mean, {"easy": easy.detach(), "source": source.detach()}

    def _share(self, pairs: int) -> float:
        return self.runtime.processes.share(pairs, self.section.pairs)

    def _train_discriminator(self, maps: Tensor) -> Tensor:
        """Easy is 1, hard is 0; the maps are constants here."""
        self.discriminator.requires_grad_(True)
        with self.runtime.autocast():
            scores = self.judge(maps).float()
        easy, hard = scores.chunk(2)
        loss = self._share(len(easy)) * discriminator_loss(easy, hard)
        self.adam.zero_grad(set_to_none=True)
        self.runtime.processes.backward(loss)
        self.adam.step()
        return loss.detach()
