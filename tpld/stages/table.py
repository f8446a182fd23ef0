"""Stage: a table of the paper, our figures beside its own."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from rich.console import Console

from tpld.config import Config
from tpld.data.sources import benchmark_of, class_table
from tpld.errors import ConfigError
from tpld.evaluation.paper import TABLES, Which, our_names, paper_figures, rows_of
from tpld.evaluation.render import pipe_table, rich_table
from tpld.evaluation.tables import beside_the_paper, disagreements, wide_table
from tpld.stages.common import write_csv, write_text
from tpld.stages.compare import collect_figures


def table(config: Config, which: str, out: Path) -> None:
    """Write `which` (table1 or table2) as .csv, .md and .tex into the folder `out`, and print it.

    Rows that are not among `config.methods`, or not evaluated yet, stay empty.

    Raises:
        ConfigError: there is no such table, or it has no row of this benchmark.
    """
    known, benchmark = _known(which), benchmark_of(config)
    rows = rows_of(known, benchmark)
    if benchmark is None or not rows:
        raise ConfigError(
            f"{which} has no row of {benchmark or 'these data'}. Use a preset of the paper's "
            "benchmarks: workflow/presets/gta5_cityscapes.yaml or synthia_cityscapes.yaml"
        )
    paper, classes = paper_figures(benchmark), class_table(config).names
    subsets = config.evaluation.subsets
    figures = collect_figures(config)
    lines = beside_the_paper(
        figures[figures["split"] == "target_val"],
        paper,
        our_names(config.methods, config.model.name),
        rows,
        classes,
        subsets,
    )
    wrong = disagreements(paper, rows, classes, subsets)
    write_csv(lines, out / f"{which}.csv")
    write_text(out / f"{which}.md", _markdown(config, known, lines, wrong))
    write_text(out / f"{which}.tex", _latex(config, known, lines, wrong))
    _print(known, lines)


def _known(name: str) -> Which:
    for which in TABLES:
        if which == name:
            return which
    raise ConfigError(f"'{name}' is no table of the paper. Known: {', '.join(TABLES)}")


def _notes(config: Config, lines: pd.DataFrame, wrong: pd.DataFrame) -> list[str]:
    """What a reader must know, computed from the figures themselves."""
    missing = lines.loc[lines["seeds"] == 0].groupby(["model", "method"], sort=False)["metric"]
    unknown = [f"{method} on {model}" for (model, method), part in missing if "mIoU" in set(part)]
    notes = [
        "IoU in percent on target_val, last checkpoint, mean over seeds; ± is the sample standard "
        "deviation over seeds. Δ is ours minus the paper's as printed. The gain is over the same "
        "method without TPLD, or over the source model of the same network.",
        "The paper names no protocol of its own figures; its base, CRST, averages scales 0.9, 1.0 "
        "and 1.2 and the mirror image, and the adversarial methods' papers use a single scale.",
        *(
            f"{name}: mean over {', '.join(members)}."
            for name, members in config.evaluation.subsets.items()
        ),
        *(
            f"The paper prints {line.metric} {line.printed:.1f} for {line.method} on {line.model}; "
            f"its own classes give {line.from_classes:.1f}."
            for line in wrong.itertuples()
        ),
    ]
    return notes + ([f"Not run (yet): {'; '.join(unknown)}."] if unknown else [])


def _markdown(config: Config, which: Which, lines: pd.DataFrame, wrong: pd.DataFrame) -> str:
    text = [f"# {which}: {config.experiment}, seeds {config.seeds}", ""]
    for protocol in lines["protocol"].drop_duplicates():
        text += [f"## {protocol or 'Not evaluated yet'}", ""]
        text += [*pipe_table(wide_table(lines, protocol, _headline(config))), ""]
    return "\n".join([*text, *(f"- {note}" for note in _notes(config, lines, wrong))]) + "\n"


def _latex(config: Config, which: Which, lines: pd.DataFrame, wrong: pd.DataFrame) -> str:
    text = [f"% {which}: {config.experiment}, seeds {config.seeds}"]
    for protocol in lines["protocol"].drop_duplicates():
        wide = wide_table(lines, protocol, _headline(config))
        wide.columns = [str(column).replace("_", " ") for column in wide.columns]
        text += [f"% {protocol or 'not evaluated yet'}"]
        text += [wide.to_latex(float_format="%.1f", escape=True, index=False, na_rep="--")]
    text += [f"% {note}" for note in _notes(config, lines, wrong)]
    # Greek letters and ± need no package this way.
    joined = "\n".join(text).replace("Δ", "$\\Delta$").replace("±", "$\\pm$")
    return joined.replace("–", "--") + "\n"


def _headline(config: Config) -> list[str]:
    return ["mIoU", *config.evaluation.subsets]


def _print(which: Which, lines: pd.DataFrame) -> None:
    console = Console(stderr=True, width=None if Console(stderr=True).is_terminal else 160)
    for protocol in lines["protocol"].drop_duplicates():
        part = lines[(lines["protocol"] == protocol) & (lines["metric"] == "mIoU")]
        shown = part[["model", "method", "ours", "spread", "seeds", "paper", "difference", "gain"]]
        console.print(rich_table(shown, f"{which}, mIoU, {protocol or 'not evaluated yet'}"))
