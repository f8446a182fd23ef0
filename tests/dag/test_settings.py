from typing import get_args

import pytest
from pydantic import BaseModel

from tpld.config import Config, load_config
from tpld.dag.files import DataFiles
from tpld.dag.settings import _KEYS, Stage, settings_of
from tpld.methods import parse_method

BASE = {"source_training": {"batch_norm": "train"}, "model": {"weights": "random"}}
METHODS = ("source", "crst_mrkld", "crst_mrkld+tpld")
STAGES = get_args(Stage)

ADVERSARIAL = ("train_adversarial",)
RUN = {"self_training": ("label", "train_round", "train_phase2"), "adversarial": ADVERSARIAL}

# What no stage is handed as a setting, and why.
ELSEWHERE = {
    "experiment": "is part of every path",
    "results": "is part of every path",
    "study": "is part of the paths of a study",
    "data": "reaches stages through check.csv and the caches, which are inputs",
    "compute": "says how to compute, not what",
    "thresholds.start_portion": "is handed over as the portion of the round",
    "thresholds.portion_step": "is handed over as the portion of the round",
    "thresholds.max_portion": "is handed over as the portion of the round",
    "self_training.rounds": "says how many jobs there are",
    "self_training.base_rounds": "says how many jobs there are",
    "phase2.rounds": "says how many jobs there are",
    "evaluation.every_round": "says how many jobs there are",
    "evaluation.on_source": "says how many jobs there are",
    "networks": "reaches stages through the sections that it changes",
}


def leaf_keys(model: type[BaseModel], above: str = "") -> list[str]:
    found: list[str] = []
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found += leaf_keys(kind, f"{above}{name}.")
        else:
            found.append(f"{above}{name}")
    return found


def changed(dotted: str, value) -> set[str]:
    """`stage method` pairs whose settings a changed key changes."""
    section, key = dotted.split(".")
    before = load_config(BASE)
    after = load_config({**BASE, section: {**BASE.get(section, {}), key: value}})
    assert before.get(dotted) != after.get(dotted), "the test changes nothing"
    return {
        f"{stage} {method}"
        for stage in STAGES
        for method in METHODS
        if settings_of(before, stage, method) != settings_of(after, stage, method)
    }


def of(stage: str, *methods: str) -> set[str]:
    return {f"{stage} {method}" for method in methods or METHODS}


@pytest.mark.parametrize(
    ("key", "value", "reached"),
    [
        ("voting.window", 15, of("label", "crst_mrkld+tpld")),
        ("voting.iterations", 1, of("label", "crst_mrkld+tpld")),
        ("phase2.easy_portion", 0.4, of("split")),
        ("phase2.divide_by", "predicted", of("score")),
        ("phase2.source_crops", 1, of("train_phase2")),
        ("phase2.hard_label", "sparse", of("train_phase2")),
        ("phase2.gamma", 3, of("label_easy") | of("train_phase2")),
        ("self_training.rounds", 5, set()),
        ("self_training.base_rounds", 5, set()),
        ("phase2.rounds", 5, set()),
        ("thresholds.start_portion", 0.3, set()),
        ("thresholds.factor", 0.9, of("thresholds")),
        ("thresholds.every", 2, of("thresholds") | of("label_study")),
        ("thresholds.mined_share", 0.1, of("thresholds")),
        ("loss.beta", 0.5, of("train_round", "crst_mrkld+tpld") | of("train_phase2")),
        ("loss.on_unlabelled", True, of("train_round", "crst_mrkld+tpld")),
        ("loss.mrkld_weight", 0.1, of("train_round", "crst_mrkld", "crst_mrkld+tpld")),
        ("self_training.crop", [64, 64], of("train_round") | of("train_phase2")),
        ("self_training.learning_rate", 1.0, of("train_round")),
        ("source_training.steps", 7, of("train_source")),
        ("dump.scale", 1.0, of("dump")),
        ("evaluation.protocols", [{"name": "single"}], of("evaluate")),
        ("evaluation.every_round", True, set()),
        ("compute.device", "cpu", set()),
        ("compute.precision", "float32", set()),
        ("compute.threads", 1, set()),
        ("compute.checkpoint_every", 7, set()),
        ("compute.devices", 2, set()),
        ("compute.parts", 8, set()),
        ("data.cache_gib", 1, set()),
    ],
)
def test_a_key_changes_the_settings_of_these_stages_alone(key, value, reached):
    assert changed(key, value) == reached


def test_the_network_reaches_every_stage_that_builds_it():
    built = {"train_source", "dump", "train_round", "train_phase2", "evaluate", *ADVERSARIAL}
    assert {pair.split()[0] for pair in changed("model.output_stride", 16)} == built
    # Where the weights came from matters to the stages that load them, no others.
    loads = of("train_source") | of("train_adversarial")
    assert changed("model.weights", "DEFAULT") == loads
    from_source = {**BASE, "adversarial": {"start": "source"}}
    others = {**from_source, "model": {"weights": "DEFAULT"}}
    before, after = (
        settings_of(load_config(tree), "train_adversarial", "clan")
        for tree in (from_source, others)
    )
    assert before == after


def test_a_base_method_is_recorded_without_the_keys_of_tpld():
    config = load_config(BASE)
    assert settings_of(config, "label", "crst_mrkld") == {}
    losses = {
        key for key in settings_of(config, "train_round", "crst_mrkld") if key.startswith("loss.")
    }
    assert losses == {"loss.mrkld_weight"}
    assert settings_of(config, "train_round", "crst_mrkld")["loss.mrkld_weight"] == 0.01


def test_settings_hold_the_values():
    config = load_config({**BASE, "voting": {"window": 9}})
    assert settings_of(config, "label", "crst_mrkld+tpld")["voting"]["window"] == 9
    assert settings_of(config, "split") == {
        "phase2.easy_portion": 0.30,
        "phase2.easy_step": 0.0,
    }


def test_every_key_is_claimed_by_a_stage_or_explained_here():
    claimed = {key for keys in _KEYS.values() for key in keys} | set(ELSEWHERE)

    def is_claimed(leaf: str) -> bool:
        parts = leaf.split(".")
        return any(".".join(parts[:n]) in claimed for n in range(1, len(parts) + 1))

    assert [leaf for leaf in leaf_keys(Config) if not is_claimed(leaf)] == []


def test_no_key_is_both_claimed_and_explained_away():
    claimed = {key for keys in _KEYS.values() for key in keys}
    assert claimed & set(ELSEWHERE) == set()
    assert set(_KEYS) == set(STAGES)


@pytest.mark.parametrize(
    ("changes", "row", "reached"),
    [
        ({"options": {"crst_lrent": {"alpha": 0.5}}}, "crst_lrent", {"label", "train_round"}),
        ({"options": {"crst_lrent": {"alpha": 0.5}}}, "crst_mrkld", set()),
        ({"options": {"clan": {"local_weight": 10}}}, "clan", {"train_adversarial"}),
        ({"options": {"clan": {"local_weight": 10}}}, "advent", set()),
        ({"loss": {"mrkld_weight": 1}}, "cbst+tpld", set()),
        ({"adversarial": {"steps": 9}}, "minent", {"train_adversarial"}),
    ],
)
def test_options_are_of_their_method_alone(changes, row, reached):
    before, after = load_config(BASE), load_config({**BASE, **changes})
    kind = parse_method(row).kind
    stages = RUN[kind]
    found = {s for s in stages if settings_of(before, s, row) != settings_of(after, s, row)}
    assert found == reached


def test_a_row_of_another_network_has_that_networks_settings():
    networks = {"small": {"name": "deeplabv2_resnet18", "self_training": {"learning_rate": 0.1}}}
    config = load_config({**BASE, "networks": networks})
    found = settings_of(config, "train_round", "cbst@small")
    assert found["model.name"] == "deeplabv2_resnet18"
    assert found["self_training.learning_rate"] == 0.1
    plain = settings_of(config, "train_round", "cbst")
    assert plain["model.name"] == "deeplabv2_resnet101"
    assert plain["self_training.learning_rate"] == 5e-5
    # Commands hand on the row's configuration, and ask for the row's settings again.
    assert settings_of(config.of("cbst@small"), "train_round", "cbst@small") == found


def test_a_network_called_by_its_architecture_stands_beside_the_same_rows_without_it():
    rows = ["source", "crst_mrkld+tpld"]
    networks = {"deeplabv2_vgg16": {"self_training": {"learning_rate": 2e-5}}}
    methods = [*rows, *(f"{row}@deeplabv2_vgg16" for row in rows)]
    config = load_config({**BASE, "methods": methods, "networks": networks})
    vgg = config.with_network("deeplabv2_vgg16")
    found = settings_of(vgg, "train_source")  # as the rules ask of a network that rows share
    assert found["model"]["name"] == "deeplabv2_vgg16"
    row = "crst_mrkld+tpld@deeplabv2_vgg16"
    assert settings_of(config, "train_round", row)["self_training.learning_rate"] == 2e-5
    assert settings_of(config, "train_round", rows[1])["self_training.learning_rate"] == 5e-5


def test_what_the_models_own_network_changes_does_not_reach_another():
    networks = {
        "deeplabv2_resnet101": {"self_training": {"learning_rate": 0.1}},
        "small": {"name": "deeplabv2_resnet18"},
    }
    config = load_config({**BASE, "networks": networks, "methods": ["cbst", "cbst@small"]})
    assert settings_of(config, "train_round", "cbst")["self_training.learning_rate"] == 0.1
    assert settings_of(config, "train_round", "cbst@small")["self_training.learning_rate"] == 5e-5


@pytest.mark.parametrize("side", ["source", "target"])
def test_colours_decode_and_train_nothing_again_and_weights_check_nothing(folders, side):
    before = DataFiles(load_config(folders.tree))
    for entry in folders.tree["data"]["classes"]:
        entry["color"] = [1, 2, 3]
    colored = DataFiles(load_config(folders.tree))
    folders.tree["data"][side]["weight"] = 9
    weighed = DataFiles(load_config(folders.tree))
    split = f"{side}_train"
    assert before.keys(split) == colored.keys(split) != weighed.keys(split)
    assert before.checked() == colored.checked() == weighed.checked()
