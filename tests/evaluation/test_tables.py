"""The paper's tables: rows, means that its own classes do not give, and ours beside it."""

import math

import pandas as pd
import pytest

from tests.conftest import Folders
from tests.test_config import ROOT, merged
from tpld.config import load_config
from tpld.dag.layout import Layout
from tpld.data.datasets import CLASSES
from tpld.data.sources import benchmark_of, class_table
from tpld.errors import ConfigError
from tpld.evaluation.confusions import confusions_to_table
from tpld.evaluation.paper import Row, base_of, our_names, paper_figures, rows_of
from tpld.evaluation.tables import beside_the_paper, disagreements, recompute, wide_table
from tpld.stages.table import table

GTA5 = "gta5_cityscapes"
VGG, RESNET, V3 = "deeplabv2_vgg16", "deeplabv2_resnet101", "deeplabv3_resnet101"
PRESETS = {
    name: ROOT / "workflow" / "presets" / f"{name}.yaml" for name in (GTA5, "synthia_cityscapes")
}


def preset(name, **changes):
    return load_config(merged(ROOT / "config.yaml", PRESETS[name]) | changes)


def test_rows_of_both_tables():
    first = rows_of("table1", GTA5)
    assert len(first) == len(set(first)) == 15
    assert {model: sum(row.model == model for row in first) for model in (VGG, RESNET, V3)} == {
        VGG: 4,
        RESNET: 7,
        V3: 4,
    }
    second = [
        Row(RESNET, m + s) for m in ("cbst", "crst_lrent", "crst_mrkld") for s in ("", "+tpld")
    ]
    assert rows_of("table2", GTA5) == rows_of("table2", "synthia_cityscapes") == second
    assert rows_of("table1", "synthia_cityscapes") == rows_of("table1", None) == []


def test_exactly_three_printed_means_disagree_with_their_classes():
    subsets = preset(GTA5).evaluation.subsets
    wrong = disagreements(paper_figures(GTA5), rows_of("table1", GTA5), list(CLASSES), subsets)
    found = {
        (row.model, row.method, row.metric): (row.printed, round(row.from_classes, 1))
        for row in wrong.itertuples()
    }
    assert found == {
        (VGG, "crst_mrkld+tpld", "mIoU"): (34.1, 33.5),
        (RESNET, "source", "mIoU"): (33.3, 33.8),
        (RESNET, "adaptsegnet", "mIoU"): (42.4, 41.9),
    }


def test_means_are_computed_only_where_every_class_is_printed():
    printed = {"a": 10.0, "b": 20.0, "c": 60.0, "mIoU": 1.0}
    means = recompute(printed, ["a", "b", "c"], {"R": ["a", "b"]})
    assert means == {"mIoU": 30.0, "R": 15.0}
    assert recompute({"a": 10.0, "mIoU": 1.0}, ["a", "b"], {}) == {}


def test_what_a_gain_is_measured_against():
    assert base_of(Row("n", "cbst+tpld")) == Row("n", "cbst")
    assert base_of(Row("n", "clan")) == Row("n", "source")
    assert base_of(Row("n", "source")) is None
    names = our_names(["source", "cbst+tpld@other"], "mine")
    assert names == {Row("mine", "source"): "source", Row("other", "cbst+tpld"): "cbst+tpld@other"}


def test_ours_beside_the_paper_by_hand():
    base, row, missing = Row("n", "cbst"), Row("n", "cbst+tpld"), Row("n", "clan")
    paper = {
        base: {"a": 10.0, "b": 30.0, "mIoU": 20.0},
        row: {"a": 20.0, "b": 40.0, "mIoU": 31.0},
        missing: {"mIoU": 50.0},
    }
    ours = [("cbst", 0, 18.0), ("cbst", 1, 22.0), ("cbst+tpld", 0, 33.0), ("cbst+tpld", 1, 35.0)]
    figures = pd.DataFrame(
        [(m, s, "p: scale 1", "mIoU", v) for m, s, v in ours],
        columns=["method", "seed", "protocol", "metric", "value"],
    )
    names = {base: "cbst", row: "cbst+tpld"}
    lines = beside_the_paper(figures, paper, names, [row, missing], ["a", "b"], {"R": ["b"]})
    assert set(lines["protocol"]) == {"p: scale 1"}
    line = lines[(lines["method"] == "cbst+tpld") & (lines["metric"] == "mIoU")].iloc[0]
    expected = {
        "ours": 34, "spread": math.sqrt(2), "seeds": 2, "paper": 31, "paper_from_classes": 30,
        "difference": 3, "gain": 14, "paper_gain": 11,
    }  # fmt: skip
    assert line[list(expected)].to_dict() == pytest.approx(expected)
    absent = lines[lines["method"] == "clan"].set_index("metric")
    assert absent.loc["mIoU", "paper"] == 50
    assert absent.loc["mIoU", "seeds"] == 0 and math.isnan(absent.loc["mIoU", "ours"])
    wide = wide_table(lines, "p: scale 1", ["mIoU", "R"])
    assert wide["whose"].tolist() == ["ours", "paper"] * 2
    assert wide.loc[0, "Δ mIoU"] == 3 and wide.loc[1, "mIoU"] == 31
    assert list(wide.columns)[-2:] == ["a", "b"]


def test_the_stage_writes_what_is_there_and_says_what_is_not(tmp_path):
    config = preset(GTA5, results=str(tmp_path), seeds=[0, 1])
    names = class_table(config).names
    matrix = pd.DataFrame(1, index=names, columns=names).to_numpy() + 0
    for method, seed, extra in (("source", 0, 9), ("source", 1, 19), ("cbst@" + VGG, 0, 9)):
        path = tmp_path / Layout(config).evaluation(method, seed, "target_val")
        path.parent.mkdir(parents=True)
        total = matrix.copy()
        total[range(19), range(19)] += extra
        confusions_to_table({"crst: x": total}, names).to_csv(path, index=False)
    table(config, "table1", tmp_path)
    lines = pd.read_csv(tmp_path / "table1.csv")
    assert len(lines) == 15 * (19 + 2)
    mean = lines[(lines["row"] == "source") & (lines["metric"] == "R-mIoU")].iloc[0]
    # 10 of 10 + 2 * 18 pixels, 20 of 20 + 2 * 18
    assert mean["ours"] == pytest.approx(100 * (10 / 46 + 20 / 56) / 2)
    assert mean["seeds"] == 2 and mean["paper"] == 18.2
    text = (tmp_path / "table1.md").read_text()
    assert "prints mIoU 33.3 for source on deeplabv2_resnet101; its own classes give 33.8" in text
    assert "crst_mrkld+tpld on deeplabv3_resnet101" in text.split("Not run (yet):")[1]
    assert "## crst: x" in text
    latex = (tmp_path / "table1.tex").read_text()
    assert r"deeplabv2\_vgg16 & cbst & paper & 30.7" in latex
    assert latex.isascii()


def test_a_table_that_the_paper_does_not_have(tmp_path):
    with pytest.raises(ConfigError, match="table1 has no row of synthia_cityscapes"):
        table(preset("synthia_cityscapes"), "table1", tmp_path)
    with pytest.raises(ConfigError, match="table1 has no row of these data"):
        table(Folders(tmp_path).config(), "table1", tmp_path)
    with pytest.raises(ConfigError, match="'table3' is no table of the paper"):
        table(preset(GTA5), "table3", tmp_path)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_of_the_paper_have_its_values_and_all_its_rows(name):
    config, paper = preset(name), load_config({})
    for section in ("source_training", "dump", "thresholds", "voting", "loss", "self_training",
                    "phase2", "adversarial", "model", "options"):  # fmt: skip
        assert config.get(section) == paper.get(section), section
    benchmark = benchmark_of(config)
    assert benchmark == name
    run = our_names(config.methods, config.model.name)
    for which in ("table1", "table2"):
        assert set(rows_of(which, benchmark)) <= set(run)
    assert config.evaluation.protocols[0].scales == [0.9, 1.0, 1.2]
    assert config.evaluation.protocols[-1].size == (512, 1024)


def test_named_subsets_are_those_of_the_benchmarks():
    rare = preset(GTA5).evaluation.subsets["R-mIoU"]
    assert set(CLASSES) - set(rare) == {
        "road", "sidewalk", "building", "vegetation", "sky", "person", "car"
    }  # fmt: skip
    config = preset("synthia_cityscapes")
    names = class_table(config).names
    assert len(names) == 16
    assert set(names) - set(config.evaluation.subsets["mIoU*"]) == {"wall", "fence", "pole"}
