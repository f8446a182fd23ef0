"""What the sections compute, against numbers worked by hand."""

import base64
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from tests.report.conftest import CLASSES, METHODS, NAMES, PLAIN, make_config, truth_of
from tpld.config import load_config
from tpld.core.self_information import self_information
from tpld.report.blocks import Gallery
from tpld.report.experiment import Experiment
from tpld.report.networks import self_information_map
from tpld.report.sections import examples
from tpld.report.sections.comparison import comparison_section, headline
from tpld.report.sections.cost import collect_jobs, duration
from tpld.report.sections.curves import miou_over_rounds
from tpld.report.sections.examples import examples_section, spread
from tpld.report.sections.hard import hard_section
from tpld.report.sections.label_classes import class_tables
from tpld.report.sections.labels import label_table
from tpld.report.sections.losses import loss_plots, thin
from tpld.report.sections.setting import _truth
from tpld.report.sections.split import _bins, _cut
from tpld.report.sections.thresholds import threshold_table
from tpld.report.sections.voting import added_scores, choose
from tpld.report.style import method_looks
from tpld.stores.labels import Labels


@pytest.fixture(scope="module")
def experiment(full) -> Experiment:
    return Experiment(full.config)


def row(table, name):
    return next(r for r in table.rows if r[0].text.startswith(name))


def test_comparison_gives_mean_spread_difference_and_best(experiment):
    tables = comparison_section(experiment).blocks
    cells = row(tables[0], "mIoU")[1:]
    # Seeds differ by 2: mean + 1, sample standard deviation sqrt(2).
    assert [c.text for c in cells] == ["41.0 ± 1.4", "51.0 ± 1.4", "47.0 ± 1.4", "71.3 ± 0.0"]
    assert [c.note for c in cells] == ["", "+10.0", "+6.0", ""]
    assert [c.strong for c in cells] == [False, True, False, False]
    assert tables[1].title == f"Protocol: {PLAIN}, last checkpoint"


def test_equal_values_have_no_best_and_absent_ones_a_dash(experiment):
    table = comparison_section(experiment).blocks[0]
    assert not any(cell.strong for cell in row(table, "road"))
    assert [c.text for c in row(table, "last")[1:]] == ["–"] * 4
    assert row(table, "<b>&")[0].swatch == "#464646"


def test_headline_names_protocol_and_every_method(experiment):
    cards = headline(experiment)
    assert "scales 0.9, 1 + mirror" in cards.title
    assert "last checkpoint" in cards.title
    assert [name for name, _ in cards.entries] == METHODS


def test_miou_curve_starts_at_the_source_model(experiment):
    curve = miou_over_rounds(experiment, "crst_mrkld+tpld", 0)
    assert curve.index.tolist() == [0, 1, 2, 3]
    # Intersections 95, 55, 25, 0; unions 115+105-95... by hand from the matrix of conftest.
    hand = [100 * 95 / 120, 100 * 55 / 80, 100 * 25 / 50, 0]
    assert curve[0] == pytest.approx(np.mean(hand))


def test_labels_have_density_and_accuracy_by_origin(experiment):
    table = label_table(experiment, "crst_mrkld+tpld")
    assert table.index.tolist() == ["round0", "round1", "phase2_round0"]
    first = table.loc["round0"]
    assert first["density"] == 75
    assert first["voted_1 density"] == 25
    assert first["voted_1 accuracy"] == 40
    assert np.isnan(first["full accuracy"])


def test_labels_by_class_are_shares_of_all_pixels(experiment):
    density, accuracy = class_tables(experiment, "crst_mrkld+tpld")
    assert density.index.tolist() == CLASSES
    # Of 200 pixels 100 are road and confident, 90 of them right; 50 road and voted, 20 right.
    assert density.loc["road", ("round0", "confident")] == 50
    assert density.loc["road", ("round0", "voted_1")] == 25
    assert accuracy.loc["road", ("round0", "confident")] == 90
    assert accuracy.loc["road", ("phase2_round0", "full")] == 40
    assert np.isnan(density.loc["last"]).all()


def test_adversarial_rows_have_curves_and_no_rounds(tmp_path):
    config = make_config(tmp_path, True, ["source", "clan"], [0])
    experiment = Experiment(config)
    assert loss_plots(experiment) == []
    history = {"step": range(9), "source": 1.0, "adversarial": 0.01, "discrepancy": 0.002,
               "discriminator": 0.7}  # fmt: skip
    path = Path(experiment.layout.method("clan", 0, "history.csv"))
    path.parent.mkdir(parents=True)
    pd.DataFrame(history).to_csv(path, index=False)
    (drawn,) = loss_plots(experiment)
    text = base64.b64decode(drawn.source.split(",")[1]).decode()
    assert "<!-- clan: adversarial -->" in text
    assert "<!-- clan: discrepancy -->" in text
    assert "mathdefault" not in text
    assert "<!-- 0.01 -->" in text


def test_self_information_is_the_entropy_as_a_share_of_its_largest():
    p = np.array([[0.25, 1, 0.5], [0.25, 0, 0.5], [0.25, 0, 0], [0.25, 0, 0]], np.float32)
    with np.errstate(divide="ignore"):
        log_p = np.log(p)[:, None]
    assert self_information_map(log_p)[0].tolist() == pytest.approx([1, 0, 0.5], abs=1e-6)
    half = self_information(torch.tensor([[[[0.0]], [[0.0]], [[-90.0]], [[-90.0]]]])).sum()
    assert self_information_map(log_p)[0, 2] == pytest.approx(float(half), abs=1e-6)


def test_hard_images_are_the_least_confident_ones(experiment):
    section = hard_section(experiment)
    galleries = [block for block in section.blocks if isinstance(block, Gallery)]
    assert [g.title for g in galleries] == [f"crst_mrkld+tpld: target<{i}>" for i in (4, 3, 2)]
    labels = [tile.label for tile in galleries[0].tiles]
    assert labels[0] == "image"
    assert labels[1].startswith("self-information before, mean 0.")
    assert labels[2].startswith("self-information after, mean 0.")
    assert labels[-1] == "ground truth"


def test_examples_are_spread_over_the_list_and_judged(experiment):
    assert spread(60) == [10, 30, 50]
    assert spread(2) == [0, 1]
    galleries = [b for b in examples_section(experiment).blocks if isinstance(b, Gallery)]
    assert [g.title for g in galleries] == ["val"]
    labels = [tile.label for tile in galleries[0].tiles]
    assert labels[:2] == ["image", "ground truth"]
    assert [label.split(":")[0] for label in labels[2:]] == METHODS
    predicted = examples.predict_images(experiment, METHODS[0], [np.zeros((24, 40, 3), np.uint8)])
    right = 100 * (predicted[0].prediction == truth_of(1)).mean()
    assert labels[2] == f"source: {right:.1f} %"


def test_many_methods_look_different():
    looks = method_looks([f"m{i}" for i in range(12)])
    assert len(set(looks.values())) == 13


def test_thresholds_of_unpredicted_classes_are_blank(experiment):
    table = threshold_table(experiment, "crst_mrkld")
    assert table.columns.tolist() == ["round0"]
    assert table["round0"].iloc[:3].tolist() == [0.9, 0.5, 0.4]
    assert np.isnan(table.loc["last", "round0"])
    assert table.index.tolist() == CLASSES


def test_added_labels_are_judged_against_the_truth(experiment):
    path = Path(experiment.layout.round("crst_mrkld+tpld", 0, "round1", "labels.zarr"))
    scores = added_scores(Labels(path), experiment.truth())
    assert scores["added"].tolist() == pytest.approx([100 / 3] * 5)
    # In image i, i of five columns of the truth are another class.
    assert scores["right added"].tolist() == pytest.approx([100, 80, 60, 40, 20])
    assert choose(scores) == [("Most accurate", 0), ("Median", 2), ("Least accurate", 4)]
    blind = added_scores(Labels(path), None, limit=2)
    assert blind.index.tolist() == [0, 3]
    assert blind["right added"].isna().all()


def test_choice_ignores_images_with_hardly_any_added_label():
    scores = pd.DataFrame({"added": [0.01, 5, 7], "right added": [100.0, 50, 60]})
    assert choose(scores) == [("Most accurate", 2), ("Least accurate", 1)]
    assert choose(scores.assign(added=0.0)) == []
    blind = scores.assign(**{"right added": np.nan})
    assert choose(blind) == [("Most added", 2), ("Median", 1), ("Least added", 0)]


def test_jobs_are_summed_by_stage_and_method(experiment):
    jobs = collect_jobs(experiment)
    rounds = jobs[jobs["stage"] == "train_round"].groupby("group")["seconds"].sum()
    assert rounds.to_dict() == {"crst_mrkld": 180, "crst_mrkld+tpld": 540}
    assert jobs.loc[jobs["stage"] == "evaluate", "group"].tolist() == ["source"]
    assert jobs["group"].iloc[0] == "source"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(2.54, "2.5 s"), (90, "1 min 30 s"), (7260, "2 h 01 min"), (float("nan"), "–")],
)
def test_duration(seconds, text):
    assert duration(seconds) == text


def test_no_bar_of_the_histogram_mixes_easy_and_hard():
    hard, easy = pd.Series([0.1, 0.40]), pd.Series([0.42, 0.9])
    cut = _cut(hard, easy)
    assert cut == pytest.approx(0.41)
    bins = _bins(pd.concat([hard, easy]), cut, 0.05)
    assert min(abs(b - cut) for b in bins) < 1e-12
    assert bins[0] < 0.1
    assert bins[-1] > 0.9
    assert _cut(hard.iloc[:0], easy) == pytest.approx(0.42)


def test_thinning_keeps_the_mean():
    values = np.arange(1000.0)
    assert len(thin(values, 10)) == 10
    assert thin(values, 10).mean() == pytest.approx(values.mean())
    assert thin(values[:5], 10) is not None
    assert thin(values[:5], 10).tolist() == [0, 1, 2, 3, 4]


def test_gallery_of_hard_images_starts_with_the_hardest(full):
    text = full.text.split('<section id="split">')[1].split("</section>")[0]
    hard = text.split("least confident hard images")[1]
    shown = [n for n in range(len(NAMES)) if f"target&lt;{n}&gt;" in hard]
    assert shown == [2, 3, 4]
    assert hard.index("0.100 · target&lt;4&gt;") < hard.index("0.500 · target&lt;2&gt;")


def test_ground_truth_of_some_domains_is_not_said_of_all():
    labelled = {"images": "i", "labels": "l", "values": {0: "a", 1: "b"}}
    bare = {"images": "j", "name": "night"}
    for target, said in ((labelled, "yes"), (bare, "no"), ([labelled, bare], "of folder alone")):
        data = {"source": labelled, "target": target}
        config = load_config({"source_training": {"batch_norm": "train"}, "data": data})
        assert _truth(SimpleNamespace(config=config), "target_train") == said
