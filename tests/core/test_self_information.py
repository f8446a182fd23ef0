import math

import pytest
import torch

from tpld.core.self_information import adversarial_loss, discriminator_loss, self_information


def test_by_hand():
    p = torch.tensor([0.5, 0.25, 0.25, 1e-30]).view(1, 4, 1, 1)
    expected = [0.5 / 2, 0.5 / 2, 0.5 / 2, 0]  # -p log2 p = .5, .5, .5; log2 4 = 2
    got = self_information(p.log())
    torch.testing.assert_close(got.flatten(), torch.tensor(expected), atol=1e-6, rtol=0)


def test_uniform_sums_to_one_and_overconfidence_stays_finite():
    assert self_information(torch.zeros(1, 19, 1, 1)).sum().item() == pytest.approx(1, abs=1e-6)
    logits = torch.tensor([200.0, -200.0]).view(1, 2, 1, 1).requires_grad_()
    out = self_information(logits)
    out.sum().backward()
    assert (out >= 0).all() and out.isfinite().all() and logits.grad.isfinite().all()
    with pytest.raises(ValueError, match="needs 2 classes"):
        self_information(torch.zeros(1, 1, 2, 2))


def test_adversarial_losses_by_hand():
    easy, hard = torch.tensor([[2.0]]), torch.tensor([[1.0]])
    log_sigmoid = lambda x: -math.log1p(math.exp(-x))  # noqa: E731
    expected = -(log_sigmoid(2) + log_sigmoid(-1)) / 2  # easy called 1, hard called 0
    assert discriminator_loss(easy, hard).item() == pytest.approx(expected, rel=1e-6)
    assert adversarial_loss(hard).item() == pytest.approx(-log_sigmoid(1), rel=1e-6)
