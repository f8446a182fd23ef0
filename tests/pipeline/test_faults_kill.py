"""Kills and signals at random moments of a stage: nothing half-written is ever visible.

Moments are counted in changes of files, where a kill can do harm, so that they are the same
whatever the machine is busy with. `pytest -m slow` tries every stage at more of them.
"""

import signal

import pandas as pd
import pytest
import yaml

from .conftest import TINY
from .stages import Runner, commands_of, contents, kill_and_rerun, with_out

pytestmark = pytest.mark.pipeline
STAGES = [
    "make-city", "check-data", "prepare", "train-source", "dump", "thresholds", "label", "assess",
    "train-round", "score", "split", "label-easy", "train-phase2", "train-adversarial", "evaluate",
    "collect", "report",
]  # fmt: skip


@pytest.fixture(scope="module")
def runner(finished, tmp_path_factory):
    return Runner(finished.folder, tmp_path_factory.mktemp("runner"))


@pytest.fixture(scope="module")
def commands(finished):
    found = commands_of(finished)
    found["train-adversarial"] = _adversarial(found["train-round"])
    return found


def _adversarial(round_command: list[str]) -> list[str]:
    """A method that the tiny experiment does not run, on its files."""
    pairs = dict(zip(round_command[1::2], round_command[2::2], strict=True))
    kept = ("--seed", "--source", "--target", "--out", "--config")
    options = [part for key in kept for part in (key, pairs[key])]
    return ["train-adversarial", "--method", "clan", *options]


@pytest.mark.parametrize("stage", ["make-city", "prepare", "dump", "label"])
def test_a_killed_stage_leaves_nothing_half_written(runner, commands, tmp_path, stage):
    kill_and_rerun(runner, commands[stage], tmp_path, kills=1, seed=len(stage))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_killed_at_three_random_moments(runner, commands, tmp_path, stage, seed):
    kill_and_rerun(runner, commands[stage], tmp_path, kills=3, seed=seed)


@pytest.mark.parametrize(
    "stage",
    ["train-source", pytest.param("train-round", marks=pytest.mark.slow), "train-phase2"],
)
def test_kill_and_resume_gives_the_same_weights(finished, runner, commands, tmp_path, stage):
    """kill -9 well after the first resume point; the rerun ends in the bits of a whole run."""
    longer = tmp_path / "config.yaml"
    config = yaml.safe_load((finished.folder / commands[stage][-1]).read_text())
    config["results"] = str(tmp_path)
    config["source_training"]["steps"] = 12
    config["self_training"]["epochs"] = 3.0
    config["phase2"]["epochs"] = 3.0
    longer.write_text(yaml.safe_dump(config))
    command = [*commands[stage][:-1], str(longer)]
    moments = kill_and_rerun(runner, command, tmp_path / "runs", kills=1, seed=5)
    history = pd.read_csv(tmp_path / "runs" / f"at{moments[-1]}" / "result" / "history.csv")
    assert history["step"].tolist() == list(range(len(history)))
    assert len(history) > 2 * TINY["compute"]["checkpoint_every"]
    assert not list((tmp_path / "state").glob("*.pt"))


@pytest.mark.parametrize(
    ("stage", "number"),
    [("prepare", signal.SIGTERM), ("dump", signal.SIGINT), ("train-source", signal.SIGTERM)],
)  # fmt: skip
def test_asked_to_end_a_stage_cleans_up(runner, commands, tmp_path, stage, number):
    command = with_out(commands[stage], tmp_path / "whole")
    assert runner.run(command) == 0, runner.said
    middle = runner.moments // 2
    stopped = with_out(commands[stage], tmp_path / "stopped")
    status = runner.run(stopped, middle, number)
    assert status == 128 + number, runner.said  # as shells have it
    assert "Traceback" not in runner.said
    left = [p.name for p in tmp_path.rglob(".*")]
    assert not left
    assert runner.run(stopped) == 0, runner.said
    renamed = {
        k.replace("stopped", "whole", 1): v for k, v in contents(tmp_path / "stopped").items()
    }
    assert renamed == contents(tmp_path / "whole")


def test_another_process_cannot_write_the_same_artefact(runner, commands, tmp_path):
    """Two runs on one results folder, from different working folders, which Snakemake allows."""
    command = with_out(commands["train-source"], tmp_path / "out")
    first = runner.start(command, 20, signal.SIGSTOP)
    try:
        first.join(0.1)
        _wait_for_stop(first.pid)
        assert runner.run(command) == 1
        assert f"process {first.pid} on" in runner.said
        assert "already. Wait for it or end it, then rerun" in runner.said
    finally:
        first.kill()
        first.join()
    assert runner.run(command) == 0, runner.said


def _wait_for_stop(pid: int) -> None:
    import time
    from pathlib import Path

    for _ in range(1200):
        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T":
            return
        time.sleep(0.1)
    raise AssertionError("it never got so far")
