"""The stores of one round, and the labels of an image as they are stored or with other keys."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tpld.config import Voting
from tpld.core.labels import IGNORE
from tpld.core.mixture import candidates_from_logits
from tpld.core.selection import Candidates
from tpld.core.voting import VotingResult
from tpld.errors import StoreError
from tpld.methods import SelfTraining, parse_method, recipe_class
from tpld.stages.full_labels import full_image
from tpld.stages.label import Select, label_image
from tpld.stages.thresholds import read_thresholds
from tpld.stores.labels import Labels
from tpld.stores.predictions import Predictions
from tpld.viewer.catalogue import RoundPlace
from tpld.viewer.recent import Recent

KERNELS = threading.Lock()
"""Held while a parallel kernel runs: numba's plainest threading layer cannot run two at once."""
# An image of 1024x2048 pixels takes about 40 MB here.
_KEPT = 8


@dataclass(frozen=True)
class Keys:
    """What the page can change: keys of METHOD 3 and 5; None means as the labels were made."""

    portion: float | None = None
    window: int | None = None
    iterations: int | None = None
    alpha: float | None = None

    @property
    def stored(self) -> bool:
        """Whether nothing is changed."""
        return self == Keys()


@dataclass(frozen=True)
class Labelled:
    """The labels of one image and what they rest on; all arrays (H, W)."""

    label: np.ndarray
    origin: np.ndarray
    excess: np.ndarray
    candidates: Candidates
    log_threshold: np.ndarray


class Round:
    """One round, opened.

    Args:
        place: where its stores are.

    Raises:
        StoreError: a store is damaged, or its predictions are not there.
    """

    def __init__(self, place: RoundPlace) -> None:
        if place.predictions is None:
            raise StoreError(
                f"the predictions that {place.labels} was made from are not there. Rerun "
                "`snakemake`, which makes what is missing"
            )
        self.place = place
        self.predictions = Predictions(place.predictions)
        self.labels = Labels(place.labels) if place.labels else None
        self._at = {name: i for i, name in enumerate(self.predictions.names)}
        self._labels_at = {n: i for i, n in enumerate(self.labels.names)} if self.labels else {}
        self._predicted: Recent[tuple[np.ndarray, np.ndarray]] = Recent(_KEPT)
        self._labelled: Recent[Labelled] = Recent(_KEPT)

    @property
    def classes(self) -> list[str]:
        """Class names."""
        return self.predictions.classes

    @property
    def names(self) -> list[str]:
        """Image names, in the order of the dump."""
        return self.predictions.names

    def index(self, image: str) -> int:
        """Position of an image in the dump.

        Raises:
            StoreError: there is no such image.
        """
        if image not in self._at:
            raise StoreError(f"{self.predictions.path} holds no image '{image}'")
        return self._at[image]

    @cached_property
    def thresholds(self) -> pd.DataFrame | None:
        """thresholds.csv; None for the source model's dump."""
        path = self.place.folder / "thresholds.csv"
        return read_thresholds(path, self.classes) if path.exists() else None

    @cached_property
    def log_threshold(self) -> np.ndarray:
        """log λ (K,) float32 of the labels; λ = 1 where no λ was estimated."""
        if self.labels:
            return self.labels.log_threshold.astype(np.float32)
        if self.thresholds is not None:
            return self.thresholds["log_threshold"].to_numpy(np.float32)
        return np.zeros(len(self.classes), np.float32)

    @property
    def portion(self) -> float | None:
        """Portion that λ was estimated with."""
        return None if self.thresholds is None else float(self.thresholds["portion"].iloc[0])

    @property
    def factor(self) -> float:
        """What λ was multiplied by."""
        return 1.0 if self.thresholds is None else float(self.thresholds["factor"].iloc[0])

    @cached_property
    def easy(self) -> dict[str, bool]:
        """Whether an image is easy, by name; empty outside phase 2."""
        path = self.place.folder / "split.csv"
        if not path.exists():
            return {}
        table = pd.read_csv(path, keep_default_na=False, dtype={"image": str})
        return dict(zip(table["image"], table["easy"].astype(str) == "True", strict=True))

    @cached_property
    def _settings(self) -> dict[str, Any]:
        """The keys that the label store was made with, by their dotted names."""
        return dict(self.labels.run.get("settings", {})) if self.labels else {}

    @cached_property
    def voting(self) -> Voting:
        """Voting keys of the stored labels; 0 iterations where the method does not vote."""
        kept = self._settings.get("voting")
        return Voting(**kept) if kept else Voting(iterations=0)

    @property
    def gamma(self) -> float:
        """γ of the full labels of phase 2."""
        return float(self._settings.get("phase2.gamma", 2.0))

    @property
    def full_label(self) -> Any:
        """Reading of the full labels of phase 2."""
        return self._settings.get("phase2.full_label", "soft")

    @cached_property
    def _select(self) -> Select | None:
        """The method's own selection; None where it is that of CBST."""
        row = parse_method(self.place.method)
        recipe = recipe_class(row.base)
        if not issubclass(recipe, SelfTraining) or recipe.select is SelfTraining.select:
            return None
        prefix = f"options.{row.base}."
        options = {k.removeprefix(prefix): v for k, v in self._settings.items() if prefix in k}
        return recipe(recipe.Options(**options)).select

    def predict(self, image: str) -> tuple[np.ndarray, np.ndarray]:
        """uint8 (H, W) predicted class and float32 (H, W) log of its probability."""

        def make() -> tuple[np.ndarray, np.ndarray]:
            with KERNELS:
                return self.predictions.predict(self.index(image))

        return self._predicted.get(image, make)

    def stored(self, image: str) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Label and origin (H, W) uint8 as stored, and their score r (None where none is stored).

        Images without stored labels (hard ones in phase 2) have neither.
        """
        if self.labels is None or image not in self._labels_at:
            size = self.predictions.size(self.index(image))
            return np.full(size, IGNORE, np.uint8), np.zeros(size, np.uint8), None
        i = self._labels_at[image]
        label, origin, score = (self.labels.layer(n, i) for n in ("label", "origin", "score"))
        return label, origin, score

    def labelled(self, image: str, keys: Keys, log_threshold: np.ndarray | None) -> Labelled:
        """The labels of an image, as stored or as they would be with other keys.

        Args:
            image: name.
            keys: what to change.
            log_threshold: log λ (K,) for `keys.portion`; None: the stored one.
        """
        bar = self.log_threshold if log_threshold is None else log_threshold
        return self._labelled.get((image, keys), lambda: self._label(image, keys, bar))

    def voting_with(self, keys: Keys) -> Voting:
        """The stored voting keys with what is changed."""
        changes = {"window": keys.window, "iterations": keys.iterations, "alpha": keys.alpha}
        changed = {name: value for name, value in changes.items() if value is not None}
        return Voting(**self.voting.model_dump() | changed)

    def _label(self, image: str, keys: Keys, bar: np.ndarray) -> Labelled:
        i = self.index(image)
        logits, size = self.predictions.logits(i), self.predictions.size(i)
        label, origin, score = self.stored(image)
        with KERNELS:
            candidates = candidates_from_logits(logits, size, bar)
            if self.place.phase2 or self.labels is None:
                made = self._full(candidates, score is not None)
            else:
                made = label_image(logits, size, bar, self.voting_with(keys), self._select)
        if keys.stored:
            same = np.array_equal(made.label, label) and np.array_equal(made.origin, origin)
            # Labels of another version of the package: explain them by the scores they keep.
            excess = made.excess if same or score is None else score.astype(np.float32) - 1
            made = VotingResult(label, origin, excess)
        return Labelled(made.label, made.origin, made.excess, candidates, bar)

    def _full(self, candidates: Candidates, easy: bool) -> VotingResult:
        """The full labels of an easy image; none for a hard one, nor without phase 2."""
        if easy:
            layers = full_image(candidates, self.gamma, self.full_label)
            return VotingResult(layers["label"], layers["origin"], candidates.first_excess)
        nothing = np.zeros(candidates.first.shape, np.uint8)
        return VotingResult(np.full_like(nothing, IGNORE), nothing, candidates.first_excess)


def opened(places: Recent[Round], place: RoundPlace) -> Round:
    """A round, opened once and again when one of its stores was written anew."""
    files = (place.predictions, place.labels)
    stamps = [_stamp(path / "zarr.json") for path in files if path]
    stamps += [_stamp(place.folder / name) for name in ("thresholds.csv", "split.csv")]
    return places.get((place, *stamps), lambda: Round(place))


def _stamp(path: Path) -> int:
    """Time of the last change of a file; 0 without it."""
    return path.stat().st_mtime_ns if path.exists() else 0
