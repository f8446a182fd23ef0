"""What every network has in common: a backbone, and one or two heads (METHOD 10 and 11).

Stages and methods know this class alone. Everything that learns at the faster rate lies below the
submodule ``head``: ``head.main``, whose logits count, and, where an adversarial method asks for it,
``head.extra``. Everything else is the backbone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Literal

from torch import Tensor, nn

Heads = Literal["single", "auxiliary", "twin"]


class Network(nn.Module):
    """A segmentation network.

    A subclass registers the submodule ``head`` (with ``main`` and perhaps ``extra``) and gives
    `features`.

    Attributes:
        heads: ``single``; ``auxiliary``: a second head on an earlier layer (AdaptSegNet, ADVENT,
            MinEnt); ``twin``: a second head on the same features (CLAN).
        pretrained: torchvision models whose weight enums fit, the preferred one first.
        renames: prefixes of entries of foreign weight files, and what they are called here.
        may_lack: prefixes of entries that weights from elsewhere need not have.
        random_norms: BatchNorm modules that pretrained weights left random; see `set_batch_norm`.
    """

    heads: Heads = "single"
    pretrained: tuple[str, ...] = ()
    renames: Mapping[str, str] = {}
    may_lack: tuple[str, ...] = ("head.",)
    random_norms: frozenset[str] = frozenset()

    def features(self, image: Tensor) -> tuple[Any, Any]:
        """Images (B, 3, H, W) -> what the last layer gives, and the layer of the auxiliary head."""
        raise NotImplementedError

    def load_own(self, weights: str) -> str | None:
        """Load weights that come in a form of their own; None: they are a state dictionary."""
        return None

    def check_own(self, weights: str) -> bool:
        """Whether `load_own` would load them, without loading; raises ConfigError as it does."""
        return False

    def file_of(self, weights: str) -> str:
        """`model.weights` as `load_initial` reads it: the path of a file for a name of our own."""
        return weights

    def forward_heads(self, image: Tensor) -> tuple[Tensor, ...]:
        """Logits of every head, main first; one or two tensors.

        Args:
            image: normalised images (B, 3, H, W).

        Returns:
            (B, K, h, w) each, at the network's own stride; the auxiliary head's may have another.
        """
        last, earlier = self.features(image)
        main = self.get_submodule("head.main")(last)
        if self.heads == "single":
            return (main,)
        extra = self.get_submodule("head.extra")
        return main, extra(earlier if self.heads == "auxiliary" else last)

    def forward(self, image: Tensor) -> Tensor:
        """The logits that predictions are made from: the main head's; of twins, the sum.

        Normalised images (B, 3, H, W) -> logits (B, K, h, w) at the network's own stride.
        """
        if self.heads == "twin":
            first, second = self.forward_heads(image)
            return first + second
        return self.get_submodule("head.main")(self.features(image)[0])


def loading_report(
    where: str, matched: int, missing: Collection[str], unexpected: Collection[str]
) -> str:
    """One sentence for the log and the record: how many entries fitted, and which did not."""
    left, over = sorted(missing), sorted(unexpected)
    return (
        f"{where}: {matched} matched, {len(left)} missing {left[:4]}, "
        f"{len(over)} unexpected {over[:4]}"
    )
