"""`compare` of two experiments and of two rows, and what all commands print."""

import json
import sys

import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from tpld.cli import app
from tpld.commands.compare import compare
from tpld.commands.show import Page, as_tree, show
from tpld.config import load_config
from tpld.dag.merged import write_config
from tpld.errors import ConfigError

TREE = {"model": {"weights": "random"}, "source_training": {"batch_norm": "train"}}


def make(root, name: str, values: dict[str, list[float]], **changes):
    """An experiment: mIoU and road of each method's seeds, records and configuration."""
    folder = root / name
    rows = []
    for method, figures in values.items():
        for seed, value in enumerate(figures):
            for metric, shift in (("mIoU", 0), ("road", 10)):
                for protocol in ("single: scale 1", "crst: more"):
                    rows.append((method, seed, "target_val", protocol, metric, value + shift))
            place = folder / method / f"seed{seed}" / "round0"
            place.mkdir(parents=True)
            record = {
                "stage": "train_round",
                "settings": {"loss.beta": changes.get("loss", {}).get("beta", 0.95), "m": method},
                "seconds": 2.5,
            }
            (place / "run.json").write_text(json.dumps(record))
    columns = ["method", "seed", "split", "protocol", "metric", "value"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "comparison.csv", index=False)
    write_config(load_config({**TREE, "experiment": name, **changes}), folder / "config.yaml")
    return folder


def test_two_experiments_are_compared_by_the_rows_that_both_have(tmp_path):
    first = make(tmp_path, "a", {"source": [20.0, 22.0], "cbst": [30.0]})
    second = make(tmp_path, "b", {"source": [24.0], "clan": [9.0]}, loss={"beta": 0.5})
    page = compare(first, second)
    title, table = next(iter(page.tables.items()))
    keys = page.tables["configuration keys that differ"]
    assert title == "target_val, single: scale 1, source (2 and 1 seeds, percent)"
    assert table["metric"].tolist() == ["mIoU", "road"]
    assert table["difference"].tolist() == [3.0, 3.0]
    row = keys.set_index("key").loc["loss.beta"]
    assert (row["where"], row["first"], row["second"]) == ("configuration", "0.95", "0.5")
    assert "experiment" not in keys["key"].tolist()
    assert page.facts["training, s"] == [8, 5] or page.facts["training, s"] == [8, 5.0]
    both = compare(first, second, every=True)
    assert len(both.tables) == len(page.tables) + 1


def test_two_rows_are_compared_with_each_other(tmp_path):
    root = make(tmp_path, "a", {"cbst": [30.0], "cbst+tpld": [31.5, 32.5]})
    page = compare(root / "cbst", root / "cbst+tpld")
    table = page.tables["target_val, single: scale 1 (1 and 2 seeds, percent)"]
    assert table["difference"].tolist() == [2.0, 2.0]
    keys = page.tables["configuration keys that differ"]
    assert keys[["where", "key"]].to_numpy().tolist() == [["train_round", "m"]]
    one = compare(root / "cbst+tpld" / "seed0", root / "cbst+tpld" / "seed1")
    table = one.tables["target_val, single: scale 1 (1 and 1 seeds, percent)"]
    assert table["difference"].tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ("a", "nothing", "is no finished experiment, nor a row of one"),
        ("a", "a/cbst", "are not of a kind"),
        ("a/cbst", "a/nothing", "Rows of .*: cbst"),
        ("a", "c", "have no figure in common: cbst .* against clan"),
    ],
)
def test_what_cannot_be_compared_says_why(tmp_path, first, second, said):
    make(tmp_path, "a", {"cbst": [30.0]})
    make(tmp_path, "c", {"clan": [30.0]})
    with pytest.raises(ConfigError, match=said):
        compare(tmp_path / first, tmp_path / second)


def test_a_page_for_programs_has_null_for_unknown_numbers():
    page = Page("t", {"n": 1}, {"x": pd.DataFrame({"a": [1.5, float("nan")], "b": ["u", "v"]})})
    assert as_tree(page) == {
        "title": "t",
        "n": 1,
        "x": [{"a": 1.5, "b": "u"}, {"a": None, "b": "v"}],
    }


def test_in_a_pipe_columns_are_separated_by_tabs(capsys):
    show(Page("t", {"n": [1, 2]}, {"x": pd.DataFrame({"a": [0.123456789], "b": ["[u]"]})}), False)
    assert capsys.readouterr().out == "# t\nn: 1, 2\n\n## x\na\tb\n0.123457\t[u]\n"


def test_in_a_terminal_tables_are_drawn(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    show(Page("t", {"n": 1}, {"x": pd.DataFrame({"a": [0.123456789], "b": ["[u]"]})}), False)
    out = capsys.readouterr().out
    assert "0.1235" in out and "[u]" in out and "─" in out


@pytest.mark.parametrize(
    "command",
    ["init", "check-data", "inspect", "explain", "compare", "predict", "export-labels", "export"],
)
def test_help_has_an_example(command):
    done = CliRunner().invoke(app, [command, "--help"], terminal_width=200)
    assert done.exit_code == 0
    assert f"Example: tpld {command} " in " ".join(done.stdout.replace("│", " ").split())


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_can_complete(shell):
    source = {"_TPLD_COMPLETE": f"source_{shell}"}  # what --show-completion prints
    script = CliRunner().invoke(app, [], prog_name="tpld", env=source)
    assert "_TPLD_COMPLETE" in script.stdout
    variables = {"_TPLD_COMPLETE": f"complete_{shell}"}
    variables |= {"COMP_WORDS": "tpld pred", "COMP_CWORD": "1"}
    variables |= {"_TYPER_COMPLETE_ARGS": "tpld pred", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    found = CliRunner().invoke(app, [], prog_name="tpld", env=variables)
    assert "predict" in found.stdout


def test_the_command_line_imports_no_torch():
    import subprocess

    heavy = "('torch', 'numba', 'pandas')"
    code = f"import sys, tpld.cli; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_written_configuration_is_the_one_that_was_read(tmp_path):
    config = load_config({**TREE, "voting": {"window": 9}})
    write_config(config, tmp_path / "config.yaml")
    assert load_config(tmp_path / "config.yaml") == config
    assert yaml.safe_load((tmp_path / "config.yaml").read_text())["voting"]["window"] == 9
