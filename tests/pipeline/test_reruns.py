"""What a changed key, seed or source file reruns, by dry run on a finished experiment."""

import pytest

pytestmark = pytest.mark.pipeline

TPLD = "crst_mrkld+tpld"


def of_method(jobs: set[str], method: str) -> set[str]:
    return {job for job in jobs if f" {method}" in job and f" {method}+" not in job}


def test_nothing_reruns_when_nothing_changed(finished):
    assert finished.planned() == set()


def test_voting_window_reruns_labels_and_what_follows(finished):
    jobs = finished.planned({"voting": {"window": 7}})
    assert f"label {TPLD} round0" in jobs
    assert f"train_round {TPLD} round0" in jobs
    assert f"dump {TPLD} round1" in jobs
    assert f"train_phase2 {TPLD} phase2_round0" in jobs
    # Neither the shared stages, nor the first thresholds, nor the method without voting.
    assert not jobs & {"train_source", "dump_source", f"thresholds {TPLD} round0"}
    assert of_method(jobs, "crst_mrkld") == set()


def test_easy_portion_reruns_the_split_and_what_follows(finished):
    jobs = finished.planned({"phase2": {"easy_portion": 0.5}})
    place = f"{TPLD} phase2_round0"
    rounds = {f"{rule} {place}" for rule in ("split", "label_easy", "train_phase2")}
    after = {f"assess {place}", f"evaluate_round {place}", f"evaluate target_val {TPLD}"}
    assert jobs == rounds | after | {"compare", "report"}


def test_more_seeds_rerun_no_finished_job(finished):
    jobs = finished.planned({"seeds": [0, 1]})
    assert "train_source seed1" in jobs
    assert f"train_phase2 {TPLD} phase2_round0 seed1" in jobs
    # The tables over all seeds are new; nothing of seed 0 is.
    assert {job for job in jobs if not job.endswith("seed1")} == {"compare", "report"}


def test_more_rounds_keep_the_finished_ones(finished):
    jobs = of_method(finished.planned({"self_training": {"base_rounds": 2}}), "crst_mrkld")
    assert "train_round crst_mrkld round1" in jobs
    assert "train_round crst_mrkld round0" not in jobs


def test_how_to_compute_reruns_nothing(finished):
    changed = {"threads": 2, "checkpoint_every": 7, "devices": 2, "parts": 3}
    assert finished.planned({"compute": changed}) == set()


def test_bootstrapping_is_of_tpld_alone(finished):
    jobs = finished.planned({"loss": {"beta": 0.9}})
    assert f"train_round {TPLD} round0" in jobs
    assert f"label {TPLD} round0" not in jobs
    assert of_method(jobs, "crst_mrkld") == set()


def test_edited_voting_code_reruns_labelling_and_what_follows(finished):
    path = finished.folder / "tpld" / "core" / "voting.py"
    text = path.read_text()
    try:
        path.write_text(text + "\n\ndef _added_by_a_test() -> int:\n    return 1\n")
        jobs = finished.planned()
    finally:
        path.write_text(text)
    assert f"label {TPLD} round0" in jobs
    assert "label crst_mrkld round0" in jobs  # the same stage: it may call what was edited
    assert not jobs & {"train_source", "dump_source", f"thresholds {TPLD} round0"}


def test_comments_and_docstrings_rerun_nothing(finished):
    path = finished.folder / "tpld" / "core" / "voting.py"
    text = path.read_text()
    try:
        path.write_text(text + "\n# a remark\n")
        assert finished.planned() == set()
    finally:
        path.write_text(text)


def test_a_stage_can_be_rerun_alone(finished):
    path = finished.result(TPLD, "seed0", "phase2_round0", "split.csv")
    text = path.read_text()
    path.unlink()
    relative = path.relative_to(finished.folder).as_posix()
    finished.snakemake(relative)
    assert path.read_text() == text
