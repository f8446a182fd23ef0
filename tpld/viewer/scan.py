"""One walk over a round: figures of every image to sort by, and the counts behind any λ.

λ at another portion needs the confidences of all pixels of the store. `thresholds.ConfidenceRanks`
finds one portion exactly in two walks; a slider wants all portions after a single one. So here the
confidences are counted in bins of -log p, 2048 to an octave from 2^-30 to 4, and a rank is placed
inside its bin by its share: log λ is then good to 1/2048 of itself, that is λ = 0.9 to 0.00005.
"""

from __future__ import annotations

import math
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tpld.config import Phase2
from tpld.core.confidence import confident_counts, image_confidence
from tpld.core.labels import IGNORE
from tpld.core.mixture import predict
from tpld.data.cache import Cache
from tpld.errors import TpldError
from tpld.stores.atomic import replacing
from tpld.stores.provenance import digest, fingerprint
from tpld.viewer.rounds import KERNELS, Round

_FORMAT = 1  # of the files kept
_SHIFT = 12  # bits of a float32 that a bin does not tell apart
_BINS = 1 << 16
_FIRST = int(np.float32(2.0**-30).view(np.uint32)) >> _SHIFT
_ARRAYS = ("counts", "predicted", "confident", "labelled", "pixels", "figures")
FIGURES = ("density", "accuracy", "prediction_accuracy")
"""Shares of each image: labelled; labelled and right; predicted and right (of valid pixels)."""


class Progress(NamedTuple):
    """How far a scan is: images done, of how many, and what stopped it, if anything."""

    done: int
    total: int
    error: str


class Scan:
    """The walk over one round, in a thread of its own; what is done already can be read.

    Attributes:
        counts: int64 (K, bins), pixels by predicted class and -log p.
        predicted: int64 (N, K), pixels predicted as each class.
        confident: int64 (N, K), those of them with p >= λ.
        labelled: int64 (N, K), pixels labelled as each class.
        pixels: int64 (N,), of each image.
        figures: float64 (N, 3), `FIGURES`; NaN where unknown.
    """

    def __init__(self, opened: Round, truth: Cache | None, phase2: Phase2, keep: Path) -> None:
        self.round, self._truth, self._phase2 = opened, truth, phase2
        n, k = len(opened.names), len(opened.classes)
        self.counts = np.zeros((k, _BINS), np.int64)
        self.predicted, self.confident, self.labelled = np.zeros((3, n, k), np.int64)
        self.pixels = np.zeros(n, np.int64)
        self.figures = np.full((n, len(FIGURES)), np.nan)
        self._done, self._error = 0, ""
        self._closed = threading.Event()
        self._file = keep / f"{self._identity()}.npz"

    @property
    def progress(self) -> Progress:
        """How far it is."""
        return Progress(self._done, len(self.round.names), self._error)

    @property
    def complete(self) -> bool:
        """Whether every image is counted."""
        return self._done == len(self.round.names)

    def close(self) -> None:
        """Stop soon."""
        self._closed.set()

    def run(self) -> None:
        """Walk over the round, or read what an earlier walk kept."""
        if self._load():
            return
        try:
            place = {name: i for i, name in enumerate(self._truth.names)} if self._truth else {}
            for i, name in enumerate(self.round.names):
                if self._closed.is_set():
                    return
                at = place.get(name)
                self._add(i, name, None if at is None or not self._truth else self._truth.label(at))
                self._done = i + 1
        except (TpldError, OSError, ValueError) as error:
            self._error = str(error)
            return
        self._save()

    def confidence(self, i: int) -> float:
        """conf_t of image i (METHOD 8); NaN before it is counted, or without any λ."""
        if i >= self._done or self.round.thresholds is None:
            return math.nan
        return image_confidence(
            self.predicted[i],
            self.confident[i],
            np.exp(self.round.log_threshold.astype(np.float64)),
            self._phase2.divide_by,
            self._phase2.weight_by_threshold,
        )

    def log_thresholds(self, portion: float) -> np.ndarray:
        """log λ (K,) float32 at a portion of each class (METHOD 3); the stored one at its own."""
        if self.round.portion is not None and math.isclose(portion, self.round.portion):
            return self.round.log_threshold
        found = [_value_at(row, math.floor(int(row.sum()) * portion)) for row in self.counts]
        return np.array(found, np.float32) + np.float32(math.log(self.round.factor))

    def _add(self, i: int, name: str, truth: np.ndarray | None) -> None:
        bar = self.round.log_threshold
        logits, size = self.round.predictions.logits(i), self.round.predictions.size(i)
        with KERNELS:
            prediction, log_p = predict(logits, size)
        classes = len(bar)
        self.predicted[i], self.confident[i] = confident_counts(
            prediction, np.expm1(log_p - bar[prediction]), classes
        )
        places = prediction.astype(np.int64) * _BINS + bin_of(log_p)
        self.counts += np.bincount(places.ravel(), minlength=classes * _BINS).reshape(classes, -1)
        label, _, _ = self.round.stored(name)
        self.labelled[i] = np.bincount(label.ravel(), minlength=256)[:classes]
        self.pixels[i] = label.size
        valid = np.ones(label.shape, bool) if truth is None else truth != IGNORE
        given = (label != IGNORE) & valid
        self.figures[i, 0] = given.sum() / max(int(valid.sum()), 1)
        if truth is not None and valid.any():
            self.figures[i, 2] = (prediction[valid] == truth[valid]).mean()
            if given.any():
                self.figures[i, 1] = (label[given] == truth[given]).mean()

    def _identity(self) -> str:
        """Hash of everything that the figures depend on."""
        place, parts = self.round.place, []
        for path in (place.predictions, place.labels, place.folder / "thresholds.csv"):
            parts.append(fingerprint(path) if path and path.exists() else "")
        parts.append(fingerprint(self._truth.folder) if self._truth else "")
        return digest(_FORMAT, *parts)

    def _load(self) -> bool:
        try:
            with np.load(self._file) as kept:
                arrays = {name: kept[name] for name in _ARRAYS}
        except (OSError, ValueError, KeyError, EOFError):
            return False
        if any(arrays[name].shape != getattr(self, name).shape for name in _ARRAYS):
            return False
        for name, array in arrays.items():
            setattr(self, name, array)
        self._done = len(self.round.names)
        return True

    def _save(self) -> None:
        """Keep the result beside the resume points; a folder that cannot be written is no harm."""
        try:
            with replacing(self._file) as partial, partial.open("wb") as file:
                np.savez_compressed(file, **{name: getattr(self, name) for name in _ARRAYS})
        except OSError:
            return


class Scans:
    """All scans of the server, one after the other; the one asked for last goes first."""

    def __init__(self) -> None:
        self._scans: dict[int, Scan] = {}
        self._waiting: list[Scan] = []
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(1, "scan")

    def of(self, opened: Round, truth: Cache | None, phase2: Phase2, keep: Path) -> Scan:
        """The scan of a round, begun now if it was not."""
        with self._lock:
            scan = self._scans.get(id(opened))
            if scan is None or scan.round is not opened:
                scan = self._scans[id(opened)] = Scan(opened, truth, phase2, keep)
                self._waiting.append(scan)
                self._pool.submit(self._next)
            elif scan in self._waiting:
                self._waiting.remove(scan)
                self._waiting.append(scan)
            return scan

    def close(self) -> None:
        """Stop them all."""
        with self._lock:
            self._waiting.clear()
            for scan in self._scans.values():
                scan.close()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _next(self) -> None:
        with self._lock:
            scan = self._waiting.pop() if self._waiting else None
        if scan:
            scan.run()


def bin_of(log_p: np.ndarray) -> np.ndarray:
    """Bin of each -log p, from 0 (surest) to 65535: its exponent and 11 bits of its mantissa."""
    bits = np.abs(log_p).astype(np.float32).view(np.uint32) >> np.uint32(_SHIFT)
    return np.clip(bits.astype(np.int64) - _FIRST, 0, _BINS - 1)


def _edge(place: float) -> float:
    """-log p at the lower edge of a bin; the first one begins at 0."""
    if place <= 0:
        return 0.0
    return float(np.uint32((int(place) + _FIRST) << _SHIFT).view(np.float32))


def _value_at(row: np.ndarray, rank: int) -> float:
    """log p at a rank (1-based, most confident first) of one class; 0, that is λ = 1, at rank 0."""
    if rank <= 0:
        return 0.0
    below = np.cumsum(row)
    place = int(np.searchsorted(below, rank))
    inside = (rank - (int(below[place - 1]) if place else 0)) / int(row[place])
    low, high = _edge(place), _edge(place + 1)
    return -(low + inside * (high - low))
