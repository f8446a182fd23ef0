import copy

import numpy as np
import pytest
import torch
from torch import nn

from tpld.config import Adversarial, Jitter
from tpld.core.adversarial import entropy_loss
from tpld.methods import known_methods
from tpld.models.network import Network
from tpld.training.adversarial import AdversarialBatches, AdversarialStep
from tpld.training.loop import Task, run

METHODS = ("adaptsegnet", "advent", "minent", "clan")
SECTION = Adversarial(
    steps=6,
    decay_steps=100,
    source_size=(32, 48),
    target_size=(40, 32),
    learning_rate=0.1,
    head_factor=1,
    momentum=0,
    weight_decay=0,
    batch_norm="train",
    discriminator_learning_rate=1e-2,
    mirror=True,
    jitter=Jitter(brightness=0.3),
)


class TwoHeads(Network):
    """Three classes at stride 4, a second head on the same features."""

    def __init__(self, heads) -> None:
        super().__init__()
        self.heads = heads
        self.backbone = nn.Sequential(
            nn.Conv2d(3, 8, 5, stride=4, padding=2, bias=False), nn.BatchNorm2d(8), nn.ReLU()
        )
        self.head = nn.ModuleDict({n: nn.Conv2d(8, 3, 3, padding=1) for n in ("main", "extra")})

    def features(self, image):
        found = self.backbone(image)
        return found, found


def small_discriminator() -> nn.Module:
    """The real one has 2.8 million weights."""
    first, last = nn.Conv2d(3, 8, 4, stride=2, padding=1), nn.Conv2d(8, 1, 4, stride=2, padding=1)
    return nn.Sequential(first, nn.LeakyReLU(0.2), last)


class Setup:
    """A method's step on one batch; weights of its losses can be changed."""

    def __init__(self, name: str, runtime, section=SECTION, **keys) -> None:
        torch.manual_seed(0)
        made = known_methods()[name]
        self.recipe = made(made.Options(**keys))
        self.network = TwoHeads(made.heads)
        count = made.discriminators
        self.discriminators = nn.ModuleList(small_discriminator() for _ in range(count))
        self.step = AdversarialStep(
            self.network, self.discriminators, self.recipe, section, runtime
        )
        self.batch = {
            "source": torch.randn(1, 3, *section.source_size),
            "label": torch.randint(0, 3, (1, *section.source_size)),
            "target": torch.randn(1, 3, *section.target_size),
            "names": ["s", "t"],
        }

    def logits(self, domain: str) -> list[torch.Tensor]:
        with torch.no_grad():
            return self.step._predict(self.batch[domain])


@pytest.fixture()
def batches(folders):
    source, target = folders.cache("source_train"), folders.cache("target_train", ("images",))
    return AdversarialBatches(source, target, SECTION, 6, 3)


def test_a_batch_is_a_function_of_seed_and_step(batches, same_batch):
    later = batches[4]
    batches[0]
    torch.manual_seed(99)
    assert same_batch(batches[4], later)
    assert not same_batch(batches[5], later)
    assert later["source"].shape == (1, 3, 32, 48)
    assert later["label"].shape == (1, 32, 48)
    assert later["target"].shape == (1, 3, 40, 32)
    assert later["names"][0].startswith("s")
    assert later["names"][1].startswith("t")
    assert sorted(batches[t]["names"][1] for t in range(3)) == ["t0", "t1", "t2"]


@pytest.mark.parametrize("name", METHODS)
def test_discriminators_learn_to_tell_the_domains(name, runtime):
    setup = Setup(name, runtime)
    if name == "minent":
        assert set(setup.step(setup.batch, 0)) == {"source", "entropy"}
        return
    with torch.no_grad():
        for head in setup.network.head.values():
            head.weight *= 20
    setup.batch["target"] *= 0.01
    setup.step.optimizer.param_groups.clear()  # the network stays
    losses = [setup.step(setup.batch, 0)["discriminator"].item() for _ in range(7)]
    assert losses[-1] < losses[3] < losses[0]


@pytest.mark.parametrize("name", METHODS)
def test_the_network_moves_where_the_target_is_called_source(name, runtime):
    """Cross-entropy weighs nothing here and discriminators stand still."""
    keys = {
        "minent": {"entropy_weight": 1.0},
        "clan": {"adversarial_weight": 1.0, "local_weight": 0.0, "epsilon": 1.0},
    }
    setup = Setup(name, runtime, **keys.get(name, {"adversarial_weight": 1.0}))
    setup.step._supervised = lambda source, label: source[0].sum() * 0
    setup.step._train_discriminators = lambda *_: torch.zeros(())
    term = "entropy" if name == "minent" else "adversarial"
    before = copy.deepcopy(setup.discriminators.state_dict())
    losses = [setup.step(setup.batch, 1)[term].item() for _ in range(5)]
    assert losses[-1] < losses[0]
    after = setup.discriminators.state_dict()
    assert all(torch.equal(after[key], value) for key, value in before.items())
    assert all(p.grad is None for p in setup.discriminators.parameters())


def test_minent_makes_target_predictions_surer(runtime):
    setup = Setup("minent", runtime, entropy_weight=1.0, auxiliary_entropy_weight=1.0)
    before = [entropy_loss(x).item() for x in setup.logits("target")]
    for _ in range(5):
        setup.step(setup.batch, 0)
    after = [entropy_loss(x).item() for x in setup.logits("target")]
    assert after[0] < before[0]
    assert after[1] < before[1]


def test_clan_keeps_its_classifiers_apart(runtime):
    setup = Setup("clan", runtime, discrepancy_weight=10.0)
    with torch.no_grad():
        setup.network.head["extra"].weight.copy_(setup.network.head["main"].weight + 0.01)
    losses = [setup.step(setup.batch, 0)["discrepancy"].item() for _ in range(4)]
    assert losses[0] > 9
    assert losses[-1] < losses[0]


def test_one_pass_and_two_have_the_same_gradient(runtime):
    """With frozen BatchNorm it does not matter whether both domains go through together."""
    section = SECTION.model_copy(update={"target_size": (32, 48), "batch_norm": "frozen"})
    two, one = Setup("clan", runtime, section), Setup("clan", runtime, section)
    one.step.together = True
    seen = [setup.step(setup.batch, 3) for setup in (one, two)]
    assert seen[0].keys() == seen[1].keys() == {
        "source", "adversarial", "discrepancy", "discriminator"
    }  # fmt: skip
    states = [setup.network.state_dict() for setup in (one, two)]
    for key, value in states[0].items():
        torch.testing.assert_close(value, states[1][key], rtol=1e-5, atol=1e-6)


def test_rates_decay(runtime):
    setup = Setup("advent", runtime, SECTION.model_copy(update={"head_factor": 10}))
    setup.step(setup.batch, 50)
    factor = 0.5**0.9
    rates = [group["lr"] for group in setup.step.optimizer.param_groups]
    assert rates == pytest.approx([0.1 * factor, 1.0 * factor])
    assert setup.step.adam.param_groups[0]["lr"] == pytest.approx(1e-2 * factor)
    plain = Setup("advent", runtime, SECTION.model_copy(update={"steps": None}))
    assert plain.step.steps == 120_000


def test_a_killed_training_ends_in_the_same_bits(batches, runtime, tmp_path):
    def train(die_at=None) -> tuple[list[str], dict[str, torch.Tensor]]:
        setup = Setup("clan", runtime)
        inner = setup.step

        def step(batch, t):
            if t == die_at:
                raise KeyboardInterrupt
            return inner(batch, t)

        modules = {"network": setup.network, "discriminators": setup.discriminators}
        optimizers = {"sgd": inner.optimizer, "adam": inner.adam}
        task = Task("clan", 6, batches, step, modules, optimizers, 2, tmp_path / "s.pt")
        history = run(task, runtime)
        assert np.isfinite(history.to_numpy(float)).all()
        task.state.unlink()
        return list(history.columns), setup.network.state_dict()

    columns, whole = train()
    with pytest.raises(KeyboardInterrupt):
        train(die_at=5)
    _, resumed = train()
    assert columns == ["step", "source", "adversarial", "discrepancy", "discriminator"]
    assert all(torch.equal(resumed[key], value) for key, value in whole.items())
