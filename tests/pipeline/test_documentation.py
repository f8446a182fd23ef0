"""What the documentation says to type works: tpld is run, Snakemake planned, files exist."""

import os
import re
import shlex
import shutil
import subprocess
import sys

import pytest
import typer.main
from typer.testing import CliRunner

from tpld.cli import app

from .conftest import ROOT

pytestmark = pytest.mark.pipeline

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# Understood, but not carried out: tests of their own do that, or they train or serve for long.
PARSED = {"export", "view", "train-source", "train-round", "train-phase2", "train-adversarial"}
# Words of lines that change the shell, or ask for what the reader has and we have not.
SKIPPED = {"NETWORK", "my_folders.yaml", "--install-completion", "--profile", "--executor"}
CHANGES = {"window7.yaml": "voting: {window: 7}\n"}


def commands() -> list[str]:
    """Every line of a shell block, without its comment and without ./run; each once."""
    found: dict[str, None] = {}
    for page in PAGES:
        for block in re.findall(r"^```sh\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                words = shlex.split(line, comments=True)
                if words and not SKIPPED & set(words) and not re.search(r"<\w+>|\.\.\.", line):
                    found[shlex.join(words[1:] if words[0] == "./run" else words)] = None
    return list(found)


def of(program: str) -> list[str]:
    return [line for line in commands() if line.split()[0] == program]


@pytest.fixture(scope="session")
def place(finished):
    """The tiny experiment under the names that the pages use, and two folders of images."""
    results = finished.folder / "results"
    if not (results / "city").exists():
        (results / "city").symlink_to("tiny")
    if not (results / "mine").exists():
        # As if made from the two folders: not by that file, which names the city.
        from_elsewhere = shutil.ignore_patterns("origin.json")
        shutil.copytree(results / "tiny", results / "mine", symlinks=True, ignore=from_elsewhere)
    for domain, name in (("source", "day"), ("target", "night")):
        for kind in ("images", "labels"):
            to = finished.folder / name / kind
            if not to.exists():
                shutil.copytree(results / "tiny" / "data" / "city" / domain / kind, to)
    for name, text in CHANGES.items():
        (finished.folder / name).write_text(text)
    return finished


@pytest.fixture()
def here(place, monkeypatch):
    """In the folder of the project, with its own configuration; `mine.yaml` is there."""
    import numba

    monkeypatch.chdir(place.folder)
    # Commands set it where it is missing, and numba accepts no other value than its first.
    monkeypatch.setenv("NUMBA_NUM_THREADS", str(numba.config.NUMBA_NUM_THREADS))
    if not (place.folder / "mine.yaml").exists():
        run(next(line for line in of("tpld") if line.startswith("tpld init")))
    return place


def run(line: str):
    done = CliRunner().invoke(app, shlex.split(line)[1:])
    assert done.exit_code == 0, f"{line}\n{done.output}\n{done.exception}"
    return done


def test_tpld_does_what_the_pages_say(here):
    """One test, for later lines use what earlier ones have made."""
    for line in of("tpld"):
        name, *arguments = shlex.split(line)[1:]
        if name in PARSED:
            typer.main.get_command(app).commands[name].make_context(name, arguments)
            continue
        if name == "init":
            (here.folder / "mine.yaml").unlink()
            shutil.rmtree(here.folder / "mine")
        run(line)


def plans() -> list[str]:
    """Each plan once; the default one and those of the paper's tables are made in other tests."""
    words = [[w for w in line.split() if w not in ("-n", "-p")] for line in of("snakemake")]
    plain = ["snakemake", "--cores", "2"]
    wanted = [line for line in words if "table1" not in line and line != plain]
    return list(dict.fromkeys(map(shlex.join, wanted)))


@pytest.mark.parametrize("line", plans())
def test_snakemake_plans_what_the_pages_say(here, line):
    words = shlex.split(line)
    files = [word for word in words if word.endswith(".yaml")]
    assert all((here.folder / file).exists() for file in files), line
    one_seed = [] if "--config" in words else ["--config", "seeds=[0]"]  # a third of the jobs
    done = subprocess.run(
        [sys.executable, "-m", *words, *one_seed, "--dry-run", "--quiet"],
        env={**os.environ, **here.environment()}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"


def test_scripts_that_the_pages_name_exist():
    scripts = [shlex.split(line)[1] for line in of("python")]
    assert scripts
    assert [script for script in scripts if not (ROOT / script).is_file()] == []


def test_relative_links_lead_somewhere():
    broken = []
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
            if "://" not in target and not (page.parent / target).exists():
                broken.append(f"{page.name}: {target}")
    assert broken == []
