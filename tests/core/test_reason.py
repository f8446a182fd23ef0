"""The replay of one pixel must give the numbers by which `vote` decided."""

import numpy as np
import pytest

from tpld.core.reason import explain_pixel, number
from tpld.core.selection import normalised_excess, select_from_logs, top_two_from_logs
from tpld.core.voting import vote

NAMES = ["road", "sky", "car", "tree"]


def scene(seed, height=14, width=17, classes=4):
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.6, (classes, height, width))
    log_p = (logits - np.log(np.exp(logits).sum(0))).astype(np.float32)
    log_threshold = np.log(rng.uniform(0.5, 0.9, classes)).astype(np.float32)
    label, best = select_from_logs(log_p, log_threshold)
    return log_p, log_threshold, label, best


def by_pixel(log_p, log_threshold, done, **keys):
    for y, x in np.ndindex(done.label.shape):
        yield y, x, explain_pixel(
            y, x, log_p=log_p[:, y, x], log_threshold=log_threshold, classes=NAMES,
            label=done.label, origin=done.origin, excess=done.excess, **keys,
        )  # fmt: skip


@pytest.mark.parametrize("pool", ["mean", "sum", "share"])
@pytest.mark.parametrize("rank_by", ["normalised", "probability"])
def test_every_pixel_is_explained_by_what_vote_computed(pool, rank_by):
    log_p, log_threshold, label, best = scene(0)
    keys = {"window": 3, "iterations": 3, "alpha": 0.6, "pool": pool}
    candidates = top_two_from_logs(log_p, log_threshold, rank_by)
    done = vote(label, candidates, best, num_classes=4, **keys)
    r = normalised_excess(log_p, log_threshold) + 1
    kinds = set()
    for y, x, reason in by_pixel(log_p, log_threshold, done, rank_by=rank_by, top=1, **keys):
        kinds.add(reason.kind)
        assert reason.label == (None if done.label[y, x] == 255 else done.label[y, x])
        shown = [score.class_id for score in reason.scores]
        assert len(set(shown)) == len(shown)
        for score in reason.scores:
            assert score.r == pytest.approx(r[score.class_id, y, x], rel=1e-5)
            assert score.p == pytest.approx(score.r * score.threshold, rel=1e-6)
        if reason.kind == "voted":
            assert reason.winner.class_id == reason.label
            assert reason.winner.combined - 1 == pytest.approx(done.excess[y, x], abs=1e-5)
            assert reason.iteration == done.origin[y, x] - 1
            earlier = [v for v in reason.votes if v.iteration < reason.iteration]
            assert all(v.combined < 1 for v in earlier)
        elif reason.kind == "none":
            assert len(reason.votes) == 6
            assert all(v.combined < 1 for v in reason.votes)
    assert kinds == {"none", "confident", "voted"}


def one_row():
    """Class 1 left and right of a pixel with r = (0.9, 0.5), as in test_voting by hand."""
    label = np.array([[1, 1, 1]], np.uint8)
    origin = np.array([[1, 2, 1]], np.uint8)
    excess = np.array([[0.4, 0.06, 0.2]], np.float32)
    p = np.array([0.36, 0.3, 0.2, 0.14], np.float32)
    return label, origin, excess, np.log(p), np.log(np.array([0.4, 0.6, 0.9, 0.9], np.float32))


def test_a_vote_by_hand():
    label, origin, excess, log_p, log_threshold = one_row()
    keys = {"log_p": log_p, "log_threshold": log_threshold, "classes": NAMES, "window": 3,
            "iterations": 1}  # fmt: skip
    reason = explain_pixel(0, 1, label=label, origin=origin, excess=excess, **keys)
    assert reason.sentence == (
        "Voted sky in iteration 1 from 2 of 3 neighbours (0.3 × 0.50 + 0.7 × 1.30 = 1.06)."
    )
    assert [(s.name, round(s.r, 4)) for s in reason.scores[:2]] == [("road", 0.9), ("sky", 0.5)]
    lost = reason.votes[0]
    assert (lost.name, lost.neighbours, lost.pooled) == ("road", 0, 0)
    assert lost.combined == pytest.approx(0.27)
    confident = explain_pixel(0, 0, label=label, origin=origin, excess=excess, **keys)
    assert confident.kind == "confident"
    assert confident.votes == ()
    assert "stays under 1, but the method keeps" in confident.sentence  # as LRENT may


def test_labels_of_later_iterations_do_not_count_yet():
    label, origin, excess, log_p, log_threshold = one_row()
    origin[0] = [1, 3, 2]
    reason = explain_pixel(
        0, 1, log_p=log_p, log_threshold=log_threshold, label=label, origin=origin, excess=excess,
        classes=NAMES, window=3, iterations=3,
    )  # fmt: skip
    assert reason.iteration == 2
    assert [v.neighbours for v in reason.votes if v.name == "sky"] == [1, 2]


@pytest.mark.parametrize(
    ("iterations", "sentence"),
    [
        (0, "None: the best class, road, has r = 0.90, which is under 1."),
        (1, "None: the best class, road, has r = 0.90, and none of 1 neighbours is labelled road"
            " or sky."),
    ],
)  # fmt: skip
def test_words_for_a_pixel_without_label(iterations, sentence):
    _, _, _, log_p, log_threshold = one_row()
    reason = explain_pixel(
        0, 0, log_p=log_p, log_threshold=log_threshold, classes=NAMES, iterations=iterations,
        label=np.array([[255]], np.uint8), origin=np.zeros((1, 1), np.uint8),
        excess=np.zeros((1, 1), np.float32),
    )  # fmt: skip
    assert reason.sentence == sentence
    assert reason.label is None


@pytest.mark.parametrize(
    ("reading", "end"),
    [("soft", "its weight in the loss is r^2 = 0.81."), ("argmax", "its weight in the loss is 1."),
     ("sparse", "its weight in the loss is 0.")],
)  # fmt: skip
def test_words_for_a_full_label(reading, end):
    _, _, _, log_p, log_threshold = one_row()
    reason = explain_pixel(
        0, 0, log_p=log_p, log_threshold=log_threshold, classes=NAMES, full_label=reading,
        label=np.array([[0]], np.uint8), origin=np.array([[254]], np.uint8),
        excess=np.zeros((1, 1), np.float32),
    )  # fmt: skip
    assert (reason.kind, reason.iteration) == ("full", 0)
    assert reason.sentence.endswith(end)


def test_a_pixel_outside_is_refused():
    label, origin, excess, log_p, log_threshold = one_row()
    with pytest.raises(ValueError, match=r"\(y, x\) = \(1, 0\) is outside"):
        explain_pixel(
            1, 0, log_p=log_p, log_threshold=log_threshold, classes=NAMES, label=label,
            origin=origin, excess=excess,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("value", "text"), [(0.934, "0.93"), (0.9997, "0.9997"), (1.0, "1.00"), (1.004, "1.004")]
)
def test_numbers_show_the_side_of_the_bar(value, text):
    assert number(value) == text
