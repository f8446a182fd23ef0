"""`init` writes all or nothing, over nothing that somebody has edited, and says what next."""

import shlex

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from tests.commands.own import answers, domain, found_in, picture, stripes, written
from tests.conftest import save_png
from tpld.cli import app
from tpld.commands import init
from tpld.commands.check_data import check_data
from tpld.errors import ConfigError, DataError


def colored(root, count=2):
    colors = np.array([(9, 0, 0), (0, 9, 0), (0, 0, 9)], np.uint8)
    domain(root / "source", [colors[stripes([0, 1, 2])]] * count)
    domain(root / "target", [colors[stripes([2, 1, 0])]] * count)


def all_files(root):
    return {str(f.relative_to(root)) for f in root.rglob("*") if not f.name.endswith(".lock")}


@pytest.mark.parametrize(
    "wrong",
    [
        {"source_names": "a,b"},
        {"source_names": "a,b,c,d"},
        {"source_ignore": "nothing"},
        {"source_ignore": "#000009;#000900"},
        {"target_names": "#000009=a"},
        {"maps": ["x=y"]},
        {"experiment": "a/../b"},
    ],
)
def test_a_failed_call_leaves_nothing_behind_and_blocks_nothing(tmp_path, wrong):
    colored(tmp_path)
    before = all_files(tmp_path)
    asked = answers(tmp_path, convert=tmp_path / "ids", **wrong)
    with pytest.raises((ConfigError, DataError)):
        written(asked)
    assert all_files(tmp_path) == before
    written(answers(tmp_path, convert=tmp_path / "ids"))


@pytest.mark.parametrize("taken", ["mine.yaml", "ids", "mine/target_train.txt"])
def test_what_exists_is_named_before_anything_is_written(tmp_path, taken):
    colored(tmp_path)
    (tmp_path / taken).parent.mkdir(exist_ok=True)
    (tmp_path / taken).write_text("edited\n")
    before = all_files(tmp_path)
    with pytest.raises(ConfigError, match=rf"{taken} exists already"):
        written(answers(tmp_path, convert=tmp_path / "ids"))
    assert all_files(tmp_path) == before
    assert (tmp_path / taken).read_text() == "edited\n"


def test_a_list_that_nobody_has_edited_is_no_obstacle(tmp_path):
    colored(tmp_path)
    written(answers(tmp_path, convert=tmp_path / "ids"))
    (tmp_path / "mine.yaml").unlink()
    written(answers(tmp_path, convert=tmp_path / "ids2"))
    (tmp_path / "mine.yaml").unlink()
    with (tmp_path / "mine/target_val.txt").open("a") as file:
        file.write("x0\n")
    with pytest.raises(ConfigError, match=r"target_val.txt exists already and holds other names"):
        written(answers(tmp_path, convert=tmp_path / "ids3"))
    assert not (tmp_path / "ids3").exists()


def test_a_failure_while_files_are_written_takes_them_away(tmp_path, monkeypatch):
    colored(tmp_path)
    found = found_in(asked := answers(tmp_path, convert=tmp_path / "ids"))
    file = next(iter(found.target.domains[0].label_files.values()))
    save_png(file, stripes([9, 8, 7]))
    before = all_files(tmp_path)
    with pytest.raises(DataError, match="has changed since it was read"):
        init.write(asked, found)
    assert all_files(tmp_path) == before


def test_an_image_that_is_large_and_of_one_bit_is_no_bomb(tmp_path):
    from PIL import Image

    domain(tmp_path / "source", [stripes([0, 1])] * 2)
    domain(tmp_path / "target", None, 1)
    Image.new("1", (14000, 14000)).save(tmp_path / "target/images/x0.png")
    config = written(answers(tmp_path))
    assert config.data.target[0].resize == (272, 272)


@pytest.mark.parametrize("name", ["mine.yaml", "my file.yaml", "a'b.yaml", "x;y.yaml", "{x}.yaml"])
def test_the_printed_commands_can_be_typed(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    domain(tmp_path / "source", [stripes([0, 1])] * 2)
    domain(tmp_path / "target", [stripes([0, 1])] * 2)
    call = ["init", "--source", "source", "--target", "target", "--out", name, "--json"]
    done = CliRunner().invoke(app, call)
    assert done.exit_code == 0, done.output
    said = yaml.safe_load(done.stdout)
    assert shlex.split(said["next"]) == ["tpld", "check-data", name]
    assert shlex.split(said["then"])[-1] == name
    assert CliRunner().invoke(app, ["check-data", name]).exit_code == 0
    assert not any("{" in path for path in said["lists"])


@pytest.mark.parametrize("images", [1, 2, 3])
@pytest.mark.parametrize("effort", ["quick", "full"])
def test_what_is_written_passes_the_check_however_few_images_there_are(tmp_path, images, effort):
    domain(tmp_path / "source", [stripes([0, 1])])
    domain(tmp_path / "target", [stripes([0, 1])] * images)
    config = written(answers(tmp_path, effort=effort))
    assert (config.phase2.rounds == 0) == (images < 3)
    check_data([], tmp_path / "mine.yaml", None)


def test_options_of_the_command_line_reach_the_configuration(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    domain(tmp_path / "source", [stripes([0, 1, 2, 3])] * 2)
    domain(tmp_path / "target", [stripes([5, 6, 7])] * 2)
    call = ["init", "--source", "source", "--target", "target", "--out", "x.yaml"]
    call += ["--names", "road,car,truck", "--ignore", "3", "--target-names", "road,van"]
    call += ["--target-ignore", "7", "--map", "vehicle=car+truck+van"]
    done = CliRunner().invoke(app, call)
    assert done.exit_code == 0, done.output
    data = yaml.safe_load((tmp_path / "x.yaml").read_text())["data"]
    assert [c["name"] for c in data["classes"]] == ["road", "vehicle"]
    assert data["source"]["ignored"] == [3] and data["target"]["ignored"] == [7]
    assert data["target"]["map"] == {"vehicle": ["van"]}
    assert "vehicle" in done.stdout and "2 (" in done.stdout


def test_the_picture_of_a_folder_of_one_image_says_why_nothing_is_evaluated(tmp_path):
    domain(tmp_path / "source", [stripes([0, 1])] * 2)
    picture(tmp_path / "target/images/x.png")
    save_png(tmp_path / "target/labels/x.png", stripes([0, 1, 1]))
    found = found_in(answers(tmp_path))
    assert any("its only image is adapted to" in note for note in found.notes)


def test_a_source_that_is_its_own_target_is_said(tmp_path):
    domain(tmp_path / "source", [stripes([0, 1])] * 2)
    (tmp_path / "target").symlink_to(tmp_path / "source")
    assert any("images in common" in note for note in found_in(answers(tmp_path)).notes)
