"""Configuration files say what they seem to say, or are refused: every YAML, every field."""

import types
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tpld.config import Config, check_files, load_config, load_merged
from tpld.config.reading import read_yaml
from tpld.errors import ConfigError
from tpld.methods import known_methods
from tpld.section import Section

ROOT = Path(__file__).parents[1]


def written(tmp_path: Path, text: str, name: str = "c.yaml") -> Path:
    (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path / name


# --- keys given twice -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "lines", "key"),
    [
        ("seeds: [0]\nstudy: a\nseeds: [1]\n", (1, 3), "seeds"),
        ("voting:\n  window: 3\n  alpha: 0.5\n  window: 5\n", (2, 4), "window"),
        ("voting: {window: 3,\n window: 5}\n", (1, 2), "window"),
        ("evaluation:\n  protocols:\n    - name: a\n      name: b\n", (3, 4), "name"),
        ('"seeds": [0]\nseeds: [1]\n', (1, 2), "seeds"),
        ("data:\n  values:\n    1: road\n    0x1: car\n", (3, 4), "0x1"),
        ("data:\n  values:\n    1: road\n    yes: car\n", (3, 4), "yes"),
        ("data:\n  values:\n    1: road\n    1.0: car\n", (3, 4), "1.0"),
        ("on: 1\ntrue: 2\n", (1, 2), "true"),
        (
            "networks:\n  a: &a {weights: x}\n  b:\n    <<: *a\n    name: c\n    name: d\n",
            (5, 6),
            "name",
        ),
    ],
)
def test_a_key_given_twice_is_refused_with_both_lines(tmp_path, text, lines, key):
    path = written(tmp_path, text)
    for read in (
        load_config,
        read_yaml,
        lambda path: load_merged([path]),
        lambda p: check_files([p]),
    ):
        with pytest.raises(ConfigError) as caught:
            read(path)
        assert str(caught.value) == (
            f"{path}, lines {lines[0]} and {lines[1]}: the key '{key}' is given twice. Keep one, "
            "or join what stands below them"
        )


@given(st.lists(st.sampled_from("abcde"), min_size=2, max_size=6))
def test_exactly_mappings_with_a_key_twice_are_refused(tmp_path_factory, keys):
    path = written(tmp_path_factory.mktemp("y"), "".join(f"{key}: 1\n" for key in keys))
    if len(set(keys)) == len(keys):
        assert read_yaml(path) == dict.fromkeys(keys, 1)
    else:
        with pytest.raises(ConfigError, match="is given twice"):
            read_yaml(path)


def test_equal_keys_of_different_mappings_and_merged_keys_are_no_repetition(tmp_path):
    text = (
        "a: &a {x: 1, y: 2}\n"
        "b: &b\n  <<: *a\n  x: 3\n"
        "c:\n  <<: [*b, *a]\n  y: 4\n"
        "d: [{x: 1}, {x: 2}]\n"
    )
    tree = read_yaml(written(tmp_path, text))
    assert tree["b"] == {"x": 3, "y": 2}
    assert tree["c"] == {"x": 3, "y": 4}
    assert tree == yaml.safe_load(text)


def test_json_is_read_with_the_same_care(tmp_path):
    path = written(tmp_path, '{"voting": {\n\t"window": 3}}', "c.json")
    assert load_config(path).voting.window == 3
    path = written(tmp_path, '{"voting": {"window": 3, "window": 5}}', "c.json")
    with pytest.raises(ConfigError, match="the key 'window' is given twice"):
        read_yaml(path)


@pytest.mark.parametrize(
    "path",
    sorted([ROOT / "config.yaml", *(ROOT / "workflow").rglob("*.yaml")]),
    ids=lambda p: p.stem,
)
def test_what_the_project_ships_reads_as_it_did(path):
    assert read_yaml(path) == yaml.safe_load(path.read_text(encoding="utf-8"))


# --- numbers ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "base"), [("010", 8), ("-017", 8), ("0_7", 8), ("1:30", 60), ("1:30.5", 60)]
)
def test_numbers_of_other_bases_are_refused(tmp_path, text, base):
    path = written(tmp_path, f"seeds:\n  - {text}\n")
    with pytest.raises(ConfigError, match=f"line 2: YAML reads {text} as a number of base {base}"):
        load_config(path)


@pytest.mark.parametrize(
    "text", ["0", "10", "0.5", "1_000", "0x1F", "-3", "0o7", "2001-01-01", ".5"]
)
def test_other_scalars_are_read_as_ever(tmp_path, text):
    assert read_yaml(written(tmp_path, f"a: {text}")) == yaml.safe_load(f"a: {text}")


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-4", 1e-4), ("5e-05", 5e-5), ("1E3", 1000), ("2.5e1", 25), ("1.e2", 100), ("+1e2", 100)],
)
def test_an_exponent_without_point_or_sign_is_a_number(tmp_path, text, value):
    path = written(tmp_path, f"self_training: {{learning_rate: {text}}}")
    assert load_config(path).self_training.learning_rate == value


def test_an_exponent_may_stand_for_a_whole_number(tmp_path):
    path = written(tmp_path, "source_training: {steps: 1e5}\nseeds: [1e1]")
    config = load_config(path)
    assert config.source_training.steps == 100_000
    assert type(config.seeds[0]) is int
    with pytest.raises(ConfigError, match=r"source_training\.steps: .*fractional part"):
        load_config(written(tmp_path, "source_training: {steps: 15e-1}"))


def test_a_name_that_yaml_reads_as_something_else_wants_quotes(tmp_path):
    for text in ("12", "2024-05-01", "1.5"):
        with pytest.raises(ConfigError, match=r"experiment: .*Put it in quotes"):
            load_config(written(tmp_path, f"experiment: {text}"))


# --- truth values: every field of every section -------------------------------------------------


def sections(start: type[Section], found: set[type[Section]]) -> set[type[Section]]:
    """The section and all that stand in its fields."""

    def inside(annotation: Any) -> Iterator[type[Section]]:
        if isinstance(annotation, type) and issubclass(annotation, Section):
            yield annotation
        for inner in get_args(annotation):
            yield from inside(inner)

    if start not in found:
        found.add(start)
        for field in start.model_fields.values():
            for section in inside(field.annotation):
                sections(section, found)
    return found


SECTIONS = sections(Config, set()) | {recipe.Options for recipe in known_methods().values()}


def with_truth(annotation: Any) -> Iterator[Any]:
    """Values of a field's form that hold a truth value where a number or a text stands."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        yield from with_truth(inner[0])
    elif origin in (Union, types.UnionType):
        if bool not in inner:
            for kind in inner:
                yield from with_truth(kind)
    elif origin is Literal:
        if not any(isinstance(entry, bool) for entry in inner):
            yield from (True, False)
    elif origin is dict:
        yield from ({key: 1} for key in with_truth(inner[0]))
        yield from ({"1": value} for value in with_truth(inner[1]))
    elif origin in (list, tuple):
        yield from ([value] for value in with_truth(inner[0]))
        if origin is tuple and len(inner) > 1 and inner[1] is not ...:
            yield from ([1, value] for value in with_truth(inner[1]))
    elif annotation in (int, float, str):
        yield from (True, False)


CASES = [
    (section, key, value)
    for section in sorted(SECTIONS, key=lambda section: section.__name__)
    for key, field in section.model_fields.items()
    for value in with_truth(field.annotation)
]


def test_the_walk_reaches_the_schema():
    numbers = {f"{section.__name__}.{key}" for section, key, _ in CASES}
    wanted = ["Config.seeds", "Voting.window", "SourceTraining.scale", "Model.output_stride"]
    assert numbers >= {*wanted, "Config.experiment", "Adversarial.steps", "Protocol.scales"}
    assert len(numbers) > 80


@pytest.mark.parametrize(
    ("section", "key", "value"), CASES, ids=lambda part: getattr(part, "__name__", str(part))
)
def test_a_truth_value_is_no_number_and_no_text(section, key, value):
    with pytest.raises(ValidationError) as caught:
        section.model_validate({key: value})
    own = [error["msg"] for error in caught.value.errors() if error["loc"] == (key,)]
    assert any("YAML reads " in message and "as the truth value" in message for message in own)


@pytest.mark.parametrize("word", ["yes", "on", "true", "True", "no", "off", "false"])
@pytest.mark.parametrize(
    "form", ["seeds: [{}]", "source_training: {{steps: {}}}", "voting:\n  alpha: {}"]
)
def test_yes_and_no_are_no_numbers(tmp_path, form, word):
    with pytest.raises(
        ConfigError, match=r"as the truth value (true|false), and a number is wanted"
    ):
        load_config(written(tmp_path, form.format(word)))


@pytest.mark.parametrize("value", [True, False])
def test_truth_values_stay_where_they_belong(value):
    config = load_config({"dump": {"mirror": value}, "compute": {"channels_last": value}})
    assert config.dump.mirror is config.compute.channels_last is value


def test_variants_networks_and_options_are_read_with_the_same_care():
    for tree in (
        {"variants": {"a": {"voting": {"window": True}}}},
        {"networks": {"b": {"name": "deeplabv2_resnet18", "self_training": {"batch_size": True}}}},
        {"options": {"crst_lrent": {"alpha": True}}},
    ):
        with pytest.raises(ConfigError, match="as the truth value true"):
            load_config(tree)


def test_keys_that_are_one_key_as_numbers_are_refused():
    class Table(Section):
        values: dict[int, str]

    assert Table.model_validate({"values": {"1": "a", 2: "b"}}).values == {1: "a", 2: "b"}
    with pytest.raises(ValidationError, match="the key 1 is given twice, once as text"):
        Table.model_validate({"values": {1: "road", "1": "car"}})
