import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tpld.core.full_labels import full_label


def pixels(*columns):
    """Each argument is the r of one pixel: -> excess (K, 1, N)."""
    return np.array(columns, np.float32).T[:, None, :] - 1


def test_by_hand():
    # r = (0.8, 0.4, 0): r^2 = 0.64, 0.16, 0; and one confident pixel
    excess = pixels([0.8, 0.4, 0.0], [0.1, 1.0, 0.9])
    soft, weight = full_label(excess)
    np.testing.assert_allclose(soft[:, 0].T, [[0.8, 0.2, 0], [0, 1, 0]], atol=1e-6)
    np.testing.assert_allclose(weight, [[0.64, 1]], atol=1e-6)
    hard, weight = full_label(excess, reading="hard")
    np.testing.assert_array_equal(hard[:, 0].T, [[1, 0, 0], [0, 1, 0]])
    np.testing.assert_allclose(weight, [[0.64, 1]], atol=1e-6)
    target, weight = full_label(excess, reading="argmax")
    np.testing.assert_array_equal(target, hard)
    np.testing.assert_array_equal(weight, [[1, 1]])
    target, weight = full_label(excess, reading="sparse")
    np.testing.assert_array_equal(target, hard)
    np.testing.assert_array_equal(weight, [[0, 1]])
    soft, weight = full_label(excess, gamma=1)
    np.testing.assert_allclose(soft[:, 0, 0], [2 / 3, 1 / 3, 0], atol=1e-6)
    np.testing.assert_allclose(weight[0, 0], 0.8, atol=1e-6)


def test_hopeless_pixels_stay_finite():
    soft, weight = full_label(pixels([0, 0], [1e-6, 0]), gamma=8)
    np.testing.assert_array_equal(soft[:, 0].T, [[0.5, 0.5], [1, 0]])
    np.testing.assert_allclose(weight, 0, atol=1e-30)


@given(
    st.integers(2, 64),
    st.integers(0, 99),
    st.floats(0.1, 8),
    st.sampled_from(["soft", "hard", "argmax", "sparse"]),
)
def test_targets_are_distributions_and_the_best_class_stays_best(num_classes, seed, gamma, reading):
    rng = np.random.default_rng(seed)
    excess = rng.uniform(-1, 0.1, (num_classes, 3, 4)).astype(np.float32)
    target, weight = full_label(excess, gamma, reading)
    assert target.dtype == weight.dtype == np.float32 and weight.shape == (3, 4)
    np.testing.assert_allclose(target.sum(axis=0), 1, rtol=1e-5)
    best = np.take_along_axis(target, excess.argmax(axis=0)[None], axis=0)[0]
    np.testing.assert_array_equal(best, target.max(axis=0))
    confident = excess.max(axis=0) >= 0
    assert (best[confident] == 1).all() and (weight[confident] == 1).all()
    assert (weight <= 1).all() and (weight >= 0).all()
    if reading != "argmax":
        assert (weight[~confident] < 1).all()


def test_arguments_that_do_not_fit():
    with pytest.raises(ValueError, match="gamma is 0"):
        full_label(np.zeros((2, 1, 1)), gamma=0)
    with pytest.raises(ValueError, match="'x'; expected one of soft, hard, argmax, sparse"):
        full_label(np.zeros((2, 1, 1)), reading="x")  # pyright: ignore
    with pytest.raises(ValueError, match="K >= 2"):
        full_label(np.zeros((1, 4, 4)))
