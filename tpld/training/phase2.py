"""Phase 2: full labels on easy images, D_intra between easy and hard ones (METHOD 9)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Adam
from torch.utils.data import Dataset

from tpld.config import Loss, Phase2, SelfTraining
from tpld.data import augment
from tpld.data.cache import Cache
from tpld.errors import TrainingError
from tpld.method.full_labels import full_label
from tpld.method.losses import easy_loss
from tpld.method.selection import normalised_excess
from tpld.method.self_information import adversarial_loss, discriminator_loss, self_information
from tpld.models.batchnorm import set_batch_norm
from tpld.models.deeplabv2 import upsample
from tpld.processes import ALONE, Processes
from tpld.runtime import Runtime
from tpld.stores.predictions import Predictions
from tpld.training.loop import Batch
from tpld.training.optim import make_sgd
from tpld.training.source import shuffled_index


@dataclass(frozen=True)
class Phase2Data:
    """What a phase-2 round trains on.

    Attributes:
        target: target images; this cache holds no labels.
        predictions: dump that the full labels are computed from, in the same order.
        log_threshold: log λ (K,) of this round.
        easy: indices of the easy images.
        hard: indices of the hard images.
    """

    target: Cache
    predictions: Predictions
    log_threshold: np.ndarray
    easy: list[int]
    hard: list[int]


class Phase2Batches(Dataset[Batch]):
    """Batch t of a phase-2 round, a function of (seed, round, t) alone.

    Each batch is a dictionary: ``image`` float32 (2 P, 3, h, w), the P easy crops first;
    ``soft_label`` float32 (P, K, h, w) and ``weight`` (P, h, w) of the easy ones; ``names``. Of
    several processes, each draws its own `slots` of the joint batch of pairs.
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

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> Batch:
        easy = [self._pick(self.data.easy, step, slot, 3) for slot in self.slots]
        hard = [self._pick(self.data.hard, step, slot, 4) for slot in self.slots]
        easy_samples, hard_images = [], []
        for slot, i in zip(self.slots, easy, strict=True):
            easy_samples.append(
                self._easy_sample(i, np.random.default_rng([*self.key, step, slot]))
            )
        for slot, i in zip(self.slots, hard, strict=True):
            rng = np.random.default_rng([*self.key, step, 1000 + slot])
            hard_images.append(self._image(i, self._geometry(i, rng), rng))
        return {
            "image": torch.stack([sample[0] for sample in easy_samples] + hard_images),
            "soft_label": torch.stack([sample[1] for sample in easy_samples]),
            "weight": torch.stack([sample[2] for sample in easy_samples]),
            "names": [self.data.target.names[i] for i in easy + hard],
        }

    def _pick(self, images: list[int], step: int, slot: int, salt: int) -> int:
        stream = (self.key[0] * 1000 + self.key[1]) * 10 + salt
        return images[shuffled_index(step * self.section.pairs + slot, len(images), stream)]

    def _geometry(self, i: int, rng: np.random.Generator) -> augment.Geometry:
        crops, image = self.crops, self.data.target.size(i)
        scale = augment.draw_scale(rng, crops.scale)
        size = augment.window_size(image, crops.crop, scale)
        origin = augment.random_origin(image, size, rng)
        return augment.geometry(origin, size, crops.crop, scale, bool(rng.integers(2)))

    def _image(self, i: int, geo: augment.Geometry, rng: np.random.Generator) -> Tensor:
        pixels = self.data.target.image(i, geo.window)
        return augment.crop_image(pixels, geo, self.crops.crop, self.crops.jitter, rng)

    def _easy_sample(self, i: int, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Image, full label and weight of a crop, computed from the dump for this window alone."""
        geo = self._geometry(i, rng)
        image = self._image(i, geo, rng)
        log_p = self.data.predictions.log_probabilities(i, geo.window)
        soft, weight = full_label(
            normalised_excess(log_p, self.data.log_threshold),
            self.section.gamma,
            self.section.full_label,
        )
        crop = self.crops.crop
        return (
            image,
            augment.crop_map(soft, geo, crop),
            augment.crop_map(weight[None], geo, crop)[0],
        )


class Phase2Step:
    """One step: easy loss and adversarial loss for the network, then one step of D_intra.

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
        self.adam = Adam(discriminator.parameters(), lr=rate, betas=(0.9, 0.99))

    def __call__(self, batch: Batch, step: int) -> dict[str, Tensor]:
        """Train on P easy and P hard crops; returns each loss before its weight."""
        device, pairs = self.runtime.device, len(batch["soft_label"])
        share = self.runtime.processes.share(pairs, self.section.pairs)
        with self.runtime.autocast():
            # One forward pass: with trainable BatchNorm both kinds share their statistics.
            logits = self.network(self.runtime.images(batch["image"]))
        full = upsample(logits, (batch["image"].shape[2], batch["image"].shape[3]))
        easy = share * easy_loss(
            full[:pairs],
            batch["soft_label"].to(device),
            batch["weight"].to(device),
            self.log_threshold,
            beta=self.loss.beta,
            bootstrap_target=self.loss.bootstrap_target,
            stop_gradient=self.loss.stop_gradient,
        )
        maps = self_information(full)
        self.discriminator.requires_grad_(False)
        with self.runtime.autocast():
            scores = self.discriminator(maps[pairs:])
        fooled = share * adversarial_loss(scores.float())
        self.optimizer.zero_grad(set_to_none=True)
        self.runtime.processes.backward(easy + self.section.adversarial_weight * fooled)
        self.optimizer.step()
        return {
            "easy": easy.detach(),
            "adversarial": fooled.detach(),
            "discriminator": self._train_discriminator(maps.detach()),
        }

    def _train_discriminator(self, maps: Tensor) -> Tensor:
        """Easy is 1, hard is 0; the maps are constants here."""
        self.discriminator.requires_grad_(True)
        with self.runtime.autocast():
            scores = self.judge(maps).float()
        easy, hard = scores.chunk(2)
        share = self.runtime.processes.share(len(easy), self.section.pairs)
        loss = share * discriminator_loss(easy, hard)
        self.adam.zero_grad(set_to_none=True)
        self.runtime.processes.backward(loss)
        self.adam.step()
        return loss.detach()
