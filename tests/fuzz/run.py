"""Runs fuzz targets, each in a process of its own that is watched for crashes and hangs."""

from __future__ import annotations

import multiprocessing
import random
import resource
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

PATIENCE_SECONDS = 120.0
"""A case takes milliseconds; a machine that is busy with other things may take this long."""
_PRELOADED = ["tests.fuzz.targets", "tpld.training.loop", "tpld.stages.full_labels"]
_MEMORY = 16 * 2**30
# What no reader of data has a reason to do.
_SUSPICIOUS = ("os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "pickle.find_class")


class Finding(NamedTuple):
    """A case that ended badly."""

    target: str
    seed: int
    what: str


class Outcome(NamedTuple):
    """Of one target: cases by result (``valid``, ``refused``), and findings."""

    counts: Counter[str]
    findings: list[Finding]


def fuzz(target: str, cases: int, first: int = 0) -> Outcome:
    """Run cases of a target, from `first` on; a crash or a hang costs that case alone."""
    outcome = Outcome(Counter(), [])
    last = first + cases
    while first < last:
        first = _session(target, first, last, outcome)
    return outcome


def _session(target: str, first: int, last: int, outcome: Outcome) -> int:
    """Run cases in a new process until the end or the first crash; returns the next case."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(target, first, last, theirs))
    process.start()
    theirs.close()
    seed = first
    try:
        while seed < last:
            if not ours.poll(PATIENCE_SECONDS):
                outcome.findings.append(Finding(target, seed, "hangs"))
                return seed + 1
            result, what = ours.recv()
            outcome.counts[result] += 1
            if result not in ("valid", "refused"):
                outcome.findings.append(Finding(target, seed, what))
            seed += 1
    except EOFError:
        process.join()
        outcome.findings.append(Finding(target, seed, f"crash, exit code {process.exitcode}"))
        return seed + 1
    finally:
        process.kill()
        process.join()
    return seed


def _work(target: str, first: int, last: int, pipe: Connection) -> None:
    from tests.fuzz.targets import TARGETS
    from tpld.errors import TpldError

    warnings.simplefilter("ignore")
    seen: list[str] = []
    with tempfile.TemporaryDirectory() as scratch:
        case = TARGETS[target](Path(scratch))
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        sys.addaudithook(lambda event, _: seen.append(event) if event in _SUSPICIOUS else None)
        for seed in range(first, last):
            del seen[:]
            result, what = "valid", ""
            try:
                case(random.Random(f"{target} {seed}"))
            except TpldError as error:
                result, what = "refused", str(error)
                if len(what) < 20:
                    result, what = "silent", repr(error)
            except BaseException:
                result, what = "traceback", traceback.format_exc(limit=-6)
            if seen or (Path(scratch) / "PWNED").exists():
                result, what = "executed", f"{set(seen)} {what}"
            pipe.send((result, what[-3000:]))
