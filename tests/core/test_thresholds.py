import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import rank_threshold

from tpld.core.selection import excess_from_probabilities, normalised_excess, select
from tpld.core.thresholds import ConfidenceRanks, log_thresholds, mined_classes, thresholds


def ranks(predictions, confidences, num_classes, portion, every=1):
    out = ConfidenceRanks(num_classes, portion, every)
    for step in (out.count, out.refine):
        for prediction, confidence in zip(predictions, confidences, strict=True):
            step(prediction, confidence)
    return out.result()


@pytest.mark.parametrize("name", ["crst_cb19", "crst_lrent19"])
def test_golden_thresholds_and_labels(golden, name):
    data = golden(name)
    p = data["probabilities"]
    predictions, confidences = p.argmax(axis=1).astype(np.uint8), p.max(axis=1)
    result = ranks(predictions, confidences, 19, float(data["portion"]), int(data["ds_rate"]))
    lam = thresholds(result.value)
    np.testing.assert_array_equal(lam, data["thresholds"])
    np.testing.assert_array_equal(result.predicted, data["predicted_pixels"])
    np.testing.assert_array_equal(mined_classes(result.predicted), data["mine_id"])
    rare = np.argsort(result.predicted, kind="stable")[:3]
    np.testing.assert_array_equal(rare, data["rare_id"])
    if name == "crst_cb19":  # the labels of the other file are LRENT's
        labels = np.stack([select(excess_from_probabilities(image, lam)) for image in p])
        np.testing.assert_array_equal(labels, data["labels"])
        by_logs = ranks(predictions, np.log(confidences), 19, float(data["portion"]))
        log_lam = log_thresholds(by_logs.value)
        labels = np.stack([select(normalised_excess(np.log(image), log_lam)) for image in p])
        np.testing.assert_array_equal(labels, data["labels"])


def test_by_hand():
    prediction = np.array([[0, 0, 0, 0, 0, 1, 1, 1]], np.uint8)
    confidence = np.array([[0.9, 0.5, 0.8, 0.7, 0.6, 0.9, 0.9, 0.4]], np.float32)
    result = ranks([prediction], [confidence], 3, portion=0.5)
    # class 0: rank floor(2.5) = 2 of .9 .8 .7 .6 .5; class 1: rank 1 of .9 .9 .4, a tie selects 2
    np.testing.assert_array_equal(result.value, np.array([0.8, 0.9, np.nan], np.float32))
    assert result.predicted.tolist() == [5, 3, 0]
    assert result.selected.tolist() == [2, 2, 0]
    np.testing.assert_array_equal(thresholds(result.value), np.array([0.8, 0.9, 1], np.float32))


def test_a_factor_lowers_every_threshold_that_selects_pixels():
    value = np.array([np.log(0.8), np.nan, np.log(0.5)], np.float32)
    np.testing.assert_allclose(np.exp(log_thresholds(value, 0.5)), [0.4, 1, 0.25], rtol=1e-6)
    np.testing.assert_array_equal(log_thresholds(value, 1.0), log_thresholds(value))
    for factor in (0.0, -0.5, 1.5):
        with pytest.raises(ValueError, match="factor is"):
            log_thresholds(value, factor)


def test_subsampling_keeps_each_class_and_image_apart():
    prediction = np.array([[0, 1, 0, 1, 0]], np.uint8)
    confidence = np.array([[0.1, 0.5, 0.9, 0.6, 0.2]], np.float32)
    # every second pixel of class 0: .1 and .2 in each image; of class 1: .5
    result = ranks([prediction] * 2, [confidence] * 2, 2, portion=1.0, every=2)
    np.testing.assert_array_equal(result.value, np.array([0.1, 0.5], np.float32))
    assert result.predicted.tolist() == [6, 4]
    assert result.selected.tolist() == [4, 2]


LOG_P = st.floats(-100, 0, width=32)
ANY_FLOAT = st.floats(width=32, allow_nan=False) | st.sampled_from([0.0, -0.0, 1e-45, -1e-45])


@given(st.data())
def test_equals_a_sort(data):
    num_classes = data.draw(st.integers(1, 64))
    portion, every = data.draw(st.floats(0, 1)), data.draw(st.integers(1, 5))
    shapes = data.draw(st.lists(st.tuples(st.integers(1, 6), st.integers(1, 9)), max_size=3))
    floats = data.draw(st.sampled_from([LOG_P, ANY_FLOAT, st.sampled_from([-1e-8, -2e-8, 0.0])]))
    top = data.draw(st.integers(1, num_classes))  # the classes above are never predicted
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    pool = np.array(data.draw(st.lists(floats, min_size=1, max_size=30)), np.float32)
    predictions = [rng.integers(top, size=s).astype(np.uint8) for s in shapes]
    confidences = [rng.choice(pool, size=s) for s in shapes]
    if not shapes:
        assert np.isnan(ranks([], [], num_classes, portion, every).value).all()
        return
    result = ranks(predictions, confidences, num_classes, portion, every)
    expected = rank_threshold(predictions, confidences, num_classes, portion, every)
    for got, want in zip(result, expected, strict=True):
        np.testing.assert_array_equal(got, want)


def test_random_floats_near_one_and_far():
    rng = np.random.default_rng(0)
    prediction = rng.integers(7, size=(3, 40, 50)).astype(np.uint8)
    confidence = -np.exp(rng.normal(-12, 8, size=prediction.shape)).astype(np.float32)
    result = ranks(prediction, confidence, 8, portion=0.37)
    for got, want in zip(result, rank_threshold(prediction, confidence, 8, 0.37), strict=True):
        np.testing.assert_array_equal(got, want)


def test_workers_merge_to_the_same_result_in_both_passes():
    rng = np.random.default_rng(1)
    prediction = rng.integers(5, size=(4, 10, 12)).astype(np.uint8)
    confidence = rng.random(prediction.shape, dtype=np.float32)
    total, other = ConfidenceRanks(5, 0.3, 2), ConfidenceRanks(5, 0.3, 2)
    for i in range(4):
        (total if i % 2 else other).count(prediction[i], confidence[i])
    total.merge(other)
    workers = [total.fork(), total.fork(), total.fork()]  # the last one gets no image
    for i in range(4):
        workers[i % 2].refine(prediction[i], confidence[i])
    for worker in workers:
        total.merge(worker)
    for got, want in zip(total.result(), ranks(prediction, confidence, 5, 0.3, 2), strict=True):
        np.testing.assert_array_equal(got, want)


def test_the_order_of_the_images_does_not_matter():
    """With every pixel counted; with every d-th, counting starts anew in each image."""
    rng = np.random.default_rng(2)
    prediction = rng.integers(5, size=(6, 9, 11)).astype(np.uint8)
    confidence = rng.random(prediction.shape, dtype=np.float32).round(2)  # many ties
    for every in (1, 3):
        expected = ranks(prediction, confidence, 5, 0.3, every)
        order = rng.permutation(6)
        for got, want in zip(
            ranks(prediction[order], confidence[order], 5, 0.3, every), expected, strict=True
        ):
            np.testing.assert_array_equal(got, want)


def test_memory_does_not_grow_with_the_images():
    out = ConfidenceRanks(2, 0.5)
    tables = [out._upper.nbytes]
    rng = np.random.default_rng(0)
    for _ in range(3):
        out.count(np.zeros((50, 50), np.uint8), rng.random((50, 50), np.float32))
        tables.append(sum(v.nbytes for v in vars(out).values() if isinstance(v, np.ndarray)))
    assert len(set(tables[1:])) == 1 and tables[1] < 2 * tables[0]


def test_misuse_says_what_to_do():
    zero = np.zeros((2, 2), np.uint8), np.full((2, 2), 0.5, np.float32)
    out = ConfidenceRanks(2, 0.5)
    out.count(*zero)
    with pytest.raises(ValueError, match="exactly the images of count"):
        out.result()
    with pytest.raises(ValueError, match="Start a new ConfidenceRanks"):
        out.count(*zero)
    with pytest.raises(ValueError, match="merge all of pass 1"):
        out.merge(ConfidenceRanks(2, 0.5))
    with pytest.raises(ValueError, match="merge of different"):
        out.merge(ConfidenceRanks(3, 0.5))
    with pytest.raises(ValueError, match="class ids from 0 to 1"):
        out.refine(zero[0] + 2, zero[1])
    with pytest.raises(ValueError, match="NaN at 4 pixels"):
        out.refine(zero[0], zero[1] * np.nan)
    with pytest.raises(ValueError, match="shapes differ"):
        out.refine(zero[0], zero[1][:1])
    with pytest.raises(ValueError, match=r"portion is 1\.5"):
        ConfidenceRanks(2, 1.5)


def test_mined_classes_by_hand():
    assert mined_classes([9_990, 9, 1, 0]).tolist() == [1, 2, 3]  # 9 of 10 000 is under 1e-3
    assert mined_classes([9_980, 10, 10, 0]).tolist() == [3]  # exactly 1e-3 is not
    assert mined_classes([0, 0]).tolist() == []
