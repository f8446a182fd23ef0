from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tpld.data.cache import Cache, write_cache
from tpld.data.decode import decode_image, decode_label
from tpld.data.sources import class_table, folders_of, list_items
from tpld.errors import DataError, StoreError
from tpld.stores.provenance import fingerprint

BOTH = ("images", "labels")
SIZES = {"a": (16, 24), "b": (12, 40), "c": (40, 8)}  # 384, 480 and 320 pixels


@pytest.fixture()
def mixed(empty_folders):
    """Three source images of different sizes."""
    rng = np.random.default_rng(3)
    for name, size in SIZES.items():
        empty_folders.add("source", name, rng.integers(0, 3, size, np.uint8))
    return empty_folders


def write(made, out, kinds=BOTH, resize=None, limit=1.0, split="source_train"):
    config = made.config()
    folders = [replace(domain, resize=resize) for domain in folders_of(config, split)]
    items = list_items(config, split)
    index = write_cache(out, items, kinds, folders, limit)
    return items, index


def test_images_of_different_sizes_round_trip(mixed, tmp_path):
    items, index = write(mixed, tmp_path / "cache")
    table = class_table(mixed.config())
    cache = Cache(tmp_path / "cache", table)
    assert cache.names == ["a", "b", "c"]
    assert len(cache) == 3
    assert list(index["offset"]) == [0, 384, 864]
    for i, item in enumerate(items):
        assert cache.size(i) == SIZES[item.name]
        assert np.array_equal(cache.image(i), decode_image(item.image))
        assert np.array_equal(cache.label(i), decode_label(item.label, table))
        window = np.s_[2:7, 1:5]
        assert np.array_equal(cache.image(i, window), decode_image(item.image)[window])
        assert np.array_equal(cache.label(i, window), decode_label(item.label, table)[window])


def test_what_lies_beyond_the_disk_bound_is_decoded_at_use(mixed, tmp_path):
    bound = (384 + 320) * 4 / 2**30  # three bytes of image, one of label: a and c, just
    write(mixed, tmp_path / "all")
    _, index = write(mixed, tmp_path / "some", limit=bound)
    assert list(index["offset"]) == [0, -1, 384]
    table = class_table(mixed.config())
    whole, some = Cache(tmp_path / "all", table), Cache(tmp_path / "some", table)
    assert (tmp_path / "some" / "images.bin").stat().st_size == (384 + 320) * 3
    for i in range(3):
        assert np.array_equal(some.image(i), whole.image(i))
        assert np.array_equal(some.label(i), whole.label(i))


def test_without_any_disk_everything_is_decoded_at_use(mixed, tmp_path):
    write(mixed, tmp_path / "all", resize=(12, 20))
    _, index = write(mixed, tmp_path / "none", resize=(12, 20), limit=0)
    assert set(index["offset"]) == {-1}
    table = class_table(mixed.config())
    whole, none = Cache(tmp_path / "all", table), Cache(tmp_path / "none", table)
    for i in range(3):
        assert none.size(i) == (12, 20)
        assert np.array_equal(none.image(i), whole.image(i))
        assert np.array_equal(none.label(i), whole.label(i))


@pytest.mark.parametrize("kind", BOTH)
def test_a_cache_that_was_cut_short_is_refused(mixed, tmp_path, kind):
    write(mixed, tmp_path / "cache")
    path = tmp_path / "cache" / f"{kind}.bin"
    whole = path.stat().st_size
    with path.open("r+b") as file:
        file.truncate(whole - 1)
    with pytest.raises(StoreError) as caught:
        Cache(tmp_path / "cache", class_table(mixed.config()))
    assert str(caught.value) == (
        f"{path} has {whole - 1} bytes, the index asks for {whole}. "
        f"Delete {tmp_path / 'cache'} and rerun"
    )


def test_a_folder_that_is_no_cache(mixed, tmp_path):
    with pytest.raises(StoreError, match=r"is no cache of decoded images .* Rerun `tpld prepare`"):
        Cache(tmp_path / "nothing", class_table(mixed.config()))


def test_image_and_label_of_unequal_size_leave_nothing_behind(folders, tmp_path):
    folders.add("source", "s2", np.zeros((32, 40), np.uint8))
    config = folders.config()
    items = list_items(config, "source_train")
    label = folders.root / "source" / "labels" / "s1.png"
    items[2] = items[2]._replace(label=label)
    out = tmp_path / "made" / "cache"
    with pytest.raises(DataError) as caught:
        write_cache(out, items, BOTH, folders_of(config, "source_train"), 1)
    text = str(caught.value)
    assert f"{items[2].image} is 40x32 pixels" in text
    assert f"its label {label} is 48x32 pixels. Give a label of the image's size" in text
    assert list(out.parent.iterdir()) == []


def test_a_failed_rewrite_keeps_the_old_cache(mixed, tmp_path):
    write(mixed, tmp_path / "cache")
    (mixed.root / "source" / "images" / "c.png").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"c\.png cannot be decoded"):
        write(mixed, tmp_path / "cache")
    cache = Cache(tmp_path / "cache", class_table(mixed.config()))
    assert cache.image(2).shape == (40, 8, 3)
    assert not (tmp_path / ".cache.partial").exists()


def test_the_target_is_cached_without_its_ground_truth(folders, tmp_path):
    write(folders, tmp_path / "cache", kinds=("images",), split="target_train")
    assert sorted(p.name for p in (tmp_path / "cache").iterdir()) == [
        "domains.json",
        "images.bin",
        "index.csv",
    ]
    cache = Cache(tmp_path / "cache", class_table(folders.config()))
    with pytest.raises(StoreError, match="holds no labels: this split has none here"):
        cache.label(0)


def test_labels_of_a_split_that_has_none(folders, tmp_path):
    del folders.folder["target"]["labels"]
    with pytest.raises(DataError, match="t0: no label folder is configured for this split"):
        write(folders, tmp_path / "cache", split="target_train")


def test_progress_counts_every_image(mixed, tmp_path):
    config, seen = mixed.config(), []
    items = list_items(config, "source_train")
    write_cache(tmp_path / "c", items, BOTH, folders_of(config, "source_train"), 1, seen.append)
    assert seen == [1, 2, 3]


def test_the_index_names_the_files(mixed, tmp_path):
    items, _ = write(mixed, tmp_path / "cache")
    index = pd.read_csv(tmp_path / "cache" / "index.csv")
    assert list(index["image"]) == [str(item.image) for item in items]


def test_names_of_digits_keep_their_zeros(empty_folders):
    for name in ("0001", "0002", "10"):
        empty_folders.add("source", name, np.zeros((8, 8), np.uint8))
    assert empty_folders.cache("source_train").names == ["0001", "0002", "10"]


@pytest.mark.parametrize("limit", [0, 1])
def test_a_cache_without_labels_does_not_lead_to_them(folders, tmp_path, limit):
    config = folders.config()
    items, table = list_items(config, "target_train"), class_table(config)
    write_cache(tmp_path / "c", items, ("images",), folders_of(config, "target_train"), limit)
    assert "labels/t0" not in (tmp_path / "c" / "index.csv").read_text()
    cache = Cache(tmp_path / "c", table)
    assert cache.image(0).shape == (32, 48, 3)
    with pytest.raises(StoreError, match="holds no labels"):
        cache.label(0)


def test_a_cache_is_known_by_its_pixels(folders):
    """Resume points and records name their inputs by this fingerprint."""
    before = fingerprint(folders.cache("source_train").folder)
    assert fingerprint(folders.cache("source_train").folder) == before
    table = folders.folder["classes"]
    folders.folder["classes"] = [table[1], table[0], table[2]]  # other training ids
    swapped = fingerprint(folders.cache("source_train").folder)
    folders.folder["classes"] = table
    folders.add("source", "s1", np.zeros((32, 48), np.uint8))
    other = fingerprint(folders.cache("source_train").folder)
    assert len({before, swapped, other}) == 3


def test_a_cache_of_an_earlier_version_is_one_domain(folders):
    cache = folders.cache("source_train")
    path = cache.folder / "index.csv"
    pd.read_csv(path, dtype=str).drop(columns=["domain", "weight"]).to_csv(path, index=False)
    (cache.folder / "domains.json").unlink()
    before = Cache(cache.folder, cache.table)
    assert [group.images.tolist() for group in before.groups] == [list(range(len(cache)))]
    assert (before.label(0) == cache.label(0)).all()


@pytest.mark.parametrize("text", ["[]", "{", '{"a": 1}', '{"a": {}}', "null"])
def test_damaged_rules_of_domains_are_refused(folders, text):
    cache = folders.cache("source_train")
    (cache.folder / "domains.json").write_text(text)
    with pytest.raises(StoreError, match="is no cache of decoded images"):
        Cache(cache.folder, cache.table)
