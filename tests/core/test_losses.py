import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from tpld.core.full_labels import full_label
from tpld.core.losses import (
    bootstrapped_cross_entropy,
    easy_loss,
    mrkld,
    self_training_loss,
    soft_cross_entropy,
)


def random_case(batch=2, classes=5, size=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(batch, classes, size, size, generator=generator) * 3
    label = torch.randint(classes, (batch, size, size), generator=generator)
    label[torch.rand(label.shape, generator=generator) < 0.4] = 255
    log_threshold = torch.rand(classes, generator=generator).log()
    return logits.requires_grad_(), label, log_threshold


def pixel(*p):
    """Logits of one pixel with the probabilities p: (1, K, 1, 1)."""
    return torch.tensor(p).log().view(1, -1, 1, 1)


def test_golden_mrkld(golden):
    data = golden("crst_loss19")
    logits = torch.tensor(data["logits"], requires_grad=True)
    weight = data["reg_weights"].max() * data["mrkld_weight"]  # both multiply: 0.01
    loss = self_training_loss(
        logits, torch.tensor(data["labels"]), torch.tensor(data["reg_weights"] > 0),
        torch.zeros(19), beta=1, mrkld_weight=float(weight),
    )  # fmt: skip
    loss.backward()
    assert loss.item() == pytest.approx(float(data["mrkld_loss"]), rel=1e-5)
    assert_gradient(logits.grad, data["mrkld_grad"])


def test_golden_soft(golden):
    data = golden("crst_loss19")
    logits = torch.tensor(data["logits"], requires_grad=True)
    soft_label, label = torch.tensor(data["soft_labels"]), torch.tensor(data["labels"])
    loss = soft_cross_entropy(logits, soft_label).sum() / (label != 255).sum()
    loss.backward()
    assert loss.item() == pytest.approx(float(data["soft_loss"]), rel=1e-5)
    assert_gradient(logits.grad, data["soft_grad"])
    again = self_training_loss(
        logits, label, torch.tensor([False, True, True]), torch.zeros(19),
        beta=1, mrkld_weight=0, soft_label=soft_label,
    )  # fmt: skip
    assert again.item() == pytest.approx(float(data["soft_loss"]), rel=1e-5)


def assert_gradient(gradient, expected):
    """1e-5 relative; entries that cancel to nearly 0 relative to the largest."""
    gradient, expected = np.asarray(gradient), np.asarray(expected)
    np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


def test_bootstrapping_by_hand():
    p, lam, beta = (0.6, 0.3, 0.1), (0.5, 0.6, 0.2), 0.8
    r = [a / b for a, b in zip(p, lam, strict=True)]  # 1.2, 0.5, 0.5
    label, log_threshold = torch.tensor([[[1]]]), torch.tensor(lam).log()

    def expected(q, of):
        y = (0, 1, 0)
        return -sum((beta * y[k] + (1 - beta) * q[k]) * math.log(of[k]) for k in range(3))

    for target, q, of in (
        ("normalised", [v / sum(r) for v in r], p),
        ("probability", p, p),
        ("printed", r, r),
    ):
        loss = bootstrapped_cross_entropy(pixel(*p), label, log_threshold, beta, target)
        assert loss.item() == pytest.approx(expected(q, of), rel=1e-5), target


def test_beta_one_is_cross_entropy_with_zeros_where_ignored():
    logits, label, log_threshold = random_case()
    loss = bootstrapped_cross_entropy(logits, label, log_threshold, beta=1)
    expected = F.cross_entropy(logits, label, ignore_index=255, reduction="none")
    torch.testing.assert_close(loss, expected)
    assert (bootstrapped_cross_entropy(logits, label, log_threshold)[label == 255] == 0).all()


@pytest.mark.parametrize("target", ["normalised", "probability", "printed"])
def test_stop_gradient(target):
    """Same value, other gradient; with q constant it is that of a fixed soft label."""
    logits, label, log_threshold = random_case()

    def gradient(stop):
        loss = bootstrapped_cross_entropy(logits, label, log_threshold, 0.5, target, stop)
        return loss, torch.autograd.grad(loss.sum(), logits)[0]

    (stopped, g_stopped), (free, g_free) = gradient(True), gradient(False)
    torch.testing.assert_close(stopped, free)
    assert (g_stopped - g_free).abs().max() > 1e-3
    if target == "normalised":
        p = logits.detach().softmax(1)
        q = p / log_threshold.exp().view(1, -1, 1, 1)
        q = q / q.sum(1, keepdim=True)
        y = F.one_hot(label.clamp(max=4), 5).permute(0, 3, 1, 2)
        wanted = (p - 0.5 * y - 0.5 * q) * (label != 255)[:, None]
        torch.testing.assert_close(g_stopped, wanted, rtol=1e-4, atol=1e-6)


def test_soft_label_and_weight_replace_the_one_hot():
    logits, label, log_threshold = random_case()
    one_hot = F.one_hot(label.clamp(max=4), 5).permute(0, 3, 1, 2).float()
    weight = torch.rand(label.shape)
    hard = bootstrapped_cross_entropy(logits, label, log_threshold)
    soft = bootstrapped_cross_entropy(
        logits, label, log_threshold, soft_label=one_hot, weight=weight
    )
    torch.testing.assert_close(soft, hard * weight)
    everywhere = bootstrapped_cross_entropy(logits, None, log_threshold, soft_label=one_hot)
    assert (everywhere > 0).all()


def test_mrkld_by_hand_and_as_label_smoothing():
    p = (0.7, 0.2, 0.1)
    value = mrkld(pixel(*p), torch.ones(1, 1, 1, dtype=torch.bool))
    assert value.item() == pytest.approx(-sum(math.log(v) for v in p) / 3, rel=1e-5)
    logits, label, log_threshold = random_case()
    mask, w = label != 255, 0.01
    ours = bootstrapped_cross_entropy(logits, label, log_threshold, 1) + w * mrkld(logits, mask)
    smooth = F.cross_entropy(
        logits, label, ignore_index=255, reduction="none", label_smoothing=w / (1 + w)
    )
    torch.testing.assert_close(ours, smooth * (1 + w))


def test_mixed_batch_normalisation():
    logits, label, log_threshold = random_case(batch=3)
    is_target = torch.tensor([False, True, True])
    valid = label != 255
    source = F.cross_entropy(logits[:1], label[:1], ignore_index=255, reduction="sum")
    adapted = bootstrapped_cross_entropy(logits[1:], label[1:], log_threshold, 0.9).sum()
    regulariser = mrkld(logits[1:], valid[1:]).sum() / valid[1:].sum()
    expected = (source + adapted) / valid.sum() + 0.1 * regulariser
    loss = self_training_loss(logits, label, is_target, log_threshold, beta=0.9, mrkld_weight=0.1)
    torch.testing.assert_close(loss, expected)


@pytest.mark.parametrize("is_target", [[True, True], [False, False]])
def test_batch_without_a_valid_pixel(is_target):
    logits, label, log_threshold = random_case()
    label[:] = 255
    loss = self_training_loss(logits, label, torch.tensor(is_target), log_threshold)
    loss.backward()
    assert loss.item() == 0 and (logits.grad == 0).all()


@pytest.mark.parametrize("target", ["normalised", "probability", "printed"])
def test_overconfident_logits_stay_finite(target):
    logits = torch.tensor([90.0, -90.0, 0.0]).view(1, 3, 1, 1).bfloat16().requires_grad_()
    label = torch.tensor([[[1]]])
    loss = self_training_loss(
        logits, label, torch.tensor([True]), torch.tensor([-30.0, 0, 0]),
        bootstrap_target=target, stop_gradient=False,
    )  # fmt: skip
    loss.backward()
    assert loss.dtype == torch.float32 and loss.isfinite() and logits.grad.isfinite().all()


@pytest.mark.parametrize("target", ["normalised", "probability"])
@pytest.mark.parametrize("beta", [1.0, 0.7])
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("on_unlabelled", [False, True])
def test_fused_losses_equal_the_tensors(monkeypatch, target, beta, soft, on_unlabelled):
    """Loss and gradient, on more pixels than one block and not a multiple of it."""
    logits, label, log_threshold = random_case(batch=3, classes=4, size=33)
    label[0, :20] = 255  # whole blocks without a label
    distribution = torch.rand(logits.shape, generator=torch.Generator().manual_seed(1))
    options = {"beta": beta, "bootstrap_target": target}
    soft_label = distribution if soft else None
    is_target = torch.tensor([True, False, True])
    unlabelled = (label == 255) & is_target.view(-1, 1, 1) if on_unlabelled else None

    def both():
        for loss in (
            self_training_loss(
                logits, label, is_target, log_threshold,
                mrkld_weight=0.1, soft_label=soft_label, unlabelled=unlabelled, **options,
            ),
            easy_loss(logits, distribution, distribution[:, 0], log_threshold, **options),
        ):  # fmt: skip
            yield loss.detach(), torch.autograd.grad(3 * loss, logits)[0]

    fused = list(both())
    monkeypatch.setattr("tpld.core.losses._can_be_fused", lambda *_: False)
    for (loss, gradient), (wanted, wanted_gradient) in zip(fused, both(), strict=True):
        assert loss.item() == pytest.approx(wanted.item(), rel=1e-5)
        assert_gradient(gradient, wanted_gradient)


@given(
    st.integers(2, 64), st.integers(1, 5), st.integers(1, 7), st.integers(0, 999),
    st.sampled_from([0, 0.5, 1]), st.sampled_from([1, 60]), st.sampled_from([0.5, 0.95, 1.0]),
)  # fmt: skip
def test_equals_the_printed_sums(classes, height, width, seed, labelled, sharpness, beta):
    """METHOD 6 pixel by pixel in float64: one source and one target crop."""
    rng = np.random.default_rng(seed)
    logits = sharpness * rng.standard_normal((2, classes, height, width)).astype(np.float32)
    label = rng.integers(classes, size=(2, height, width))
    label[rng.random(label.shape) >= labelled] = 255
    lam = rng.uniform(0.2, 1, classes).astype(np.float32)
    total, regulariser, valid, of_target = 0.0, 0.0, 0, 0
    for image, y, x in np.argwhere(label != 255):
        z, w = logits[image, :, y, x].astype(np.float64), np.eye(classes)[label[image, y, x]]
        log_p = z - z.max() - np.log(np.exp(z - z.max()).sum())
        r = np.exp(log_p) / lam
        valid += 1
        if image == 1:
            w = beta * w + (1 - beta) * r / r.sum()
            regulariser -= log_p.mean()
            of_target += 1
        total -= w @ log_p
    seen = self_training_loss(
        torch.from_numpy(logits), torch.from_numpy(label), torch.tensor([False, True]),
        torch.from_numpy(lam).log(), beta=beta, mrkld_weight=0.1,
    )  # fmt: skip
    expected = total / max(valid, 1) + 0.1 * regulariser / max(of_target, 1)
    assert seen.item() == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_fused_loss_does_not_depend_on_the_number_of_threads():
    logits, label, log_threshold = random_case(batch=2, classes=4, size=70)
    threads, seen = torch.get_num_threads(), []
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            loss = self_training_loss(logits, label, torch.tensor([True, False]), log_threshold)
            seen.append((loss.item(), torch.autograd.grad(loss, logits)[0]))
    finally:
        torch.set_num_threads(threads)
    assert all(loss == seen[0][0] and torch.equal(g, seen[0][1]) for loss, g in seen)


def test_easy_loss_is_the_mean_over_all_pixels():
    logits, _, log_threshold = random_case()
    excess = (logits.detach().softmax(1) / log_threshold.exp().view(1, -1, 1, 1) - 1).numpy()
    pairs = [full_label(image) for image in excess]
    soft, weight = (torch.tensor(np.stack(part)) for part in zip(*pairs, strict=True))
    expected = (-(soft * logits.log_softmax(1)).sum(1) * weight).sum() / weight.numel()
    torch.testing.assert_close(easy_loss(logits, soft, weight, log_threshold, beta=1), expected)


def test_arguments_that_do_not_fit():
    logits, label, log_threshold = random_case()
    with pytest.raises(ValueError, match=r"beta is 1\.5"):
        bootstrapped_cross_entropy(logits, label, log_threshold, 1.5)
    with pytest.raises(ValueError, match="target is 'r'; expected normalised, probability"):
        bootstrapped_cross_entropy(logits, label, log_threshold, target="r")  # pyright: ignore
    with pytest.raises(ValueError, match="neither label nor soft_label"):
        bootstrapped_cross_entropy(logits, None, log_threshold)
