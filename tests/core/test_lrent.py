import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tpld.core.lrent import select_lrent, soft_label


def column(*values):
    """One pixel: (K,) -> (K, 1, 1)."""
    return np.array(values, np.float32)[:, None, None]


def test_golden(golden):
    data = golden("crst_lrent19")
    bar = np.log(data["thresholds"])
    alpha = float(data["lrent_weight"])
    for p, label, soft in zip(data["probabilities"], data["labels"], data["soft"], strict=True):
        found, _ = select_lrent(np.log(p), bar, alpha)
        np.testing.assert_array_equal(found, label)
        np.testing.assert_allclose(soft_label(np.log(p), bar, alpha), soft, atol=1e-6, rtol=0)


def test_by_hand():
    """r = (0.9, 0.8, 0.1), α = 0.5: r² = (0.81, 0.64, 0.01), Z = 1.46, kept; without the second
    class Z = 0.82, not kept."""
    r, lam = np.array([0.9, 0.8, 0.1]), np.array([0.5, 0.6, 0.7])
    log_p, bar = np.log(column(*(r * lam))), np.log(lam)
    expected = np.array([0.81, 0.64, 0.01]) / 1.46
    np.testing.assert_allclose(soft_label(log_p, bar, 0.5).ravel(), expected, rtol=1e-5)
    label, excess = select_lrent(log_p, bar, 0.5)
    assert label == 0
    assert excess == pytest.approx(-0.1, abs=1e-6)
    log_p[1] = -50
    assert select_lrent(log_p, bar, 0.5)[0] == 255


maps = st.tuples(st.integers(2, 64), st.integers(0, 999), st.sampled_from([0.1, 0.25, 1.0]))


@given(maps)
def test_equals_the_printed_rule(case):
    """-Σ s log p + α Σ s log s < -Σ s log λ, and s itself, in float64."""
    num_classes, seed, alpha = case
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (num_classes, 5, 7))
    log_p = (logits - np.log(np.exp(logits).sum(0))).astype(np.float32)
    bar = np.log(rng.uniform(0.2, 1, num_classes)).astype(np.float32)
    log_r = log_p.astype(np.float64) - bar[:, None, None]
    power = np.exp(log_r / alpha)
    s = power / power.sum(0)
    log_s = log_r / alpha - np.log(power.sum(0))
    margin = (s * (log_p - alpha * log_s - bar[:, None, None])).sum(0)  # > 0: kept
    label, excess = select_lrent(log_p, bar, alpha)
    np.testing.assert_allclose(soft_label(log_p, bar, alpha), s, atol=1e-5)
    clear = np.abs(margin) > 1e-5
    np.testing.assert_array_equal((label != 255)[clear], (margin > 0)[clear])
    np.testing.assert_array_equal(label[label != 255], s.argmax(0)[label != 255])
    np.testing.assert_allclose(excess, np.expm1(log_r.max(0)), atol=1e-5)


def test_extreme_scores_stay_finite():
    log_p = np.array([[[0, -1e-8]], [[-200, -18]], [[-300, -90]]], np.float32)
    for bar in (np.zeros(3), np.array([-1e-8, -80, 0])):
        soft = soft_label(log_p, bar)
        assert np.isfinite(soft).all()
        np.testing.assert_allclose(soft.sum(0), 1, atol=1e-6)
    assert select_lrent(log_p[..., :1], np.zeros(3))[0] == 0, "a saturated class keeps its pixels"


def test_arguments_that_do_not_fit():
    with pytest.raises(ValueError, match="alpha is 0"):
        soft_label(np.zeros((2, 2, 2)), np.zeros(2), 0)
    with pytest.raises(ValueError, match="one value for each of 2"):
        select_lrent(np.zeros((2, 2, 2)), np.zeros(3))
