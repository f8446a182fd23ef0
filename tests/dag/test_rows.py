import pytest

from tpld.config import load_config
from tpld.dag.layout import Layout
from tpld.dag.rows import loss_of, options_of, phase1_rounds, phase2_rounds
from tpld.errors import ConfigError
from tpld.methods import known_methods, parse_method


def message(**tree) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(tree)
    return str(caught.value)


def test_every_row_of_the_papers_tables_is_known():
    assert list(known_methods()) == [
        "source", "oracle", "cbst", "crst_lrent", "crst_mrkld",
        "adaptsegnet", "advent", "clan", "minent",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "base", "tpld", "network", "kind"),
    [
        ("source", "source", False, None, "source"),
        ("cbst+tpld", "cbst", True, None, "self_training"),
        ("crst_lrent+tpld@deeplabv2_vgg16", "crst_lrent", True, "deeplabv2_vgg16", "self_training"),
        ("clan@a.b-c", "clan", False, "a.b-c", "adversarial"),
        ("oracle", "oracle", False, None, "oracle"),
    ],
)
def test_a_name_taken_apart(name, base, tpld, network, kind):
    row = parse_method(name)
    assert (row.name, row.base, row.tpld, row.network) == (name, base, tpld, network)
    assert row.kind == kind
    assert row.adapts == (kind not in ("source", "oracle"))


@pytest.mark.parametrize(
    ("methods", "said"),
    [
        (["crst_mrkdl"], "methods: 'crst_mrkdl' is no known method; did you mean 'crst_mrkld'?"),
        (["adapt"], "did you mean 'adaptsegnet'? Known: source, oracle, cbst, crst_lrent"),
        (["advent+tpld@x"], "'advent' makes none. Write 'advent@x'"),
        (["cbst@"], "'cbst@': after @ comes a network"),
        (["cbst@a/b"], "of letters, digits, and _ . -"),
        (["cbst", "cbst@deeplabv2_resnet101"], "are the same row, for model.name is"),
    ],
)
def test_rows_that_cannot_be(methods, said):
    assert said in message(methods=methods)


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ({"networks": {"x": {"dilations": [1]}}}, "networks.x.dilations: unknown key; "),
        ({"networks": {"x": {"aspp_dilations": [0]}}}, "networks.x.model.aspp_dilations.0: "),
        ({"networks": {"x": {"self_training": {"rounds": 0}}}}, "networks.x.self_training.rounds"),
        ({"networks": {"x": {"self_training": 3}}}, "networks.x.self_training"),
        ({"networks": {"x": {"weights": "random"}}}, "networks.x: source_training.batch_norm is"),
        (
            {"options": {"clan": {"local": 1}}},
            "options.clan.local: unknown key; did you mean 'local_weight'?",
        ),
        ({"options": {"clan": {"epsilon": -1}}}, "options.clan.epsilon: Input should be greater"),
        ({"options": {"clann": {}}}, "options: 'clann' is no known method; did you mean 'clan'?"),
        (
            {"methods": ["clan"], "adversarial": {"target_size": [16, 64]}},
            "target_size is [16, 64]",
        ),
        (
            {
                "methods": ["clan"],
                "model": {"weights": "random"},
                "source_training": {"batch_norm": "train"},
            },
            "adversarial.batch_norm is 'frozen' with random weights",
        ),
    ],
)
def test_what_networks_and_options_may_say(tree, said):
    assert said in message(**tree)


def test_a_networks_entry_changes_its_rows_alone():
    config = load_config(
        {
            "methods": ["cbst", "cbst@small"],
            "networks": {"small": {"name": "deeplabv2_resnet18", "self_training": {"rounds": 2}}},
        }
    )
    small = config.of("cbst@small")
    assert small.model.name == "deeplabv2_resnet18"
    assert small.model.aspp_dilations == config.model.aspp_dilations
    assert small.of("cbst@small") == small
    assert config.of("cbst") is config
    assert phase1_rounds(config, parse_method("cbst+tpld@small")) == 2
    assert phase1_rounds(config, parse_method("cbst+tpld")) == 6
    assert phase2_rounds(config, parse_method("cbst@small")) == 0


def test_rows_of_a_network_share_its_source_model():
    layout = Layout(load_config({"methods": ["source", "cbst", "source@vgg", "cbst+tpld@vgg"]}))
    own, vgg = "results/city/source/deeplabv2_resnet101/seed0", "results/city/source/vgg/seed0"
    assert layout.final_model("source", 0) == f"{own}/model.safetensors"
    assert layout.final_model("source@vgg", 0) == f"{vgg}/model.safetensors"
    assert layout.predictions("cbst", 0, "round0") == f"{own}/predictions.zarr"
    assert layout.predictions("cbst+tpld@vgg", 0, "round0") == f"{vgg}/predictions.zarr"
    assert layout.model_before("cbst+tpld@vgg", 0, "round0") == f"{vgg}/model.safetensors"
    assert layout.final_model("clan@vgg", 0) == "results/city/clan@vgg/seed0/model.safetensors"
    assert layout.rounds("clan") == []


def test_the_loss_of_each_row():
    config = load_config({"loss": {"mrkld_weight": 0.3, "beta": 0.5}})
    losses = {
        name: loss_of(config, parse_method(name))
        for name in ("cbst", "cbst+tpld", "crst_lrent", "crst_mrkld", "crst_mrkld+tpld")
    }
    assert {name: loss.mrkld_weight for name, loss in losses.items()} == {
        "cbst": 0, "cbst+tpld": 0, "crst_lrent": 0, "crst_mrkld": 0.3, "crst_mrkld+tpld": 0.3
    }  # fmt: skip
    assert [loss.beta for loss in losses.values()] == [1, 0.5, 1, 1, 0.5]


def test_options_have_the_papers_values_unless_set():
    config = load_config({"options": {"clan": {"local_weight": 10}}})
    clan, lrent = (options_of(config, parse_method(name)) for name in ("clan", "crst_lrent+tpld"))
    assert clan.model_dump() == {
        "adversarial_weight": 0.001,
        "discrepancy_weight": 0.01,
        "local_weight": 10,
        "epsilon": 0.4,
        "warmup": 0.05,
    }
    assert lrent.model_dump() == {"alpha": 0.25}


def test_an_oracle_needs_the_targets_labels():
    domain = {"images": "i", "labels": "l", "values": {0: "a", 1: "b"}}
    data = {"source": domain, "target": {"images": "i"}}
    tree = {
        "methods": ["source", "oracle"],
        "data": data,
        "source_training": {"batch_norm": "train"},
    }
    assert "'oracle' is trained on the target's own labels, and data.target" in message(**tree)
    data["target"] = domain
    assert load_config(tree).methods == ["source", "oracle"]
