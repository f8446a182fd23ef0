"""`inspect`, `explain` and `export-labels` on stores that the stages made."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from tpld.cli import app
from tpld.commands.explain import explain, find_image
from tpld.commands.export_labels import export_labels
from tpld.commands.inspect_store import inspect
from tpld.config import Config
from tpld.data.cache import write_cache
from tpld.data.decode import decode_label
from tpld.data.sources import ClassTable, folders_of, list_items
from tpld.errors import ConfigError, StoreError
from tpld.stages.confidence import score_images
from tpld.stages.full_labels import label_easy
from tpld.stages.split import split
from tpld.stores.labels import Labels
from tpld.stores.predictions import Predictions


def damage(path, array: str) -> None:
    """Flip a bit in the middle of a shard of an array."""
    shards = [f for f in (path / array / "c").rglob("*") if f.is_file()]
    shard = max(shards, key=lambda f: f.stat().st_size)
    content = bytearray(shard.read_bytes())
    content[len(content) // 3] ^= 16
    shard.write_bytes(content)


def test_inspect_counts_labels_by_class_and_origin(experiment):
    page, damaged = inspect(experiment / "labels.zarr")
    store = Labels(experiment / "labels.zarr")
    label = np.concatenate([store.layer("label", i).ravel() for i in range(3)])
    table = page.tables["classes"].set_index("class")
    assert damaged == [] and "every checksum right" in page.facts["integrity"]
    assert page.facts["images"] == 3 and page.facts["stage"] == "label"
    assert page.facts["density %"] == pytest.approx(100 * (label != 255).mean())
    for k, name in enumerate(store.classes):
        assert table.loc[name, "pixels"] == (label == k).sum()
        assert table.loc[name, "λ"] == pytest.approx(np.exp(store.log_threshold[k]))
    assert table.loc["(unlabelled)", "pixels"] == (label == 255).sum()
    assert table["voted_1 %"].sum() > 0


def test_inspect_shows_predictions_with_the_thresholds_beside_them(experiment):
    page, damaged = inspect(experiment / "predictions.zarr")
    table = page.tables["classes"]
    assert damaged == [] and table["pixels"].sum() == 20 * 30 + 12 * 40 + 20 * 40
    bars = pd.read_csv(experiment / "thresholds.csv")["threshold"]
    assert np.allclose(table["λ"], bars)
    assert page.facts["views"] == ["image", "mirror"]


@pytest.mark.parametrize(
    ("store", "array"), [("labels.zarr", "score"), ("predictions.zarr", "logits")]
)
def test_inspect_finds_a_flipped_bit_and_exits_with_1(experiment, store, array):
    damage(experiment / store, array)
    done = CliRunner().invoke(app, ["inspect", str(experiment / store), "--json"])
    said = json.loads(done.stdout)
    assert done.exit_code == 1
    assert said["integrity"] == "1 damaged parts"
    assert f"array '{array}' is damaged" in said["damage"][0]
    quick = CliRunner().invoke(app, ["inspect", str(experiment / store), "--quick"])
    assert quick.exit_code == 0 and "integrity: not checked" in quick.stdout


def test_inspect_checks_decoded_images(folders, tmp_path):
    config = folders.config()
    out = tmp_path / "cache"
    items, folders_there = list_items(config, "source_train"), folders_of(config, "source_train")
    write_cache(out, items, ("images", "labels"), folders_there, 1)
    page, damaged = inspect(out)
    assert damaged == [] and page.facts["holds"] == "decoded images and labels"
    assert page.tables["classes"]["share %"].sum() == pytest.approx(100)
    pixels = bytearray((out / "images.bin").read_bytes())
    pixels[5] ^= 1
    (out / "images.bin").write_bytes(pixels)
    _, damaged = inspect(out)
    assert len(damaged) == 1 and damaged[0].startswith("image 's0': ")


def test_inspect_describes_a_checkpoint(trained):
    page, damaged = inspect(trained[0])
    assert damaged == [] and page.facts["model"]["name"] == "deeplabv2_resnet18"
    assert page.tables["classes"]["name"].tolist() == ["road", "car", "sky"]
    assert page.tables["parts"]["values"].sum() == page.facts["parameters"]


def test_inspect_refuses_anything_else(tmp_path):
    with pytest.raises(StoreError, match="is no store, checkpoint or folder of decoded images"):
        inspect(tmp_path)


def test_explain_gives_the_numbers_of_the_store(experiment):
    store = Labels(experiment / "labels.zarr")
    dump = Predictions(experiment / "predictions.zarr")
    origin = store.layer("origin", 2)
    for kind, wanted in ((1, "Confident: r = "), (2, "in iteration 1 from "), (0, "None: ")):
        y, x = (int(v) for v in np.argwhere(origin == kind)[0])
        page, reason = explain(experiment / "labels.zarr", "third", x, y)
        assert wanted in page.facts["why"]
        assert reason.label == (None if kind == 0 else store.layer("label", 2)[y, x])
        best = page.tables["best classes"].iloc[0]
        p = dump.probabilities(2)[dump.classes.index(best["class"]), y, x]
        assert best["p"] == pytest.approx(p, rel=1e-5)
        assert best["r = p/λ"] == pytest.approx(best["p"] / best["λ"], rel=1e-5)


def test_explain_knows_the_full_labels_of_easy_images(experiment):
    config = Config(phase2={"easy_portion": 0.5, "gamma": 3})
    files = {name: experiment / name for name in ("predictions.zarr", "thresholds.csv")}
    score_images(config, *files.values(), experiment / "confidence.csv")
    split(config, experiment / "confidence.csv", 0, experiment / "split.csv")
    out = experiment / "full.zarr"
    label_easy(config, *files.values(), experiment / "split.csv", out)
    store = Labels(out)
    assert 0 < len(store) < 3
    y, x = (int(v) for v in np.argwhere(store.layer("origin", 0) == 254)[0])
    page, _ = explain(out, store.names[0], x, y)
    assert page.facts["origin"] == "full" and "r^3 = " in page.facts["why"]
    best = page.tables["best classes"].iloc[0]
    assert best["r = p/λ"] == pytest.approx(float(store.layer("score", 0)[y, x]), rel=2e-3)


def test_explain_wants_the_predictions_that_the_labels_were_made_of(
    experiment, stores_of_commands, tmp_path
):
    import shutil

    shutil.rmtree(experiment / "predictions.zarr")
    with pytest.raises(StoreError, match=r"not there any more. Give them as --predictions"):
        explain(experiment / "labels.zarr", "third", 0, 0)
    other = stores_of_commands.predictions(experiment / "predictions.zarr", "float32")
    with pytest.raises(StoreError, match="has changed since the labels were made of it"):
        explain(experiment / "labels.zarr", "third", 0, 0)
    page, _ = explain(experiment / "labels.zarr", "third", 0, 0, other)
    assert page.facts["pixel"] == "x=0, y=0"


@pytest.mark.parametrize(
    ("wanted", "found"),
    [("a/night_1", 1), ("night_2", 2), ("0", 0), ("day", 0)],
)
def test_an_image_is_found_by_name_part_or_number(wanted, found):
    assert find_image(["a/day_9", "a/night_1", "a/night_2"], wanted) == found


@pytest.mark.parametrize(
    ("wanted", "said"),
    [("night", "part of 2 image names: night1, night2"), ("nigth1", "did you mean 'night1'")],
)
def test_an_image_that_is_not_found_names_the_near_ones(wanted, said):
    with pytest.raises(ConfigError, match=said.replace("?", r"\?")):
        find_image(["night1", "night2"], wanted)


def test_a_pixel_outside_is_an_error(experiment):
    with pytest.raises(ConfigError, match="outside 'a', which is 40 wide and 12 high"):
        explain(experiment / "labels.zarr", "a", 0, 12)


def test_exported_indices_are_the_labels_and_read_as_our_own_label_files(experiment, tmp_path):
    out = tmp_path / "out"
    page = export_labels(experiment / "labels.zarr", out)
    store = Labels(experiment / "labels.zarr")
    table = ClassTable(store.classes, [0, 1, 2, 3], np.zeros((4, 3), np.uint8), [])
    for i, name in enumerate(store.names):
        file = out / f"{name}_gtFine_labelTrainIds.png"
        assert np.array_equal(np.asarray(Image.open(file)), store.layer("label", i))
        assert np.array_equal(decode_label(file, table), store.layer("label", i))
    legend = pd.read_csv(out / "classes.csv")
    assert legend["name"].tolist() == [*store.classes, "unlabelled"]
    assert legend["value"].tolist() == [0, 1, 2, 3, 255]
    assert page.facts["labelled %"] > 0


def test_exported_colours_are_those_of_the_experiment_around_the_store(experiment, tmp_path):
    colors = np.array([[9, 8, 7], [1, 2, 3], [4, 5, 6], [200, 100, 50]], np.uint8)
    above = tmp_path / "results" / "tiny" / "data" / "source_train"
    above.mkdir(parents=True)
    store = Labels(experiment / "labels.zarr")
    table = ClassTable(store.classes, [[0], [1], [2], [3]], colors, [])
    rules = {"folder": {"exif": True, "table": table.to_json()}}
    (above / "domains.json").write_text(json.dumps(rules))
    export_labels(experiment / "labels.zarr", tmp_path / "out", "color")
    seen = np.asarray(Image.open(tmp_path / "out" / "a_gtFine_color.png"))
    label = store.layer("label", 1)
    assert (seen[label == 255] == 0).all()
    for k in range(4):
        assert (seen[label == k] == colors[k]).all()


def test_labels_of_low_score_can_be_left_out(experiment, tmp_path):
    store = Labels(experiment / "labels.zarr")
    export_labels(experiment / "labels.zarr", tmp_path, "index", ".png", min_score=1.2)
    kept = np.asarray(Image.open(tmp_path / "third.png"))
    score, label = store.layer("score", 2), store.layer("label", 2)
    assert np.array_equal(kept, np.where(score >= 1.2, label, 255))
    assert 0 < (kept != 255).sum() < (label != 255).sum()


def test_a_suffix_that_is_no_png_is_refused(experiment, tmp_path):
    with pytest.raises(ConfigError, match=r"must end in \.png"):
        export_labels(experiment / "labels.zarr", tmp_path, "index", ".jpg")


def test_colours_of_known_classes_are_those_of_cityscapes(experiment):
    from tpld.commands.palette import colors_of

    assert colors_of(["road", "blob"], experiment)[0].tolist() == [128, 64, 128]
    assert colors_of(["road", "sky"], experiment, Config())[0].tolist() != [0, 0, 0]
