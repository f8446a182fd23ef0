import numpy as np
import pytest
import torch
import xarray
import zarr

from tpld.core.selection import select_from_logs
from tpld.core.thresholds import ConfidenceRanks, log_thresholds
from tpld.errors import StoreError
from tpld.stores.labels import Labels
from tpld.stores.predictions import Predictions, decode, encode, new_predictions


def in_torch(logits: np.ndarray, size) -> torch.Tensor:
    """float64 (K, H, W): the mean of the views' softmax, the mirror view flipped back."""
    views = torch.nn.functional.interpolate(
        torch.from_numpy(logits).double(), size=size, mode="bilinear", align_corners=True
    ).softmax(1)
    return views[0] if len(views) == 1 else (views[0] + views[1].flip(-1)) / 2


@pytest.mark.parametrize("views", [1, 2])
def test_round_trip_against_torch(stores, tmp_path, views):
    store = Predictions(stores.predictions(tmp_path / "p.zarr", views=views))
    assert store.names == stores.names
    assert store.classes == stores.classes
    assert store.run == {"stage": "dump", "n": 1}
    for i, size in enumerate(stores.sizes):
        assert store.size(i) == size
        expected = in_torch(stores.logits(i, views), size).numpy()
        p = store.probabilities(i)
        assert p.dtype == np.float32
        assert p.shape == (4, *size)
        assert np.abs(p - expected).max() < 1e-5
        prediction, log_p = store.predict(i)
        assert np.abs(np.exp(log_p) - expected.max(0)).max() < 1e-5
        assert (expected.max(0) - np.take_along_axis(expected, prediction[None], 0)).max() < 1e-5
        assert np.array_equal(store.logits(i), stores.logits(i, views))


def test_a_window_is_the_same_part_of_the_image(stores, tmp_path):
    store = Predictions(stores.predictions(tmp_path / "p.zarr"))
    for i in range(3):
        whole = store.log_probabilities(i)
        for window in (np.s_[3:9, 5:30], np.s_[:, 2:3], np.s_[-4:, :], np.s_[:, :]):
            part = store.log_probabilities(i, window)
            assert part.shape == whole[:, *window].shape
            assert np.allclose(part, whole[:, *window], atol=1e-6)


def test_fixed_point_keeps_log_probabilities_to_half_a_step(stores, tmp_path):
    exact = Predictions(stores.predictions(tmp_path / "e.zarr", dtype="float32"))
    store = Predictions(stores.predictions(tmp_path / "p.zarr", dtype="uint16"))
    for i in range(3):
        wrong = np.abs(store.log_probabilities(i) - exact.log_probabilities(i))
        # The pixel's own logit and the log of the sum of all: half a step each, and float32.
        assert 0 < wrong.max() <= 2 * 0.5 / 512 + 1e-5


@pytest.mark.parametrize(
    ("largest", "step"), [(1, 1 / 512), (127.9, 1 / 512), (128.1, 1 / 256), (1e30, 2.0**84)]
)
def test_the_step_grows_with_the_distances_only_where_it_must(stores, tmp_path, largest, step):
    logits = stores.logits(0)
    below = logits.max(1, keepdims=True) - logits
    below *= np.float32(largest) / below.max()
    code, seen_step = encode(-below)
    assert code.max() < 65535
    assert seen_step == step
    assert np.abs(decode(code, seen_step) + below).max() <= 0.5001 * seen_step
    store = Predictions(stores.predictions(tmp_path / "p.zarr", "uint16", change={0: -below}))
    assert np.array_equal(store.logits(0), decode(code, seen_step))
    assert np.array_equal(store.logits(1), decode(*encode(stores.logits(1))))


def test_an_overconfident_network_selects_the_same_pixels(tmp_path):
    """Half of the pixels above 0.9999: rank, and with it selection, is kept to 0.05 %."""
    rng = np.random.default_rng(5)
    scene = np.repeat(np.repeat(rng.integers(0, 5, (1, 5, 10)), 6, 1), 6, 2)
    logits = 14 * (np.arange(5)[:, None, None] == scene) + 3 * rng.standard_normal((2, 5, 30, 60))
    logits[1] = logits[1, :, :, ::-1]
    labels = []
    for dtype in ("float32", "uint16"):
        with new_predictions(
            tmp_path / dtype, ["a"], [(240, 480)], [(30, 60)], list("abcde"), 2, dtype, {}
        ) as out:
            out.write(0, logits.astype(np.float32))
        store = Predictions(tmp_path / dtype)
        ranks = ConfidenceRanks(5, 0.2)
        prediction, log_p = store.predict(0)
        ranks.count(prediction, log_p)
        ranks.refine(prediction, log_p)
        bars = log_thresholds(ranks.result().value)
        labels.append(select_from_logs(store.log_probabilities(0), bars)[0])
    assert np.mean(log_p > np.log(0.9999)) > 0.5
    selected = np.count_nonzero(labels[0] != 255)
    assert selected > 0.19 * labels[0].size
    assert np.count_nonzero(labels[0] != labels[1]) <= 5e-4 * selected


def test_the_layers_for_people_hold_the_decisions_of_readers(stores, tmp_path):
    path = stores.predictions(tmp_path / "p.zarr", dtype="uint16")
    store, group = Predictions(path), zarr.open_group(path, mode="r")
    for i, (height, width) in enumerate(stores.sizes):
        prediction, log_p = store.predict(i)
        assert np.array_equal(group["prediction"][i, :height, :width], prediction)
        seen = group["neg_log_confidence"][i, :height, :width]
        assert (seen <= -log_p).all()
        assert (seen > -log_p * (1 - 2**-3)).all()
        assert (group["prediction"][i, height:] == 255).all()
        assert np.isnan(group["neg_log_confidence"][i, :, width:]).all()


def test_xarray_opens_it_with_names(stores, tmp_path):
    path = stores.predictions(tmp_path / "p.zarr")
    with xarray.open_zarr(path) as data:
        assert data["logits"].dims == ("image", "view", "class", "logit_y", "logit_x")
        assert data["prediction"].dims == ("image", "y", "x")
        assert data["image"].values.tolist() == stores.names
        assert data["class"].values.tolist() == stores.classes
        assert data["view"].values.tolist() == ["image", "mirror"]
        one = data["logits"].sel({"image": "a", "view": "mirror", "class": "sky"}).values
    assert np.array_equal(one[:2, :5], stores.logits(1)[1, 2])


def test_xarray_decodes_the_fixed_point(stores, tmp_path):
    path = stores.predictions(tmp_path / "p.zarr", dtype="uint16")
    with xarray.open_zarr(path) as data:
        seen = (data["logits"] * -data["logit_step"]).sel(image="a").values
    assert np.array_equal(seen[:, :, :2, :5], Predictions(path).logits(1))
    assert np.isnan(seen[:, :, 2:]).all()  # what lies beyond this image


def test_one_shard_an_image(stores, tmp_path):
    group = zarr.open_group(stores.predictions(tmp_path / "p.zarr"), mode="r")
    for name in ("logits", "prediction", "neg_log_confidence"):
        assert group[name].shards[0] == 1
        assert group[name].shards[1:] == group[name].shape[1:]
        assert len(list((tmp_path / "p.zarr" / name / "c").iterdir())) == 3


def test_expect(stores, tmp_path):
    store = Predictions(stores.predictions(tmp_path / "p.zarr"))
    store.expect(stores.names, stores.classes)
    with pytest.raises(StoreError, match=r"holds 3 images, not the 2 of .* Rerun `tpld dump`"):
        store.expect(stores.names[:2], stores.classes)
    with pytest.raises(StoreError, match="holds 3 images, not the 3 of this run"):
        store.expect(stores.names[::-1], stores.classes)
    with pytest.raises(StoreError, match="holds 4 classes, not the 4"):
        store.expect(stores.names, stores.classes[::-1])


# --- what a writer refuses --------------------------------------------------------------------


def test_counts_of_parallel_jobs_merge_into_the_thresholds_of_one(stores, tmp_path):
    """METHOD 3 over a store, images shared out to two workers in either pass."""
    store = Predictions(stores.predictions(tmp_path / "p.zarr", "uint16"))
    jobs = [ConfidenceRanks(4, 0.3, 2) for _ in range(2)]
    one = ConfidenceRanks(4, 0.3, 2)
    for i in range(3):
        jobs[i % 2].count(*store.predict(i))
        one.count(*store.predict(i))
    jobs[0].merge(jobs[1])
    forks = [jobs[0].fork(), jobs[0].fork()]
    for i in range(3):
        forks[i < 1].refine(*store.predict(i))  # another division than in pass 1
        one.refine(*store.predict(i))
    forks[0].merge(forks[1])
    for seen, expected in zip(forks[0].result(), one.result(), strict=True):
        assert np.array_equal(seen, expected, equal_nan=True)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_logits_that_are_not_finite(stores, tmp_path, bad):
    logits = stores.logits(1)
    logits[1, 0, 0, 0] = bad
    with pytest.raises(StoreError) as caught:
        stores.predictions(tmp_path / "p.zarr", change={1: logits})
    assert str(caught.value) == (
        "the network gives logits that are not finite on image 1. Its training diverged: "
        "lower the learning rate and rerun it"
    )
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_writer_leaves_nothing(stores, tmp_path):
    with (
        pytest.raises(KeyboardInterrupt),
        new_predictions(
            tmp_path / "p.zarr", ["a"], [(4, 4)], [(1, 1)], ["x", "y"], 1, "uint16", {}
        ) as writer,
    ):
        writer.write(0, np.zeros((1, 2, 1, 1), np.float32))
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_a_writer_replaces_what_a_killed_one_left(stores, tmp_path):
    stale = tmp_path / ".p.zarr.partial"
    stale.mkdir()
    (stale / "junk").write_text("x")
    stores.predictions(tmp_path / "p.zarr")
    assert [p.name for p in tmp_path.iterdir()] == ["p.zarr"]
    assert not (tmp_path / "p.zarr" / "junk").exists()
    stores.predictions(tmp_path / "p.zarr", views=1)
    assert len(Predictions(tmp_path / "p.zarr").logits(0)) == 1


# --- what a reader refuses --------------------------------------------------------------------


def refused(path, reader=Predictions) -> str:
    with pytest.raises(StoreError) as caught:
        reader(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_a_missing_store(tmp_path):
    text = refused(tmp_path / "p.zarr")
    assert "cannot be opened as a Zarr store" in text
    assert text.endswith("Delete it and rerun `tpld dump`")


@pytest.mark.parametrize("edit", [{"complete": False}, {"complete": None}])
def test_a_store_without_the_mark_of_completion(stores, tmp_path, edit):
    path = stores.predictions(tmp_path / "p.zarr")
    group = zarr.open_group(path, mode="r+", use_consolidated=False)
    group.attrs.update(edit)
    assert refused(path) == f"{path} was not finished. Delete it and rerun `tpld dump`"


def test_a_store_of_the_other_kind(stores, tmp_path):
    labels = stores.labels(tmp_path / "l.zarr")
    assert refused(labels) == (
        f"{labels} is a store of 'labels', not of predictions. Delete it and rerun `tpld dump`"
    )
    predictions = stores.predictions(tmp_path / "p.zarr")
    assert refused(predictions, Labels) == (
        f"{predictions} is a store of 'predictions', not of labels. "
        "Delete it and rerun `tpld label`"
    )


def test_an_image_that_was_never_written(stores, tmp_path):
    path = stores.predictions(tmp_path / "p.zarr", change={2: None})
    assert "lacks 1 of 3 chunks. Delete it and rerun `tpld dump`" in refused(path)


def test_a_shard_that_is_gone(stores, tmp_path):
    path = stores.predictions(tmp_path / "p.zarr")
    shard = next(p for p in (path / "logits" / "c" / "1").rglob("*") if p.is_file())
    shard.unlink()
    assert "array 'logits' lacks 1 of 3 chunks" in refused(path)


def test_every_flipped_byte_of_a_shard_is_an_error(stores, tmp_path):
    path = stores.predictions(tmp_path / "p.zarr")
    shard = next(p for p in (path / "logits" / "c" / "1").rglob("*") if p.is_file())
    good = shard.read_bytes()
    for place in range(0, len(good), 23):
        bad = bytearray(good)
        bad[place] ^= 0x10
        shard.write_bytes(bytes(bad))
        store = Predictions(path)
        with pytest.raises(StoreError) as caught:
            store.log_probabilities(1)
        text = str(caught.value)
        assert "array 'logits' is damaged at (1," in text
        assert str(path) in text
        assert text.endswith("Delete the store and rerun its stage")
        store.log_probabilities(0)  # the other images are whole


def test_a_shard_that_was_cut_short(stores, tmp_path):
    path = stores.predictions(tmp_path / "p.zarr")
    shard = next(p for p in (path / "logits" / "c" / "0").rglob("*") if p.is_file())
    shard.write_bytes(shard.read_bytes()[:-20])
    with pytest.raises(StoreError, match="array 'logits' is damaged"):
        Predictions(path).logits(0)


def test_a_damaged_list_of_names_is_an_error_and_no_crash(stores, tmp_path):
    path = stores.predictions(tmp_path / "p.zarr")
    chunk = next(p for p in (path / "image" / "c").rglob("*") if p.is_file())
    chunk.write_bytes(b"\x00" * 5)
    assert "array 'image' is damaged" in refused(path)


def test_logits_of_another_size_than_declared(tmp_path):
    with (
        pytest.raises(ValueError, match=r"logits of image 0 are \(2, 2\), declared was \(3, 3\)"),
        new_predictions(
            tmp_path / "p.zarr", ["a"], [(8, 8)], [(3, 3)], ["x", "y"], 1, "float32", {}
        ) as out,
    ):
        out.write(0, np.zeros((1, 2, 2, 2), np.float32))
