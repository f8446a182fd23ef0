"""The controls of voting against their definition, on a few random images."""

import numpy as np
import pytest

from tpld.core.selection import select_from_logs
from tpld.core.thresholds import ConfidenceRanks, log_thresholds
from tpld.study.controls import LoweredCurve, PortionCurve, accuracy_at

K, SHAPE, PORTIONS = 4, (40, 50), [0.1, 0.5, 1.0]


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    found = []
    for _ in range(3):
        logits = 2 * rng.normal(size=(K, *SHAPE))
        log_p = (logits - np.log(np.exp(logits).sum(0))).astype(np.float32)
        truth = rng.integers(0, K, SHAPE).astype(np.uint8)
        truth = np.where(rng.random(SHAPE) < 0.6, log_p.argmax(0), truth).astype(np.uint8)
        truth[:3] = 255
        found.append((log_p, truth))
    return found


def ranks_of(images) -> ConfidenceRanks:
    ranks = ConfidenceRanks(K, PORTIONS[0])
    for log_p, _ in images:
        ranks.count(log_p.argmax(0).astype(np.uint8), log_p.max(0))
    return ranks


def portion_curve(images) -> PortionCurve:
    curve = PortionCurve(ranks_of(images), PORTIONS, 1)
    for log_p, _ in images:
        curve.refine(log_p.argmax(0).astype(np.uint8), log_p.max(0))
    for log_p, truth in images:
        curve.add(log_p, truth)
    return curve


def sorted_bars(images, portion: float) -> np.ndarray:
    """log λ by METHOD 3's own words: sort, and take a rank."""
    best = np.concatenate([log_p.max(0).ravel() for log_p, _ in images])
    winner = np.concatenate([log_p.argmax(0).ravel() for log_p, _ in images])
    ranked = [np.sort(best[winner == k])[::-1] for k in range(K)]
    return np.array([v[int(len(v) * portion) - 1] for v in ranked], np.float32)


def counted(images, labels) -> tuple[float, float]:
    """Density and accuracy in percent of a label map an image."""
    label = np.concatenate([found.ravel() for found in labels])
    truth = np.concatenate([true.ravel() for _, true in images])
    valid = truth != 255
    known = (label != 255) & valid
    return 100 * known.sum() / valid.sum(), 100 * (label == truth)[known].mean()


def test_a_larger_portion_is_the_selection_at_that_portion(images):
    table = portion_curve(images).table()
    for line in table.itertuples():
        bars = sorted_bars(images, line.portion)
        labels = [select_from_logs(log_p, bars)[0] for log_p, _ in images]
        assert (line.density, line.accuracy) == pytest.approx(counted(images, labels))
    assert table["density"].is_monotonic_increasing
    assert table["density"].iloc[-1] == pytest.approx(100)


def test_lowered_thresholds_label_where_r_reaches_the_factor(images):
    bars = sorted_bars(images, PORTIONS[0])
    lowered = LoweredCurve(bars)
    for log_p, truth in images:
        lowered.add(log_p, truth)
    table = lowered.table()
    for factor in (1.0, 0.7, 0.4):
        labels = []
        for log_p, _ in images:
            log_r = log_p - bars[:, None, None]
            labels.append(np.where(log_r.max(0) >= np.log(factor), log_r.argmax(0), 255))
        density, accuracy = counted(images, labels)
        assert accuracy_at(table, density) == pytest.approx(accuracy, abs=1.0)
    for line in table.iloc[[10, 40]].itertuples():  # what key thresholds.factor makes of it
        bars_there = log_thresholds(bars, line.factor)
        labels = [select_from_logs(log_p, bars_there)[0] for log_p, _ in images]
        assert (line.density, line.accuracy) == pytest.approx(counted(images, labels), abs=0.2)
    first = [select_from_logs(log_p, bars)[0] for log_p, _ in images]
    assert tuple(table.loc[0, ["density", "accuracy"]]) == pytest.approx(counted(images, first))
    assert table["density"].iloc[-1] == pytest.approx(100)


def test_beyond_its_ends_a_curve_says_nothing(images):
    table = portion_curve(images).table()
    low, high = table["density"].iloc[[0, -1]]
    assert accuracy_at(table, low) == table["accuracy"].iloc[0]
    assert np.isnan(accuracy_at(table, low - 1)) and np.isnan(accuracy_at(table, high + 1))
    middle = accuracy_at(table, (table["density"][0] + table["density"][1]) / 2)
    assert middle == pytest.approx(table["accuracy"][:2].mean())
