"""Losses of METHOD 10, worked by hand on maps of 2x2 pixels and two classes."""

import math

import pytest
import torch

from tpld.core.adversarial import (
    damping,
    entropy_loss,
    local_weight,
    probabilities,
    weight_discrepancy,
    weighted_adversarial_loss,
)
from tpld.methods import known_methods

FIRST = [[0.5, 0.9], [0.8, 1 - 1e-9]]


def logits_of(p: list[list[float]]) -> torch.Tensor:
    """Two classes of probabilities p and 1 - p: (1, 2, 2, 2)."""
    first = torch.tensor(p, dtype=torch.float64)
    return torch.stack([first.log(), (1 - first).log()])[None].float()


def entropy(p: float) -> float:
    return -sum(v * math.log2(v) for v in (p, 1 - p))


def bce(score: float, called: int) -> float:
    return math.log1p(math.exp(-score if called else score))


def test_probabilities_and_entropy():
    logits = logits_of(FIRST)
    assert probabilities(logits)[0, 0].flatten().tolist() == pytest.approx([0.5, 0.9, 0.8, 1])
    expected = (1 + entropy(0.9) + entropy(0.8) + 0) / 4  # log2 K is 1
    assert entropy_loss(logits).item() == pytest.approx(expected, rel=1e-5)


def test_the_local_weight_grows_with_disagreement():
    first, second = logits_of([[0.5, 0.9], [0.8, 0.6]]), logits_of([[0.5, 0.1], [0.8, 0.8]])
    cosines = [
        1,
        2 * 0.9 * 0.1 / (0.9**2 + 0.1**2),
        1,
        (0.6 * 0.8 + 0.4 * 0.2) / math.sqrt((0.6**2 + 0.4**2) * (0.8**2 + 0.2**2)),
    ]
    weight = local_weight(first.requires_grad_(), second, 0.4, 40)
    assert weight.shape == (1, 2, 2)
    assert weight.flatten().tolist() == pytest.approx(
        [0.4 + 40 * (1 - c) for c in cosines], rel=1e-4
    )
    assert not weight.requires_grad


def test_the_weighed_loss_is_a_mean_over_pixels():
    scores = torch.tensor([[[[1.0, -2.0], [0.5, 0.0]]]])
    weight = torch.tensor([[[0.4, 2.0], [0.0, 1.0]]])
    for called in (0, 1):
        expected = (0.4 * bce(1, called) + 2 * bce(-2, called) + bce(0, called)) / 4
        found = weighted_adversarial_loss(scores, weight, called)
        assert found.item() == pytest.approx(expected, rel=1e-6)
    plain = sum(bce(s, 1) for s in (1, -2, 0.5, 0)) / 4
    assert weighted_adversarial_loss(scores, None, 1).item() == pytest.approx(plain, rel=1e-6)
    one = weighted_adversarial_loss(torch.tensor([[[[1.0]]]]), weight, 1)  # brought to 2x2
    assert one.item() == pytest.approx(3.4 * bce(1, 1) / 4, rel=1e-6)


def test_discrepancy_and_damping():
    first, second = torch.tensor([3.0, 4.0]), torch.tensor([4.0, 3.0])
    assert weight_discrepancy(first, second).item() == pytest.approx(24 / 25)
    assert weight_discrepancy(first, -first).item() == pytest.approx(-1)
    assert [damping(p) for p in (0, 0.25, 1)] == [1, 0.75, 0]
    with pytest.raises(ValueError, match=r"progress is 1\.5"):
        damping(1.5)


# --- the methods on them ----------------------------------------------------------------------


class Judge(torch.nn.Module):
    """Scores: how much surer class 0 is than class 1."""

    def forward(self, maps):
        return maps[:, :1] - maps[:, 1:]


def recipe(name: str):
    made = known_methods()[name]
    return made(made.Options())


def test_adaptsegnet_by_hand():
    main, auxiliary = logits_of([[0.5, 0.9], [0.8, 0.6]]), logits_of([[0.9] * 2] * 2)
    scores = [0, 0.8, 0.6, 0.2]
    made = recipe("adaptsegnet")
    assert made.source_weights() == [1, 0.1]
    terms = made.align([main, auxiliary], [Judge(), Judge()], [], 0.5)
    fooled = sum(bce(s, 1) for s in scores) / 4
    assert terms["adversarial"].item() == pytest.approx(0.001 * fooled + 0.0002 * bce(0.8, 1))
    told = made.judge([main, auxiliary], [auxiliary, main], [Judge(), Judge()], 0.5).item()
    other = sum(bce(s, 0) for s in scores) / 4
    assert told == pytest.approx((fooled + bce(0.8, 0)) / 2 + (bce(0.8, 1) + other) / 2)


def test_advent_shows_self_information_to_its_discriminators():
    logits = logits_of([[0.9] * 2] * 2)
    score = -0.9 * math.log2(0.9) + 0.1 * math.log2(0.1)
    terms = recipe("advent").align([logits, logits], [Judge(), Judge()], [], 0.5)
    assert terms["adversarial"].item() == pytest.approx(0.0012 * bce(score, 1), rel=1e-5)


def test_minent_by_hand():
    sure, unsure = logits_of([[0.9] * 2] * 2), logits_of([[0.5] * 2] * 2)
    terms = recipe("minent").align([sure, unsure], [], [], 0.5)
    assert terms["entropy"].item() == pytest.approx(0.001 * entropy(0.9) + 0.0002, rel=1e-5)


def test_clan_by_hand():
    first, second = logits_of([[0.9] * 2] * 2), logits_of([[0.1] * 2] * 2)
    made, heads = recipe("clan"), [torch.tensor([3.0, 4.0]), torch.tensor([4.0, 3.0])]
    weight = 0.4 + 40 * (1 - 0.18 / 0.82)
    late = made.align([first, second], [Judge()], heads, 0.5)  # their sum is undecided: score 0
    assert late["adversarial"].item() == pytest.approx(0.5 * 0.001 * weight * math.log(2), rel=1e-4)
    assert late["discrepancy"].item() == pytest.approx(0.5 * 0.01 * 0.96)
    early = made.align([first, second], [Judge()], heads, 0.04)
    assert early["adversarial"].item() == pytest.approx(0.96 * 0.001 * math.log(2), rel=1e-4)
    told = made.judge([first, second], [first, second], [Judge()], 0.5).item()
    assert told == pytest.approx((1 + weight) * math.log(2) / 2, rel=1e-4)
