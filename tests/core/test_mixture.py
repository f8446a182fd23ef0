import numpy as np
import pytest
import torch

from tpld.core.mixture import log_probabilities, predict


def in_torch(logits: np.ndarray, size) -> np.ndarray:
    """float64 (K, H, W): log of the mean of the views' softmax, the mirror view flipped back."""
    views = torch.nn.functional.interpolate(
        torch.from_numpy(logits).double(), size=size, mode="bilinear", align_corners=True
    ).softmax(1)
    p = views[0] if len(views) == 1 else (views[0] + views[1].flip(-1)) / 2
    return p.log().numpy()


def draw(views, classes, h, w, spread=4.0, seed=0):
    rng = np.random.default_rng(seed)
    return (spread * rng.standard_normal((views, classes, h, w))).astype(np.float32)


@pytest.mark.parametrize("views", [1, 2])
@pytest.mark.parametrize(
    ("low", "size"),
    [
        ((4, 6), (32, 48)),
        ((5, 7), (33, 51)),  # odd
        ((4, 6), (4, 6)),  # no upsampling
        ((9, 9), (5, 4)),  # downsampling
        ((1, 1), (6, 9)),  # one pixel
        ((1, 5), (7, 20)),
        ((5, 1), (20, 1)),
        ((3, 4), (1, 1)),
    ],
)
def test_against_torch(views, low, size):
    logits = draw(views, 5, *low)
    expected = in_torch(logits, size)
    seen = log_probabilities(logits, size)
    assert seen.dtype == np.float32
    assert seen.shape == (5, *size)
    assert (seen <= 0).all()
    assert np.abs(np.exp(seen) - np.exp(expected)).max() < 1e-5
    assert np.abs(seen - expected).max() < 2e-4  # relative precision of p
    assert np.abs(np.exp(seen.astype(np.float64)).sum(0) - 1).max() < 1e-5


@pytest.mark.parametrize("views", [1, 2])
def test_predict_is_the_argmax_of_the_probabilities(views):
    logits, size = draw(views, 7, 5, 8), (37, 61)
    prediction, confidence = predict(logits, size)
    log_p = log_probabilities(logits, size)
    assert prediction.dtype == np.uint8
    assert np.array_equal(prediction, log_p.argmax(0))
    assert np.array_equal(confidence, log_p.max(0))


@pytest.mark.parametrize(
    "window", [(0, 0, 33, 51), (0, 0, 1, 1), (32, 50, 1, 1), (7, 11, 9, 30), (20, 0, 13, 51)]
)
def test_a_window_is_the_same_part_of_the_image(window):
    logits, size = draw(2, 4, 5, 7), (33, 51)
    top, left, height, width = window
    whole = log_probabilities(logits, size)
    part = log_probabilities(logits, size, top, left, height, width)
    assert np.array_equal(part, whole[:, top : top + height, left : left + width])


def test_height_and_width_of_zero_mean_the_rest():
    logits, size = draw(2, 4, 5, 7), (33, 51)
    whole = log_probabilities(logits, size)
    assert np.array_equal(log_probabilities(logits, size, 30, 40), whole[:, 30:, 40:])


def test_the_mirror_view_is_mirrored_back():
    """One view and its mirror image say the same as the view alone."""
    one = draw(1, 3, 4, 5)
    both = np.concatenate([one, one[..., ::-1]])
    assert np.allclose(
        log_probabilities(both, (16, 20)), log_probabilities(one, (16, 20)), atol=1e-4
    )
    # And without mirroring they do not.
    wrong = log_probabilities(np.concatenate([one, one]), (16, 20))
    assert np.abs(wrong - log_probabilities(one, (16, 20))).max() > 0.1


def test_views_are_averaged_as_probabilities_and_not_as_logits():
    """p = 0.8 and 0.2 make 0.5; so do logits, but 0.99 and 0.5 make 0.745 against 0.909."""
    logit = np.log([99.0, 1.0]).astype(np.float32)
    views = np.zeros((2, 2, 1, 1), np.float32)
    views[0, 0] = logit[0]
    assert np.exp(log_probabilities(views, (1, 1)))[0, 0, 0] == pytest.approx(0.745, abs=1e-6)


@pytest.mark.parametrize("views", [1, 2])
def test_confidence_does_not_saturate_at_one(views):
    """log p of a margin m between two classes is -exp(-m), where float32 p is 1 from m = 17 on."""
    margins = np.array([5.0, 16.0, 17.0, 20.0, 25.0, 30.0, 60.0], np.float32)
    logits = np.zeros((views, 2, 1, len(margins)), np.float32)
    logits[0, 0] = margins
    if views == 2:
        logits[1, 0] = margins[::-1]
    log_p = log_probabilities(logits, (1, len(margins)))[0, 0]
    assert (log_p < 0).all()
    assert (np.diff(log_p) > 0).all()
    exact = -np.log1p(np.exp(-margins.astype(np.float64)))
    assert np.allclose(log_p, exact, rtol=1e-4)
    _, confidence = predict(logits, (1, len(margins)))
    assert np.array_equal(confidence[0], log_p)


def test_ties_go_to_the_lower_class():
    prediction, confidence = predict(np.zeros((1, 4, 2, 2), np.float32), (5, 5))
    assert not prediction.any()
    assert np.allclose(np.exp(confidence), 0.25)


def test_logits_of_any_layout_and_type():
    logits = draw(2, 4, 5, 7)
    expected = log_probabilities(logits, (20, 30))
    for other in (np.asfortranarray(logits), logits.astype(np.float64), logits[:, :, ::1]):
        assert np.array_equal(log_probabilities(other, (20, 30)), expected)


def test_large_logits_do_not_overflow():
    logits = np.array([[[[6e4]], [[-6e4]]]], np.float32)
    log_p = log_probabilities(logits, (2, 2))
    assert (log_p[0] == 0).all()
    assert (log_p[1] == -np.inf).all()
