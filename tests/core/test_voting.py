import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import vote as reference_vote

from tpld.core.selection import Candidates, select, top_two
from tpld.core.voting import fixed_point_scale, vote

U8, F32 = np.uint8, np.float32


def row(labels, excesses, firsts, seconds, first_excesses, second_excesses):
    """A one-row image."""
    return (
        np.array([labels], U8),
        Candidates(
            np.array([firsts], U8), np.array([seconds], U8),
            np.array([first_excesses], F32), np.array([second_excesses], F32),
        ),
        np.array([excesses], F32),
    )  # fmt: skip


def scene(seed, num_classes, height, width, density=0.3, spread=0.4, decimals=9):
    """`decimals` of few digits make exact ties; a large `spread` saturates the scores."""
    rng = np.random.default_rng(seed)
    excess = rng.normal(-spread, spread, (num_classes, height, width)).astype(F32).clip(-1)
    excess = excess.round(decimals)
    label = select(excess)
    label[rng.random(label.shape) > density] = 255
    return label, top_two(excess), excess.max(axis=0)


def assert_same(got, want):
    for name, a, b in zip(("label", "origin", "excess"), got, want, strict=True):
        np.testing.assert_array_equal(a, b, err_msg=name)


def test_by_hand_mean():
    # r: pixel 0 is class 1 at 1.4, pixel 2 is class 1 at 1.2; between them r = (0.5, 0.9).
    label, candidates, excess = row(
        [1, 255, 1], [0.4, 9, 0.2], [0, 0, 0], [1, 1, 1], [0, -0.1, 0], [0, -0.5, 0]
    )
    out = vote(label, candidates, excess, num_classes=2, window=3, iterations=1)
    # class 0: 0.3 * 0.9 + 0.7 * 0 = 0.27; class 1: 0.3 * 0.5 + 0.7 * 1.3 = 1.06
    assert out.label.tolist() == [[1, 1, 1]]
    assert out.origin.tolist() == [[1, 2, 1]]
    np.testing.assert_allclose(out.excess, [[0.4, 0.06, 0.2]], atol=1e-6)


@pytest.mark.parametrize(
    ("pool", "value"),
    [("mean", 0.3 * 0.5 + 0.7 * 1.3), ("sum", 0.3 * 0.5 + 0.7 * 2.6), ("share", 0)],
)
def test_by_hand_poolings(pool, value):
    # As above, and one confident pixel of class 0: share is 2.6 / 3 = 0.867, 0.757 in all: no label
    label, candidates, excess = row(
        [1, 0, 255, 1], [0.4, 0.0, 9, 0.2], [0] * 4, [1] * 4, [0, 0, -0.5, 0], [0, 0, -0.5, 0]
    )
    out = vote(label, candidates, excess, num_classes=2, window=5, iterations=1, pool=pool)
    if pool == "share":
        assert out.label[0, 2] == 255 and out.excess[0, 2] == -1
    else:
        assert out.label[0, 2] == 1
        assert out.excess[0, 2] == pytest.approx(value - 1, abs=1e-6)


def test_a_sum_lifts_a_pixel_that_no_mean_could():
    # r = 0.1 between two confident 1.1: sum 0.3 * 0.1 + 0.7 * 2.2 = 1.57; mean 0.03 + 0.77 = 0.8
    case = row([0, 255, 0], [0.1, 0, 0.1], [0] * 3, [1] * 3, [0, -0.9, 0], [-1] * 3)
    out = vote(*case, num_classes=2, window=3, iterations=1, pool="sum")
    assert out.excess[0, 1] == pytest.approx(0.57, abs=1e-6)
    assert vote(*case, num_classes=2, window=3, iterations=1).label[0, 1] == 255


def test_share_where_it_is_reached():
    label, candidates, excess = row([1, 255], [0.5, 0], [1, 1], [0, 0], [0, -0.1], [0, -1])
    out = vote(label, candidates, excess, num_classes=2, window=3, iterations=1, pool="share")
    assert out.excess[0, 1] == pytest.approx(0.3 * 0.9 + 0.7 * 1.5 / 1 - 1, abs=1e-6)


def test_second_candidate_wins_only_above_the_first():
    label, candidates, excess = row(
        [0, 255, 1], [0.5, 0, 0.5], [1, 1, 1], [0, 0, 0], [-0.1] * 3, [-0.1] * 3
    )
    assert vote(label, candidates, excess, num_classes=2, window=3).label[0, 1] == 1
    better = candidates._replace(second_excess=np.full((1, 3), -0.05, F32))
    assert vote(label, better, excess, num_classes=2, window=3).label[0, 1] == 0


def test_window_is_the_full_side_length():
    # Nearest confident pixel 3 columns away: a window of 5 ends at 2, a window of 7 reaches it.
    case = row([0, 255, 255, 255], [0.5] * 4, [0] * 4, [1] * 4, [-1, -1, -1, -0.1], [-1] * 4)
    assert vote(*case, num_classes=2, window=5, iterations=1).label[0, 3] == 255
    assert vote(*case, num_classes=2, window=7, iterations=1).label[0, 3] == 0


def test_iterations_are_synchronous():
    # Labels may only spread by one window radius an iteration.
    case = row([0] + [255] * 4, [0.5] * 5, [0] * 5, [1] * 5, [-0.01] * 5, [-1] * 5)
    out = vote(*case, num_classes=2, window=3, iterations=3)
    assert out.origin.tolist() == [[1, 2, 3, 4, 0]]
    # v of iteration 2 is the value that pixel 1 won with: 0.3 * 0.99 + 0.7 * 1.5
    first = 0.3 * -0.01 + 0.7 * 0.5
    assert out.excess[0, 2] == pytest.approx(0.3 * -0.01 + 0.7 * first, abs=1e-6)


def test_the_bar_itself_is_enough():
    case = row([0, 255], [0.0, 0], [0, 0], [1, 1], [0, 0], [-1, -1])
    assert vote(*case, num_classes=2, window=3).label[0, 1] == 0
    short = row([0, 255], [0.0, 0], [0, 0], [1, 1], [0, -1e-6], [-1, -1])
    assert vote(*short, num_classes=2, window=3).label[0, 1] == 255


def test_differences_near_one_decide():
    """All scores within 1e-7 of 1, where float32 r would tie: the sign of the mean still shows."""
    for own, expected in ((-1.0e-9, 0), (-1.0e-7, 255)):
        case = row([0, 255, 0], [1e-8, 0, 3e-8], [0] * 3, [1] * 3, [0, own, 0], [-1] * 3)
        assert vote(*case, num_classes=2, window=3).label[0, 1] == expected


def test_a_label_of_one_iteration_raises_what_the_next_can_reach():
    # No label at all: pixel 0 elects itself, 0.3 * 4 = 1.2, and then its neighbour.
    case = row([255, 255], [0, 0], [0, 0], [1, 1], [3, -0.01], [-1, -1])
    out = vote(*case, num_classes=2, window=3, iterations=3)
    assert out.origin.tolist() == [[2, 3]]
    np.testing.assert_allclose(out.excess, [[0.2, 0.3 * -0.01 + 0.7 * 0.2]], atol=1e-6)


def test_a_fresh_label_may_keep_the_value_that_elected_it():
    # r: 1.5 confident, then 0.99 twice; combined fades to 1.347 and then 1.240, v stays 1.5.
    case = row([0, 255, 255], [0.5] * 3, [0] * 3, [1] * 3, [-1, -0.01, -0.01], [-1] * 3)
    faded = vote(*case, num_classes=2, window=3)
    kept = vote(*case, num_classes=2, window=3, fresh="pooled")
    np.testing.assert_allclose(faded.excess, [[0.5, 0.347, 0.2399]], atol=1e-6)
    np.testing.assert_allclose(kept.excess, [[0.5, 0.5, 0.5]], atol=1e-6)
    assert kept.origin.tolist() == faded.origin.tolist() == [[1, 2, 3]]


@given(st.data())
def test_equals_the_reference(data):
    num_classes = data.draw(st.integers(2, 64))
    height, width = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 14))
    density = data.draw(st.sampled_from([0, 0.05, 0.5, 1]))
    spread = data.draw(st.sampled_from([0.4, 1e-6, 3e3]))
    decimals = data.draw(st.sampled_from([0, 1, 9]))
    keys = {
        "window": data.draw(st.sampled_from([1, 3, 7, 57])),
        "iterations": data.draw(st.integers(0, 3)),
        "alpha": data.draw(st.sampled_from([0.0, 0.3, 0.7, 1.0])),
        "pool": data.draw(st.sampled_from(["mean", "sum", "share"])),
        "fresh": data.draw(st.sampled_from(["combined", "pooled"])),
    }
    seed = data.draw(st.integers(0, 999))
    case = scene(seed, num_classes, height, width, density, spread, decimals)
    assert_same(vote(*case, num_classes=num_classes, **keys), reference_vote(*case, **keys))


@pytest.mark.parametrize("pool", ["mean", "sum", "share"])
def test_several_bands_equal_the_reference(pool):
    """Tall enough for more than one band of rows; high enough to win in later iterations."""
    case = scene(3, 4, 150, 21, density=0.1)
    keys = {"window": 9, "iterations": 3, "alpha": 0.7, "pool": pool}
    out = vote(*case, num_classes=4, **keys)
    assert out.origin.max() == 4  # every iteration adds something: the test tests
    assert_same(out, reference_vote(*case, **keys))


def test_the_bound_of_a_tile_takes_in_its_neighbours():
    """Far more columns than a tile has: labels at one end, of another class at the other."""
    for window in (3, 31, 63, 65, 129, 301):
        case = scene(window, 3, 3, 150, density=0.03, spread=0.2)
        case[0][:, 40:110] = 255
        keys = {"window": window, "iterations": 3, "alpha": 0.7, "pool": "mean"}
        assert_same(vote(*case, num_classes=3, **keys), reference_vote(*case, **keys))


def test_independent_of_the_number_of_threads():
    case = scene(5, 19, 300, 80)
    threads = numba.get_num_threads()
    many = vote(*case, num_classes=19, window=31)
    try:
        numba.set_num_threads(1)
        one = vote(*case, num_classes=19, window=31)
    finally:
        numba.set_num_threads(threads)
    assert (many.origin > 1).any()
    assert_same(many, one)


def test_confident_labels_never_change_and_inputs_neither():
    label, candidates, excess = scene(7, 5, 40, 50)
    before = label.copy(), excess.copy(), [a.copy() for a in candidates]
    out = vote(label, candidates, excess, num_classes=5)
    confident = label != 255
    np.testing.assert_array_equal(out.label[confident], label[confident])
    np.testing.assert_array_equal(out.excess[confident], excess[confident])
    np.testing.assert_array_equal(out.origin == 1, confident)
    np.testing.assert_array_equal(out.origin == 0, out.label == 255)
    np.testing.assert_array_equal(label, before[0])
    np.testing.assert_array_equal(excess, before[1])
    for a, b in zip(candidates, before[2], strict=True):
        np.testing.assert_array_equal(a, b)


def test_idempotent_once_nothing_qualifies():
    label, candidates, excess = scene(11, 3, 30, 30)
    settled = vote(label, candidates, excess, num_classes=3, window=5, iterations=50)
    assert settled.origin.max() < 50
    again = vote(settled.label, candidates, settled.excess, num_classes=3, window=5)
    np.testing.assert_array_equal(again.label, settled.label)
    assert again.origin.max() == 1


@pytest.mark.parametrize("density", [0, 1])
def test_none_labelled_and_all_labelled(density):
    label, candidates, excess = scene(13, 4, 6, 8)
    label = np.full_like(label, 255) if density == 0 else candidates.first
    out = vote(label, candidates, excess, num_classes=4)
    np.testing.assert_array_equal(out.label, label)
    assert (out.origin == density).all()


def test_fixed_point_cannot_overflow():
    for pixels in (1, 9, 3249, 1024 * 2048, 4095 * 8191):
        assert pixels * 4096 * fixed_point_scale(pixels) <= 2**62
        assert pixels * 4096 * fixed_point_scale(pixels) > 2**60  # and wastes no precision
    shape = (20, 30)
    label = np.zeros(shape, U8)
    label[10, 15] = 255
    candidates = Candidates(
        np.zeros(shape, U8), np.ones(shape, U8), np.full(shape, -0.5, F32), np.full(shape, -1, F32)
    )
    out = vote(label, candidates, np.full(shape, 1e30, F32), num_classes=2, pool="sum")
    assert out.excess[10, 15] == pytest.approx(0.7 * (599 * 4096 + 598) - 0.15, rel=1e-6)


def test_arguments_that_do_not_fit():
    label, candidates, excess = scene(0, 3, 4, 5)
    label[0, 0] = 1

    def call(label=label, candidates=candidates, excess=excess, num_classes=3, **keys):
        return vote(label, candidates, excess, num_classes=num_classes, **keys)

    with pytest.raises(ValueError, match="window is 8; expected an odd side length: 9"):
        call(window=8)
    with pytest.raises(ValueError, match=r"alpha is 1\.2"):
        call(alpha=1.2)
    with pytest.raises(ValueError, match="pool is 'max'; expected one of mean, sum, share"):
        call(pool="max")
    with pytest.raises(ValueError, match="iterations is 300"):
        call(iterations=300)
    with pytest.raises(ValueError, match="class ids from 0 to 2, or 255"):
        call(label=np.full((4, 5), 7, U8))
    with pytest.raises(ValueError, match="shapes differ"):
        call(label=label[:2])
    with pytest.raises(ValueError, match="label_excess is NaN"):
        call(excess=excess * np.nan)
    with pytest.raises(ValueError, match=r"candidates.second holds"):
        call(candidates=candidates._replace(second=candidates.second + U8(3)))
