"""What the workflow says of its jobs, from records as Snakemake makes them."""

import io
import logging
import re

import pytest
from snakemake_interface_logger_plugins.common import LogEvent

from tpld.dag.terminal import OneLine


@pytest.fixture()
def said():
    """Log records with fields of their own; gives whether they pass, and what was written."""
    stream = io.StringIO()
    one_line = OneLine(stream)

    def log(text=None, level=logging.INFO, **fields):
        record = logging.LogRecord("snakemake", level, "", 0, text, (), None)
        record.__dict__.update(fields)
        return one_line.filter(record)

    log.text = lambda: re.sub(r"^\d\d:\d\d:\d\d ", "", stream.getvalue(), flags=re.MULTILINE)
    return log


def test_a_job_has_a_line_when_it_starts_and_one_when_it_ends(said):
    assert not said("Execute 1 jobs...", event=LogEvent.JOB_STARTED, jobs=[3])
    assert not said(
        event=LogEvent.JOB_INFO, jobid=3, rule_msg="deciding", rule_name="x", reason="long"
    )
    assert not said("Finished jobid: 3", event=LogEvent.JOB_FINISHED, job_id=3)
    assert not said(event=LogEvent.PROGRESS, done=2, total=7)
    assert said.text() == "deciding\n[2 of 7] done in 0:00: deciding\n"


def test_jobs_that_end_together_are_each_named(said):
    for job, name in ((1, "one"), (2, "two")):
        said(event=LogEvent.JOB_INFO, jobid=job, rule_msg=name, rule_name="x")
        said(event=LogEvent.JOB_FINISHED, job_id=job)
    said(event=LogEvent.PROGRESS, done=2, total=2)
    assert said.text().splitlines()[2:] == [
        "[2 of 2] done in 0:00: one", "[2 of 2] done in 0:00: two"
    ]  # fmt: skip


def test_a_rule_that_only_names_targets_is_not_said(said):
    assert not said(event=LogEvent.JOB_INFO, jobid=1, rule_msg=None, rule_name="all")
    assert not said(event=LogEvent.JOB_FINISHED, job_id=1)
    assert not said(event=LogEvent.PROGRESS, done=2, total=2)
    assert said.text() == ""


def test_the_number_of_jobs_and_nothing_where_there_are_none(said):
    said(event=LogEvent.RUN_INFO, stats={"a": 1, "b": 2, "total": 3})
    said(event=LogEvent.RUN_INFO, stats={"total": 0})
    assert said.text() == "3 jobs to do\n"


@pytest.mark.parametrize(
    ("text", "level", "event"),
    [
        ("Nothing to be done", logging.INFO, None),
        ("Complete log(s): x", logging.INFO, None),
        ("Select jobs to execute... failed", logging.ERROR, None),
        (None, logging.ERROR, LogEvent.JOB_ERROR),
    ],
)
def test_what_matters_passes(said, text, level, event):
    assert said(text, level, event=event)


def test_noise_does_not(said):
    assert not said("Select jobs to execute...")
    assert said.text() == ""
