"""The documentation site builds without a complaint, and works without a network."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from tests.dag.test_settings import leaf_keys
from tpld.cli import app
from tpld.config import Config

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    pytest.importorskip("mkdocs")
    out = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(out)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def test_no_page_fetches_anything_from_elsewhere(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 10
    for page in pages:
        text = page.read_text()
        assets = re.findall(r"<(?:script|img|link|iframe)\b[^>]*?(?:src|href)=\"?([^\s\">]+)", text)
        assert [url for url in assets if url.startswith(("http", "//"))] == [], page.name
    for sheet in site.rglob("*.css"):
        assert "url(http" not in sheet.read_text() and "@import" not in sheet.read_text()


def test_equations_are_mathml(site):
    method = (site / "method.html").read_text()
    assert method.count("<math") > 20
    assert "arithmatex" not in method and "$$" not in method
    assert "vote(" in method


def test_every_key_and_every_command_is_there(site):
    keys = (site / "configuration.html").read_text()
    missing = [key for key in leaf_keys(Config) if f"<code>{key.split('.')[-1]}</code>" not in keys]
    assert [key for key in missing if key not in ("data.datasets", "data.folder")] == []
    commands = (site / "commands.html").read_text()
    for name in typer.main.get_command(app).commands:
        assert f"tpld {name}" in commands
