"""Labelling in several jobs through Snakemake."""

import shutil

import pytest

from .conftest import Project

pytestmark = pytest.mark.pipeline


@pytest.fixture()
def copied(finished, tmp_path):
    """The finished experiment for one test alone."""
    shutil.copytree(finished.folder, tmp_path / "project", symlinks=True)
    return Project(tmp_path / "project")


def contents(store):
    """Every file of a store but the record at its top, which names hour and host."""
    files = [path for path in store.rglob("*") if path.is_file() and path.parent != store]
    return {path.relative_to(store).as_posix(): path.read_bytes() for path in files}


def test_two_jobs_label_as_one_did(copied):
    place = copied.result("crst_mrkld+tpld", "seed0", "round0")
    table, labels = place / "thresholds.csv", place / "labels.zarr"
    before = table.read_bytes(), contents(labels)
    shutil.rmtree(labels)
    table.unlink()
    said = copied.snakemake(
        labels.relative_to(copied.folder).as_posix(), overlay={"compute": {"parts": 2}}
    )
    for work in ("counting confidences", "counting confidences again", "pseudo labels"):
        for part in range(2):
            assert f"{work}, part {part} of 2: crst_mrkld+tpld, seed 0, round0" in said
    assert (table.read_bytes(), contents(labels)) == before
    assert not list(place.rglob("?of2"))
