import numpy as np
import pytest
import torch
import xarray
import zarr

from tpld.errors import StoreError
from tpld.stores.labels import Labels
from tpld.stores.predictions import Predictions, new_predictions


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


def test_float16_keeps_probabilities_to_its_rounding(stores, tmp_path):
    store = Predictions(stores.predictions(tmp_path / "p.zarr", dtype="float16"))
    for i, size in enumerate(stores.sizes):
        expected = in_torch(stores.logits(i), size).numpy()
        assert np.abs(store.probabilities(i) - expected).max() < 5e-3


def test_the_layers_for_people_hold_the_decisions_of_readers(stores, tmp_path):
    path = stores.predictions(tmp_path / "p.zarr", dtype="float16")
    store, group = Predictions(path), zarr.open_group(path, mode="r")
    for i, (height, width) in enumerate(stores.sizes):
        prediction, log_p = store.predict(i)
        assert np.array_equal(group["prediction"][i, :height, :width], prediction)
        seen = group["neg_log_confidence"][i, :height, :width]
        assert np.allclose(seen, -log_p, rtol=1e-3, atol=1e-7)
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


@pytest.mark.filterwarnings("ignore:overflow")
def test_logits_beyond_float16(stores, tmp_path):
    logits = stores.logits(0) * 0
    logits[0, 1] = -70000
    with pytest.raises(StoreError) as caught:
        stores.predictions(tmp_path / "p.zarr", dtype="float16", change={0: logits})
    assert str(caught.value) == (
        "logits of image 0 reach 70000, beyond float16. Set dump.dtype: float32"
    )
    assert list(tmp_path.iterdir()) == []
    stores.predictions(tmp_path / "p.zarr", dtype="float32", change={0: logits})


def test_an_interrupted_writer_leaves_nothing(stores, tmp_path):
    with (
        pytest.raises(KeyboardInterrupt),
        new_predictions(
            tmp_path / "p.zarr", ["a"], [(4, 4)], [(1, 1)], ["x", "y"], 1, "float16", {}
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
