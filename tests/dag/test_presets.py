"""Every preset plans, also before its data are there; those between data sets map what they say."""

from pathlib import Path

import pytest

from tests.test_config import PRESETS, merged
from tpld.config import Config, load_config
from tpld.dag.plan import Plan
from tpld.dag.targets import Targets
from tpld.data.classes import classes_of, labels_of, table_of
from tpld.data.datasets import CLASSES

ROOT = Path(__file__).parents[2]
ALONE = [path for path in PRESETS if path.parent.name == "presets"]
SEVEN = [
    "drivable", "non_drivable", "living_thing", "vehicle", "roadside_object", "far_object", "sky",
]  # fmt: skip
IDD = [{"drivable"}, {"non-drivable"}, {"living thing"}, {"vehicle"}, {"roadside object"},
       {"far object"}, {"sky"}]  # fmt: skip


def loaded(name: str) -> Config:
    return load_config(merged(ROOT / "config.yaml", ROOT / f"workflow/presets/{name}.yaml"))


def mapped(config: Config, side: str, place: int = 0) -> list[set[str]]:
    """Of each class, the names of the labels of a domain that are it."""
    domain = getattr(config.data, side)[place]
    names = {label.id: label.name for label in labels_of(domain)}
    table = table_of(domain, classes_of(config.data), f"data.{side}")
    return [{names[value] for value in values} for values in table.values]


@pytest.mark.parametrize("preset", ALONE, ids=lambda path: path.stem)
def test_presets_plan_without_their_files(preset, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # where nothing is at the paths that they name
    text = preset.read_text(encoding="utf-8")
    below = [path for path in ALONE if f"workflow/presets/{path.name}" in text and path != preset]
    plan = Plan(load_config(merged(ROOT / "config.yaml", *below, preset)))
    evaluated = Targets(plan).evaluations()
    rows = len(plan.config.methods) * len(plan.config.seeds)
    assert len(evaluated) >= rows or not plan.files.truth("target_val")


@pytest.mark.parametrize("preset", ["camvid_idd", "city_idd"])
def test_idd_lite_is_seven_classes(preset):
    config = loaded(preset)
    assert list(classes_of(config.data)) == SEVEN
    assert mapped(config, "target") == IDD


def test_labels_of_the_sources_of_idd_lite():
    assert mapped(loaded("camvid_idd"), "source") == [
        {"road"}, {"pavement"}, {"pedestrian", "bicyclist"}, {"car"}, {"pole", "sign", "fence"},
        {"building", "tree"}, {"sky"},
    ]  # fmt: skip
    assert mapped(loaded("city_idd"), "source") == [
        {"road"}, {"sidewalk", "terrain"}, {"person", "rider"}, {"car", "truck", "bicycle"},
        {"pole", "traffic_sign", "fence"}, {"building", "vegetation"}, {"sky"},
    ]  # fmt: skip


@pytest.mark.parametrize("preset", ["gta5_folder", "cityscapes_acdc", "all_synthetic_cityscapes"])
def test_the_others_have_the_classes_of_cityscapes(preset):
    config = loaded(preset)
    assert list(classes_of(config.data)) == list(CLASSES)
    wanted = [{name.replace("_", " ")} for name in CLASSES]
    assert mapped(config, "source") == wanted
    assert mapped(config, "target") == ([set()] * 19 if preset == "gta5_folder" else wanted)


def test_three_synthetic_sets():
    config = loaded("all_synthetic_cityscapes")
    assert Config.model_validate(config).data.names_of(config.data.source) == [
        "gta5", "synthia", "synscapes",
    ]  # fmt: skip
    assert [domain.weight for domain in config.data.source] == [2.5, 1.0, 2.5]
    synthia = dict(zip(CLASSES, mapped(config, "source", 1), strict=True))
    assert synthia["person"] == {"pedestrian"} and synthia["terrain"] == {"terrain"}
    assert mapped(config, "source", 2) == mapped(config, "source")
