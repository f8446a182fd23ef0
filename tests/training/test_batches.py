import dataclasses

import numpy as np
import pytest
import torch

from tpld.config import Jitter, Phase2, SelfTraining, SourceTraining
from tpld.core.full_labels import full_label
from tpld.core.selection import normalised_excess
from tpld.data.normalise import normalise
from tpld.errors import TrainingError
from tpld.training.draw import shuffled_index
from tpld.training.phase2 import Phase2Batches, Phase2Data
from tpld.training.self_training import RoundBatches, RoundData, draw_source_subset
from tpld.training.source import SourceBatches

JITTER = Jitter(brightness=0.3, noise=0.02)
SOURCE = SourceTraining(
    steps=50, batch_size=3, crop=(16, 24), scale=(0.5, 1.5), batch_norm="train", jitter=JITTER
)
ROUND = SelfTraining(
    batch_size=4,
    epochs=2,
    crop=(16, 24),
    scale=(0.5, 1.5),
    source_share=0.5,
    max_source_share=1,
    jitter=JITTER,
)
BARS = np.log(np.array([0.9, 0.8, 0.7], np.float32))


# --- order ------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 7, 50])
def test_each_epoch_visits_each_image_once(count):
    for epoch in range(3):
        seen = [shuffled_index(epoch * count + i, count, seed=5) for i in range(count)]
        assert sorted(seen) == list(range(count))


def test_epochs_and_seeds_differ_in_order():
    orders = {
        tuple(shuffled_index(epoch * 20 + i, 20, seed) for i in range(20))
        for epoch in range(3)
        for seed in range(3)
    }
    assert len(orders) == 9


# --- source -----------------------------------------------------------------------------------


def test_a_source_batch_is_a_function_of_seed_and_step(folders, same_batch):
    cache = folders.cache("source_train")
    batches = SourceBatches(cache, SOURCE, 7)
    later = batches[31]
    [batches[t] for t in (3, 30, 0)]
    torch.manual_seed(99)
    np.random.seed(99)  # noqa: NPY002
    assert same_batch(batches[31], later)
    assert same_batch(SourceBatches(folders.cache("source_train"), SOURCE, 7)[31], later)
    assert not same_batch(batches[32], later)
    assert not same_batch(SourceBatches(cache, SOURCE, 8)[31], later)


def test_the_shape_of_a_source_batch(folders):
    batch = SourceBatches(folders.cache("source_train"), SOURCE, 0)[0]
    assert set(batch) == {"image", "label", "names"}
    assert batch["image"].shape == (3, 3, 16, 24)
    assert batch["label"].shape == (3, 16, 24)
    assert batch["label"].dtype == torch.int64
    assert set(batch["label"].unique().tolist()) <= {0, 1, 2, 255}
    assert set(batch["names"]) <= {"s0", "s1", "s2", "s3"}


def test_source_batches_go_through_the_images_in_turn(folders):
    batches = SourceBatches(folders.cache("source_train"), SOURCE, 0)
    names = [name for t in range(4) for name in batches[t]["names"]]
    for start in (0, 4, 8):
        assert sorted(names[start : start + 4]) == ["s0", "s1", "s2", "s3"]


# --- rounds -----------------------------------------------------------------------------------


def test_the_source_subset_grows_by_share_and_is_drawn_without_replacement():
    section = SelfTraining(source_share=0.03, source_share_step=0.0025, max_source_share=0.06)
    sizes = []
    for r in (0, 1, 5, 12, 40):
        subset = draw_source_subset(1000, r, section, 0)
        assert len(set(subset.tolist())) == len(subset)
        assert subset.min() >= 0
        assert subset.max() < 1000
        sizes.append(len(subset))
    assert sizes == [30, 32, 42, 60, 60]  # 32.5 rounds to even
    assert len(draw_source_subset(3, 0, section, 0)) == 1  # never none


def test_the_source_subset_changes_with_round_and_seed_and_nothing_else():
    section = SelfTraining(source_share=0.1, source_share_step=0)
    drawn = {
        (seed, r): tuple(draw_source_subset(200, r, section, seed))
        for seed in range(3)
        for r in range(3)
    }
    assert len(set(drawn.values())) == 9
    assert tuple(draw_source_subset(200, 2, section, 1)) == drawn[1, 2]
    everything = section.model_copy(update={"source_share": 1.0, "max_source_share": 1.0})
    assert draw_source_subset(5, 0, everything, 0).tolist() == [0, 1, 2, 3, 4]


@pytest.fixture()
def round_data(folders, make_labels):
    target = folders.cache("target_train", ("images",))
    truth = folders.cache("target_train", ("labels",))
    labels = make_labels(target.names, [truth.label(i).copy() for i in range(len(target))])
    return RoundData(folders.cache("source_train"), target, labels, [])


def test_a_round_batch_is_a_function_of_seed_round_and_step(round_data, same_batch):
    batches = RoundBatches(round_data, ROUND, 1, 7)
    last = batches[2]
    batches[0]
    torch.manual_seed(99)
    assert same_batch(batches[2], last)
    assert same_batch(RoundBatches(round_data, ROUND, 1, 7)[2], last)
    assert not same_batch(RoundBatches(round_data, ROUND, 2, 7)[2], last)
    assert not same_batch(RoundBatches(round_data, ROUND, 1, 8)[2], last)


def test_a_round_visits_all_targets_and_the_source_subset_in_each_epoch(round_data):
    """3 targets, half of 4 sources: 5 crops an epoch; 2 epochs by 4 are 2.5, so 2 steps."""
    batches = RoundBatches(round_data, ROUND, 0, 3)
    assert batches.steps == len(batches) == 2
    subset = draw_source_subset(4, 0, ROUND, 3)
    wanted = sorted(["t0", "t1", "t2", *(f"s{i}" for i in subset)])
    drawn = [batches[t] for t in range(3)]
    names = [name for batch in drawn for name in batch["names"]]
    assert sorted(names[:5]) == wanted
    assert sorted(names[5:10]) == wanted
    of_target = [flag for batch in drawn for flag in batch["is_target"].tolist()]
    assert of_target == [name.startswith("t") for name in names]


def test_even_one_image_gives_a_step(round_data):
    section = ROUND.model_copy(update={"epochs": 0.01})
    assert RoundBatches(round_data, section, 0, 0).steps == 1


def test_targets_carry_pseudo_labels_and_padding_is_marked(round_data, folders, make_labels):
    everywhere_sky = [np.full((32, 48), 2, np.uint8)] * 3
    data = RoundData(
        round_data.source,
        round_data.target,
        make_labels(round_data.target.names, everywhere_sky),
        [],
    )
    section = ROUND.model_copy(update={"crop": (40, 60), "scale": (0.5, 1.0)})
    for step in range(2):
        batch = RoundBatches(data, section, 0, 0)[step]
        assert batch["inside"].shape == batch["label"].shape == (4, 40, 60)
        assert (~batch["inside"]).flatten(1).any(1).all()  # each crop is larger than its image
        assert (batch["label"][~batch["inside"]] == 255).all()
        target = batch["is_target"]
        assert (batch["label"][target][batch["inside"][target]] == 2).all()
        assert (batch["label"][~target] != 2).any()


def test_a_mined_crop_holds_the_mined_class(folders, round_data, make_labels):
    """One image of 96x96 with a car of 6x6 pixels, which crops of 16x16 mostly miss."""
    label = np.zeros((96, 96), np.uint8)
    label[70:76, 11:17] = 1
    for name in ("t0", "t1", "t2"):
        folders.add("target", name, label)
    target = folders.cache("target_train", ("images",))
    labels = make_labels(target.names, [label] * 3)
    section = ROUND.model_copy(
        update={"crop": (16, 16), "batch_size": 1, "mining_probability": 1.0, "epochs": 10.0}
    )

    def share(mined: list[int], **changes) -> float:
        data = RoundData(round_data.source, target, labels, mined)
        batches = RoundBatches(data, section.model_copy(update=changes), 0, 0)
        crops = [batches[t] for t in range(batches.steps)]
        found = [(c["label"] == 1).any().item() for c in crops if c["is_target"].all()]
        assert len(found) == 30
        return sum(found) / len(found)

    assert share([1]) == 1.0
    assert share([2]) < 0.4, "no pixel of sky: a random crop"
    assert share([]) < 0.4
    assert share([1], mining_probability=0.0) < 0.4


# --- phase 2 ----------------------------------------------------------------------------------

PHASE2 = Phase2(pairs=2, epochs=3)


@pytest.fixture()
def phase2_data(empty_folders, make_predictions):
    for i in range(5):
        rng = np.random.default_rng(i)
        empty_folders.add("target", f"t{i}", rng.integers(0, 3, (32, 48), np.uint8))
    target = empty_folders.cache("target_train", ("images",))
    return Phase2Data(target, make_predictions(target.names, (32, 48)), BARS, [1, 4], [0, 2, 3])


def test_a_phase2_batch_is_a_function_of_seed_round_and_step(phase2_data, same_batch):
    batches = Phase2Batches(phase2_data, PHASE2, ROUND, 0, 7)
    last = batches[3]
    batches[0]
    torch.manual_seed(99)
    assert same_batch(batches[3], last)
    assert same_batch(Phase2Batches(phase2_data, PHASE2, ROUND, 0, 7)[3], last)
    assert not same_batch(Phase2Batches(phase2_data, PHASE2, ROUND, 1, 7)[3], last)
    assert not same_batch(Phase2Batches(phase2_data, PHASE2, ROUND, 0, 8)[3], last)


def test_easy_crops_come_first_and_each_kind_in_turn(phase2_data):
    """3 hard images, 3 epochs, 2 a step: 4.5, so 4 steps."""
    batches = Phase2Batches(phase2_data, PHASE2, ROUND, 0, 0)
    assert batches.steps == len(batches) == 4
    drawn = [batches[t]["names"] for t in range(3)]
    easy = [name for names in drawn for name in names[:2]]
    hard = [name for names in drawn for name in names[2:]]
    for start in range(0, 6, 2):
        assert sorted(easy[start : start + 2]) == ["t1", "t4"]
    for start in range(0, 6, 3):
        assert sorted(hard[start : start + 3]) == ["t0", "t2", "t3"]


def test_the_shape_of_a_phase2_batch(phase2_data):
    batch = Phase2Batches(phase2_data, PHASE2, ROUND, 0, 0)[0]
    assert batch["image"].shape == (4, 3, 16, 24)
    assert batch["soft_label"].shape == (2, 3, 16, 24)
    assert batch["weight"].shape == (2, 16, 24)
    assert batch["soft_label"].dtype == batch["weight"].dtype == torch.float32


def test_full_labels_are_those_of_the_dump_and_padding_weighs_nothing(phase2_data):
    """A crop larger than the image at scale 1 holds the whole image, mirrored or not."""
    crops = ROUND.model_copy(update={"crop": (40, 60), "scale": (1.0, 1.0), "jitter": Jitter()})
    batches, mirrors = Phase2Batches(phase2_data, PHASE2, crops, 0, 0), set()
    for step in range(4):
        batch = batches[step]
        for slot, name in enumerate(batch["names"][:2]):
            i = phase2_data.target.names.index(name)
            log_p = phase2_data.predictions.log_probabilities(i)
            soft, weight = full_label(normalised_excess(log_p, BARS), PHASE2.gamma, "soft")
            pixels = phase2_data.target.image(i).transpose(2, 0, 1)
            seen = batch["image"][slot, :, :32, :48]
            mirror = torch.equal(seen.flip(-1), normalise(torch.from_numpy(pixels.copy())))
            mirrors.add(mirror)
            soft_seen, weight_seen = batch["soft_label"][slot], batch["weight"][slot]
            turn = slice(None, None, -1 if mirror else 1)
            assert np.allclose(soft_seen[:, :32, :48], soft[..., turn])
            assert np.allclose(weight_seen[:32, :48], weight[:, turn])
            assert not soft_seen[:, 32:].any()
            assert not soft_seen[..., 48:].any()
            assert not weight_seen[32:].any()
            assert not weight_seen[:, 48:].any()
    assert mirrors == {True, False}


def test_hard_crops_have_their_confident_labels_where_wanted(phase2_data):
    section = PHASE2.model_copy(update={"hard_label": "sparse"})
    plain = Phase2Batches(phase2_data, PHASE2, ROUND, 0, 0)[2]
    batch = Phase2Batches(phase2_data, section, ROUND, 0, 0)[2]
    assert torch.equal(batch["image"], plain["image"])
    assert batch["soft_label"].shape == (4, 3, 16, 24)
    assert torch.equal(batch["soft_label"][:2], plain["soft_label"])
    weight = batch["weight"][2:]
    assert set(weight.unique().tolist()) == {0.0, 1.0}
    one_hot = batch["soft_label"][2:].max(dim=1).values
    assert torch.equal(one_hot[weight > 0], weight[weight > 0])


def test_source_crops_come_last_with_the_labels_of_their_images(phase2_data, empty_folders):
    """Image s<i> is labelled i all over; two crops a pair take each of four images in turn."""
    for i in range(4):
        empty_folders.add("source", f"s{i}", np.full((32, 48), min(i, 2), np.uint8))
    source = empty_folders.cache("source_train", ("images", "labels"))
    data = dataclasses.replace(phase2_data, source=source)
    section = PHASE2.model_copy(update={"source_crops": 2})
    plain = Phase2Batches(phase2_data, PHASE2, ROUND, 0, 0)
    batches = Phase2Batches(data, section, ROUND, 0, 0)
    for step in range(2):
        batch = batches[step]
        assert batch["image"].shape == (8, 3, 16, 24)
        assert torch.equal(batch["image"][:4], plain[step]["image"])
        names = batch["names"][4:]
        assert sorted(names) == ["s0", "s1", "s2", "s3"]
        for name, label in zip(names, batch["label"], strict=True):
            assert set(label.unique().tolist()) <= {min(int(name[1]), 2), 255}


@pytest.mark.parametrize(("easy", "hard", "kind"), [([0, 1], [], "hard"), ([], [0], "easy")])
def test_a_split_without_one_kind(easy, hard, kind):
    data = Phase2Data(None, None, np.zeros(3), easy, hard)
    with pytest.raises(TrainingError, match=f"has no {kind} images"):
        Phase2Batches(data, Phase2(), SelfTraining(), 0, 0)
