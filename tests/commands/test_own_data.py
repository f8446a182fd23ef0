"""`init` and `check-data` on somebody's own folders."""

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from tests.conftest import save_png
from tpld.cli import app
from tpld.commands.check_data import check_data
from tpld.commands.discover import find_domain
from tpld.commands.init import Answers, look, write
from tpld.config import load_config
from tpld.data.decode import decode_label
from tpld.data.sources import class_table, list_items
from tpld.errors import ConfigError, DataError


def picture(path, size=(32, 48)):
    save_png(path, np.zeros((*size, 3), np.uint8))


def answers(folders, **changes) -> Answers:
    return Answers(
        folders.root / "source",
        folders.root / "target",
        out=folders.root / "mine.yaml",
        **changes,
    )


def test_what_init_writes_is_checked_without_an_edit(folders):
    found = look(answers(folders, names=["road", "sky", "car"]))
    page = write(answers(folders), found)
    config = load_config(folders.root / "mine.yaml")
    table = class_table(config)
    assert (table.ids, table.names) == ([7, 23, 26], ["road", "sky", "car"])
    assert [item.name for item in list_items(config, "source_train")] == ["s0", "s1", "s2", "s3"]
    assert [item.name for item in list_items(config, "target_train")] == ["t0", "t1"]
    assert [item.name for item in list_items(config, "target_val")] == ["t2"]
    assert page.facts["next"].startswith("tpld check-data")
    checked = check_data([], folders.root / "mine.yaml", None)
    assert checked.facts["source_train"] == "4 images"
    shares = checked.tables["share of the labelled pixels, %"]
    assert shares["source_train"].sum() == pytest.approx(100)
    with pytest.raises(ConfigError, match="exists already"):
        write(answers(folders), found)


def test_the_full_effort_has_the_papers_schedule_within_the_images(folders):
    asked = answers(folders, effort="full")
    write(asked, look(asked))
    config = load_config(asked.out)
    assert config.model.name == "deeplabv2_resnet101" and config.self_training.rounds == 6
    assert config.self_training.crop == (32, 48)
    assert config.self_training.learning_rate == 5e-5


def test_images_too_large_for_a_first_try_are_shrunk(folders):
    for name in ("t0", "t1", "t2"):
        picture(folders.root / "target" / "images" / f"{name}.png", (720, 960))
    (folders.root / "target" / "labels").rename(folders.root / "elsewhere")
    asked = answers(folders)
    write(asked, look(asked))
    config = load_config(asked.out)
    assert config.data.folder.target.resize == (240, 320)
    assert config.data.folder.source.resize is None
    assert config.data.folder.target.labels is None and config.data.folder.target.val is None


@pytest.mark.parametrize(
    ("image", "label", "suffixes"),
    [
        ("x{}.jpg", "x{}.png", (".jpg", ".png")),
        ("x{}.png", "x{}_L.png", (".png", "_L.png")),
        (
            "aachen/x{}_leftImg8bit.png",
            "aachen/x{}_gtFine_labelIds.png",
            ("_leftImg8bit.png", "_gtFine_labelIds.png"),
        ),
    ],
)
def test_labels_are_found_however_they_are_named(tmp_path, image, label, suffixes):
    for i in range(3):
        picture(tmp_path / "images" / image.format(i))
        save_png(tmp_path / "labels" / label.format(i), np.full((32, 48), i, np.uint8))
    domain = find_domain(tmp_path, want_labels=True)
    assert (domain.image_suffix, domain.label_suffix) == suffixes
    assert len(domain.names) == 3 and domain.labelled == domain.names


def test_of_several_label_files_an_image_has_ids_come_before_colours(tmp_path):
    for i in range(2):
        picture(tmp_path / "images" / f"x{i}.png")
        picture(tmp_path / "labels" / f"x{i}_color.png")
        save_png(tmp_path / "labels" / f"x{i}_instanceIds.png", np.zeros((32, 48), np.uint16))
        save_png(tmp_path / "labels" / f"x{i}_labelIds.png", np.zeros((32, 48), np.uint8))
    assert find_domain(tmp_path).label_suffix == "_labelIds.png"


def test_images_and_labels_may_share_a_folder(tmp_path):
    for i in range(2):
        picture(tmp_path / f"x{i}.png")
        save_png(tmp_path / f"x{i}_mask.png", np.zeros((32, 48), np.uint8))
    domain = find_domain(tmp_path, tmp_path)
    assert domain.names == ["x0", "x1"] and domain.label_suffix == "_mask.png"


def test_values_that_are_ignored_or_of_the_target_alone_are_no_classes(folders):
    save_png(folders.root / "target" / "labels" / "t0.png", np.full((32, 48), 9, np.uint8))
    found = look(answers(folders, ignore=[26]))
    assert [entry["id"] for entry in found.classes] == [7, 23]
    assert found.ignored == [0, 9, 26] or found.ignored == [9, 26]
    assert any("occur in the target's labels alone" in note for note in found.notes)


def test_a_target_with_a_few_labels_is_adapted_to_as_a_whole(folders):
    (folders.root / "target" / "labels" / "t1.png").unlink()
    found = look(answers(folders))
    assert found.target.labels is None and len(found.target.names) == 3
    assert any("only 2 of 3 images have labels" in note for note in found.notes)


def test_source_images_without_a_label_are_left_out_by_a_list(folders):
    picture(folders.root / "source" / "images" / "s9.png")
    asked = answers(folders)
    write(asked, look(asked))
    names = [item.name for item in list_items(load_config(asked.out), "source_train")]
    assert names == ["s0", "s1", "s2", "s3"]


def test_coloured_label_files_are_refused_and_can_be_converted(folders):
    colors = np.array([[128, 64, 128], [0, 0, 142], [70, 130, 180]], np.uint8)
    ids = np.array([7, 26, 23])
    before = {}
    for domain in ("source", "target"):
        for file in (folders.root / domain / "labels").iterdir():
            raw = decode_label(file, class_table(folders.config()))
            before[file.stem] = raw
            save_png(file, colors[raw])
    with pytest.raises(DataError, match=r"whose colours are no class ids.*--convert-labels"):
        look(answers(folders))
    asked = answers(folders, convert=folders.root / "ids")
    found = look(asked)
    write(asked, found)
    config = load_config(asked.out)
    table = class_table(config)
    assert sorted(map(tuple, table.colors.tolist())) == sorted(map(tuple, colors.tolist()))
    order = [table.colors.tolist().index(color) for color in colors.tolist()]
    for item in list_items(config, "source_train"):
        again = decode_label(item.label, table)
        assert np.array_equal(again, np.array(order)[before[item.name]])
    assert len(ids) == len(table.names)


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
        look(answers(folders))


def _labels(root):
    return list((root / "source" / "labels").iterdir())


def test_names_must_fit_the_values(folders):
    with pytest.raises(ConfigError, match=r"2 names are given, but .* \[7, 23, 26\]"):
        look(answers(folders, names=["road", "sky"]))


def test_questions_are_asked_where_options_are_missing(folders, monkeypatch):
    monkeypatch.chdir(folders.root)
    typed = ["source", "nowhere", "'target'", "oops", "", "", "road, sky, car", "own.yaml"]
    done = CliRunner().invoke(app, ["init"], input="\n".join(typed) + "\n")
    assert done.exit_code == 0, done.output
    tree = yaml.safe_load((folders.root / "own.yaml").read_text())
    assert [entry["name"] for entry in tree["data"]["folder"]["classes"]] == ["road", "sky", "car"]
    assert tree["experiment"] == "own"


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
