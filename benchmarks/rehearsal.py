"""Time and peak memory of each stage of an experiment, as Snakemake measured its jobs.

    python benchmarks/rehearsal.py results/rehearsal_gta5 [--out docs/results/rehearsal_gta5.csv]

Sums the jobs of a stage and row; peak memory is resident, the highest of them. Jobs that ran beside
others shared the cores with them: CPU seconds say what a stage costs, seconds how long it took.
"""

import argparse
from pathlib import Path

import pandas as pd


def jobs(experiment: Path) -> pd.DataFrame:
    """One line a job: row, stage, seconds, CPU seconds, peak memory in GB."""
    rows = []
    for file in sorted(experiment.rglob("logs/*.tsv")):
        folder = file.relative_to(experiment).parts
        measured = pd.read_csv(file, sep="\t", na_values="-").iloc[0]
        rows.append(
            {
                "row": "/".join(folder[: folder.index("logs")]).replace("/seed0", ""),
                "stage": file.stem,
                "jobs": 1,
                "seconds": measured["s"],
                "CPU seconds": measured["cpu_time"],
                "peak GB": measured["max_rss"] * 2**20 / 1e9,
            }
        )
    if not rows:
        raise SystemExit(
            f"{experiment} has no logs/*.tsv: name the folder of a finished experiment"
        )
    return pd.DataFrame(rows)


def main() -> None:
    """Print the table and write it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("experiment", type=Path)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    summary = {"jobs": "sum", "seconds": "sum", "CPU seconds": "sum", "peak GB": "max"}
    table = (
        jobs(options.experiment).groupby(["row", "stage"], sort=False).agg(summary).reset_index()
    )
    print(table.to_markdown(index=False, floatfmt=".1f"))
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        table.round(2).to_csv(options.out, index=False)


if __name__ == "__main__":
    main()
