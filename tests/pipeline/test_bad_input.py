"""Bad input stops before training with a message that names file, value and remedy."""

import pytest
from PIL import Image

from .conftest import copy_project

pytestmark = pytest.mark.pipeline


@pytest.fixture()
def project(tmp_path):
    """The project with two folders of images and a configuration that names them."""
    project = copy_project(tmp_path / "project")
    for domain in ("source", "target"):
        for kind in ("images", "labels"):
            (tmp_path / domain / kind).mkdir(parents=True)
        for name in ("a", "b"):
            Image.new("RGB", (64, 48), (90, 90, 90)).save(
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
