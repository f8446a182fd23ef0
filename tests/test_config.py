import json
import re
from pathlib import Path

import pytest
import yaml

from tpld.config import Config, load_config
from tpld.errors import ConfigError

ROOT = Path(__file__).parents[1]
PRESETS = sorted((ROOT / "workflow" / "presets").rglob("*.yaml"))
TRAINED = {"source_training": {"batch_norm": "train"}}


def message(tree) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(tree)
    return str(caught.value)


def section(tree: dict, dotted: str, value) -> dict:
    """A nested dictionary with one dotted key."""
    for part in reversed(dotted.split(".")):
        value = {part: value}
    return {**tree, **value}


# --- unknown keys -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "near"),
    [
        ("experimnt", "experiment"),
        ("votting", "voting"),
        ("voting.windw", "window"),
        ("phase2.easy_potion", "easy_portion"),
        ("self_training.jitter.brightnes", "brightness"),
        ("data.city.hieght", "height"),
    ],
)
def test_unknown_key_names_the_nearest_known_one(key, near):
    text = message(section({}, key, 1))
    assert f"{key}: unknown key; did you mean '{near}'?" in text


def test_unknown_key_without_a_near_one_lists_the_known_ones():
    text = message({"voting": {"zzz": 1}})
    assert "voting.zzz: unknown key; Known here: window, iterations, alpha, pool, rank_by" in text
    assert "did you mean" not in text


def test_unknown_key_inside_a_list_of_sections(empty_folders):
    empty_folders.folder["classes"] = [
        {"title": "road", "colour": [0, 0, 0]},
        {"name": "sky", "color": [1, 1, 1]},
    ]
    text = message(empty_folders.tree)
    assert "data.classes.0.colour: unknown key; did you mean 'color'?" in text
    assert "data.classes.0.name: Field required" in text


def test_all_problems_are_named_together():
    lines = message({"vting": {}, "seeds": [-1], "voting": {"alpha": 2}}).splitlines()
    assert lines[0] == "configuration:"
    assert len(lines) == 4
    assert all(line.startswith("  - ") for line in lines[1:])


# --- bounds -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("voting.alpha", 1.5, "less than or equal to 1 (is 1.5)"),
        ("voting.alpha", -0.1, "greater than or equal to 0 (is -0.1)"),
        ("voting.iterations", -1, "greater than or equal to 0 (is -1)"),
        ("voting.pool", "median", "'mean', 'sum' or 'share' (is 'median')"),
        ("thresholds.start_portion", 0, "greater than 0 (is 0)"),
        ("thresholds.start_portion", 1.01, "less than or equal to 1 (is 1.01)"),
        ("thresholds.every", 0, "greater than or equal to 1 (is 0)"),
        ("phase2.gamma", 0, "greater than 0 (is 0)"),
        ("loss.beta", 1.1, "less than or equal to 1 (is 1.1)"),
        ("model.output_stride", 4, "8, 16 or 32 (is 4)"),
        ("source_training.jitter.hue", 0.6, "less than or equal to 0.5 (is 0.6)"),
        ("data.city.height", 63, "greater than or equal to 64 (is 63)"),
        ("experiment", "a/b", "should match pattern"),
        ("model.aspp_dilations", [], "at least 1 item"),
        ("evaluation.protocols", [{"name": "a", "scales": [0]}], "greater than 0 (is 0)"),
        ("evaluation.protocols", [{"name": "a b"}], "should match pattern"),
        ("evaluation.protocols", [], "at least 1 item"),
    ],
)
def test_bounds(key, value, said):
    text = message(section({}, key, value))
    assert f"- {key}" in text
    assert said in text


def test_window_must_be_odd():
    text = message({"voting": {"window": 56}})
    assert "voting: window is 56; it must be odd (it has a centre pixel)" in text
    assert load_config({"voting": {"window": 55}}).voting.window == 55


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ({"seeds": [1, 2, 1]}, "seeds names an entry twice: [1, 2, 1]"),
        ({"methods": ["source", "source"]}, "methods names an entry twice: ['source', 'source']"),
    ],
)
def test_duplicate_rows_are_refused(tree, said):
    assert said in message(tree)


def test_frozen_batch_norm_with_random_weights_is_refused():
    text = message({"model": {"weights": "random"}})
    assert "source_training.batch_norm is 'frozen' with random weights" in text
    assert "Set it to 'train', or give pretrained model.weights" in text
    load_config({"model": {"weights": "random"}, **TRAINED})
    load_config({"model": {"weights": "DEFAULT"}})


def test_protocols_are_told_apart_by_name():
    assert "protocols names a twice" in message(
        {"evaluation": {"protocols": [{"name": "a"}, {"name": "a", "mirror": True}]}}
    )


def test_folder_data_need_the_folder_section():
    assert "data: kind is 'folder', but data.folder is missing" in message(
        {"data": {"kind": "folder"}}
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "road"}, "class name given twice: road"),
        ({"id": 7}, "class id given twice: 7"),
        ({"id": 0}, "ids [0] are both a class and ignored"),
    ],
)
def test_a_table_of_before_must_be_unambiguous(empty_folders, changes, said):
    before(empty_folders.tree)["classes"][2] |= changes
    assert said in message(empty_folders.tree)


def before(tree):
    """Rewrites the section `data` in the form of before, and returns its folders."""
    data = tree["data"]
    ids = {name: value for value, name in data["source"]["values"].items()}
    sides = {
        side: {k: v for k, v in data[side].items() if k not in ("values", "ignored")}
        for side in ("source", "target")
    }
    classes = [{**entry, "id": ids[entry["name"]]} for entry in data["classes"]]
    tree["data"] = {
        "kind": "folder",
        "folder": {**sides, "classes": classes, "ignored_ids": data["source"]["ignored"]},
    }
    return tree["data"]["folder"]


def test_the_form_of_before_is_the_same_configuration(folders):
    now = load_config(folders.tree)
    before(folders.tree)
    then = load_config(folders.tree)
    assert then.data.classes == now.data.classes
    for side in ("source", "target"):
        old, new = getattr(then.data, side)[0], getattr(now.data, side)[0]
        assert old.model_copy(update={"image_suffix": None}) == new
        assert old.image_suffix == [".png"]


@pytest.mark.parametrize("key", ["source", "target", "classes"])
@pytest.mark.parametrize("kind", ["folder", "city", None])
def test_both_forms_at_once_are_refused(folders, key, kind):
    # As two files are that are laid over each other, whichever of them is the older.
    now = folders.tree["data"][key]
    before(folders.tree)
    folders.tree["data"] |= {key: now, "kind": kind}
    if kind is None:
        del folders.tree["data"]["kind"]
    text = message(folders.tree)
    assert f"{key} and, of a form of before, {'kind, ' * bool(kind)}folder.source.images" in text
    assert "Write data.source.train for data.folder.source.train" in text


@pytest.mark.parametrize("over", [{}, {"source": {"kind": "gta5", "root": "x"}}])
@pytest.mark.parametrize(
    ("older", "named"),
    [
        ({"folder": {"source": {"train": "a.txt"}}}, "folder.source.train"),
        ({"datasets": {"target": {"root": "x"}}}, "datasets.target.root"),
        ({"folder": {"ignored_ids": [3]}}, "folder.ignored_ids"),
        ({"folder": None}, "folder"),
    ],
)
def test_a_part_of_the_form_of_before_is_never_dropped(older, named, over):
    text = message({"data": older | over})
    assert named in text
    assert "of a form of before" in text


def test_values_cannot_change_after_loading():
    config = load_config({})
    with pytest.raises(ValueError, match="frozen"):
        config.voting.window = 3


# --- files ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("voting: [1, 2", "is no valid YAML"),
        ("a: b: c", "is no valid YAML"),
        ("- voting\n- loss\n", "holds a list; a mapping of keys is needed"),
        ("just words", "holds a str; a mapping of keys is needed"),
    ],
)
def test_files_that_hold_no_mapping(tmp_path, content, said):
    path = tmp_path / "c.yaml"
    path.write_text(content)
    text = message(path)
    assert str(path) in text
    assert said in text


def test_file_of_bytes_that_are_no_text(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_bytes(b"a: \xff\xfe\x00")
    assert f"{path} is no valid YAML" in message(path)


def test_missing_file(tmp_path):
    path = tmp_path / "none.yaml"
    assert message(path) == (
        f"cannot read {path}: No such file or directory. Give an existing file"
    )


def test_an_error_of_a_file_names_the_file(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("voting: {windw: 3}")
    assert message(path).startswith(f"{path}:\n  - voting.windw: unknown key")


def test_an_empty_file_means_the_defaults(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("# nothing\n")
    assert load_config(path) == Config()


def test_scientific_notation_without_a_point_is_a_number(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("self_training: {learning_rate: 5e-5}")
    assert load_config(path).self_training.learning_rate == 5e-5


def test_get_gives_plain_data():
    config = load_config({})
    assert config.get("voting.window") == 57
    assert config.get("source_training.jitter")["hue"] == 0.0
    assert json.loads(json.dumps(config.get("self_training"))) == config.get("self_training")


# --- what the project ships -------------------------------------------------------------------


def merged(*files: Path) -> dict:
    """The files over each other, as Snakemake merges them: mappings deep, all else replaced."""

    def update(below: dict, above: dict) -> dict:
        both = dict(below)
        for key, value in above.items():
            old = below.get(key)
            deep = isinstance(old, dict) and isinstance(value, dict)
            both[key] = update(old, value) if deep else value
        return both

    tree: dict = {}
    for file in files:
        tree = update(tree, yaml.safe_load(file.read_text(encoding="utf-8")))
    return tree


def leaves(tree: dict, above: str = "") -> set[str]:
    found: set[str] = set()
    for key, value in tree.items():
        path = f"{above}{key}"
        found |= leaves(value, f"{path}.") if isinstance(value, dict) else {path}
    return found


def test_the_default_experiment_loads():
    config = load_config(ROOT / "config.yaml")
    assert config.data.draws_city and config.data.classes is None
    assert config.experiment == "city"


def test_there_are_presets():
    assert PRESETS


@pytest.mark.parametrize("preset", PRESETS, ids=lambda p: p.stem)
def test_presets_load_over_the_default_experiment(preset):
    # Overlays of a preset say in their head what they are laid over.
    below = re.findall(r"workflow/presets/([\w/]+\.yaml)", preset.read_text(encoding="utf-8"))
    files = [ROOT / "workflow" / "presets" / name for name in dict.fromkeys(below)]
    config = load_config(merged(ROOT / "config.yaml", *[f for f in files if f != preset], preset))
    assert config.experiment != "city", "its results would go into the city's folder"


@pytest.mark.parametrize("preset", PRESETS, ids=lambda p: p.stem)
def test_presets_of_other_data_inherit_nothing_from_the_city(preset):
    tree = yaml.safe_load(preset.read_text(encoding="utf-8"))
    if "kind" not in tree.get("data", {}):
        pytest.skip("changes some keys of the city")
    city = leaves(yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8")))
    needed = {key for key in city if not key.startswith(("compute.", "data.city."))}
    assert needed - leaves(tree) == set()


def test_the_schema_is_in_step():
    path = ROOT / "workflow" / "schemas" / "config.schema.json"
    stored = json.loads(path.read_text(encoding="utf-8"))
    assert stored == json.loads(json.dumps(Config.model_json_schema())), (
        "run `tpld schema --out workflow/schemas/config.schema.json`"
    )


def test_every_key_of_the_schema_is_explained():
    def missing(node: dict, where: str) -> list[str]:
        return [
            f"{where}.{name}"
            for name, entry in node.get("properties", {}).items()
            if not entry.get("description")
        ]

    schema = Config.model_json_schema()
    parts = {"Config": schema, **schema["$defs"]}
    assert [key for name, node in parts.items() for key in missing(node, name)] == []


@pytest.mark.parametrize(
    ("section", "changes"),
    [
        (
            "classes",
            [
                {"name": "a", "id": 1, "color": [300, 0, 0]},
                {"name": "b", "id": 2, "color": [0, 0, 0]},
            ],
        ),
        (
            "classes",
            [
                {"name": "a", "id": 255, "color": [3, 0, 0]},
                {"name": "b", "id": 2, "color": [0, 0, 0]},
            ],
        ),
        ("ignored_ids", [-1]),
        ("ignored_ids", [70000]),
    ],
)
def test_values_that_no_file_can_hold(empty_folders, section, changes):
    before(empty_folders.tree)[section] = changes
    with pytest.raises(ConfigError, match=r"data"):
        load_config(empty_folders.tree)


@pytest.mark.parametrize(
    "tree",
    [
        {"self_training": {"scale": [1.5, 0.5]}},
        {"experiment": ".."},
        {"phase2": {"learning_rate": float("inf")}},
    ],
)
def test_more_bounds(tree):
    with pytest.raises(ConfigError):
        load_config(tree)


@pytest.mark.parametrize(
    "results", ["a b", "x;touch y", "$(x)", "`x`", "a'b", "-x", "{x}", "a\nb", "", "~/x", "a&b"]
)
def test_a_results_path_that_a_shell_would_read_is_refused(results):
    with pytest.raises(ConfigError, match="results: String should match pattern"):
        load_config({**TRAINED, "results": results})


@pytest.mark.parametrize("results", ["results", "/data/x_1.2/r-s", "../r", "Ergebnisse/über"])
def test_usual_results_paths_are_allowed(results):
    assert load_config({**TRAINED, "results": results}).results == results


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: &a [*a]\nmethods: *a", "unfolds to more than 100000 entries"),
        ("methods: " + "[" * 3000, "nested too deeply|no valid YAML"),
        ("data: 0x" + "f" * 9000, "a number of thousands of digits"),
        ("seeds: 2001-99-99", "no valid YAML"),
        ('methods: !!python/object/apply:os.system ["true"]', "no valid YAML"),
    ],
)
def test_text_made_to_break_the_reader(tmp_path, text, said):
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(ConfigError, match=said):
        load_config(tmp_path / "c.yaml")


def test_an_alias_bomb_is_refused(tmp_path):
    levels = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1]"]
    levels += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 8)}]" for i in range(1, 9)]
    (tmp_path / "c.yaml").write_text("\n".join(levels))
    with pytest.raises(ConfigError, match="unfolds to more than"):
        load_config(tmp_path / "c.yaml")


@pytest.mark.parametrize(
    "city", [{"seed": -1}, {"height": 64, "width": 400}, {"height": 5000}, {"target_val": 100_001}]
)
def test_a_city_that_cannot_be_drawn_is_refused(city):
    with pytest.raises(ConfigError, match=r"data\.city"):
        load_config({**TRAINED, "data": {"city": city}})
