"""Snakemake itself killed, interrupted, started twice, and with other `--cores` or clocks.

Each of these starts Snakemake several times, so most run on demand: `pytest -m slow`.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tpld.compute import lifetime

from .conftest import Project, copy_project, hear_control_c
from .stages import Runner, commands_of, contents, with_out

pytestmark = pytest.mark.pipeline
TPLD = "crst_mrkld+tpld"
PLACE = f"results/tiny/{TPLD}/seed0/phase2_round0"
TARGET = f"{PLACE}/model.safetensors"


def test_a_job_ends_with_the_snakemake_that_started_it(finished, tmp_path, monkeypatch):
    """As after kill -9: the training saves the step in hand, ends, and a rerun goes on."""
    parent = subprocess.Popen(["sleep", "600"])
    code = "import time; time.sleep(600)"
    place = lifetime.this_process().rpartition(":")[0]
    environment = {**os.environ, lifetime.VARIABLE: f"{place}:{parent.pid}"}
    script = (
        "from tpld.compute.lifetime import ending_well\nimport time\n"
        f"with ending_well():\n    print('ready', flush=True)\n    {code}"
    )
    job = subprocess.Popen(
        [sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert job.stdout and job.stdout.readline() == "ready\n"
    assert job.poll() is None
    parent.kill()
    parent.wait()
    assert job.wait(60) == 143


def test_another_hosts_process_is_not_watched(monkeypatch):
    for started_by in ("", "elsewhere:pid:[1]:1", f"{lifetime.this_process()}x", "::"):
        monkeypatch.setenv(lifetime.VARIABLE, started_by)
        with lifetime.ending_well():
            time.sleep(0.01)


def test_a_dead_process_that_nobody_waited_for_is_dead():
    child = subprocess.Popen([sys.executable, "-c", ""])
    while child.poll() is None and lifetime.alive(child.pid):
        time.sleep(0.01)
    assert not lifetime.alive(child.pid)
    child.wait()
    assert lifetime.alive(os.getpid())


@pytest.fixture()
def unfinished(finished, tmp_path):
    """The finished experiment without its phase-2 round."""
    folder = tmp_path / "project"
    shutil.copytree(finished.folder, folder, symlinks=True)
    shutil.rmtree(folder / PLACE)
    return Project(folder)


def start(project: Project, *arguments: str) -> subprocess.Popen:
    command = ["snakemake", "--cores", "2", "--nocolor", TARGET, *arguments]
    return subprocess.Popen(
        [sys.executable, "-m", *command, "--configfile", "tests/tiny.yaml"],
        cwd=project.folder, env=project.environment(), start_new_session=True,
        preexec_fn=hear_control_c,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def jobs_in(folder: Path) -> list[psutil.Process]:
    found = []
    for job in psutil.process_iter():
        try:
            if job.cwd() == str(folder) and "tpld" in " ".join(job.cmdline()[:3]):
                found.append(job)
        except psutil.Error:
            continue
    return found


def wait_for_a_job(project: Project, run: subprocess.Popen) -> None:
    while not jobs_in(project.folder):
        assert run.poll() is None, run.stdout and run.stdout.read()
        time.sleep(0.05)


def is_as_before(project: Project, finished) -> bool:
    names = ("predictions.zarr", "thresholds.csv", "split.csv", "model.safetensors", "history.csv")
    return all(
        contents(project.folder / PLACE / name) == contents(finished.folder / PLACE / name)
        for name in names
    )


@pytest.mark.slow
@pytest.mark.parametrize("moment", [0.0, 2.0, 6.0])
def test_kill_9_of_snakemake(finished, unfinished, moment):
    run = start(unfinished)
    wait_for_a_job(unfinished, run)
    # A second run in the same folder is refused, and does no harm to the first.
    if not moment:
        assert "cannot be locked" in unfinished.snakemake(TARGET, check=False)
    time.sleep(moment)
    run.kill()
    run.wait()
    ended = time.monotonic() + 120
    while jobs_in(unfinished.folder):
        assert time.monotonic() < ended, "its jobs outlive it"
        time.sleep(0.2)
    output = unfinished.snakemake(TARGET, check=False)
    if "cannot be locked" in output:
        assert "--unlock" in output
        unfinished.snakemake("--unlock")
        unfinished.snakemake(TARGET)
    assert is_as_before(unfinished, finished)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_snakemake_is_asked_to_end(finished, unfinished, number):
    """Ctrl-C reaches the whole group of processes, SIGTERM Snakemake alone."""
    run = start(unfinished)
    wait_for_a_job(unfinished, run)
    (os.killpg if number == signal.SIGINT else os.kill)(run.pid, number)
    output, _ = run.communicate(timeout=300)
    assert run.returncode != 0
    assert "Traceback" not in output, output
    assert not jobs_in(unfinished.folder)
    assert not list((unfinished.folder / PLACE).glob(".*.partial"))
    unfinished.snakemake(TARGET)  # no --unlock is needed after these
    assert is_as_before(unfinished, finished)


@pytest.mark.slow
def test_cores_do_not_change_the_weights(finished, tmp_path):
    """`compute.threads` is 2 in both; Snakemake gives a job of two threads one core, or two."""
    files = []
    for cores in ("1", "2"):
        project = copy_project(tmp_path / cores)
        shutil.copytree(finished.result("data"), project.result("data"))
        target = "results/tiny/source/deeplabv2_resnet18/seed0/model.safetensors"
        project.snakemake(
            target, "--cores", cores, "--rerun-triggers", "mtime",
            overlay={"compute": {"threads": 2}},
        )  # fmt: skip
        files.append((project.folder / target).read_bytes())
    assert files[0] == files[1]


@pytest.mark.slow
def test_a_clock_that_jumps_back_and_forth(finished, unfinished):
    """What is made from a file of tomorrow is refused; a file of 1970 is as good as any."""
    tomorrow = time.time() + 86400
    model = unfinished.result(TPLD, "seed0", "round1", "model.safetensors")
    os.utime(model, (tomorrow, tomorrow))
    said = unfinished.snakemake(TARGET, check=False)
    assert "older modification time" in said and "clock skew" in said
    assert not (unfinished.folder / PLACE / "predictions.zarr").exists()
    os.utime(model, (0, 0))
    unfinished.snakemake(TARGET)
    assert is_as_before(unfinished, finished)


@pytest.mark.slow
def test_read_only_data(finished, tmp_path):
    """Images on a read-only mount; results elsewhere."""
    source = finished.result("data", "city")
    mounted = tmp_path / "data"
    mounted.mkdir()
    bind = ["mount", "--bind", str(source), str(mounted)]
    if subprocess.run(bind, capture_output=True, check=False).returncode:
        pytest.skip("no right to mount")
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", str(mounted)], check=True)
        with pytest.raises(OSError, match="Read-only"):
            (mounted / "x").write_text("x")
        runner, commands = Runner(finished.folder, tmp_path / "runner"), commands_of(finished)
        config = (finished.folder / commands["prepare"][-1]).read_text()
        folder = {"classes": [{"id": i, "name": f"c{i}", "color": [0, 0, 0]} for i in range(19)]}
        for domain in ("source", "target"):
            parts = {part: str(mounted / domain / part) for part in ("images", "labels")}
            folder[domain] = {**parts, "train": str(mounted / domain / "train.txt")}
        import yaml

        tree = {**yaml.safe_load(config), "data": {"kind": "folder", "folder": folder}}
        path = tmp_path / "c.yaml"
        path.write_text(yaml.safe_dump(tree))
        for stage in ("check-data", "prepare"):
            out = tmp_path / stage
            command = [*with_out(commands[stage], out)[:-1], str(path)]
            assert runner.run(command) == 0, runner.said
            assert out.exists()
    finally:
        subprocess.run(["umount", str(mounted)], check=True)
