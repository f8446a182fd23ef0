"""Stage: report.html, one file that shows and explains an experiment to anybody."""

from __future__ import annotations

from pathlib import Path

from tpld.config import Config
from tpld.report.experiment import Experiment
from tpld.report.page import render
from tpld.report.sections.comparison import comparison_section, headline
from tpld.report.sections.confusion import confusion_section
from tpld.report.sections.cost import cost_section
from tpld.report.sections.curves import curves_section
from tpld.report.sections.examples import examples_section
from tpld.report.sections.hard import hard_section
from tpld.report.sections.labels import labels_section
from tpld.report.sections.setting import setting_section
from tpld.report.sections.split import split_section
from tpld.report.sections.voting import voting_section
from tpld.stores.atomic import replacing

_SECTIONS = (
    setting_section,
    comparison_section,
    curves_section,
    labels_section,
    voting_section,
    split_section,
    hard_section,
    examples_section,
    confusion_section,
    cost_section,
)
_LEAD = (
    "A segmentation network learns on a labelled source domain and is adapted to an unlabelled "
    "target domain by self-training: it labels the target images itself and learns from the labels "
    "it is sure of. These are sparse. TPLD makes them dense, first by voting among neighbouring "
    "pixels, then by labelling easy images in full."
)


def report(config: Config, out: Path) -> None:
    """Write the self-contained page `out`; sections whose inputs are missing say so."""
    experiment = Experiment(config)
    sections = [section(experiment) for section in _SECTIONS]
    footer = f"Written by tpld report from {experiment.root}. This file needs no network."
    title = f"Experiment {config.experiment}"
    page = render(title, [_LEAD], headline(experiment), sections, footer)
    with replacing(out) as partial:
        partial.write_text(page, encoding="utf-8")
