import copy
import os
import signal
import time
import zipfile
from pathlib import Path

import pytest
import torch
from torch.utils.data import Dataset

from tpld.compute.runtime import resolve
from tpld.config import Compute
from tpld.errors import StoreError, TrainingError
from tpld.training import loop
from tpld.training.loop import Task, finish, run


class Batches(Dataset):
    """Batch t is a function of t."""

    def __len__(self):
        return 100

    def __getitem__(self, t):
        generator = torch.Generator().manual_seed(t)
        return {
            "image": torch.randn(2, 3, 16, 16, generator=generator),
            "label": torch.randint(0, 3, (2, 4, 4), generator=generator),
            "names": [f"image{t}a", f"image{t}b"],
        }


class Interrupted(Exception):
    """The kill of a test."""


@pytest.fixture()
def make_task(make_network, tmp_path):
    def make(steps: int = 9, die_at: int | None = None, every: int = 2, **loss) -> Task:
        network = make_network(3)
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)

        def step(batch, t):
            if t == die_at:
                raise Interrupted
            value = torch.nn.functional.cross_entropy(network(batch["image"]), batch["label"])
            value = value + loss.get("plus", {}).get(t, 0.0)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            return {"loss": value.detach()}

        return Task(
            title="test",
            steps=steps,
            batches=Batches(),
            step=step,
            modules={"network": network},
            optimizers={"sgd": optimizer},
            checkpoint_every=every,
            state=tmp_path / "state" / "s.pt",
        )

    return make


def outcome(task: Task, runtime):
    history = run(task, runtime)
    return history, copy.deepcopy(task.modules["network"].state_dict())


def test_a_run_counts_its_steps(make_task, runtime):
    history, _ = outcome(make_task(steps=5), runtime)
    assert history["step"].tolist() == [0, 1, 2, 3, 4]
    assert list(history.columns) == ["step", "loss"]
    assert history.attrs["seconds"] > 0


def test_losses_that_are_read_later_are_the_same(make_task, runtime, monkeypatch):
    wanted, weights = outcome(make_task(steps=8, every=100), runtime)
    monkeypatch.setitem(loop._READ_EVERY, "cpu", 3)
    history, others = outcome(make_task(steps=8, every=100), runtime)
    assert history.equals(wanted)
    assert all(torch.equal(weights[name], others[name]) for name in weights)


def test_a_loss_that_is_read_later_still_names_its_own_step(make_task, runtime, monkeypatch):
    monkeypatch.setitem(loop._READ_EVERY, "cpu", 5)
    task = make_task(steps=9, every=100, plus={2: float("nan")})
    with pytest.raises(TrainingError, match="step 2: loss is nan on the batch image2a, image2b"):
        run(task, runtime)


def test_a_resume_point_holds_every_loss_so_far(make_task, runtime, monkeypatch):
    monkeypatch.setitem(loop._READ_EVERY, "cpu", 5)
    with pytest.raises(Interrupted):
        run(make_task(steps=9, every=3, die_at=4), runtime)
    history, _ = outcome(make_task(steps=9, every=3), runtime)
    assert history["step"].tolist() == list(range(9))


@pytest.mark.parametrize("die_at", [1, 2, 5, 8])
def test_a_killed_run_ends_in_the_same_bits(make_task, runtime, die_at):
    """Dying before the first resume point, right after one, between two, and at the last step."""
    expected, weights = outcome(make_task(), runtime)
    finish(make_task())
    with pytest.raises(Interrupted):
        outcome(make_task(die_at=die_at), runtime)
    resumed = make_task()
    assert resumed.state.exists() == (die_at >= 2)
    history, seen = outcome(resumed, runtime)
    assert history.equals(expected)
    assert weights.keys() == seen.keys()
    for name, value in weights.items():
        assert torch.equal(seen[name], value), name


def test_only_what_is_missing_is_done_again(make_task, runtime):
    with pytest.raises(Interrupted):
        outcome(make_task(die_at=7), runtime)
    task, steps = make_task(), []
    inner = task.step
    task.step = lambda batch, t: steps.append((t, batch["names"][0])) or inner(batch, t)
    outcome(task, runtime)
    assert steps == [(6, "image6a"), (7, "image7a"), (8, "image8a")]


def test_a_second_kill_after_a_resume(make_task, runtime):
    _, weights = outcome(make_task(), runtime)
    finish(make_task())
    for die_at in (3, 5, 7):
        with pytest.raises(Interrupted):
            outcome(make_task(die_at=die_at), runtime)
    _, seen = outcome(make_task(), runtime)
    assert all(torch.equal(seen[name], value) for name, value in weights.items())


def test_finish_drops_the_resume_point_and_may_be_called_twice(make_task, runtime):
    task = make_task(steps=5)
    outcome(task, runtime)
    assert task.state.exists(), "kept until the outputs are in place"
    finish(task)
    finish(task)
    assert list(task.state.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("value", "shown"), [(float("nan"), "nan"), (float("inf"), "inf"), (float("-inf"), "-inf")]
)
def test_a_loss_that_is_not_finite_stops_with_step_and_files(make_task, runtime, value, shown):
    task = make_task(plus={3: value})
    with pytest.raises(TrainingError) as caught:
        outcome(task, runtime)
    text = str(caught.value)
    assert text.startswith(f"step 3: loss is {shown} on the batch image3a, image3b. ")
    assert "Lower the learning rate, use compute.precision: float32, or look at these files" in text
    assert [row["step"] for row in task.history] == [0, 1, 2]


def test_a_damaged_resume_point_is_named(make_task, runtime):
    with pytest.raises(Interrupted):
        outcome(make_task(die_at=5), runtime)
    task = make_task()
    good = task.state.read_bytes()
    for bad in (b"", b"nonsense", good[: len(good) // 2]):
        task.state.write_bytes(bad)
        with pytest.raises(StoreError) as caught:
            run(task, runtime)
        text = str(caught.value)
        assert text.startswith(f"{task.state} is no resume point of this stage (")
        assert text.endswith("Delete it to start the stage over")


def test_a_resume_point_of_another_network_is_refused(make_task, runtime):
    with pytest.raises(Interrupted):
        outcome(make_task(die_at=5), runtime)
    task = make_task()
    task.modules = {"network": torch.nn.Conv2d(1, 1, 1)}
    with pytest.raises(StoreError, match="is no resume point of this stage"):
        run(task, runtime)


def test_the_resume_point_is_written_whole_or_not_at_all(make_task, runtime, monkeypatch):
    task = make_task(every=2, steps=5)

    def cut(path, data):
        with path.open("wb") as file:
            file.write(data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", cut)
        with pytest.raises(StoreError, match=r"the disk of .*s\.pt ran full"):
            outcome(task, runtime)
    assert list(task.state.parent.iterdir()) == []
    outcome(task, runtime)


@pytest.mark.parametrize("place", [0.2, 0.4, 0.6, 0.8])
def test_a_flipped_bit_of_a_resume_point_is_an_error(make_task, runtime, place):
    """torch.load by itself gives back another weight."""
    with pytest.raises(Interrupted):
        outcome(make_task(die_at=5), runtime)
    task = make_task()
    with zipfile.ZipFile(task.state) as archive:
        entries = [e for e in archive.infolist() if "/data/" in e.filename and e.file_size > 60]
        entry = entries[int(place * len(entries))]
    bad = bytearray(task.state.read_bytes())
    where = bad.index(entry.filename.encode(), entry.header_offset)
    start = -(-(where + len(entry.filename)) // 64) * 64  # torch pads up to the data
    bad[start + entry.file_size // 2] ^= 1
    task.state.write_bytes(bytes(bad))
    with pytest.raises(StoreError, match=r"the checksum of .* is wrong"):
        run(task, runtime)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_request_to_stop_saves_the_step_in_hand(make_task, runtime, number):
    expected, weights = outcome(make_task(every=100), runtime)
    task = make_task(every=100)
    inner = task.step

    def step(batch, t):
        if t == 3:
            os.kill(os.getpid(), number)
        return inner(batch, t)

    task.step = step
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt if number == signal.SIGINT else SystemExit):
        run(task, runtime)
    assert signal.getsignal(number) == before
    assert len(task.history) == 4
    resumed, steps = make_task(every=100), []
    inner_again = resumed.step
    resumed.step = lambda batch, t: steps.append(t) or inner_again(batch, t)
    history, seen = outcome(resumed, runtime)
    assert steps == [4, 5, 6, 7, 8]
    assert history.equals(expected)
    assert all(torch.equal(seen[name], value) for name, value in weights.items())


def test_two_trainings_of_one_state_exclude_each_other(make_task, runtime):
    task, other = make_task(), make_task()
    inner = task.step

    def step(batch, t):
        if t == 2:
            with pytest.raises(StoreError, match=r"process \d+ on .* is training test already"):
                run(other, runtime)
        return inner(batch, t)

    task.step = step
    assert len(run(task, runtime)) == 9
    assert [p.name for p in task.state.parent.iterdir()] == ["s.pt"]


def test_a_clock_that_jumps_changes_nothing(make_task, runtime, monkeypatch):
    expected, weights = outcome(make_task(), runtime)
    finish(make_task())
    jumps = iter(range(10**6))
    monkeypatch.setattr(time, "time", lambda: 1e9 * (-1) ** next(jumps))
    history, seen = outcome(make_task(), runtime)
    assert history.equals(expected)
    assert 0 < history.attrs["seconds"] < 1000
    assert all(torch.equal(seen[name], value) for name, value in weights.items())


class Names(Dataset):
    def __len__(self):
        return 9

    def __getitem__(self, t):
        return {"names": [str(t)]}


def task(state, step, every=2):
    return Task("x", 9, Names(), step, {}, {}, every, state)


@pytest.fixture()
def runtime():
    threads = torch.get_num_threads()
    yield resolve(Compute(device="cpu", precision="float32", threads=1, workers=0))
    torch.set_num_threads(threads)


def test_a_resumed_run_draws_what_the_whole_run_drew(tmp_path, runtime):
    def step(die_at=None):
        def go(batch, t):
            if t == die_at:
                raise KeyboardInterrupt
            return {"noise": torch.rand(())}

        return go

    torch.manual_seed(1)
    whole = run(task(tmp_path / "a.pt", step()), runtime)
    torch.manual_seed(1)
    with pytest.raises(KeyboardInterrupt):
        run(task(tmp_path / "b.pt", step(5)), runtime)
    torch.manual_seed(77)
    assert run(task(tmp_path / "b.pt", step()), runtime).equals(whole)
