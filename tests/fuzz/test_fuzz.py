"""A few hundred damaged inputs at every run; `python -m tests.fuzz --cases 10000` for more."""

import pytest

from tests.fuzz.run import fuzz

CASES = {
    "configurations": 60,
    "images": 120,
    "split_lists": 80,
    "checkpoints": 60,
    "stores": 60,
    "tables": 60,
}


@pytest.mark.parametrize("target", CASES)
def test_damaged_input_is_refused_with_a_message(target):
    outcome = fuzz(target, CASES[target])
    assert not outcome.findings
    assert outcome.counts.total() == CASES[target]
    assert outcome.counts["refused"] > CASES[target] / 5, "hardly anything was damaged"


def test_the_fuzzer_finds_what_it_looks_for():
    """A target that raises, crashes, says nothing, or runs what it reads: each is a finding."""
    outcome = fuzz("broken_on_purpose", 12)
    what = " ".join(finding.what for finding in outcome.findings)
    assert "ZeroDivisionError" in what and "crash, exit code -6" in what
    assert {"valid", "traceback", "silent", "executed"} == set(outcome.counts)
    crashes = sum("crash" in finding.what for finding in outcome.findings)
    assert outcome.counts.total() + crashes == 12
