"""`init` and `check-data` on somebody's own folders."""

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from tests.commands.own import answers, found_in, picture, written
from tests.conftest import save_png
from tpld.cli import app
from tpld.commands.check_data import check_data
from tpld.commands.init import write
from tpld.config import load_config
from tpld.data.sources import class_table, list_items
from tpld.errors import ConfigError, DataError


def test_what_init_writes_is_checked_without_an_edit(folders):
    asked = answers(folders.root, source_names="road,sky,car")
    page = write(asked, found_in(asked))
    config = load_config(asked.out)
    table = class_table(config)
    assert (table.ids, table.names) == ([7, 23, 26], ["road", "sky", "car"])
    assert [item.name for item in list_items(config, "source_train")] == ["s0", "s1", "s2", "s3"]
    assert [item.name for item in list_items(config, "target_train")] == ["t0", "t1"]
    assert [item.name for item in list_items(config, "target_val")] == ["t2"]
    assert page.facts["next"].startswith("tpld check-data")
    checked = check_data([], asked.out, None)
    assert checked.facts["source_train"] == "4 images"
    shares = checked.tables["share of the labelled pixels, %"]
    assert shares["source_train"].sum() == pytest.approx(100)
    with pytest.raises(ConfigError, match="exists already"):
        write(asked, found_in(asked))


def test_the_full_effort_has_the_papers_schedule_within_the_images(folders):
    config = written(answers(folders.root, effort="full"))
    assert config.model.name == "deeplabv2_resnet101" and config.self_training.rounds == 6
    assert config.self_training.crop == (32, 48)
    assert config.self_training.learning_rate == 5e-5


def test_images_too_large_for_a_first_try_are_shrunk(folders):
    for name in ("t0", "t1", "t2"):
        picture(folders.root / "target" / "images" / f"{name}.png", (720, 960))
    (folders.root / "target" / "labels").rename(folders.root / "elsewhere")
    config = written(answers(folders.root))
    assert config.data.target[0].resize == (240, 320)
    assert config.data.source[0].resize is None
    assert config.data.target[0].labels is None and config.data.target[0].val is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda root: (root / "source" / "labels").rename(root / "x"), "no labels beside"),
        (lambda root: (root / "source").rename(root / "x"), "is no folder"),
        (
            lambda root: [f.rename(f.with_stem(f"z{f.stem}")) for f in _labels(root)],
            "has the name of an image",
        ),
        (
            lambda root: [save_png(f, np.full((32, 48), 3, np.uint8)) for f in _labels(root)],
            "at least two classes are needed",
        ),
    ],
)
def test_folders_that_cannot_be_used_say_why(folders, change, said):
    change(folders.root)
    with pytest.raises((DataError, ConfigError), match=said):
        found_in(answers(folders.root))


def _labels(root):
    return list((root / "source" / "labels").iterdir())


def test_questions_are_asked_where_options_are_missing(folders, monkeypatch):
    monkeypatch.chdir(folders.root)
    typed = ["source", "nowhere", "'target'", "own.yaml"]
    typed += ["oops", "", "", "road, sky", "", "road, sky, car", "y"]
    done = CliRunner().invoke(app, ["init"], input="\n".join(typed) + "\n")
    assert done.exit_code == 0, done.output
    tree = yaml.safe_load((folders.root / "own.yaml").read_text())
    assert [entry["name"] for entry in tree["data"]["classes"]] == ["road", "sky", "car"]
    assert tree["experiment"] == "own"


def test_a_table_that_is_not_right_is_asked_for_again(folders, monkeypatch):
    """Values of the target are asked for, too, once they are not what the source's are."""
    monkeypatch.chdir(folders.root)
    for file in (folders.root / "target" / "labels").iterdir():
        save_png(file, np.repeat(np.array([1, 2, 3, 1], np.uint8), 12)[None].repeat(32, 0))
    typed = ["source", "target", "own.yaml", "", "road,sky,car"]
    typed += ["", "car,road,sky", "n", "", "road,sky,car", "", "3=sky,1=car,2=road", "y"]
    done = CliRunner().invoke(app, ["init"], input="\n".join(typed) + "\n")
    assert done.exit_code == 0, done.output
    config = load_config(folders.root / "own.yaml")
    assert config.data.target[0].values == {1: "car", 2: "road", 3: "sky"}
    assert class_table(config, "target_val").values == [[2], [3], [1]]


def test_check_data_merges_files_as_snakemake_does(folders, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(folders.tree))
    (tmp_path / "mine.yaml").write_text("experiment: other\n")
    done = CliRunner().invoke(app, ["check-data", "mine.yaml"])
    assert done.exit_code == 0, done.output
    assert "experiment: other" in done.stdout and "source_train: 4 images" in done.stdout
    (tmp_path / "mine.yaml").write_text("votin: {window: 7}\n")
    wrong = CliRunner().invoke(app, ["check-data", "mine.yaml"])
    assert "config.yaml, mine.yaml:" in str(wrong.exception)
    assert "did you mean 'voting'?" in str(wrong.exception)


def test_check_data_without_any_configuration_says_how():
    with pytest.raises(ConfigError, match=r"Example: tpld check-data mine\.yaml"):
        check_data([], None, None)


def test_check_data_of_a_city_that_is_not_drawn_says_who_draws_it(tmp_path):
    tree = {"results": str(tmp_path), "model": {"weights": "random"}}
    tree |= {"source_training": {"batch_norm": "train"}}
    (tmp_path / "city.yaml").write_text(yaml.safe_dump(tree))
    with pytest.raises(DataError, match=r"is not drawn yet.*`snakemake` draws it"):
        check_data([], tmp_path / "city.yaml", None)
