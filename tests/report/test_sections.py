"""What the sections compute, against numbers worked by hand."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.report.conftest import CLASSES, METHODS, NAMES, PLAIN
from tpld.report.experiment import Experiment
from tpld.report.sections.comparison import comparison_section, headline
from tpld.report.sections.cost import collect_jobs, duration
from tpld.report.sections.curves import miou_over_rounds
from tpld.report.sections.labels import label_table
from tpld.report.sections.losses import thin
from tpld.report.sections.split import _bins, _cut
from tpld.report.sections.thresholds import threshold_table
from tpld.report.sections.voting import added_scores, choose
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
