"""The script for a GPU runs, on a CPU: nothing of it is written anew when a GPU is there."""

import sys
from pathlib import Path

import pandas as pd

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def test_the_script_for_a_gpu_runs_on_a_cpu(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import gpu_steps

    out = tmp_path / "steps.csv"
    arguments = ["gpu_steps.py", "--device", "cpu", "--quick", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", arguments)
    gpu_steps.main()
    table = pd.read_csv(out)
    assert list(table["step"].unique()) == ["as before", "fused", "+ BatchNorm", "+ losses"]
    assert (table["ms"] > 0).all() and (table["TFLOP/s"] > 0).all()
