import numpy as np
import pytest
import xarray

from tpld.errors import StoreError
from tpld.stores.labels import Labels, new_labels


def test_round_trip_of_images_of_different_sizes(stores, tmp_path):
    store = Labels(stores.labels(tmp_path / "l.zarr"))
    assert len(store) == 3
    assert store.names == stores.names
    assert store.classes == stores.classes
    assert store.run == {"stage": "label"}
    assert np.exp(store.log_threshold) == pytest.approx([0.9, 0.5, 0.25, 1.0])
    assert store.origins == {0: "none", 1: "confident", 2: "voted_1", 3: "voted_2"}
    for i, size in enumerate(stores.sizes):
        assert store.size(i) == size
        layers = stores.layers(i)
        for name in ("label", "origin"):
            seen = store.layer(name, i)
            assert seen.dtype == np.uint8
            assert np.array_equal(seen, layers[name])
        score = store.layer("score", i)
        assert score.dtype == np.float16
        assert np.allclose(score, layers["score"], atol=5e-4)
        window = np.s_[2:9, 4:11]
        assert np.array_equal(store.layer("label", i, window), layers["label"][window])


def test_a_label_store_has_weights_only_if_asked(stores, tmp_path):
    weighted = Labels(stores.labels(tmp_path / "w.zarr", weighted=True))
    assert (weighted.layer("weight", 1) == 0.5).all()
    assert weighted.layer("weight", 1).shape == (12, 40)
    with pytest.raises(StoreError, match="array 'weight'"):
        Labels(stores.labels(tmp_path / "l.zarr")).layer("weight", 1)


def test_xarray_opens_it_with_names(stores, tmp_path):
    with xarray.open_zarr(stores.labels(tmp_path / "l.zarr")) as data:
        for name in ("label", "origin", "score"):
            assert data[name].dims == ("image", "y", "x")
            assert data[name].shape == (3, 20, 40)
        assert data["image"].values.tolist() == stores.names
        assert data["class"].values.tolist() == stores.classes
        assert data["height"].values.tolist() == [20, 12, 20]
        assert data["log_threshold"].dims == ("class",)
        assert data["origin"].attrs["flag_meanings"] == "none confident voted_1 voted_2"
        assert list(data["origin"].attrs["flag_values"]) == [0, 1, 2, 3]
        # 255 is a value (no label), not a gap: whoever reads it must see it.
        one = data["label"].sel(image="a").values[:12]
    assert np.array_equal(np.nan_to_num(one, nan=255), stores.layers(1)["label"])


def test_an_interrupted_writer_leaves_nothing(stores, tmp_path):
    with (
        pytest.raises(ZeroDivisionError),
        new_labels(
            tmp_path / "l.zarr", ["a"], [(4, 4)], ["x"], np.log([0.5]), {0: "none"}, {}
        ) as writer,
    ):
        writer.write(0, label=np.zeros((4, 4), np.uint8))
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_a_failed_rewrite_keeps_the_old_store(stores, tmp_path):
    path = stores.labels(tmp_path / "l.zarr")
    with (
        pytest.raises(ZeroDivisionError),
        new_labels(path, ["a"], [(4, 4)], ["x"], np.log([0.5]), {0: "none"}, {}),
    ):
        raise ZeroDivisionError
    assert Labels(path).names == stores.names


def test_an_image_that_was_never_written(stores, tmp_path):
    path = tmp_path / "l.zarr"
    with new_labels(
        path, ["a", "b"], [(4, 4)] * 2, ["x"], np.log([0.5]), {0: "none"}, {}
    ) as writer:
        full = np.full((4, 4), 1, np.uint8)
        writer.write(0, label=full, origin=full, score=full)
    with pytest.raises(StoreError, match=r"lacks 1 of 2 chunks\. Delete it and rerun `tpld label`"):
        Labels(path)


@pytest.mark.parametrize("name", ["label", "origin", "score"])
def test_every_flipped_byte_of_a_shard_is_an_error(stores, tmp_path, name):
    path = stores.labels(tmp_path / "l.zarr")
    shard = next(p for p in (path / name / "c" / "2").rglob("*") if p.is_file())
    good = shard.read_bytes()
    for place in range(0, len(good), 41):
        bad = bytearray(good)
        bad[place] ^= 1
        shard.write_bytes(bytes(bad))
        with pytest.raises(StoreError, match=f"array '{name}' is damaged at"):
            Labels(path).layer(name, 2)


def blank(path, height=600):
    size = (height, height)
    with new_labels(
        path, ["a", "b"], [size] * 2, ["x", "y"], np.log([0.9, 0.3]), {0: "none"}, {}
    ) as out:
        for i in range(2):
            out.write(
                i,
                label=np.full(size, 255, np.uint8),
                origin=np.zeros(size, np.uint8),
                score=np.full(size, 0.5, np.float32),
            )
    return path


def test_an_image_without_any_label_is_legal(tmp_path):
    store = Labels(blank(tmp_path / "l.zarr"))
    assert (store.layer("label", 1) == 255).all()
    assert not store.layer("origin", 0).any()


@pytest.mark.parametrize("name", ["log_threshold", "height", "image", "class"])
def test_a_flipped_bit_in_a_short_array_is_an_error(tmp_path, name):
    path = blank(tmp_path / "l.zarr", 20)
    (chunk,) = [p for p in (path / name / "c").rglob("*") if p.is_file()]
    good = chunk.read_bytes()
    for bit in range(8 * len(good)):
        bad = bytearray(good)
        bad[bit // 8] ^= 1 << bit % 8
        chunk.write_bytes(bytes(bad))
        with pytest.raises(StoreError, match=f"array '{name}' is damaged"):
            Labels(path)


def test_a_window_ends_with_the_image_and_not_with_the_padding(tmp_path):
    with new_labels(
        tmp_path / "l.zarr", ["a", "b"], [(4, 6), (8, 3)], ["x"], np.zeros(1), {0: "none"}, {}
    ) as out:
        for i, size in enumerate([(4, 6), (8, 3)]):
            ones = np.ones(size, np.uint8)
            out.write(i, label=ones, origin=ones, score=ones)
    store = Labels(tmp_path / "l.zarr")
    assert store.layer("label", 0, np.s_[:, :]).shape == (4, 6)
    assert store.layer("label", 0, np.s_[-2:, :]).tolist() == [[1] * 6] * 2


def test_thresholds_that_are_all_one_are_legal(tmp_path):
    """log λ = 0 is Zarr's fill value: classes that nobody predicts, or a saturated network."""
    with new_labels(
        tmp_path / "l.zarr", ["a"], [(4, 4)], ["x", "y"], np.zeros(2), {0: "none"}, {}
    ) as out:
        ones = np.ones((4, 4), np.uint8)
        out.write(0, label=ones, origin=ones, score=ones)
    assert Labels(tmp_path / "l.zarr").log_threshold.tolist() == [0, 0]


def test_another_folder_is_no_store_and_nobody_is_told_to_delete_it(tmp_path):
    (tmp_path / "thesis").mkdir()
    with pytest.raises(StoreError) as caught:
        Labels(tmp_path / "thesis")
    assert "thesis is no Zarr store. Give a labels.zarr" in str(caught.value)
    assert "elete" not in str(caught.value)
