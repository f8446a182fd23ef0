import copy

import numpy as np
import pytest
import torch

from tpld.compute.compiler import plain_optimizer
from tpld.config import Config, Loss, Phase2, SelfTraining, SourceTraining
from tpld.core.losses import easy_loss
from tpld.core.self_information import adversarial_loss, discriminator_loss, self_information
from tpld.errors import ConfigError
from tpld.models.deeplabv2 import upsample
from tpld.models.discriminator import Discriminator
from tpld.stages.train_phase2 import Phase2Inputs, train_phase2
from tpld.training.phase2 import Phase2Step
from tpld.training.self_training import RoundStep
from tpld.training.source import SourceStep

BARS = np.log([0.9, 0.8, 0.7])
TRAIN = SelfTraining(batch_norm="train", head_factor=1, weight_decay=0, momentum=0)


def images(n: int, seed: int = 0, size=(32, 32)) -> torch.Tensor:
    return torch.randn(n, 3, *size, generator=torch.Generator().manual_seed(seed))


def labels(n: int, size=(32, 32)) -> torch.Tensor:
    coarse = torch.randint(0, 3, (n, 1, 4, 4), generator=torch.Generator().manual_seed(5))
    return torch.nn.functional.interpolate(coarse.float(), size=size)[:, 0].long()


def state_of(module) -> dict[str, torch.Tensor]:
    return copy.deepcopy(module.state_dict())


def moved(module, before) -> set[str]:
    return {name for name, v in module.state_dict().items() if not torch.equal(v, before[name])}


# --- source -----------------------------------------------------------------------------------


def source_section(**changes) -> SourceTraining:
    values = {"steps": 10, "learning_rate": 0.1, "head_factor": 2, "batch_norm": "train"}
    return SourceTraining(**{**values, "weight_decay": 0, "momentum": 0, **changes})


def test_the_source_loss_is_the_mean_over_labelled_pixels(make_network, runtime):
    network = make_network()
    step = SourceStep(network, source_section(), runtime)
    label = labels(2)
    label[:, :, 20:] = 255
    reference = copy.deepcopy(network)
    full = upsample(reference(images(2)), (32, 32))
    expected = torch.nn.functional.cross_entropy(full, label, ignore_index=255)
    seen = step({"image": images(2), "label": label}, 0)
    assert seen["loss"].item() == pytest.approx(expected.item(), rel=1e-5)
    assert not seen["loss"].requires_grad


def test_a_source_step_is_plain_sgd_at_two_rates(make_network, runtime):
    network = make_network()
    reference = copy.deepcopy(network).train()
    step = SourceStep(network, source_section(), runtime)
    torch.nn.functional.cross_entropy(
        upsample(reference(images(2)), (32, 32)), labels(2)
    ).backward()
    step({"image": images(2), "label": labels(2)}, 5)
    rate = 0.1 * 0.5**0.9
    for (name, new), old in zip(network.named_parameters(), reference.parameters(), strict=True):
        factor = 2 if name.startswith("head") else 1
        assert torch.allclose(new, old - rate * factor * old.grad, atol=1e-6), name


def test_a_source_step_of_adamw_begins_with_its_two_rates(make_network, runtime):
    network = make_network()
    before = state_of(network)
    step = SourceStep(network, source_section(optimizer="adamw"), runtime)
    step({"image": images(2), "label": labels(2)}, 0)
    for name, new in network.named_parameters():
        # Its first step has the size of the learning rate, whatever the gradient.
        moves = (new - before[name]).abs()[new.grad.abs() > 1e-4]
        factor = 2 if name.startswith("head") else 1
        assert torch.allclose(moves, torch.full_like(moves, 0.1 * factor), rtol=1e-3), name


def test_a_source_batch_without_any_label_changes_no_weight(make_network, runtime):
    network = make_network()
    step = SourceStep(network, source_section(batch_norm="frozen"), runtime)
    before = state_of(network)
    seen = step({"image": images(2), "label": torch.full((2, 32, 32), 255)}, 0)
    assert seen["loss"].item() == 0
    assert moved(network, before) == set()


def test_source_training_learns(make_network, runtime):
    step = SourceStep(make_network(), source_section(steps=1000), runtime)
    batch = {"image": images(2), "label": labels(2)}
    losses = [step(batch, 0)["loss"].item() for _ in range(30)]
    assert losses[-1] < 0.8 * losses[0]


# --- rounds -----------------------------------------------------------------------------------


def mixed_batch() -> dict:
    label = labels(3)
    label[:, :8] = 255
    return {
        "image": images(3),
        "label": label,
        "inside": torch.ones(3, 32, 32, dtype=torch.bool),
        "is_target": torch.tensor([True, False, True]),
        "names": ["a", "b", "c"],
    }


@pytest.mark.parametrize("policy", ["train", "frozen"])
def test_a_round_trains_under_its_batch_norm_policy(make_network, runtime, policy):
    network = make_network()
    section = TRAIN.model_copy(update={"batch_norm": policy, "learning_rate": 0.01})
    step = RoundStep(network, section, Loss(), BARS, runtime)
    before = state_of(network)
    step(mixed_batch(), 0)
    norm = {name for name in before if name.startswith("backbone.1.")}
    assert moved(network, before) == (set(before) if policy == "train" else set(before) - norm)


def test_the_keys_of_the_loss_reach_it(make_network, runtime):
    def loss(**keys) -> float:
        return RoundStep(make_network(), TRAIN, Loss(**keys), BARS, runtime)(mixed_batch(), 0)[
            "loss"
        ].item()

    base = loss(beta=1, mrkld_weight=0)
    others = [
        loss(beta=0.5, mrkld_weight=0),
        loss(beta=0.5, mrkld_weight=0, bootstrap_target="probability"),
        loss(beta=0.5, mrkld_weight=0, bootstrap_target="printed"),
        loss(beta=0.5, mrkld_weight=0, on_unlabelled=True),
        loss(beta=1, mrkld_weight=0.1),
    ]
    assert len({round(value, 6) for value in [base, *others]}) == 6


def test_bootstrapping_unlabelled_pixels_leaves_padding_and_source_out(make_network, runtime):
    """Nothing but padding is unlabelled on the target: the key then changes nothing."""
    batch = mixed_batch()
    batch["inside"] = batch["label"] != 255

    def loss(on: bool) -> float:
        keys = Loss(beta=0.5, on_unlabelled=on)
        return RoundStep(make_network(), TRAIN, keys, BARS, runtime)(batch, 0)["loss"].item()

    assert loss(True) == pytest.approx(loss(False), rel=1e-6)
    batch["inside"][1] = True  # a source crop
    assert loss(True) == pytest.approx(loss(False), rel=1e-6)
    batch["inside"][0] = True  # a target crop
    assert loss(True) != pytest.approx(loss(False), rel=1e-4)


# --- phase 2 ----------------------------------------------------------------------------------


class Phase2Setup:
    """A step on two easy and two hard crops of 64x64."""

    def __init__(self, network, runtime, training=TRAIN, **keys) -> None:
        self.network = network
        torch.manual_seed(1)
        self.discriminator = Discriminator(3)
        self.section = Phase2(pairs=2, **keys)
        self.step = Phase2Step(
            network, self.discriminator, self.section, training, Loss(), BARS, runtime
        )
        size = (64, 64)
        soft = torch.nn.functional.one_hot(labels(2, size), 3).permute(0, 3, 1, 2).float()
        self.batch = {
            "image": images(4, 2, size),
            "soft_label": soft,
            "weight": torch.ones(2, *size),
        }

    def __call__(self):
        return self.step(self.batch, 0)


def test_the_discriminator_learns_to_tell_easy_from_hard(make_network, runtime):
    network = make_network()
    with torch.no_grad():
        network.head.weight *= 20  # decided where there is contrast
    setup = Phase2Setup(network, runtime, learning_rate=1e-9, discriminator_learning_rate=1e-3)
    setup.batch["image"][:2] *= 0.01
    losses = [setup()["discriminator"].item() for _ in range(25)]
    assert losses[0] == pytest.approx(np.log(2), abs=0.05)
    assert losses[-1] < 0.3
    assert losses[-1] < losses[5] < losses[0]


def test_one_step_lowers_the_discriminators_loss_on_its_batch(make_network, runtime):
    setup = Phase2Setup(make_network(), runtime, learning_rate=1e-9)
    first = setup()["discriminator"].item()
    assert setup()["discriminator"].item() < first


def test_easy_is_one_and_hard_is_zero_for_d_and_hard_is_one_for_the_network(make_network, runtime):
    setup = Phase2Setup(make_network(), runtime)
    reference = copy.deepcopy(setup.network)
    d = copy.deepcopy(setup.discriminator)
    maps = self_information(upsample(reference(setup.batch["image"]), (64, 64)))
    scores = d(maps)
    seen = setup()
    assert seen["adversarial"].item() == pytest.approx(adversarial_loss(scores[2:]).item())
    expected = discriminator_loss(scores[:2], scores[2:]).item()
    assert seen["discriminator"].item() == pytest.approx(expected)


def test_source_crops_weigh_as_much_as_labelled_target_crops(make_network, runtime):
    """Two easy crops and four of the source, of which one has no label: (2 easy + 4 source) / 6."""
    setup = Phase2Setup(make_network(), runtime, source_crops=2, adversarial_weight=0.0)
    reference = copy.deepcopy(setup.network)
    label = labels(4, (64, 64))
    label[0] = 255
    setup.batch["image"] = torch.cat([setup.batch["image"], images(4, 9, (64, 64))])
    setup.batch["label"] = label
    logits = upsample(reference(setup.batch["image"]), (64, 64))
    options = {"log_threshold": torch.tensor(BARS, dtype=torch.float32)}
    easy = easy_loss(logits[:2], setup.batch["soft_label"], setup.batch["weight"], **options)
    source = torch.nn.functional.cross_entropy(logits[5:], label[1:])
    ((2 * easy + 4 * source) / 6).backward()
    seen = setup()
    assert seen["easy"].item() == pytest.approx(easy.item(), rel=1e-5)
    assert seen["source"].item() == pytest.approx(source.item(), rel=1e-5)
    for mine, theirs in zip(setup.network.parameters(), reference.parameters(), strict=True):
        assert torch.allclose(mine.grad, theirs.grad, rtol=1e-3, atol=1e-6)


def test_source_crops_without_source_images_are_refused(tmp_path):
    config, nothing = Config(phase2=Phase2(source_crops=1)), tmp_path / "none"
    with pytest.raises(ConfigError, match=r"source_crops is 1, and no source images.*--source"):
        train_phase2(
            config, "crst_mrkld+tpld", 0, 0, Phase2Inputs(*[nothing] * 5), tmp_path / "out"
        )
    assert list(tmp_path.iterdir()) == []


def test_the_adversarial_term_moves_the_network(make_network, runtime):
    """The easy loss weighs nothing here, so that what moves the network is D's gradient alone."""
    setup = Phase2Setup(make_network(), runtime, adversarial_weight=1.0, learning_rate=0.1)
    setup.batch["weight"] *= 0
    before = state_of(setup.network)
    assert setup()["easy"].item() == 0
    assert "head.weight" in moved(setup.network, before)
    quiet = Phase2Setup(make_network(), runtime, adversarial_weight=0.0, learning_rate=0.1)
    quiet.batch["weight"] *= 0
    before = state_of(quiet.network)
    quiet()
    statistics = {name for name in before if "running" in name or "tracked" in name}
    assert moved(quiet.network, before) == statistics


def test_the_networks_step_leaves_no_gradient_on_the_discriminator(make_network, runtime):
    setup = Phase2Setup(make_network(), runtime, adversarial_weight=1.0)
    setup.step._train_discriminator = lambda maps: torch.zeros(())
    before = state_of(setup.discriminator)
    setup()
    assert all(p.grad is None for p in setup.discriminator.parameters())
    assert moved(setup.discriminator, before) == set()


def test_the_discriminators_step_leaves_no_gradient_on_the_network(make_network, runtime):
    setup = Phase2Setup(make_network(), runtime)
    setup()
    maps = self_information(upsample(setup.network(setup.batch["image"]), (64, 64)))
    setup.network.zero_grad(set_to_none=True)
    after = state_of(setup.network)
    d = state_of(setup.discriminator)
    setup.step._train_discriminator(maps.detach())
    assert all(p.grad is None for p in setup.network.parameters())
    assert moved(setup.network, after) == set()
    assert moved(setup.discriminator, d) == set(d)


def test_only_hard_crops_get_the_adversarial_gradient(make_network, runtime):
    network = make_network()
    setup = Phase2Setup(network, runtime, adversarial_weight=1.0)
    setup.batch["weight"] *= 0
    caught = []

    def keep(module, inputs, output):
        output.register_hook(caught.append)

    network.head.register_forward_hook(keep)
    setup()
    (gradient,) = caught
    assert gradient.shape[0] == 4
    assert not gradient[:2].any(), "easy"
    assert gradient[2].any()
    assert gradient[3].any()


def test_only_easy_crops_get_the_gradient_of_the_labels(make_network, runtime):
    network = make_network()
    setup = Phase2Setup(network, runtime, adversarial_weight=0.0)
    caught = []

    def keep(module, inputs, output):
        output.register_hook(caught.append)

    network.head.register_forward_hook(keep)
    setup()
    (gradient,) = caught
    assert gradient[:2].any()
    assert not gradient[2:].any(), "hard"


def test_the_optimisers_of_phase_2(make_network, runtime):
    setup = Phase2Setup(
        make_network(), runtime, SelfTraining(head_factor=10, momentum=0.9), learning_rate=5e-5
    )
    assert setup.step.adam.param_groups[0]["lr"] == 1e-4
    assert setup.step.adam.param_groups[0]["betas"] == (0.9, 0.99)
    rates = [group["lr"] for group in setup.step.optimizer.param_groups]
    assert rates == pytest.approx([5e-5, 5e-4])


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW])
def test_an_optimizer_without_marks_takes_the_same_steps(kind):
    weights = []
    for used in (kind, plain_optimizer(kind)):
        torch.manual_seed(0)
        layer = torch.nn.Linear(4, 3)
        optimizer = used(layer.parameters(), lr=0.1, weight_decay=0.01)
        for _ in range(3):
            optimizer.zero_grad()
            layer(torch.ones(2, 4)).square().sum().backward()
            optimizer.step()
        weights.append(layer.weight.detach())
    assert torch.equal(*weights)
