"""Bad input stops the pipeline before training: while it plans, or in its first job.

Every kind of bad input, and what is said of it: `tests/data/test_check.py`, `test_sources.py`.
"""

import pytest
from PIL import Image

pytestmark = pytest.mark.pipeline


def run(project) -> str:
    output = project.snakemake("--until", "train_source", overlay=project.overlay, check=False)
    assert "Error" in output or "error" in output
    assert "Traceback" not in output
    # Nothing that looks whole: no table of the check, no cache, no model.
    assert not project.result("data", "check.csv").exists()
    assert not project.result("data", "source_train").exists()
    assert not project.result("source").exists() or not list(
        project.result("source").rglob("*.safetensors")
    )
    return output


def test_missing_label(project):
    (project.data / "source" / "labels" / "b.png").unlink()
    output = run(project)
    assert "labels/b.png" in output and "Correct the folder, the suffix or the split list" in output


def test_unknown_configuration_key(project):
    project.overlay["votin"] = {"window": 7}
    output = run(project)
    assert "votin: unknown key; did you mean 'voting'?" in output


def test_all_problems_are_named_together(project):
    Image.new("L", (64, 48), 7).save(project.data / "source" / "labels" / "a.png")
    Image.new("L", (64, 48), 9).save(project.data / "target" / "labels" / "a.png")
    output = run(project)
    assert "2 files cannot be used" in output
    assert "7 (3072" in output and "9 (3072" in output


def test_a_key_given_twice(project):
    (project.folder / "twice.yaml").write_text("seeds: [0]\nseeds: [1]\n")
    output = project.snakemake("--dry-run", preset="twice.yaml", check=False)
    assert "twice.yaml, lines 1 and 2: the key 'seeds' is given twice" in output
