"""Artefacts of another model, round or class count in the place of the right ones are refused.

Image names and shapes are the same in every round, so a store must say what it was made from.
"""

import shutil
from pathlib import Path

import pytest
import yaml

from tpld.compute.runtime import resolve
from tpld.config import load_config
from tpld.errors import StoreError
from tpld.models.weights import load_trained
from tpld.stages.confidence import score_images
from tpld.stages.full_labels import label_easy
from tpld.stages.label import label
from tpld.stages.train_phase2 import Phase2Inputs, train_phase2
from tpld.stages.train_round import RoundInputs, train_round

from .conftest import TINY
from .stages import commands_of

pytestmark = pytest.mark.pipeline
TPLD = "crst_mrkld+tpld"
OTHERS = "belongs to another model, round or data set"


class Place:
    """Files of the finished experiment; stages are called in this process."""

    def __init__(self, finished) -> None:
        config = finished.folder / commands_of(finished)["dump"][-1]
        tree = {**yaml.safe_load(config.read_text()), "results": str(finished.folder / "results")}
        self.tree, self.config = tree, load_config(tree)
        self.data = finished.result("data")
        self.source = finished.result("source", "deeplabv2_resnet18", "seed0")
        self.seed = finished.result(TPLD, "seed0")

    def round(self, name: str, **other: Path) -> RoundInputs:
        """Inputs of a round of phase 1, some of them another's."""
        first = name == "round0"
        inputs = RoundInputs(
            (self.source if first else self.seed / "round0") / "model.safetensors",
            self.data / "source_train",
            self.data / "target_train",
            self.seed / name / "labels.zarr",
            self.seed / name / "thresholds.csv",
        )
        return inputs._replace(**other)

    def phase2(self, **other: Path) -> Phase2Inputs:
        """The same of a round of phase 2."""
        place = self.seed / "phase2_round0"
        inputs = Phase2Inputs(
            self.seed / "round1" / "model.safetensors",
            self.data / "target_train",
            place / "predictions.zarr",
            place / "thresholds.csv",
            place / "split.csv",
        )
        return inputs._replace(**other)


@pytest.fixture(scope="module")
def place(finished):
    return Place(finished)


def refused(call, *arguments, **named) -> str:
    with pytest.raises(StoreError) as caught:
        call(*arguments, **named)
    return str(caught.value)


def test_labels_of_another_round(place, tmp_path):
    for name, wrong in (("round0", "round1"), ("round1", "round0")):
        inputs = place.round(name, labels=place.seed / wrong / "labels.zarr")
        text = refused(train_round, place.config, TPLD, 0, 0, inputs, tmp_path)
        assert OTHERS in text and f"{wrong}/labels.zarr" in text and "rerun `tpld label`" in text
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_of_another_round_under_the_labels(place, tmp_path):
    other = place.round("round0", model=place.seed / "round0" / "model.safetensors")
    assert "made from other model" in refused(
        train_round, place.config, TPLD, 0, 0, other, tmp_path
    )


def test_thresholds_of_another_round(place, tmp_path):
    wrong = place.seed / "round1" / "thresholds.csv"
    text = refused(
        train_round, place.config, TPLD, 0, 0, place.round("round0", thresholds=wrong), tmp_path
    )
    assert "made from other thresholds" in text
    dump = place.source / "predictions.zarr"
    for stage in (label, score_images):
        arguments = (place.config, *((TPLD,) if stage is label else ()), dump, wrong)
        text = refused(stage, *arguments, tmp_path / "out")
        assert f"{wrong} was computed from other predictions" in text
    split = place.seed / "phase2_round0" / "split.csv"
    assert OTHERS in refused(label_easy, place.config, dump, wrong, split, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("what", ["model", "predictions", "thresholds", "split"])
def test_phase_2_with_a_file_of_another_round(place, tmp_path, what):
    before = place.seed / "round1"
    wrong = {
        "model": place.seed / "round0" / "model.safetensors",
        "predictions": before / "predictions.zarr",
        "thresholds": before / "thresholds.csv",
        "split": tmp_path / "split.csv",
    }
    right = place.phase2().split.read_text()
    mark = right.splitlines()[1].rsplit(",", 1)[1]
    wrong["split"].write_text(right.replace(mark, "0123456789abcdef"))
    inputs = place.phase2(**{what: wrong[what]})
    text = refused(train_phase2, place.config, TPLD, 0, 0, inputs, tmp_path / "out")
    assert OTHERS in text
    assert not (tmp_path / "out").exists()


def test_another_class_count(place):
    path, runtime = place.source / "model.safetensors", resolve(place.config.compute)
    text = refused(load_trained, place.config, 5, path, runtime)
    assert f"{path} belongs to another network" in text and "size mismatch" in text


def test_a_dump_of_other_classes(place, tmp_path):
    """The same pixels and names, two class names exchanged."""
    folder = {"classes": [{"id": i, "name": f"c{i}", "color": [i, i, i]} for i in range(3)]}
    for domain in ("source", "target"):
        folder[domain] = {"images": str(tmp_path), "labels": str(tmp_path)}
    other = load_config({**place.tree, "data": {"kind": "folder", "folder": folder}})
    inputs = place.phase2()
    text = refused(train_phase2, other, TPLD, 0, 0, inputs, tmp_path / "out")
    assert "classes, not the 3 of this run. Rerun `tpld dump`" in text


def test_a_copy_elsewhere_is_the_same_store(place, tmp_path):
    """Fingerprints are of contents: results may be moved or copied, times and all."""
    copy = tmp_path / "labels.zarr"
    shutil.copytree(place.seed / "round0" / "labels.zarr", copy, copy_function=shutil.copy)
    config = place.config.model_copy(update={"results": str(tmp_path)})
    train_round(config, TPLD, 0, 0, place.round("round0", labels=copy), tmp_path / "out")
    assert (tmp_path / "out" / "model.safetensors").exists()
    assert TINY["compute"]["checkpoint_every"] == config.compute.checkpoint_every
