"""No stage, and no part of Snakemake that we use, opens a connection unless weights are wanted."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.pipeline


def test_the_whole_experiment_ran_without_a_network(finished):
    """The fixture runs it under a guard that refuses and notes every attempt."""
    assert finished.result("report.html").exists()
    assert not (finished.folder / "network.log").exists()


def test_the_guard_would_have_seen_it(finished, tmp_path):
    environment = {**finished.environment(), "TPLD_NETWORK_LOG": str(tmp_path / "log")}
    attempts = [
        "socket.create_connection(('192.0.2.1', 80), 1)",
        "socket.socket().connect(('192.0.2.1', 80))",
        "urllib.request.urlopen('http://192.0.2.1', timeout=1)",
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 53))",
    ]
    for attempt in attempts:
        code = f"import socket, urllib.request; {attempt}"
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert "a test's guard" in done.stderr
    assert len((tmp_path / "log").read_text().splitlines()) >= len(attempts)


def test_the_report_asks_for_nothing(finished):
    """No address in it is loaded: a page that is opened offline is whole."""
    page = finished.result("report.html").read_text(encoding="utf-8")
    for mark in ('src="http', "src='http", "url(http", "<script src", '<link rel="stylesheet'):
        assert mark not in page
