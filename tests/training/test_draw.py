"""Streams of images: every image once an epoch, every domain as often as its weight says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tpld.data.cache import Group
from tpld.training.draw import Stream, among, scaled, shuffled_index


def groups_of(*parts: tuple[int, float]) -> list[Group]:
    """Groups of some images each, numbered one after the other."""
    first, found = 0, []
    for count, weight in parts:
        found.append(Group(np.arange(first, first + count), weight))
        first += count
    return found


@pytest.mark.parametrize("weight", [1.0, 7.5])
def test_one_domain_is_the_permutation_of_before(weight):
    stream = Stream(groups_of((13, weight)), seed=4)
    assert [stream[i] for i in range(60)] == [shuffled_index(i, 13, 4) for i in range(60)]


shares = st.lists(st.tuples(st.integers(1, 40), st.floats(0.01, 50)), min_size=2, max_size=5)


@settings(max_examples=10, deadline=None)
@given(shares, st.integers(0, 2**31 - 1))
def test_every_thousand_draws_keep_the_weights(parts, seed):
    groups = groups_of(*parts)
    stream = Stream(groups, seed)
    drawn = np.array([stream[i] for i in range(1000, 2000)])
    weights = np.array([group.weight for group in groups])
    for group, share in zip(groups, weights / weights.sum(), strict=True):
        count = int(np.isin(drawn, group.images).sum())
        assert count >= 1
        assert abs(count - 1000 * share) <= len(groups)


def test_each_domain_is_drawn_through_before_an_image_comes_again():
    groups = groups_of((5, 1), (30, 3))
    stream = Stream(groups, seed=0)
    drawn = [stream[i] for i in range(4000)]
    for group in groups:
        mine = [i for i in drawn if i in group.images]
        whole = len(mine) // len(group.images) * len(group.images)
        epochs = np.array(mine[:whole]).reshape(-1, len(group.images))
        assert (np.sort(epochs, axis=1) == group.images).all()
        assert len({tuple(epoch) for epoch in epochs.tolist()}) > 1


def test_domains_are_mixed_and_seeds_differ():
    groups = groups_of((10, 1), (10, 1))
    streams = [[Stream(groups, seed)[i] for i in range(40)] for seed in (1, 2)]
    assert streams[0] != streams[1]
    assert len({i >= 10 for i in streams[0][:12]}) == 2


def test_a_domain_without_images_has_no_part():
    groups = groups_of((4, 1), (0, 9), (4, 1))
    stream = Stream(groups, seed=3)
    assert {stream[i] for i in range(100)} == set(range(8))
    assert [round(group.weight, 6) for group in scaled(groups, 10)] == [5, 5]
    with pytest.raises(ValueError, match="at least one image"):
        Stream(groups_of((0, 1)), seed=0)


def test_among_keeps_the_order_that_is_given():
    picked = among(groups_of((4, 1), (4, 2)), np.array([6, 1, 5, 0]))
    assert [group.images.tolist() for group in picked] == [[1, 0], [6, 5]]
    assert [group.weight for group in picked] == [1, 2]
