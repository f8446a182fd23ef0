"""The pipeline on a real Slurm of one node: requests, cancelled jobs, interrupted runs."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tpld.config import load_config
from tpld.config.overlays import merge
from tpld.dag.resources import crops_of, need
from tpld.data.extent import extent_of
from tpld.data.sources import class_table
from tpld.stores.predictions import Predictions

from .conftest import ROOT, TINY, hear_control_c

CLUSTER = ROOT / "tests" / "slurm" / "cluster.sh"
PACKAGES = "slurmctld slurmd slurm-client slurm-wlm-basic-plugins munge"
STEPS, SEED = 150, 7
OVERLAY = {
    "seeds": [SEED],
    "source_training": {"steps": STEPS},
    "compute": {"checkpoint_every": 10},
}


def why_not() -> str | None:
    """Why there can be no Slurm here."""
    if os.name != "posix" or os.geteuid() != 0:
        return "only root can start Slurm's daemons"
    if not all(map(shutil.which, ("slurmctld", "slurmd", "munged", "sbatch"))):
        return f"Slurm is not installed (apt-get install --no-install-recommends {PACKAGES})"
    if Path("/etc/slurm/slurm.conf").exists():
        return "this machine has a Slurm of its own"
    return None


pytestmark = [
    pytest.mark.pipeline,
    pytest.mark.slurm,
    pytest.mark.skipif(why_not() is not None, reason=str(why_not())),
]


@pytest.fixture()
def cluster(tmp_path_factory):
    """A running Slurm."""
    folder = tmp_path_factory.mktemp("slurm")
    subprocess.run([CLUSTER, "start", folder], check=True, timeout=60)
    begun: list[subprocess.Popen] = []
    yield begun
    for process in begun:
        process.kill()
        process.wait()
    subprocess.run([CLUSTER, "stop", folder], check=True, timeout=60)


class Run:
    """A `snakemake --profile slurm` that goes on beside the test."""

    def __init__(self, project, target: Path, begun: list) -> None:
        (project.folder / "overlay.yaml").write_text(yaml.safe_dump(OVERLAY))
        self.output = project.folder / "snakemake.txt"
        words = [
            *("--profile", "slurm", "--slurm-init-seconds-before-status-checks", "2"),
            *("--configfile", "tests/tiny.yaml", "overlay.yaml"),
            *("--", target.relative_to(project.folder).as_posix()),
        ]
        with self.output.open("w") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "snakemake", *words],
                cwd=project.folder, env=project.environment(), stdout=out, stderr=out,
                preexec_fn=hear_control_c,
            )  # fmt: skip
        begun.append(self.process)

    @property
    def jobs(self) -> list[str]:
        """Slurm's numbers of the jobs that were submitted so far."""
        return re.findall(r"submitted with SLURM jobid (\d+)", self.output.read_text())

    def until(self, reached, what: str):
        """Wait for something true; the run's words if it ends, or ten minutes pass, before."""
        for _ in range(3000):
            found = reached()
            if found:
                return found
            if self.process.poll() is not None:
                break
            time.sleep(0.2)
        raise AssertionError(f"no {what}:\n{self.output.read_text()[-4000:]}")

    def finish(self) -> int:
        return self.process.wait(timeout=900)


def facts(job: str) -> dict[str, str]:
    """What Slurm says of a job."""
    shown = subprocess.run(["scontrol", "show", "job", job], capture_output=True, text=True)
    return dict(word.split("=", 1) for word in shown.stdout.split() if "=" in word)


def resume_point(project) -> tuple[str, int] | None:
    """Name and time of the training's state, if there is one."""
    for path in (project.folder / "results" / "state").glob("source-*.pt"):
        return path.name, path.stat().st_mtime_ns
    return None


def assert_requests(job: str, stage: str, attempt: int) -> None:
    """Slurm was asked for what the formula says."""
    default = yaml.safe_load((ROOT / "config.yaml").read_text())
    config = load_config(merge(merge(default, TINY), OVERLAY))
    source, target = (extent_of(config, split, None) for split in ("source_train", "target_train"))
    extent = source if stage == "train_source" else target
    classes, crops = len(class_table(config).names), crops_of(config, stage, source, target)
    wanted, seen = need(config, stage, extent, classes, 1, crops=crops), facts(job)
    assert wanted.gpus == 1
    assert seen["TresPerJob"] == "gres:gpu:1"
    assert seen["NumNodes"].split("-")[0] == "1"
    resources = dict(part.split("=") for part in seen["TRES"].split(","))
    assert resources["cpu"] == "1"
    memory = resources["mem"]
    in_mb = float(memory[:-1]) * (1024 if memory.endswith("G") else 1)
    assert in_mb == pytest.approx(attempt * wanted.mem_mb, rel=0.01)
    hours, minutes, _ = map(int, seen["TimeLimit"].split(":"))
    assert 60 * hours + minutes == attempt * wanted.minutes


def test_a_cancelled_job_goes_on_and_an_interrupted_run_takes_its_jobs_with_it(cluster, finished):
    folder = finished.result("source", "deeplabv2_resnet18", f"seed{SEED}")
    model, target = folder / "model.safetensors", folder / "predictions.zarr"
    run = Run(finished, target, cluster)

    # Half-way through the training, its job is cancelled: Snakemake submits another one.
    first = run.until(lambda: resume_point(finished), "resume point")
    assert len(run.jobs) == 1
    assert_requests(run.jobs[0], "train_source", attempt=1)
    subprocess.run(["scancel", run.jobs[0]], check=True)
    run.until(lambda: len(run.jobs) == 2, "second job")
    assert_requests(run.jobs[1], "train_source", attempt=2)
    assert not model.exists()

    # It goes on from the state of the first; then Snakemake itself is interrupted.
    second = run.until(
        lambda: resume_point(finished) not in (None, first) and resume_point(finished), "progress"
    )
    assert second[0] == first[0], "the same training"
    run.process.send_signal(signal.SIGINT)
    assert run.finish() != 0
    states = [facts(job)["JobState"] for job in run.jobs]
    assert set(states) <= {"CANCELLED", "COMPLETING"}, states
    assert not model.exists()

    # The same command again ends what was begun, and does nothing twice.
    again = Run(finished, target, cluster)
    again.until(lambda: len(again.jobs) == 2, "job of the predictions")
    assert_requests(again.jobs[1], "dump", attempt=1)
    assert again.finish() == 0, again.output.read_text()[-4000:]
    assert len(again.jobs) == 2
    history = pd.read_csv(folder / "history.csv")
    assert history["step"].tolist() == list(range(STEPS))
    begun = re.search(r"going on at step (\d+)", (folder / "logs/train_source.log").read_text())
    assert begun
    assert int(begun[1]) >= 10, "a cancelled job saves the step in hand"
    assert len(Predictions(target)) == TINY["data"]["city"]["target_train"]
