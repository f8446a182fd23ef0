"""Rows of other methods and networks, on the finished tiny experiment."""

import json

import pandas as pd
import pytest
from safetensors import safe_open

from .conftest import TINY

pytestmark = pytest.mark.pipeline

OTHERS = ["cbst", "cbst+tpld", "crst_lrent", "crst_lrent+tpld"]
ORACLE = "oracle"
ADVERSARIAL = ["adaptsegnet", "advent", "minent", "clan"]
FINISHED = ["source", "crst_mrkld", "crst_mrkld+tpld"]


def test_all_rows_are_planned_once_and_share_what_is_finished(finished):
    small = ["source@small", "crst_lrent@small", "clan@small"]
    networks = {
        "small": {"name": "deeplabv2_resnet18", "aspp_dilations": [1, 2]},
        "deeplabv3_resnet101": {"weights": "random"},  # by its architecture, beside a bare `source`
    }
    methods = [*FINISHED, *OTHERS, *ADVERSARIAL, *small, "source@deeplabv3_resnet101", ORACLE]
    jobs = finished.planned({"methods": methods, "networks": networks})
    assert {job for job in jobs if job.startswith("train_adversarial")} == {
        f"train_adversarial {name}" for name in [*ADVERSARIAL, "clan@small"]
    }
    assert {job for job in jobs if job.endswith("oracle")} == {
        "train_source oracle", "evaluate target_val oracle"
    }  # fmt: skip
    for method in [*OTHERS, "crst_lrent@small"]:
        assert {f"label {method} round0", f"train_round {method} round0"} <= jobs
    # The source model of the other network is new; nothing of the finished rows is.
    new = {job for job in jobs if job.endswith(("small", "train_source", "dump_source"))}
    assert {"train_source small", "dump_source small"} <= new
    assert "train_source deeplabv3_resnet101" in jobs
    assert not {"train_source", "dump_source"} & jobs
    assert not {job for job in jobs for name in FINISHED if job.split()[1:2] == [name]}


def test_an_adversarial_row_trains_and_is_evaluated_like_the_others(finished):
    overlay = {"methods": [*TINY.get("methods", FINISHED), "clan"]}
    place = finished.result("clan", "seed0")
    table = place / "evaluation" / "target_val.csv"
    finished.snakemake(table.relative_to(finished.folder).as_posix(), overlay=overlay)
    record = json.loads((place / "run.json").read_text())
    assert record["settings"]["options.clan.local_weight"] == 40
    assert (record["start"], record["steps"]) == ("source model", 4)
    history = pd.read_csv(place / "history.csv")
    assert len(history) == 4
    assert history.notna().all(axis=None)
    with safe_open(place / "model.safetensors", framework="pt") as file:
        assert json.loads(file.metadata()["tpld"])["heads"] == "twin"
    reference = pd.read_csv(finished.result("source", "seed0", "evaluation", "target_val.csv"))
    seen = pd.read_csv(table)
    assert seen["protocol"].unique().tolist() == reference["protocol"].unique().tolist()
    assert seen["pixels"].sum() == reference["pixels"].sum()


def test_the_oracle_is_trained_as_the_source_model_on_the_targets_labels(finished):
    overlay = {"methods": [*FINISHED, ORACLE]}
    table = finished.result(ORACLE, "seed0", "evaluation", "target_val.csv")
    finished.snakemake(table.relative_to(finished.folder).as_posix(), overlay=overlay)
    record = json.loads(finished.result(ORACLE, "seed0", "run.json").read_text())
    source = finished.result("source", "deeplabv2_resnet18", "seed0", "run.json")
    assert record["settings"] == json.loads(source.read_text())["settings"]
    assert [name for name in record["inputs"] if name.endswith("target_train_labelled")]
    assert pd.read_csv(table)["pixels"].sum() > 0
