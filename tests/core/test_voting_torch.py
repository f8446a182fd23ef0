"""Voting in torch against the numba kernel: every pixel of a realistic map, and odd shapes."""

import numpy as np
import pytest
import torch
from test_voting import scene

from tpld.core.mixture import candidates_from_logits
from tpld.core.voting import vote
from tpld.core.voting_torch import TensorCandidates
from tpld.core.voting_torch import vote as vote_in_torch

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


def street(size=(140, 220), classes=9, seed=0):
    """Regions with blurred borders and errors in blobs: low-resolution logits, upsampled."""
    rng = np.random.default_rng(seed)
    low = (size[0] // 8, size[1] // 8)
    truth = np.kron(rng.integers(classes, size=(6, 7)), np.ones((5, 5)))[: low[0], : low[1]]
    logits = 4.0 * (truth == np.arange(classes)[:, None, None])
    logits = np.stack([logits, logits[..., ::-1]]) + rng.normal(0, 1.2, (2, classes, *low))
    bar = np.log(rng.uniform(0.7, 0.999, classes))
    found = candidates_from_logits(logits.astype(np.float32), size, bar)
    label = np.where(found.first_excess >= 0, found.first, 255).astype(np.uint8)
    return label, found, found.first_excess


def assert_agree(case, num_classes, device, **keys):
    label, candidates, excess = case
    expected = vote(label, candidates, excess, num_classes=num_classes, **keys)
    tensors = TensorCandidates(*(torch.from_numpy(c).to(device) for c in candidates))
    seen = vote_in_torch(
        torch.from_numpy(label).to(device), tensors, torch.from_numpy(excess).to(device),
        num_classes=num_classes, **keys,
    )  # fmt: skip
    for name in ("label", "origin", "excess"):
        got = getattr(seen, name).cpu().numpy()
        np.testing.assert_array_equal(got, getattr(expected, name), err_msg=name)
    return expected


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("fresh", ["combined", "pooled"])
@pytest.mark.parametrize("pool", ["mean", "sum", "share"])
@pytest.mark.parametrize("window", [7, 57])
def test_every_pixel_of_a_realistic_map_agrees(device, pool, window, fresh):
    result = assert_agree(street(), 9, device, pool=pool, window=window, fresh=fresh)
    assert (result.origin > 1).any() or pool == "share"


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    ("num_classes", "height", "width", "density"),
    [(2, 1, 1, 0), (2, 1, 1, 1), (64, 1, 40, 0.5), (19, 23, 1, 0.3), (3, 12, 14, 0), (3, 9, 8, 1)],
)
def test_odd_shapes_agree(device, num_classes, height, width, density):
    for window, spread in ((1, 0.4), (3, 1e-6), (57, 0.4)):
        case = scene(window, num_classes, height, width, density, spread)
        assert_agree(case, num_classes, device, window=window)


def test_arguments_that_do_not_fit():
    label, candidates, excess = scene(0, 3, 4, 5, 0.5)
    tensors = TensorCandidates(*(torch.from_numpy(c) for c in candidates))
    label, excess = torch.from_numpy(label), torch.from_numpy(excess)
    with pytest.raises(ValueError, match="window is 8; expected an odd side length"):
        vote_in_torch(label, tensors, excess, num_classes=3, window=8)
    with pytest.raises(ValueError, match="shapes are"):
        vote_in_torch(label[:2], tensors, excess, num_classes=3)
    with pytest.raises(ValueError, match="a class id is 2; expected 0 to 1"):
        vote_in_torch(label, tensors, excess, num_classes=2)
    with pytest.raises(ValueError, match="label_excess is NaN"):
        vote_in_torch(torch.zeros_like(label), tensors, excess * torch.nan, num_classes=3)
