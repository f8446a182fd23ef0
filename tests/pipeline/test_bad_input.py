"""Bad input stops before training with a message that names file, value and remedy."""

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


def test_label_of_another_size(project):
    Image.new("L", (32, 48), 1).save(project.data / "source" / "labels" / "a.png")
    output = run(project)
    assert "64x48 pixels" in output and "32x48 pixels" in output and "labels/a.png" in output


def test_unknown_label_value(project):
    Image.new("L", (64, 48), 7).save(project.data / "target" / "labels" / "b.png")
    output = run(project)
    assert "target/labels/b.png" in output and "7 (3072 pixels)" in output
    assert "Allowed: [0, 1]" in output and "ignored_ids" in output


def test_empty_split(project):
    (project.data / "empty.txt").write_text("\n")
    project.overlay["data"]["folder"]["target"]["train"] = str(project.data / "empty.txt")
    output = run(project)
    assert "empty.txt" in output and "the split is empty" in output


def test_truncated_image(project):
    path = project.data / "source" / "images" / "a.png"
    path.write_bytes(path.read_bytes()[:60])
    assert "images/a.png cannot be decoded" in run(project)


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
