"""Plans that would stop in the middle, and experiments that share a folder."""

import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import blocks
from tpld.config import load_config
from tpld.dag.feasible import check_plan, check_split
from tpld.dag.origin import check_origin, write_origin
from tpld.dag.plan import Plan
from tpld.errors import ConfigError, TrainingError
from tpld.training.draw import Group
from tpld.training.phase2 import Phase2Batches, Phase2Data

TREE = {"model": {"weights": "random"}, "source_training": {"batch_norm": "train"}}


def config(methods=("crst_mrkld+tpld",), **phase2):
    return load_config({**TREE, "methods": list(methods), "phase2": phase2})


def refused(settings, images) -> str:
    with pytest.raises(ConfigError) as caught:
        check_split(settings, images)
    return str(caught.value)


def test_one_target_image_is_too_few_for_phase_2():
    assert refused(config(), 1) == (
        "methods: 'crst_mrkld+tpld' needs easy and hard target images, and round 0 of its phase 2 "
        "has no easy ones: phase2.easy_portion 0.3 of 1 target training image. Change "
        "easy_portion, give more target images, or set phase2.rounds: 0"
    )
    check_split(config(), 2)
    check_split(config(rounds=0), 1)
    check_split(config(["crst_mrkld"]), 1)


def test_a_portion_of_one_leaves_no_hard_images():
    assert "round 0 of its phase 2 has no hard ones: phase2.easy_portion 1 of 500" in (
        refused(config(easy_portion=1), 500)
    )
    said = refused(config(easy_portion=0.4, easy_step=0.3), 500)
    assert "round 2 of its phase 2 has no hard ones: phase2.easy_portion 0.4 and easy_step 0.3" in (
        said
    )
    check_split(config(easy_portion=0.4, easy_step=0.3, rounds=2), 500)


def test_the_keys_of_a_variant_count():
    tree = {**TREE, "methods": ["cbst+tpld", "cbst+tpld~all"]}
    settings = load_config({**tree, "variants": {"all": {"phase2": {"easy_portion": 1.0}}}})
    assert "'cbst+tpld~all' needs" in refused(settings, 9)


@given(st.integers(1, 40), st.floats(0.01, 1), st.floats(0, 0.5), st.integers(1, 4))
def test_what_is_refused_is_what_training_would_refuse(images, portion, step, rounds):
    from tpld.core.split import split_by_confidence

    settings = config(easy_portion=portion, easy_step=step, rounds=rounds)
    names = [f"{number}" for number in range(images)]

    def train() -> None:
        for number in range(rounds):
            share = min(1.0, portion + step * number)
            easy = split_by_confidence(names, list(range(images)), share)
            places = [names.index(name) for name in easy]
            hard = [place for place in range(images) if place not in places]
            # Of the images, their groups alone are asked for.
            target: Any = SimpleNamespace(groups=[Group(np.arange(images), 1.0)])
            nothing: Any = None
            data = Phase2Data(target, nothing, nothing, places, hard)
            Phase2Batches(data, settings.phase2, settings.self_training, number, 0)

    try:
        train()
    except TrainingError:
        refused(settings, images)
    else:
        check_split(settings, images)


def test_a_plan_counts_the_images_that_are_listed(folders):
    methods = {"methods": ["cbst+tpld"]}
    check_plan(Plan(folders.config(**methods)))
    folders.split("target", "train", "t0")
    with pytest.raises(ConfigError, match="of 1 target training image"):
        check_plan(Plan(folders.config(**methods)))
    folders.split("target", "train", "nowhere")  # said by the check of the data
    check_plan(Plan(folders.config(**methods)))


def test_a_plan_counts_the_scenes_of_the_city():
    tree = {**TREE, "methods": ["cbst+tpld"]}
    check_plan(Plan(load_config({**tree, "data": {"city": {"target_train": 2}}})))
    with pytest.raises(ConfigError, match="of 1 target training image"):
        check_plan(Plan(load_config({**tree, "data": {"city": {"target_train": 1}}})))


# --- two configurations of one name -------------------------------------------------------------


@pytest.fixture()
def made(folders):
    """Folders whose experiment has been checked and trained."""
    root = folders.root / "results" / "tiny"
    (root / "data").mkdir(parents=True)
    (root / "source" / "seed0").mkdir(parents=True)
    (root / "source" / "seed0" / "model.safetensors").write_bytes(b"x")
    write_origin(folders.config(), root / "data")
    return folders


@pytest.mark.parametrize("side", ["source", "target"])
@pytest.mark.parametrize(
    "change", [{"images": "elsewhere"}, {"train": "other.txt"}, {"only": ["night/*"]}]
)
def test_results_of_other_images_are_not_overwritten(made, side, change):
    made.folder[side] |= change
    with pytest.raises(ConfigError) as caught:
        check_origin(made.config())
    text = str(caught.value)
    assert text.startswith(f"experiment: the results in {made.root}/results/tiny were made from")
    assert f"(data.{side}: {made.root}/{side}/images; now: " in text
    assert next(iter(change.values()))[0].strip("[]'") in text
    assert "Give this configuration a name of its own (`experiment:`), or delete" in text
    made.tree["experiment"] = "other"
    check_origin(made.config())


def test_another_kind_of_domain_is_another_experiment(made):
    made.tree["data"]["target"] = {"kind": "city"}
    made.tree["data"]["classes"] = [{"name": "road"}, {"name": "car"}, {"name": "sky"}]
    with pytest.raises(ConfigError, match=r"target/images; now: city\)"):
        check_origin(made.config())


def test_the_same_images_spelt_otherwise_and_other_keys_are_the_same_experiment(made, monkeypatch):
    monkeypatch.chdir(made.root)
    made.folder["source"]["images"] = "./target/../source/images"
    made.folder["target"]["resize"] = [16, 24]
    made.tree["seeds"] = [1, 2]
    check_origin(made.config())


def test_where_nothing_is_trained_or_written_down_there_is_nothing_to_lose(made):
    made.folder["source"]["images"] = str(made.root / "target" / "images")
    root = made.root / "results" / "tiny"
    with pytest.raises(ConfigError):
        check_origin(made.config())
    record = (root / "data" / "origin.json").read_text()
    for damaged in ("", "{", "[]", "{}", json.dumps({"source": 1, "target": None})):
        (root / "data" / "origin.json").write_text(damaged)
        check_origin(made.config())
    (root / "data" / "origin.json").write_text(record)
    (root / "source" / "seed0" / "model.safetensors").unlink()
    check_origin(made.config())


def test_more_images_in_the_same_folder_are_no_other_experiment(made):
    made.add("target", "t9", blocks(32, 48, 9))
    check_origin(made.config())


# --- paths that Snakemake would take for patterns -------------------------------------------------


@pytest.mark.parametrize("name", ["{x}", "{{x}}", "a{b", "{}"])
def test_a_list_with_braces_in_its_path_is_read_but_no_input(folders, name):
    """Snakemake has no way to say that a brace is a brace; the list's names count all the same."""
    usual = folders.split("target", "train", "t0", "t1")
    plan = Plan(folders.config())
    assert plan.files.inputs("target_train") == [str(usual)]
    before = plan.files.fingerprint("target_train", "image")
    folders.folder["target"]["train"] = str(usual.rename(usual.with_stem(name)))
    braces = Plan(folders.config())
    assert braces.files.inputs("target_train") == []
    assert braces.files.fingerprint("target_train", "image") == before
    usual.with_stem(name).write_text("t0\n")
    assert Plan(folders.config()).files.fingerprint("target_train", "image") != before
