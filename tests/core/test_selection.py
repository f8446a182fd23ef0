import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import select as reference_select
from reference import top_two as reference_top_two

from tpld.core.selection import (
    excess_from_probabilities,
    normalised_excess,
    select,
    select_from_logs,
    top_two,
    top_two_from_logs,
)
from tpld.core.thresholds import ConfidenceRanks, log_thresholds


def log_softmax(logits):
    """log p (K, ...), exact near 0 too: log p of the best class is -log1p of the others' sum."""
    logits = logits.astype(np.float64)
    best = logits.argmax(axis=0)[None]
    relative = logits - np.take_along_axis(logits, best, axis=0)
    others = np.exp(relative)
    np.put_along_axis(others, best, 0, axis=0)
    return (relative - np.log1p(others.sum(axis=0))).astype(np.float32)


def column(*values):
    """One pixel: (K,) -> (K, 1, 1)."""
    return np.array(values, np.float32)[:, None, None]


def test_excess_by_hand():
    p, lam = column(0.6, 0.3, 0.1), np.array([0.8, 0.3, 0.05], np.float32)
    expected = [-0.25, 0, 1]
    np.testing.assert_allclose(excess_from_probabilities(p, lam).ravel(), expected, atol=1e-6)
    np.testing.assert_allclose(
        normalised_excess(np.log(p), np.log(lam)).ravel(), expected, atol=1e-6
    )
    assert select(excess_from_probabilities(p, lam)) == 2
    assert select(excess_from_probabilities(p, lam * 3)) == 255


def test_equality_with_the_bar_selects_and_ties_go_to_the_lower_class():
    assert select(column(-0.1, 0, -0.2)) == 1
    assert select(column(-0.1, 0.5, 0.5)) == 1
    assert select(column(-0.1, np.nextafter(np.float32(0), np.float32(-1)), -1)) == 255
    tie = top_two(column(0.5, -1, 0.5, 0.5))
    assert (tie.first, tie.second) == (0, 2)


def test_top_two_by_another_rank():
    found = top_two(column(-0.5, 0.1, -0.2), rank=column(0.7, 0.1, 0.2))
    assert (found.first, found.second) == (0, 2)
    np.testing.assert_array_equal(found.first_excess.ravel(), np.float32(-0.5))
    np.testing.assert_array_equal(found.second_excess.ravel(), np.float32(-0.2))


def test_saturated_class_keeps_its_pixels():
    """λ = 1 and p = 1: the paper's strict > would lose them all."""
    log_p = column(0, -50, -60)
    assert select(normalised_excess(log_p, np.zeros(3, np.float32))) == 0


def test_far_candidates_are_ranked_although_their_excess_is_minus_one():
    log_p = column(-1e-8, -40, -30)
    assert top_two(normalised_excess(log_p, np.zeros(3))).second == 1  # r = 4e-18 and 9e-14 tie
    assert top_two_from_logs(log_p, np.zeros(3)).second == 2


maps = st.tuples(
    st.integers(2, 64), st.integers(1, 5), st.integers(1, 40), st.integers(0, 999),
    st.sampled_from([0, 1, 3]),
)  # fmt: skip


@given(maps)
def test_equals_the_reference(case):
    num_classes, height, width, seed, decimals = case
    rng = np.random.default_rng(seed)
    excess = rng.normal(-0.3, 0.5, (num_classes, height, width)).astype(np.float32)
    excess = np.round(excess, decimals)  # many ties
    np.testing.assert_array_equal(select(excess), reference_select(excess))
    found = top_two(excess)
    first, second = reference_top_two(excess)
    np.testing.assert_array_equal(found.first, first)
    np.testing.assert_array_equal(found.second, second)
    for ids, values in ((first, found.first_excess), (second, found.second_excess)):
        expected = np.take_along_axis(excess, ids[None].astype(int), axis=0)[0]
        np.testing.assert_array_equal(values, expected)


@given(maps, st.sampled_from([1, 10, 100]))
def test_fused_functions_equal_the_plain_ones(case, sharpness):
    num_classes, height, width, seed, _ = case
    rng = np.random.default_rng(seed)
    log_p = log_softmax(rng.normal(0, sharpness, (num_classes, height, width)))
    bar = np.log(rng.uniform(0.3, 1, num_classes)).astype(np.float32)
    excess = normalised_excess(log_p, bar)
    log_r = log_p - bar[:, None, None]
    label, best = select_from_logs(log_p, bar)
    np.testing.assert_array_equal(label, reference_select(log_r))
    np.testing.assert_array_equal(best, excess.max(axis=0))
    for rank_by, rank in (("normalised", log_r), ("probability", log_p)):
        fused, plain = top_two_from_logs(log_p, bar, rank_by), top_two(excess, rank=rank)
        for got, want in zip(fused, plain, strict=True):
            np.testing.assert_array_equal(got, want)


def test_overconfident_network_selects_the_wanted_portion_of_each_class():
    """Half of the pixels above p = 0.9999: p ties in float32, log p does not."""
    rng = np.random.default_rng(0)
    num_classes, shape, portion = 6, (2, 300, 600), 0.2
    logits = rng.normal(0, 1, (num_classes, *shape))
    winner = rng.integers(num_classes, size=shape)
    np.put_along_axis(logits, winner[None], rng.uniform(2, 35, (1, *shape)), axis=0)
    log_p = np.ascontiguousarray(log_softmax(logits).swapaxes(0, 1))
    prediction, confidence = log_p.argmax(axis=1).astype(np.uint8), log_p.max(axis=1)
    p = np.exp(confidence)
    assert (p > 0.9999).mean() > 0.5
    ranks = ConfidenceRanks(num_classes, portion)
    for step in (ranks.count, ranks.refine):
        for image in zip(prediction, confidence, strict=True):
            step(*image)
    result = ranks.result()
    bar = log_thresholds(result.value)
    labels = np.stack([select(normalised_excess(image, bar)) for image in log_p])
    selected = np.bincount(labels[labels != 255], minlength=num_classes)
    np.testing.assert_allclose(selected, portion * result.predicted, rtol=1e-3)
    np.testing.assert_array_equal(selected, result.selected)
    tied = [(p[prediction == k] >= np.exp(bar[k])).mean() for k in range(num_classes)]
    assert min(tied) > 1.5 * portion  # what the excess is for


def test_arguments_that_do_not_fit():
    with pytest.raises(ValueError, match="Move the class axis"):
        select(np.zeros((4, 4)))
    with pytest.raises(ValueError, match="one value for each of 3"):
        normalised_excess(np.zeros((3, 2, 2)), np.zeros(2))
    with pytest.raises(ValueError, match=r"NaN for classes \[1\].*log_thresholds"):
        normalised_excess(np.zeros((2, 2, 2)), [0, np.nan])
    with pytest.raises(ValueError, match="above 0"):
        excess_from_probabilities(np.zeros((2, 2, 2)), [0.5, 0])
    with pytest.raises(ValueError, match="rank_by is 'r'"):
        top_two_from_logs(np.zeros((2, 2, 2)), np.zeros(2), "r")  # pyright: ignore
    with pytest.raises(ValueError, match="shapes differ"):
        top_two(np.zeros((2, 2, 2)), np.zeros((2, 2, 3)))
