"""Section: run time and memory, from the benchmark files that Snakemake writes."""

from __future__ import annotations

import pandas as pd

from tpld.report.blocks import Cell, Plot, Section, Table, number
from tpld.report.colors import COLORS
from tpld.report.experiment import Experiment
from tpld.report.style import FULL_WIDTH, GREY, figure, plot

_TITLE = "Run time and memory"
_SPLIT_STAGES = ("evaluate", "prepare")
_HATCHES = ("", "///", "--", "\\\\\\", "xxx", "||")
_ORDER = ("check_data", "make_city", "prepare", "train_source", "dump", "thresholds", "label",
          "assess", "train_round", "score", "split", "label_easy", "train_phase2",
          "train_adversarial", "evaluate", "compare")  # fmt: skip


def cost_section(experiment: Experiment) -> Section:
    """Seconds summed and peak memory by stage and method."""
    jobs = collect_jobs(experiment)
    if jobs.empty:
        return Section("cost", _TITLE, missing="there are no benchmark files (logs/*.tsv).")
    return Section(
        "cost",
        _TITLE,
        "Wall time of all jobs, summed by stage; the source model is shared by all methods and "
        "counted once. A job that was interrupted and resumed counts with its last part alone.",
        [_draw(jobs), _cost_table(jobs)],
    )


def collect_jobs(experiment: Experiment) -> pd.DataFrame:
    """A row a job: group (data, shared source model, or method), stage, seconds, MiB."""
    rows = []
    for path in (p for p in experiment.files("*.tsv") if p.parent.name == "logs"):
        table = pd.read_csv(path, sep="\t")
        if (
            not {"s", "max_rss"} <= set(table.columns) or path.stem == "report"
        ):  # the report's own is not finished
            continue
        seconds = pd.to_numeric(table["s"], errors="coerce").sum()
        memory = pd.to_numeric(table["max_rss"], errors="coerce").max()
        parts = path.relative_to(experiment.root).parts
        rows.append((_group(parts, experiment), _stage(path.stem), seconds, memory))
    jobs = pd.DataFrame(rows, columns=["group", "stage", "seconds", "memory"])
    others = [method for method in experiment.methods if method != "source"]
    groups = ["data", "source", *others, "comparison"]
    place = [(groups.index(g), _ORDER.index(s) if s in _ORDER else 99)
             for g, s in zip(jobs["group"], jobs["stage"], strict=True)]  # fmt: skip
    return jobs.iloc[sorted(range(len(jobs)), key=place.__getitem__)].reset_index(drop=True)


def _group(parts: tuple[str, ...], experiment: Experiment) -> str:
    first = parts[0]
    return first if first in ("data", "source", *experiment.methods) else "comparison"


def _stage(name: str) -> str:
    """``evaluate_target_val`` -> ``evaluate``: splits count together."""
    return next((s for s in _SPLIT_STAGES if name.startswith(f"{s}_")), name)


def _place(entry: tuple[object, pd.DataFrame]) -> tuple[int, str]:
    """Stages in the order of the pipeline, unknown ones last."""
    stage = str(entry[0])
    return (_ORDER.index(stage) if stage in _ORDER else len(_ORDER), stage)


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds != seconds:
        return "–"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def _cost_table(jobs: pd.DataFrame) -> Table:
    groups = jobs["group"].drop_duplicates().tolist()
    rows = []
    for stage, part in sorted(jobs.groupby("stage"), key=_place):
        sums = part.groupby("group")["seconds"].sum()
        times = [number(duration(sums[g]) if g in sums else "") for g in groups]
        peak = part["memory"].max()
        memory = "–" if pd.isna(peak) else f"{peak / 1024:.2f} GiB"
        rows.append([Cell(str(stage)), number(str(len(part))), *times, number(memory)])
    totals = [number(duration(jobs.loc[jobs["group"] == g, "seconds"].sum())) for g in groups]
    rows.append([Cell("total", strong=True), number(str(len(jobs))), *totals, Cell("")])
    header = [Cell("Stage"), number("Jobs"), *(number(g) for g in groups), number("Peak memory")]
    return Table(header, rows, title="Wall time by stage")


def _draw(jobs: pd.DataFrame) -> Plot:
    """Stacked bars: a bar a group; small stages are one part."""
    total = jobs.groupby("stage", sort=False)["seconds"].sum().sort_values(ascending=False)
    shown = total.index[: len(COLORS)].tolist()
    jobs = jobs.assign(part=jobs["stage"].where(jobs["stage"].isin(shown), "other stages"))
    groups = jobs["group"].drop_duplicates().tolist()
    scale, unit = (3600, "hours") if total.sum() > 7200 else (60, "minutes")
    with figure(FULL_WIDTH, 1.1 + 0.42 * len(groups)) as drawing:
        axes = drawing.add_subplot()
        left = pd.Series(0.0, index=groups)
        for place, part in enumerate([*shown, "other stages"]):
            sums = jobs[jobs["part"] == part].groupby("group")["seconds"].sum()
            width = sums.reindex(groups).fillna(0) / scale
            if not width.sum():
                continue
            color = COLORS[place] if place < len(shown) else GREY
            hatch = _HATCHES[place % len(_HATCHES)]
            axes.barh(groups, width, left=left, label=part, color=color, hatch=hatch,
                      edgecolor="white", height=0.66)  # fmt: skip
            left = left + width
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        axes.set(xlabel=f"wall time, {unit}", title="Where the time goes")
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
        return plot(drawing, "Wall time by stage and method")
