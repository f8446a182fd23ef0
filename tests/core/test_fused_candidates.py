"""candidates_from_logits against the two steps that it fuses, and the 2^x below both."""

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tpld.core.fastmath import exp2_negative
from tpld.core.mixture import candidates_from_logits, log_probabilities, predict
from tpld.core.selection import select_from_logs, top_two_from_logs
from tpld.core.thresholds import ConfidenceRanks, log_thresholds


def draw(views, classes, h, w, sharpness, seed):
    rng = np.random.default_rng(seed)
    return (sharpness * rng.standard_normal((views, classes, h, w))).astype(np.float32)


def own_thresholds(logits, size, portion):
    """log λ of the image's own confidences: one pixel of each class lies exactly at the bar."""
    ranks = ConfidenceRanks(logits.shape[1], portion)
    ranks.count(*predict(logits, size))
    ranks.refine(*predict(logits, size))
    result = ranks.result()
    return log_thresholds(result.value), result


def assert_same_decisions(found, log_p, bar, rank_by):
    """Classes and signs agree, except where r of two classes agree to 4e-6."""
    expected = top_two_from_logs(log_p, bar, rank_by)
    rank = np.sort(log_p - bar[:, None, None] if rank_by == "normalised" else log_p, axis=0)
    tied = np.zeros(rank.shape[1:], bool)
    for below in range(1, min(3, len(rank))):
        near = rank[-below - 1] >= rank[-below] - 4e-6
        tied |= near | np.isneginf(rank[-below])
    for name in ("first", "second"):
        same = getattr(found, name) == getattr(expected, name)
        assert (same | tied).all(), name
        got, want = (getattr(of, f"{name}_excess") for of in (found, expected))
        np.testing.assert_array_equal((got >= 0)[same], (want >= 0)[same])
        np.testing.assert_allclose(got[same], want[same], rtol=1e-5, atol=1e-6)
    return tied


@given(st.data())
def test_equals_the_two_steps(data):
    views, classes = data.draw(st.integers(1, 2)), data.draw(st.sampled_from([2, 3, 19, 64]))
    low = data.draw(st.sampled_from([(1, 1), (1, 5), (3, 4), (9, 40)]))
    size = data.draw(st.sampled_from([(1, 1), (1, 129), (66, 3), (17, 128), (5, 4)]))
    sharpness = data.draw(st.sampled_from([0.1, 3.0, 15.0, 60.0]))
    logits = draw(views, classes, *low, sharpness, data.draw(st.integers(0, 99)))
    bar, _ = own_thresholds(logits, size, data.draw(st.sampled_from([0.2, 0.5, 1.0])))
    rank_by = data.draw(st.sampled_from(["normalised", "probability"]))
    found = candidates_from_logits(logits, size, bar, rank_by)
    assert_same_decisions(found, log_probabilities(logits, size), bar, rank_by)


@pytest.mark.parametrize("sharpness", [4.0, 40.0])
def test_confident_labels_select_the_wanted_portion(sharpness):
    """Also of an overconfident network: half of its pixels have p > 0.9999."""
    logits, size = draw(2, 6, 20, 30, sharpness, 3), (150, 250)
    logits[1] = logits[0, ..., ::-1]
    bar, result = own_thresholds(logits, size, 0.3)
    log_p = log_probabilities(logits, size)
    assert (np.exp(log_p.max(0)) > 0.9999).mean() > (0.5 if sharpness == 40 else -1)
    found = candidates_from_logits(logits, size, bar)
    label = np.where(found.first_excess >= 0, found.first, 255)
    np.testing.assert_array_equal(label, select_from_logs(log_p, bar)[0])
    predicted, _ = predict(logits, size)
    reached = [((predicted == k) & (log_p[k] >= bar[k])).sum() for k in range(6)]
    np.testing.assert_allclose(reached, 0.3 * result.predicted, rtol=1e-3, atol=1)


def test_ties_go_to_the_lower_class_and_a_saturated_class_keeps_its_pixels():
    found = candidates_from_logits(np.zeros((1, 4, 2, 2), np.float32), (5, 5), np.zeros(4))
    assert (found.first == 0).all() and (found.second == 1).all()
    np.testing.assert_allclose(found.first_excess, -0.75, atol=1e-6)
    certain = np.array([[[[200.0]], [[0.0]], [[0.0]]]], np.float32)
    found = candidates_from_logits(certain, (3, 3), np.zeros(3))  # p = 1 and λ = 1
    assert (found.first == 0).all() and (found.first_excess == 0).all()


def test_the_number_of_threads_changes_nothing():
    logits, size, bar = draw(2, 5, 9, 11, 4.0, 0), (200, 300), np.full(5, -0.5)
    threads = numba.get_num_threads()
    many = candidates_from_logits(logits, size, bar)
    try:
        numba.set_num_threads(1)
        one = candidates_from_logits(logits, size, bar)
    finally:
        numba.set_num_threads(threads)
    for a, b in zip(many, one, strict=True):
        np.testing.assert_array_equal(a, b)


def test_arguments_that_do_not_fit():
    logits = np.zeros((1, 3, 2, 2), np.float32)
    with pytest.raises(ValueError, match="one value for each of 3"):
        candidates_from_logits(logits, (4, 4), np.zeros(2))
    with pytest.raises(ValueError, match="log_threshold holds -70"):
        candidates_from_logits(logits, (4, 4), [-70, 0, 0])
    with pytest.raises(ValueError, match="rank_by is 'r'"):
        candidates_from_logits(logits, (4, 4), np.zeros(3), "r")  # pyright: ignore


def test_two_to_the_power_of_x():
    @numba.njit
    def evaluate(x):
        out = np.empty_like(x)
        for i in range(len(x)):
            out[i] = exp2_negative(x[i])
        return out

    x = np.concatenate([-np.geomspace(1e-9, 126, 50_000), np.arange(-126.0, 1)]).astype(np.float32)
    np.testing.assert_allclose(evaluate(x), np.exp2(x.astype(np.float64)), rtol=1.5e-7)
    whole = np.arange(-126, 1).astype(np.float32)
    np.testing.assert_array_equal(evaluate(whole), np.exp2(whole))
    assert not evaluate(np.array([-126.5, -1e4, -np.inf], np.float32)).any()
