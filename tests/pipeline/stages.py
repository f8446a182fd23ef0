"""The stages of the finished experiment, each in a process of its own, to be killed at will.

The processes are forked from one that has imported everything, so that a stage costs its own work
and not the start of Python. Nothing is changed in the experiment: `--out` leads elsewhere.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import re
import shlex
import shutil
import signal
import sys
from pathlib import Path

_PRELOADED = [
    "tpld.cli",
    *(
        f"tpld.stages.{stage}"
        for stage in (
            "assess", "check", "compare", "confidence", "dump", "evaluate", "full_labels", "label",
            "prepare", "report", "split", "thresholds", "train_adversarial", "train_phase2",
            "train_round", "train_source",
        )
    ),
]  # fmt: skip
# Of a record: what is not the same in two runs.
_OF_A_RUN = ("finished", "seconds", "host", "commit")
_MOMENTS = ("open", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.truncate")


def commands_of(project) -> dict[str, list[str]]:
    """One command of each stage, the last one that was run: name -> arguments without ``--log``."""
    found: dict[str, list[str]] = {}
    for line in re.findall(
        r"\btpld ([a-z0-9-]+ +--.*)", (project.folder / "commands.txt").read_text()
    ):
        arguments = shlex.split(line)
        at = arguments.index("--log")
        found[arguments[0]] = arguments[:at] + arguments[at + 2 :]
    # The first: other tests may have run with changed keys since.
    configs = (project.folder / "results" / "state" / "config").glob("*.yaml")
    config = min(configs, key=lambda file: file.stat().st_mtime_ns)
    relative = config.relative_to(project.folder).as_posix()
    return {name: [*arguments, "--config", relative] for name, arguments in found.items()}


class Runner:
    """Runs commands in forked processes.

    Args:
        folder: of the project, where commands are run.
        scratch: for standard error and counters.
    """

    def __init__(self, folder: Path, scratch: Path) -> None:
        self.folder, self.scratch = folder, scratch
        scratch.mkdir(parents=True, exist_ok=True)
        os.environ.setdefault("NUMBA_NUM_THREADS", "1")
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(_PRELOADED)

    def start(self, command: list[str], die_at: int = 0, number: int = signal.SIGKILL):
        """Start a command; it sends itself a signal at its `die_at`-th change of a file."""
        arguments = (command, str(self.folder), str(self.scratch), die_at, number)
        process = self.context.Process(target=_run, args=arguments)
        process.start()
        return process

    def run(self, command: list[str], die_at: int = 0, number: int = signal.SIGKILL) -> int:
        """The exit status; negative for a signal."""
        process = self.start(command, die_at, number)
        process.join(900)
        assert process.exitcode is not None, "it hangs"
        return process.exitcode

    @property
    def moments(self) -> int:
        """Changes of files that the last whole run made."""
        return int((self.scratch / "moments").read_text())

    @property
    def said(self) -> str:
        """Standard error of the last run."""
        return (self.scratch / "stderr").read_text()


def _run(command: list[str], folder: str, scratch: str, die_at: int, number: int) -> None:
    os.chdir(folder)
    error = os.open(f"{scratch}/stderr", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(error, 1)
    os.dup2(error, 2)
    sys.stderr = os.fdopen(2, "w", buffering=1)
    seen = [0]

    def watch(event: str, arguments: tuple) -> None:
        if event not in _MOMENTS:
            return
        if event == "open" and not (isinstance(arguments[2], int) and arguments[2] & os.O_ACCMODE):
            return  # only read
        seen[0] += 1
        if seen[0] == die_at:
            os.kill(os.getpid(), number)

    from tpld.cli import main

    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    sys.argv = ["tpld", *command]
    sys.addaudithook(watch)
    try:
        main()
    finally:
        changes = seen[0]
        Path(scratch, "moments").write_text(str(changes))


def with_out(command: list[str], out: Path) -> list[str]:
    """The command with another ``--out``."""
    at = command.index("--out")
    return [*command[: at + 1], str(out), *command[at + 2 :]]


def contents(path: Path) -> dict[str, bytes]:
    """Bytes of every file of an artefact, without what differs between two runs of one stage."""
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    return {p.relative_to(path.parent).as_posix(): _lasting(p) for p in files}


def visible(path: Path) -> dict[str, bytes]:
    """The same of what readers see: hidden files are those of unfinished writers."""
    found = contents(path) if path.exists() else {}
    return {name: data for name, data in found.items() if not _hidden(name)}


def _hidden(name: str) -> bool:
    return any(part.startswith(".") for part in name.split("/"))


def _lasting(path: Path) -> bytes:
    data = path.read_bytes()
    if path.name not in ("run.json", "zarr.json"):
        return data
    tree = json.loads(data)
    run = tree.get("attributes", {}).get("run", {}) if path.name == "zarr.json" else tree
    for key in _OF_A_RUN:
        run.pop(key, None)
    tree.get("attributes", {}).pop("checksum", None)  # of all this, times included
    return json.dumps(tree, sort_keys=True).encode()


def kill_and_rerun(
    runner: Runner, command: list[str], out: Path, kills: int, seed: int
) -> list[int]:
    """Kill a stage at random moments; each time what is visible is whole, and a rerun completes it.

    Returns:
        The moments.
    """
    whole = out / "whole"
    assert runner.run(with_out(command, whole / "result")) == 0, runner.said
    expected, moments, rng = contents(whole), runner.moments, random.Random(seed)
    killed = sorted(rng.sample(range(1, moments + 1), min(kills, moments)))
    for moment in killed:
        place = out / f"at{moment}"
        place.mkdir(parents=True)
        broken = with_out(command, place / "result")
        # The first run of all may have made folders that later runs need not make.
        while (status := runner.run(broken, moment)) == 0 and moment > 1:
            moment -= 1
            shutil.rmtree(place / "result", ignore_errors=True)
        assert status == -signal.SIGKILL, runner.said
        for name, data in visible(place).items():
            assert data == expected[name.replace(place.name, "whole", 1)], f"{name} is not whole"
        assert runner.run(broken) == 0, runner.said
        rerun = {n.replace(place.name, "whole", 1): data for n, data in contents(place).items()}
        assert rerun.keys() == expected.keys()
        different = [name for name in rerun if rerun[name] != expected[name]]
        assert not different, f"killed at {moment} of {moments}, {different} differ"
    return killed
