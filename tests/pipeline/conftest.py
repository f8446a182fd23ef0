"""A finished run of the tiny configuration in a copy of the project, shared by the session."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml
from filelock import FileLock
from PIL import Image

ROOT = Path(__file__).parents[2]
GUARD = Path(__file__).parent / "no_network"
TINY = yaml.safe_load((ROOT / "tests" / "tiny.yaml").read_text())


class Project:
    """A copy of the project whose package, rules and results a test may change."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def snakemake(
        self,
        *arguments: str,
        overlay: dict | None = None,
        check: bool = True,
        preset: str = "tests/tiny.yaml",
        targets: Sequence[str] = (),
    ) -> str:
        """Run Snakemake on the tiny configuration (or a preset); returns its output."""
        files = [preset]
        if overlay is not None:
            (self.folder / "overlay.yaml").write_text(yaml.safe_dump(overlay))
            files.append("overlay.yaml")
        command = ["snakemake", "--cores", "2", "--nocolor", *arguments, "--configfile", *files]
        command += ["--", *targets] if targets else []
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=self.folder, env=self.environment(),
            capture_output=True, text=True, timeout=900, check=False,
        )  # fmt: skip
        output = done.stdout + done.stderr
        if check and done.returncode:
            raise AssertionError(f"{' '.join(command)} failed:\n{output[-4000:]}")
        return output

    def environment(self) -> dict[str, str]:
        """The package is the copy's, not the installed one; and there is no network."""
        return {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(GUARD), str(self.folder)]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "TPLD_NETWORK_LOG": str(self.folder / "network.log"),
        }

    def planned(self, overlay: dict | None = None) -> set[str]:
        """Jobs that a dry run would start: `rule`, `rule method round`, `... seed1`."""
        output = self.snakemake("--dry-run", "--printshellcmds", overlay=overlay)
        return {_job(path) for path in re.findall(r"--log results/tiny/(\S+)\.log", output)}

    def result(self, *parts: str) -> Path:
        """A path below the results of the tiny experiment."""
        return self.folder.joinpath("results", "tiny", *parts)


def _job(log: str) -> str:
    """Name of the job that writes a log file, whose path holds rule, method, seed and round."""
    *folders, rule = log.split("/")
    folders.remove("logs")
    seed = next((f for f in folders if f.startswith("seed") and f != "seed0"), "")
    places = [f for f in folders if not f.startswith(("seed", "data", "source", "deeplabv2"))]
    if folders[:1] == ["source"] and rule == "dump":
        rule = "dump_source"
    if rule == "evaluate":
        rule = "evaluate_round"
    rule = rule.replace("evaluate_target", "evaluate target").replace("_source_val", " source_val")
    return " ".join([rule, *places, seed]).strip()


def hear_control_c() -> None:
    """Where the tests run in a shell's background, which ignores it, the child would, too."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def copy_project(folder: Path) -> Project:
    """All that a run needs, with compiled code and kernels, and nothing that it makes."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("tpld", "workflow", "profiles", "envs"):
        shutil.copytree(ROOT / name, folder / name)  # keeps times, or the caches were void
    (folder / "slurm").symlink_to("profiles/slurm")
    (folder / "tests").mkdir()
    for name in ("Snakefile", "config.yaml", "tests/tiny.yaml"):
        shutil.copy(ROOT / name, folder / name)
    return Project(folder)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Project:
    """The tiny experiment, run to the end: once, and a copy for each test process.

    ``TPLD_TEST_FINISHED`` names a folder that keeps it between sessions, for trying single tests;
    delete it after a change of what it holds.
    """
    base = tmp_path_factory.getbasetemp()
    kept = os.environ.get("TPLD_TEST_FINISHED")
    shared = Path(kept) if kept else base if worker_id == "master" else base.parent
    shared.mkdir(parents=True, exist_ok=True)
    with FileLock(shared / "finished.lock"):
        if not (shared / "finished").exists():
            project = copy_project(shared / "running")
            output = project.snakemake("--printshellcmds")
            (project.folder / "commands.txt").write_text(output)
            project.folder.rename(shared / "finished")
    own = tmp_path_factory.mktemp("finished") / "project"
    shutil.copytree(shared / "finished", own, symlinks=True)
    return Project(own)


@pytest.fixture()
def project(tmp_path):
    """The project with two folders of images and a configuration that names them."""
    project = copy_project(tmp_path / "project")
    for domain in ("source", "target"):
        for kind in ("images", "labels"):
            (tmp_path / domain / kind).mkdir(parents=True)
        for grey, name in enumerate(("a", "b"), start=90 if domain == "source" else 92):
            Image.new("RGB", (64, 48), (grey, grey, grey)).save(
                tmp_path / domain / "images" / f"{name}.png"
            )
            Image.new("L", (64, 48), 1).save(tmp_path / domain / "labels" / f"{name}.png")
    classes = [{"id": i, "name": n, "color": [i, i, i]} for i, n in enumerate(("road", "sky"))]
    project.data = tmp_path
    project.overlay = {
        "data": {
            "kind": "folder",
            "folder": {
                "classes": classes,
                **{
                    domain: {
                        "images": str(tmp_path / domain / "images"),
                        "labels": str(tmp_path / domain / "labels"),
                    }
                    for domain in ("source", "target")
                },
            },
        }
    }
    return project
