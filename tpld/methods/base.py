"""What a method has to say: the classes that the modules of this package derive from."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Generic, Literal, TypeVar

from tpld.section import Section

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

Kind = Literal["source", "oracle", "self_training", "adversarial"]
Heads = Literal["single", "auxiliary", "twin"]
KeysT = TypeVar("KeysT", bound=Section)


class NoKeys(Section):
    """The keys of a method that has none of its own."""


class Recipe(Generic[KeysT]):
    """A method with the values of its own keys.

    Attributes:
        kind: which stages run.
        name: in ``methods:``.
        meaning: what it is, for the report.
        regularised: whether the MRKLD regulariser is part of its loss.
        Options: its own keys, below ``options.<name>``; their defaults are the paper's values.
        options: their values.
    """

    kind: ClassVar[Kind]
    name: ClassVar[str]
    meaning: ClassVar[str]
    regularised: ClassVar[bool] = False
    Options: ClassVar[type[Section]] = NoKeys

    def __init__(self, options: KeysT) -> None:
        self.options = options


class SourceOnly(Recipe[KeysT]):
    """No adaptation: the source model is the result."""

    kind = "source"


class TargetTrained(Recipe[KeysT]):
    """No adaptation either: the network is trained as the source model, on the target's labels."""

    kind = "oracle"


class SelfTraining(Recipe[KeysT]):
    """Rounds of pseudo labels and retraining (METHOD 3, 4, 6 and 7), with or without TPLD.

    As it is, this is class-balanced self-training; a method overrides what it does otherwise.
    """

    kind = "self_training"
    soft: ClassVar[bool] = False
    """Whether confident pixels are trained on `soft_label` instead of their one-hot label."""

    def select(
        self, log_p: NDArray[np.float32], log_threshold: NDArray[np.float32]
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Pseudo label of every pixel, 255 where there is none (METHOD 4).

        log_p (K, H, W) and log_threshold (K,) float32; returns the label (H, W) uint8 and the
        excess r - 1 of the best class (H, W) float32, labelled or not.
        """
        from tpld.core.selection import select_from_logs

        return select_from_logs(log_p, log_threshold)

    def soft_label(
        self, log_p: NDArray[np.float32], log_threshold: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Target distribution (K, H, W) float32 of every pixel, where `soft`."""
        raise NotImplementedError(f"{self.name} trains on hard labels")


class Adversarial(Recipe[KeysT]):
    """Training on source and target images together against discriminators (METHOD 10).

    A method says how much each head learns from source labels, what pulls the target's
    predictions towards the source's, and what its discriminators learn. Logits are float32
    (B, K, H, W) at image size, a tensor a head, the main head first.
    """

    kind = "adversarial"
    heads: ClassVar[Heads] = "single"
    """Classifiers of the network: one, a second one on an inner layer, or two on the last."""
    discriminators: ClassVar[int] = 0
    """How many there are."""
    steps: ClassVar[int] = 150_000
    """Updates, where ``adversarial.steps`` does not say otherwise."""
    decay_steps: ClassVar[int] = 250_000
    """Where the polynomial decay ends, where ``adversarial.decay_steps`` does not say."""

    def source_weights(self) -> list[float]:
        """Weight of each head's cross-entropy on the source."""
        raise NotImplementedError

    def align(
        self,
        target: list[Tensor],
        discriminators: list[nn.Module],
        classifiers: list[Tensor],
        progress: float,
    ) -> dict[str, Tensor]:
        """The network's losses besides cross-entropy, by name, as they are added to it.

        target: logits of the target images; classifiers: the flattened weights of each head;
        progress: share of the training that is done, 0 to 1. Each loss is a mean over the images,
        or does not depend on them: several processes weigh theirs by their images and add them up.
        """
        raise NotImplementedError

    def judge(
        self,
        source: list[Tensor],
        target: list[Tensor],
        discriminators: list[nn.Module],
        progress: float,
    ) -> Tensor:
        """Loss of the discriminators, a mean over images; logits carry no gradient here."""
        raise NotImplementedError
