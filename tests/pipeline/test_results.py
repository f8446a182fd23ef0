"""What a finished experiment holds, and that ground truth does not reach training."""

import json
import re
import subprocess
import sys

import pandas as pd
import pytest
import xarray as xr
import yaml

from .conftest import TINY, copy_project

pytestmark = pytest.mark.pipeline

TPLD = "crst_mrkld+tpld"
LAST = (TPLD, "seed0", "phase2_round0")


def test_tables_and_report_are_there(finished):
    table = pd.read_csv(finished.result("comparison.csv"))
    target = table[table["split"] == "target_val"]
    assert set(target["method"]) == {"source", "crst_mrkld", TPLD}
    assert target.groupby(["method", "protocol"]).size().nunique() == 1
    assert "mIoU" in finished.result("comparison.md").read_text()
    assert "road" in finished.result("comparison.tex").read_text()
    page = finished.result("report.html").read_text()
    assert "self-information after, mean" in page, "no network was asked for the hard images"
    assert page.count("crst_mrkld+tpld: ") >= 3, "no prediction of its network is shown"


def test_the_report_of_snakemake_stands_alone(finished):
    out = finished.folder / "snakemake_report.html"
    finished.snakemake("--report", out.name)
    text = out.read_text()
    for words in ("comparison of the methods", "everything, explained", "The page stands alone"):
        assert words in text
    assert not re.search(r"""<(?:script|link|img)[^>]+(?:src|href)=["']?(?:https?:)?//""", text)


def test_the_first_dump_is_shared(finished):
    assert finished.result("source", "deeplabv2_resnet18", "seed0", "predictions.zarr").is_dir()
    assert not finished.result(TPLD, "seed0", "round0", "predictions.zarr").exists()


def test_no_resume_point_is_left(finished):
    assert not list((finished.folder / "results" / "state").glob("*.pt"))


def test_xarray_opens_every_store(finished):
    stores = list((finished.folder / "results").rglob("*.zarr"))
    assert len(stores) >= 6
    for path in stores:
        store = xr.open_zarr(path)
        assert store.sizes["image"] == len(store["image"])
        assert "road" in store["class"].values
        name = "logits" if path.name == "predictions.zarr" else "label"
        assert store[name].dims[0] == "image"
        assert store.attrs["complete"] and store.attrs["run"]["inputs"]


def test_origin_and_label_agree(finished):
    labels = xr.open_zarr(finished.result(TPLD, "seed0", "round0", "labels.zarr"))
    none = labels["label"].values == 255
    assert ((labels["origin"].values == 0) == none).all()
    assert (labels["origin"].values >= 2).any(), "voting added nothing on the tiny city"


def test_records_tell_where_a_model_comes_from(finished):
    record = json.loads(finished.result(*LAST, "run.json").read_text())
    assert record["settings"]["phase2.gamma"] == 2
    assert record["batch_norm"] == "train" and record["seed"] == 0
    assert record["versions"]["torch"] and len(record["inputs"]) == 5


def test_training_rules_never_name_the_ground_truth(finished):
    for rule in ("train_source", "dump", "label", "train_round", "train_phase2", "split", "score"):
        for record in finished.result().rglob(f"logs/{rule}*.log"):
            assert "truth" not in record.read_text()
    output = finished.snakemake("--dry-run", "--forceall", "--printshellcmds")
    commands = re.findall(r"\btpld ([a-z-]+) +(--.*)", output)
    assert len(commands) > 30
    reading = {command for command, options in commands if "_truth" in options}
    assert reading == {"prepare", "assess"}


def test_a_run_without_target_labels_gives_the_same_weights(finished, tmp_path):
    """The same images as a folder data set, once without any ground truth of the target."""
    city = finished.result("data", "city")
    classes = yaml.safe_load(_class_table(finished))
    project = copy_project(tmp_path / "project")
    folder = {"classes": classes}
    for domain in ("source", "target"):
        folder[domain] = {
            "images": str(city / domain / "images"),
            "train": str(city / domain / "train.txt"),
        }
    folder["source"]["labels"] = str(city / "source" / "labels")
    overlay = {"methods": [TPLD], "data": {"kind": "folder", "folder": folder}}
    model = (*LAST, "model.safetensors")
    wanted = project.result(*model).relative_to(project.folder).as_posix()
    planned = project.snakemake("--dry-run", overlay=overlay)
    assert "target_train_truth" not in planned and "report.html" in planned
    project.snakemake(wanted, overlay=overlay)
    assert project.result(*model).read_bytes() == finished.result(*model).read_bytes()


def _class_table(project) -> str:
    code = (
        "import yaml; from tpld.data.city.draw import CITY_CLASSES as C;"
        "print(yaml.safe_dump([dict(id=i, name=n, color=list(c)) for i, (n, c) in enumerate(C)]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=project.environment(), capture_output=True, check=True
    )
    return done.stdout.decode()


def test_loading_processes_do_not_change_the_weights(finished, tmp_path):
    """Phase 2 runs numba kernels where it loads; they share OpenMP with torch."""
    runs = {workers: tmp_path / f"workers{workers}" for workers in (0, 2)}
    for workers, out in runs.items():
        assert _train_phase2(finished, out, workers) == 0
    files = [(out / "model.safetensors").read_bytes() for out in runs.values()]
    assert files[0] == files[1]


def _train_phase2(finished, out, workers: int) -> int:
    """The stage with more steps than the tiny run has, its state below `out`; its exit status."""
    out.mkdir()
    config = yaml.safe_load((finished.folder / "config.yaml").read_text())
    _merge(config, TINY)
    changes = {"results": str(out), "compute": {"workers": workers}, "phase2": {"epochs": 4}}
    _merge(config, changes)
    (out / "config.yaml").write_text(yaml.safe_dump(config))
    place = finished.result(TPLD, "seed0")
    last = place / "phase2_round0"
    command = [
        "train-phase2", "--config", out / "config.yaml", "--seed", 0, "--out", out,
        "--method", TPLD, "--round", 0, "--model", place / "round1" / "model.safetensors",
        "--target", finished.result("data", "target_train"),
        "--predictions", last / "predictions.zarr", "--thresholds", last / "thresholds.csv",
        "--split", last / "split.csv",
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", "from tpld.cli import main; main()", *map(str, command)],
        cwd=finished.folder,
        env={**finished.environment(), "OMP_NUM_THREADS": "1"},
        check=False,
    )
    return done.returncode


def _merge(tree: dict, changes: dict) -> None:
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(tree.get(key), dict):
            _merge(tree[key], value)
        else:
            tree[key] = value
