import pytest

from tpld.config import load_config
from tpld.dag.layout import Layout
from tpld.dag.rows import phase2_rounds, portion_of
from tpld.dag.settings import settings_of
from tpld.errors import ConfigError
from tpld.methods import parse_method

TPLD = "crst_mrkld+tpld"
VARIANTS = {
    "alpha": {"voting": {"alpha": 0.3}},
    "gamma": {"phase2": {"gamma": 4}},
    "one": {"self_training": {"rounds": 1}},
    "dense": {"thresholds": {"start_portion": 0.3}},
    "late": {"thresholds": {"max_portion": 0.25}},
    "voting": {"loss": {"beta": 1}, "phase2": {"rounds": 0}},
    "same": {"voting": {"alpha": 0.7}},
    "soft": {"options": {"crst_lrent": {"alpha": 0.5}}},
}
BASE = {"source_training": {"batch_norm": "train"}, "model": {"weights": "random"}}


def config(*methods: str, **tree):
    rows = {"methods": list(methods) or ["source"], "variants": VARIANTS}
    return load_config({**BASE, **rows, "self_training": {"rounds": 3, "base_rounds": 2}, **tree})


@pytest.mark.parametrize(
    ("name", "parent", "network"),
    [
        ("cbst~alpha", "cbst", None),
        ("crst_mrkld+tpld~a-0.3", TPLD, None),
        ("clan@vgg~x", "clan@vgg", "vgg"),
    ],
)
def test_a_variants_name_taken_apart(name, parent, network):
    row = parse_method(name)
    assert (row.name, row.parent, row.network, row.variant) == (
        name, parent, network, name.partition("~")[2]
    )  # fmt: skip
    assert parse_method(parent).variant is None and parse_method(parent).parent == parent


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ({"methods": ["cbst~alhpa"]}, "variant 'alhpa', of which `variants` says nothing; did"),
        ({"methods": ["source~alpha"]}, "and 'source' adapts none. Write 'source'"),
        ({"methods": ["cbst~"]}, "'cbst~': after ~ comes a name of `variants`"),
        ({"methods": ["cbst~a~b"]}, "of letters, digits, and _ . -"),
        ({"variants": {"a": {"source_training": {}}}}, "variants.a.source_training: unknown key"),
        ({"variants": {"a": {"voting": {"alpha": 3}}}}, "variants.a.voting.alpha: Input should"),
        ({"variants": {"a": {"voting": {"alfa": 1}}}}, "did you mean 'alpha'?"),
        ({"variants": {"a": {"options": {"clan": {"epsilon": -1}}}}}, "clan.epsilon"),
    ],
)
def test_variants_that_cannot_be(tree, said):
    with pytest.raises(ConfigError) as caught:
        load_config({**BASE, "variants": VARIANTS, **tree})
    assert said in str(caught.value)


def test_a_row_sees_its_variants_keys_and_network():
    networks = {"small": {"name": "deeplabv2_resnet18"}}
    row = f"{TPLD}@small~alpha"
    seen = config(row, networks=networks).of(row)
    assert (seen.voting.alpha, seen.model.name) == (0.3, "deeplabv2_resnet18")
    assert seen.of(row) == seen, "a stage may ask a second time"
    assert config().of(TPLD).voting.alpha == 0.7


@pytest.mark.parametrize(
    ("variant", "shared"),
    [
        ("alpha", []),
        ("gamma", ["round0", "round1", "round2"]),
        ("one", ["round0"]),
        ("dense", []),
        ("late", ["round0", "round1"]),  # 0.20 and 0.25; the next would be 0.30
        ("voting", []),
        ("same", ["round0", "round1", "round2", "phase2_round0", "phase2_round1"]),
        ("soft", ["round0", "round1", "round2", "phase2_round0", "phase2_round1"]),
    ],
)
def test_rounds_are_shared_up_to_the_first_that_differs(variant, shared):
    row = f"{TPLD}~{variant}"
    layout = Layout(config(TPLD, row, phase2={"rounds": 2}))
    assert layout.shared(row) == shared
    for name in layout.rounds(row):
        folder = TPLD if name in shared else row
        assert layout.round(row, 1, name, "labels.csv").split("/")[2:4] == [folder, "seed1"]
    assert layout.evaluation(row, 1, "target_val").split("/")[2] == row


def test_a_round_after_the_shared_ones_starts_from_the_last_of_them():
    row = f"{TPLD}~gamma"
    layout = Layout(config(TPLD, row))
    assert layout.model_before(row, 0, "phase2_round0") == layout.round(
        TPLD, 0, "round2", "model.safetensors"
    )
    assert layout.predictions(row, 0, "phase2_round0").split("/")[2] == row
    assert layout.final_model(row, 0).split("/")[2] == row


def test_patterns_of_rules_stay_patterns():
    assert Layout(config(f"{TPLD}~gamma")).round("{method}", 0, "round0") == (
        "results/city/{method}/seed0/round0"
    )


def test_what_depends_on_a_rows_keys_asks_for_the_row():
    whole = config(TPLD, f"{TPLD}~voting", f"{TPLD}~dense")
    assert phase2_rounds(whole, parse_method(f"{TPLD}~voting")) == 0
    assert phase2_rounds(whole, parse_method(TPLD)) == 3
    assert portion_of(whole, parse_method(f"{TPLD}~dense"), False, 0) == 0.3
    assert settings_of(whole, "train_round", f"{TPLD}~voting")["loss.beta"] == 1
