"""Section: what was run, on which data, with which code."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd
import yaml

from tpld.dag.changes import changes_of
from tpld.dag.rows import phase1_rounds, phase2_rounds
from tpld.data.folders import folders_of
from tpld.data.sources import has_split
from tpld.data.splits import SPLITS, Split
from tpld.methods import parse_method, recipe_class
from tpld.report.blocks import Block, Cell, Fold, Section, Table, Text, number
from tpld.report.experiment import Experiment, read_table

_PURPOSE = {
    "source_train": "labelled; trains the source model and joins the self-training batches",
    "source_val": "evaluation of the source model without a domain shift",
    "target_train": "unlabelled for training; the domain that is adapted to",
    "target_val": "evaluation; every method's figures",
}


def setting_section(experiment: Experiment) -> Section:
    """Methods, data, classes, versions, and the full configuration to unfold."""
    blocks: list[Block] = [_run_table(experiment), _method_table(experiment)]
    check = read_table(experiment.root / "data" / "check.csv")
    blocks.append(_split_table(experiment, check))
    blocks.append(_class_table(experiment, check))
    records = _record_table(experiment)
    if records.rows:
        blocks.append(Fold(f"Every training run ({len(records.rows)})", records))
    plain = experiment.config.model_dump(mode="json")
    text = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)
    blocks.append(Text(text, summary="The whole configuration"))
    return Section(
        "setting",
        "What was run",
        "All methods of a seed start from the same source model and see the same images. Ground "
        "truth of the target, where there is any, serves evaluation alone and never training.",
        blocks,
    )


def _run_table(experiment: Experiment) -> Table:
    model, records = experiment.config.model, [r for _, r in experiment.records()]
    facts = [
        ("Network", f"{model.name}, output stride {model.output_stride}, from {model.weights} "
                    "weights"),
        ("Seeds", ", ".join(str(seed) for seed in experiment.seeds)),
    ]  # fmt: skip
    if records:
        times = [str(r.get("finished", "?")) for r in records]
        span = times[0] if times[0] == times[-1] else f"{times[0]} to {times[-1]}"
        facts += [
            ("Training finished", span),
            ("Device", _distinct(f"{r.get('device')}, {r.get('precision')}" for r in records)),
            ("Commit", _distinct(str(r.get("commit")) for r in records)),
            ("Versions", _distinct(_versions(r) for r in records)),
        ]
    rows = [[Cell(name), Cell(value)] for name, value in facts]
    return Table([], rows, title="Run")


def _distinct(values: Iterable[object]) -> str:
    return "; ".join(dict.fromkeys(str(value) for value in values))


def _versions(record: dict[str, object]) -> str:
    versions = record.get("versions")
    known = versions if isinstance(versions, dict) else {}
    return ", ".join(f"{name} {version}" for name, version in known.items())


def _method_table(experiment: Experiment) -> Table:
    rows = []
    for name in experiment.methods:
        method = parse_method(name)
        meaning = recipe_class(method.base).meaning
        if method.tpld:
            meaning += "; TPLD densifies its labels: voting (phase 1), full labels of easy images "
            meaning += "and adversarial training on hard ones (phase 2)"
        if method.network:
            meaning += f"; network {experiment.config.of(name).model.name}"
        if method.variant:
            meaning += f"; {changes_of(experiment.config, name)}"
        counts = (
            phase1_rounds(experiment.config, method),
            phase2_rounds(experiment.config, method),
        )
        rows.append([Cell(name), Cell(meaning), *(number(str(count)) for count in counts)])
    header = [Cell("Method"), Cell("What it is"), number("Rounds"), number("Phase-2 rounds")]
    return Table(header, rows, title="Methods")


def _split_table(experiment: Experiment, check: pd.DataFrame | None) -> Table:
    rows = []
    for split in SPLITS:
        if not has_split(experiment.config, split):
            continue
        cache = experiment.cache(split)
        sizes = sorted({cache.size(i) for i in range(len(cache))}) if cache else []
        shown = [f"{width}×{height}" for height, width in sizes[:3]]
        listed = None if check is None else check.loc[check["split"] == split, "images"]
        images = len(cache) if cache else (None if listed is None else listed.max())
        rows.append(
            [
                Cell(split),
                number("–" if images is None else str(images)),
                Cell(", ".join(shown) + (", …" if len(sizes) > 3 else "") or "–"),
                Cell(_truth(experiment, split)),
                Cell(_PURPOSE[split]),
            ]
        )
    names = ["Split", "Images", "Pixels (width×height)", "Ground truth", "Purpose"]
    header = [number(n) if n == "Images" else Cell(n) for n in names]
    return Table(header, rows, title="Data")


def _truth(experiment: Experiment, split: Split) -> str:
    """Whether a split has ground truth: of all its domains, or of which."""
    domains = folders_of(experiment.config, split)
    labelled = [folders.domain for folders in domains if folders.labels]
    if labelled and len(labelled) < len(domains):
        return f"of {', '.join(labelled)} alone"
    return "yes" if labelled else "no"


def _class_table(experiment: Experiment, check: pd.DataFrame | None) -> Table:
    splits = [s for s in SPLITS if experiment.has_truth(s) and check is not None]
    shares: dict[str, pd.Series] = {}
    for split in splits:
        assert check is not None
        part = check[check["split"] == split].set_index("class")["pixels"]
        shares[split] = 100 * part / max(int(part.sum()), 1)
    # Where domains have label tables of their own, a column each.
    tables = {
        f"{split.split('_')[0]} {folders.domain}": folders.table.values  # noqa: PD011, no table of pandas
        for split in ("source_train", "target_train")
        for folders in folders_of(experiment.config, split)
        if folders.labels
    }
    first = next(iter(tables.values()))
    if all(values == first for values in tables.values()):
        tables = {"label files": first}
    rows = [
        [
            Cell(name, swatch=experiment.color(name)),
            *(number(", ".join(map(str, values[place])) or "–") for values in tables.values()),
            *(number(f"{shares[split].get(name, 0.0):.2f}") for split in splits),
        ]
        for place, name in enumerate(experiment.classes.names)
    ]
    ids = [number(f"Id in {where}") for where in tables]
    header = [Cell("Class"), *ids, *(number(f"{s} %") for s in splits)]
    note = "Percentages are shares of the labelled pixels of a split." if splits else ""
    return Table(header, rows, title=f"The {len(rows)} classes", note=note)


def _record_table(experiment: Experiment) -> Table:
    rows = [
        [
            Cell(folder),
            Cell(str(record.get("stage", "?"))),
            Cell(str(record.get("finished", "?"))),
            number(f"{float(record['seconds']):.0f} s" if "seconds" in record else "–"),
            Cell(str(record.get("device", "?"))),
            Cell(str(record.get("host", "?"))),
            Cell(str(record.get("commit", "?"))),
        ]
        for folder, record in experiment.records()
    ]
    names = ["Folder", "Stage", "Finished", "Duration", "Device", "Host", "Commit"]
    header = [number(n) if n == "Duration" else Cell(n) for n in names]
    return Table(header, rows)
