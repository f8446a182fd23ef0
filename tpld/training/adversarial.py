"""Training on source and target together against discriminators (METHOD 10)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from tpld.compute.distributed import ALONE, Processes
from tpld.compute.runtime import Runtime
from tpld.config import Adversarial
from tpld.core.schedule import polynomial_decay
from tpld.data import augment
from tpld.data.cache import Cache
from tpld.data.sources import IGNORE
from tpld.methods.base import Adversarial as Recipe
from tpld.models.batchnorm import set_batch_norm
from tpld.models.deeplabv2 import upsample
from tpld.models.network import Network
from tpld.training.draw import Stream
from tpld.training.loop import Batch
from tpld.training.optim import make_adam, make_sgd, set_rate

_SOURCE, _TARGET = 0, 1000
"""Offsets of the slots of a step, so that both domains draw from streams of their own."""


class AdversarialBatches(Dataset[Batch]):
    """Batch t of an adversarial training, a function of (seed, t) alone: whole images, resized.

    Each batch is a dictionary: ``source`` float32 (B, 3, h, w), its ``label`` int64 (B, h, w) with
    255, ``target`` float32 (B, 3, h', w'), ``names`` of all images. Of several processes, each
    draws its own `slots` of the joint batch.
    """

    def __init__(
        self,
        source: Cache,
        target: Cache,
        section: Adversarial,
        steps: int,
        seed: int,
        processes: Processes = ALONE,
    ) -> None:
        self.source, self.target, self.section = source, target, section
        self.slots = processes.slots(section.batch_size)
        self.steps, self.key = steps, [seed, 300]
        stream = (seed * 1000 + 300) * 10
        self.of_source = Stream(source.groups, stream + 5)
        self.of_target = Stream(target.groups, stream + 6)

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> Batch:
        slots, size = self.slots, self.section.target_size
        first = step * self.section.batch_size
        of_source = [self.of_source[first + slot] for slot in slots]
        of_target = [self.of_target[first + slot] for slot in slots]
        pairs = [
            self._labelled(i, self._rng(step, _SOURCE + slot))
            for slot, i in zip(slots, of_source, strict=True)
        ]
        target = [
            self._image(self.target, i, size, self._rng(step, _TARGET + slot))
            for slot, i in zip(slots, of_target, strict=True)
        ]
        return {
            "source": torch.stack([image for image, _ in pairs]),
            "label": torch.stack([label for _, label in pairs]),
            "target": torch.stack([image for image, _ in target]),
            "names": [
                *(self.source.names[i] for i in of_source),
                *(self.target.names[i] for i in of_target),
            ],
        }

    def _rng(self, step: int, slot: int) -> np.random.Generator:
        return np.random.default_rng([*self.key, step, slot])

    def _image(
        self, cache: Cache, i: int, size: tuple[int, int], rng: np.random.Generator
    ) -> tuple[Tensor, augment.Geometry]:
        """An image at `size`, and how it was laid out."""
        mirror = self.section.mirror and bool(rng.integers(2))
        geo = augment.Geometry(0, 0, *cache.size(i), *size, mirror)
        pixels = cache.image(i, geo.window)
        return augment.crop_image(pixels, geo, size, self.section.jitter, rng), geo

    def _labelled(self, i: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        size = self.section.source_size
        image, geo = self._image(self.source, i, size, rng)
        label = self.source.label(i, geo.window)
        return image, augment.crop_label(label, geo, size, IGNORE)[0]


class _Heads(nn.Module):
    """The logits of all heads as a module's forward pass, which is what can be wrapped."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """See `Network.forward_heads`."""
        return self.network.forward_heads(image)


class AdversarialStep:
    """One step: source cross-entropy and alignment for the network, then one of discriminators.

    Args:
        network: in training mode afterwards, under the section's BatchNorm policy.
        discriminators: as many as the method has.
        recipe: the method.
        section: hyperparameters.
        runtime: device and precision.
    """

    def __init__(
        self,
        network: Network,
        discriminators: nn.ModuleList,
        recipe: Recipe[Any],
        section: Adversarial,
        runtime: Runtime,
    ) -> None:
        self.network, self.discriminators, self.recipe = network, discriminators, recipe
        self.runtime, self.batch_size = runtime, section.batch_size
        self.steps = section.steps or recipe.steps
        self.decay_steps = section.decay_steps or recipe.decay_steps
        # Where BatchNorm learns, both domains share its statistics; else two passes need half the
        # memory, for the first one's activations are gone when the second one starts.
        self.together = section.batch_norm == "train" and section.source_size == section.target_size
        set_batch_norm(network, section.batch_norm)
        self.heads = runtime.processes.wrap(_Heads(network))
        # The network's step goes past the wrappings: there the discriminators are constants.
        self.judges = [runtime.processes.wrap(d) for d in discriminators]
        self.optimizer = make_sgd(network, section, section.learning_rate)
        self.adam = None
        if len(discriminators):
            rate = section.discriminator_learning_rate
            self.adam = make_adam(discriminators, rate)
            self.adam.param_groups[0]["base_lr"] = rate

    def __call__(self, batch: Batch, step: int) -> dict[str, Tensor]:
        """Train on one batch; returns each loss as it enters the sum, and the discriminators'."""
        progress = min(1.0, step / self.steps)
        decay = polynomial_decay(step, self.decay_steps)
        set_rate(self.optimizer, decay)
        if self.adam:
            set_rate(self.adam, decay)
        label = batch["label"].to(self.runtime.device)
        processes, share = self.runtime.processes, self._share(label)
        self.optimizer.zero_grad(set_to_none=True)
        self.discriminators.requires_grad_(False)
        if self.together:
            count = len(label)
            both = self._predict(torch.cat([batch["source"], batch["target"]]))
            source, target = [x[:count] for x in both], [x[count:] for x in both]
            supervised = self._supervised(source, label)
        else:
            source = self._predict(batch["source"])
            supervised = self._supervised(source, label)
            processes.backward(supervised)
            target = self._predict(batch["target"])
        with self.runtime.autocast():
            found = self.recipe.align(
                target, list(self.discriminators), self._classifiers(), progress
            )
        # Every term is a mean over images, or the same in all processes.
        terms = {name: share * term for name, term in found.items()}
        total = torch.stack(list(terms.values())).sum()
        processes.backward(supervised + total if self.together else total)
        self.optimizer.step()
        losses = {"source": supervised, **terms}
        if self.adam:
            losses["discriminator"] = self._train_discriminators(source, target, progress, share)
        return {name: loss.detach() for name, loss in losses.items()}

    def _share(self, label: Tensor) -> float:
        return self.runtime.processes.share(len(label), self.batch_size)

    def _predict(self, image: Tensor) -> list[Tensor]:
        """float32 logits of every head at image size."""
        with self.runtime.autocast():
            heads = self.heads(self.runtime.images(image))
        return [upsample(logits, (image.shape[2], image.shape[3])) for logits in heads]

    def _supervised(self, source: list[Tensor], label: Tensor) -> Tensor:
        """Weighted cross-entropy of the heads; 0 where nothing is labelled."""
        count = self.runtime.processes.sum((label != IGNORE).sum()).clamp(min=1)
        losses = [
            weight
            * torch.nn.functional.cross_entropy(logits, label, ignore_index=IGNORE, reduction="sum")
            / count
            for weight, logits in zip(self.recipe.source_weights(), source, strict=True)
        ]
        return torch.stack(losses).sum()

    def _train_discriminators(
        self, source: list[Tensor], target: list[Tensor], progress: float, share: float
    ) -> Tensor:
        """Logits are constants here."""
        assert self.adam is not None
        self.discriminators.requires_grad_(True)
        source, target = [x.detach() for x in source], [x.detach() for x in target]
        with self.runtime.autocast():
            loss = share * self.recipe.judge(source, target, self.judges, progress)
        self.adam.zero_grad(set_to_none=True)
        self.runtime.processes.backward(loss)
        self.adam.step()
        return loss

    def _classifiers(self) -> list[Tensor]:
        """Weights of each head, without biases, as one vector."""
        heads = self.network.get_submodule("head").children()
        return [torch.cat([p.flatten() for p in h.parameters() if p.dim() > 1]) for h in heads]
