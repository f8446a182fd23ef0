"""One subcommand a stage: the rules call these, and each can be rerun alone on its files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tpld.cli.options import (
    STAGES,
    Configuration,
    Input,
    Log,
    MethodOption,
    NetworkOption,
    Out,
    PartOption,
    Parts,
    Round,
    RowOption,
    Seed,
    app,
    begin,
)
from tpld.data.splits import Split
from tpld.stores.parts import in_order, parse_part


@app.command("make-city", rich_help_panel=STAGES)
def make_city(config: Configuration, out: Out, log: Log = None) -> None:
    """Draw the embedded procedural city."""
    settings = begin(config, log)
    from tpld.stages import prepare

    prepare.make_city(settings, out)


@app.command(rich_help_panel=STAGES)
def prepare(
    config: Configuration,
    split: Annotated[str, typer.Option(help="source_train, source_val, target_train, target_val.")],
    out: Out,
    images: Annotated[bool, typer.Option(help="Decode the images.")] = True,
    labels: Annotated[bool, typer.Option(help="Decode the labels.")] = True,
    log: Log = None,
) -> None:
    """Decode a split into the cache that training reads."""
    settings = begin(config, log)
    from tpld.stages import prepare as stage

    kinds: list[Any] = [k for k, wanted in (("images", images), ("labels", labels)) if wanted]
    stage.prepare(settings, _split(split), tuple(kinds), out)


@app.command("train-source", rich_help_panel=STAGES)
def train_source(
    config: Configuration,
    seed: Seed,
    data: Input,
    out: Out,
    network: NetworkOption = None,
    log: Log = None,
) -> None:
    """Train the source model (METHOD 1); resumes after a kill."""
    settings = begin(config, log, network=network, training="train_source")
    from tpld.stages.train_source import train_source as stage

    stage(settings, seed, data, out)


@app.command(rich_help_panel=STAGES)
def dump(
    config: Configuration,
    model: Input,
    images: Input,
    out: Out,
    network: NetworkOption = None,
    part: PartOption = None,
    parts: Parts = None,
    log: Log = None,
) -> None:
    """Predict the target training images into a Zarr store (METHOD 2)."""
    settings = begin(config, log, network=network)
    if _assembled("predictions", parts, out):
        return
    from tpld.stages.dump import dump as stage

    stage(settings, model, images, out, parse_part(part))


@app.command(rich_help_panel=STAGES)
def thresholds(
    config: Configuration,
    predictions: Input,
    portion: Annotated[float, typer.Option(min=0, max=1, help="Share of each class to select.")],
    out: Out,
    part: PartOption = None,
    parts: Parts = None,
    method: RowOption = None,
    log: Log = None,
) -> None:
    """Estimate the class thresholds λ (METHOD 3); a part counts twice."""
    settings = begin(config, log, method)
    from tpld.stages.thresholds import count_part, estimate_thresholds, join_thresholds

    if part:
        counted = in_order(parts)
        count_part(settings, predictions, portion, parse_part(part), counted, out)
    elif pieces := in_order(parts):
        join_thresholds(settings, predictions, portion, pieces, out)
    else:
        estimate_thresholds(settings, predictions, portion, out)


@app.command(rich_help_panel=STAGES)
def label(
    config: Configuration,
    method: MethodOption,
    predictions: Input,
    thresholds: Input,
    out: Out,
    part: PartOption = None,
    parts: Parts = None,
    log: Log = None,
) -> None:
    """Make pseudo labels: the method's selection, then voting with TPLD (METHOD 4 and 5)."""
    settings = begin(config, log, method)
    if _assembled("labels", parts, out):
        return
    from tpld.stages.label import label as stage

    stage(settings, method, predictions, thresholds, out, parse_part(part))


@app.command(rich_help_panel=STAGES)
def assess(
    config: Configuration,
    labels: Input,
    out: Out,
    truth: Annotated[
        Path | None, typer.Option(help="Ground-truth cache; no training uses it.")
    ] = None,
    log: Log = None,
) -> None:
    """Count pseudo labels by class and origin, and how many are right (METHOD 12)."""
    settings = begin(config, log)
    from tpld.stages.assess import assess_labels

    assess_labels(settings, labels, truth, out)


@app.command("train-round", rich_help_panel=STAGES)
def train_round(
    config: Configuration,
    method: MethodOption,
    seed: Seed,
    round_index: Round,
    model: Input,
    source: Input,
    target: Input,
    labels: Input,
    thresholds: Input,
    out: Out,
    predictions: Annotated[
        Path | None, typer.Option(help="The dump, for methods that train on soft labels.")
    ] = None,
    log: Log = None,
) -> None:
    """Retrain on pseudo labels and a source subset (METHOD 6 and 7); resumes after a kill."""
    settings = begin(config, log, method, training="train_round")
    from tpld.stages.train_round import RoundInputs
    from tpld.stages.train_round import train_round as stage

    inputs = RoundInputs(model, source, target, labels, thresholds, predictions)
    stage(settings, method, seed, round_index, inputs, out)


@app.command(rich_help_panel=STAGES)
def score(
    config: Configuration,
    predictions: Input,
    thresholds: Input,
    out: Out,
    part: PartOption = None,
    parts: Parts = None,
    method: RowOption = None,
    log: Log = None,
) -> None:
    """Score the confidence of each target image (METHOD 8)."""
    settings = begin(config, log, method)
    from tpld.stages.confidence import join_scores, score_images

    if pieces := in_order(parts):
        join_scores(pieces, out)
    else:
        score_images(settings, predictions, thresholds, out, parse_part(part))


@app.command(rich_help_panel=STAGES)
def split(
    config: Configuration,
    confidence: Input,
    round_index: Round,
    out: Out,
    method: RowOption = None,
    log: Log = None,
) -> None:
    """Split the target images into easy and hard ones (METHOD 8)."""
    settings = begin(config, log, method)
    from tpld.stages.split import split as stage

    stage(settings, confidence, round_index, out)


@app.command("label-easy", rich_help_panel=STAGES)
def label_easy(
    config: Configuration,
    predictions: Input,
    thresholds: Input,
    split: Input,
    out: Out,
    part: PartOption = None,
    parts: Parts = None,
    method: RowOption = None,
    log: Log = None,
) -> None:
    """Write the full pseudo labels of the easy images (METHOD 9)."""
    settings = begin(config, log, method)
    if _assembled("labels", parts, out):
        return
    from tpld.stages.full_labels import label_easy as stage

    stage(settings, predictions, thresholds, split, out, parse_part(part))


@app.command("train-phase2", rich_help_panel=STAGES)
def train_phase2(
    config: Configuration,
    method: MethodOption,
    seed: Seed,
    round_index: Round,
    model: Input,
    target: Input,
    predictions: Input,
    thresholds: Input,
    split: Input,
    out: Out,
    source: Annotated[
        Path | None, typer.Option(help="Source images, for phase2.source_crops above 0.")
    ] = None,
    log: Log = None,
) -> None:
    """Train on easy images and align hard ones (METHOD 9); resumes after a kill."""
    settings = begin(config, log, method, training="train_phase2")
    from tpld.stages.train_phase2 import Phase2Inputs
    from tpld.stages.train_phase2 import train_phase2 as stage

    inputs = Phase2Inputs(model, target, predictions, thresholds, split, source)
    stage(settings, method, seed, round_index, inputs, out)


@app.command("train-adversarial", rich_help_panel=STAGES)
def train_adversarial(
    config: Configuration,
    method: MethodOption,
    seed: Seed,
    source: Input,
    target: Input,
    out: Out,
    model: Annotated[
        Path | None, typer.Option(help="Source model to start from; else the initial weights.")
    ] = None,
    log: Log = None,
) -> None:
    """Align source and target with discriminators (METHOD 10); resumes after a kill."""
    settings = begin(config, log, method, training="train_adversarial")
    from tpld.stages.train_adversarial import train_adversarial as stage

    stage(settings, method, seed, source, target, model, out)


@app.command(rich_help_panel=STAGES)
def evaluate(
    config: Configuration,
    model: Input,
    data: Input,
    out: Out,
    single: Annotated[bool, typer.Option(help="The last protocol alone.")] = False,
    network: NetworkOption = None,
    log: Log = None,
) -> None:
    """Evaluate a network on a labelled split (METHOD 12)."""
    settings = begin(config, log, network=network)
    from tpld.stages.evaluate import evaluate as stage

    stage(settings, model, data, single, out)


@app.command(rich_help_panel=STAGES)
def collect(config: Configuration, out: Out, log: Log = None) -> None:
    """Collect the evaluations into comparison.csv, .md and .tex, and print the tables.

    `--out` is the folder of the experiment.
    """
    settings = begin(config, log)
    from tpld.stages.compare import compare as stage

    stage(settings, out)


@app.command(rich_help_panel=STAGES)
def study(config: Configuration, out: Out, log: Log = None) -> None:
    """Compare every row with the one that it differs from: scores.csv, .md and .svg.

    `--out` is the folder of the study.
    """
    settings = begin(config, log)
    from tpld.stages.study import study as stage

    stage(settings, out)


@app.command("label-study", rich_help_panel=STAGES)
def label_study(config: Configuration, out: Out, log: Log = None) -> None:
    """Compare the first pseudo labels with labels as dense without voting: labels.csv, ...

    `--out` is the folder of the study.
    """
    settings = begin(config, log)
    from tpld.stages.label_study import label_study as stage

    stage(settings, out)


@app.command("split-study", rich_help_panel=STAGES)
def split_study(config: Configuration, out: Out, log: Log = None) -> None:
    """Say how right the network is on easy and on hard images: split.csv, split_classes.csv, ...

    `--out` is the folder of the study.
    """
    settings = begin(config, log)
    from tpld.stages.split_study import split_study as stage

    stage(settings, out)


@app.command(rich_help_panel=STAGES)
def table(
    config: Configuration,
    which: Annotated[str, typer.Option(help="table1 or table2.")],
    out: Out,
    log: Log = None,
) -> None:
    """Write a table of the paper, our figures beside its own; rows that have not run stay empty.

    `--out` is the folder of the experiment.
    """
    settings = begin(config, log)
    from tpld.stages.table import table as stage

    stage(settings, which, out)


@app.command(rich_help_panel=STAGES)
def report(config: Configuration, out: Out, log: Log = None) -> None:
    """Write the self-contained report.html of an experiment."""
    settings = begin(config, log)
    from tpld.stages.report import report as stage

    stage(settings, out)


def _assembled(kind: str, parts: list[Path] | None, out: Path) -> bool:
    """Put a store together, where other jobs have made its parts."""
    pieces = in_order(parts)
    if pieces:
        from tpld.stores.assemble import assemble

        assemble(out, kind, pieces)
    return bool(pieces)


def _split(name: str) -> Split:
    from tpld.data.splits import SPLITS
    from tpld.errors import ConfigError

    for known in SPLITS:
        if known == name:
            return known
    raise ConfigError(f"--split: '{name}' is unknown; known: {', '.join(SPLITS)}")
