"""CRST-LRENT trains on soft labels that are computed on read (METHOD 4 and 6)."""

import numpy as np
import pytest
import torch

from tpld.config import Loss, SelfTraining
from tpld.core.losses import soft_cross_entropy
from tpld.core.lrent import soft_label
from tpld.methods import known_methods
from tpld.models.deeplabv2 import upsample
from tpld.training.self_training import RoundBatches, RoundData, RoundStep, SoftLabels

BARS = np.log(np.array([0.9, 0.8, 0.7], np.float32))
WHOLE = SelfTraining(
    batch_size=8, crop=(40, 60), scale=(1.0, 1.0), source_share=1.0, max_source_share=1.0
)


@pytest.fixture()
def make_data(folders, make_labels, make_predictions):
    """Three targets that are labelled but for their upper half, four sources."""

    def make(origin: int = 1) -> RoundData:
        target = folders.cache("target_train", ("images",))
        label = np.full((32, 48), 1, np.uint8)
        label[:16] = 255
        labels = make_labels(target.names, [label] * 3, origin)
        lrent = known_methods()["crst_lrent"]
        dump = make_predictions(target.names, (32, 48))
        soft = SoftLabels(dump, lrent(lrent.Options()), BARS)
        return RoundData(folders.cache("source_train"), target, labels, [], soft)

    return make


def either_way(seen: torch.Tensor, expected: np.ndarray) -> bool:
    """Crops may be mirrored."""
    turned = seen.flip(-1).numpy()
    return np.allclose(seen, expected, atol=1e-6) or np.allclose(turned, expected, atol=1e-6)


def test_confident_pixels_carry_the_soft_label_of_the_dump(make_data):
    data = make_data()
    batch = RoundBatches(data, WHOLE, 0, 0)[0]
    assert batch["soft_label"].shape == (8, 3, 40, 60)
    for name, soft, label in zip(batch["names"], batch["soft_label"], batch["label"], strict=True):
        if name.startswith("s"):
            one_hot = torch.stack([label == k for k in range(3)]).float()
            assert torch.equal(soft, one_hot)
            continue
        log_p = data.soft.predictions.log_probabilities(data.target.names.index(name))
        assert either_way(soft[:, 16:32, :48], soft_label(log_p, BARS)[:, 16:])
        assert not soft[:, 32:].any()


def test_what_voting_adds_has_a_one_hot_target(make_data):
    batch = RoundBatches(make_data(origin=2), WHOLE, 0, 0)[0]
    target = batch["is_target"]
    soft = batch["soft_label"][target][:, :, 16:32, :48]
    assert (soft[:, 1] == 1).all()
    assert (soft.sum(1) == 1).all()


def test_a_round_trains_on_them(make_data, make_network, runtime):
    batch = RoundBatches(make_data(), WHOLE, 0, 0)[0]
    network = make_network().train()
    valid = batch["label"] != 255
    with torch.no_grad():
        full = upsample(network(batch["image"]), (40, 60))
    per_pixel = soft_cross_entropy(full, batch["soft_label"]) * valid
    loss = Loss(beta=1.0, mrkld_weight=0.0)
    section = WHOLE.model_copy(update={"batch_norm": "train"})
    seen = RoundStep(make_network(), section, loss, BARS, runtime)(batch, 0)["loss"]
    assert seen.item() == pytest.approx((per_pixel.sum() / valid.sum()).item(), rel=1e-5)
    del batch["soft_label"]
    hard = RoundStep(make_network(), section, loss, BARS, runtime)(batch, 0)["loss"]
    assert hard.item() != pytest.approx(seen.item(), rel=1e-3)
