"""Several domains a side: names, label tables, what one of them lacks, how often each is drawn."""

import os
import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.conftest import blocks, save_png
from tpld.config import load_config
from tpld.data.cache import Cache, write_cache
from tpld.data.datasets import DATASETS
from tpld.data.sources import class_table, folders_of, has_truth, list_files, list_items
from tpld.errors import ConfigError, DataError
from tpld.stages.check import check_data
from tpld.training.source import SourceBatches

NAMES = ("road", "car", "sky")


def add_domain(root, name, ids, count=3, labels=True, suffix=".png"):
    """A folder whose label files have a value a class; the image shows the class, too."""
    for i in range(count):
        label = blocks(32, 48, i)
        # Grey by class, and another tint a domain: no image is a copy of another domain's.
        image = np.stack([60 * label + 20] * 3, axis=-1).astype(np.uint8)
        image[..., 2] = ord(name[-1])
        save_png(root / name / "images" / f"{i}{suffix}", image)
        if labels:
            save_png(root / name / "labels" / f"{i}.png", np.array(ids, np.uint8)[label])
    found = {"images": str(root / name / "images"), "name": name}
    if labels:
        found["labels"] = str(root / name / "labels")
        found["values"] = dict(zip(ids, NAMES, strict=True))
    return found


def config_of(source, target, **data):
    return load_config(
        {"source_training": {"batch_norm": "train"}}
        | {"data": {"source": source, "target": target, **data}}
    )


@pytest.fixture()
def two(tmp_path):
    """Two sources whose values are each other's, and two targets, one without labels."""
    source = [add_domain(tmp_path, "a", (1, 2, 3)), add_domain(tmp_path, "b", (3, 1, 2), 2)]
    target = [add_domain(tmp_path, "c", (7, 8, 9)), add_domain(tmp_path, "d", (), labels=False)]
    source[1]["weight"] = 3
    for domain in target:
        path = tmp_path / f"{domain['name']}.txt"
        path.write_text("2\n")
        domain["val"] = str(path)
    return source, target


def test_each_domain_is_read_by_its_own_table(two, tmp_path):
    config = config_of(*two)
    items, folders = list_items(config, "source_train"), folders_of(config, "source_train")
    assert [item.name for item in items] == ["a/0", "a/1", "a/2", "b/0", "b/1"]
    write_cache(tmp_path / "cache", items, ("images", "labels"), folders, 1)
    cache = Cache(tmp_path / "cache", class_table(config))
    for i in range(5):
        assert (cache.label(i) == blocks(32, 48, i % 3)).all()
    assert cache.domains == ["a", "b"]
    assert [(g.images.tolist(), g.weight) for g in cache.groups] == [([0, 1, 2], 1), ([3, 4], 3)]


@pytest.mark.parametrize("limit", [0, 1])
def test_an_unlabelled_target_beside_a_labelled_one(two, tmp_path, limit):
    """Its truth is unknown in training images, and it is not scored."""
    config = config_of(*two)
    assert has_truth(config, "target_train") and has_truth(config, "target_val")
    items, folders = list_items(config, "target_train"), folders_of(config, "target_train")
    write_cache(tmp_path / "cache", items, ("labels",), folders, limit)
    cache = Cache(tmp_path / "cache", class_table(config))
    assert cache.names == [f"{domain}/{i}" for domain in "cd" for i in range(3)]
    assert (cache.label(0) == blocks(32, 48, 0)).all()
    assert (cache.label(4) == 255).all()
    assert list_files(config, "target_val").names == ["c/2"]
    # The oracle, which trains on such a cache, draws labelled images alone.
    batches = SourceBatches(cache, config.source_training, seed=0)
    assert {batches.stream[i] for i in range(1000)} == {0, 1, 2}


def test_targets_without_any_labels_have_no_truth(two):
    source, target = two
    config = config_of(source, [target[1], {**target[1], "name": "e"}])
    assert not has_truth(config, "target_val")
    assert list_files(config, "target_val").names == ["d/2", "e/2"]
    assert list_files(config, "target_val").labels is None


def test_a_source_without_labels_is_refused(two, tmp_path):
    source, target = two
    bare = {**target[1], "val": None}
    config = config_of([source[0], bare], {**target[0], "val": None})
    with pytest.raises(DataError, match=r"the domain 'd' has no labels\. Give their folder"):
        check_data(config, tmp_path / "check.csv")


def test_what_a_domain_lacks_is_said(two, tmp_path, caplog):
    source, target = two
    target[0].pop("val")
    source[1]["values"] = {3: "road", 1: "car"}
    source[1]["ignored"] = [2]
    config = config_of(source, [target[0], {**target[1], "val": None}])
    with caplog.at_level("INFO"):
        check_data(config, tmp_path / "check.csv")
    assert "source_train: no label of 'b' is sky" in caplog.text
    assert "target_train: 'd' has no labels" in caplog.text
    counts = pd.read_csv(tmp_path / "check.csv").set_index(["split", "class"])
    assert counts.loc[("source_train", "sky"), "pixels"] > 0  # those of a alone


def test_classes_by_name_many_to_one(tmp_path):
    source = add_domain(tmp_path, "a", (1, 2, 3))
    source["values"] = {1: "Asphalt", 2: "Car", 3: "truck"}
    source["map"] = {"road": "asphalt", "vehicle": ["car", "truck"]}
    target = add_domain(tmp_path, "b", (1, 2, 3))
    target["values"] = {1: "road", 2: "vehicle", 3: "vehicle"}
    table = class_table(config_of(source, target))
    assert table.names == ["road", "vehicle"] and table.values == [[1], [2, 3]]
    own = config_of(source, target, classes=[{"name": "vehicle"}, {"name": "road"}])
    assert class_table(own, "target_train").values == [[2, 3], [1]]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"raod": "asphalt"}, "did you mean 'road'"),
        ({"road": "asfalt"}, "did you mean 'asphalt'"),
        ({"road": "asphalt", "sky": "asphalt"}, "to two classes"),
    ],
)
def test_a_mapping_that_names_what_is_not_there(tmp_path, given, said):
    source = add_domain(tmp_path, "a", (1, 2, 3))
    source["values"] = {1: "asphalt", 2: "car", 3: "sky"}
    source["map"] = given
    classes = [{"name": name} for name in NAMES]
    with pytest.raises(ConfigError, match=said):
        class_table(config_of(source, add_domain(tmp_path, "b", (1, 2, 3)), classes=classes))


def test_nothing_in_common_is_refused_with_what_to_write(tmp_path):
    source, target = add_domain(tmp_path, "a", (1, 2, 3)), add_domain(tmp_path, "b", (1, 2, 3))
    target["values"] = {1: "Strasse", 2: "Auto", 3: "Himmel"}
    with pytest.raises(ConfigError, match=r"0 classes in common by name.*Write data\.classes"):
        class_table(config_of(source, target))


@pytest.mark.parametrize("side", ["source", "target"])
def test_a_mapping_the_wrong_way_round_is_named_as_one(tmp_path, side):
    source, target = add_domain(tmp_path, "a", (1, 2, 3)), add_domain(tmp_path, "b", (1, 2, 3))
    target["values"] = {1: "Strasse", 2: "Auto", 3: "Himmel"}
    domain, other = (source, target) if side == "source" else (target, source)
    domain["map"] = dict(zip(domain["values"].values(), other["values"].values(), strict=True))
    with pytest.raises(ConfigError, match=rf"data\.{side}\.map.*is no label of this domain"):
        class_table(config_of(source, target))


@pytest.mark.parametrize("kind", sorted(DATASETS))
def test_labels_of_a_public_data_set_are_not_replaced_without_its_images(kind):
    domain = {"kind": kind, "root": "x", "labels": "mine"}
    with pytest.raises(ConfigError, match="only together with `images`"):
        config_of({"kind": "gta5", "root": "x"}, domain)
    config_of({"kind": "gta5", "root": "x"}, {**domain, "images": "own"})


def test_255_is_a_class_where_the_table_names_it(tmp_path):
    source = add_domain(tmp_path, "a", (0, 128, 255))
    table = class_table(config_of(source, {**source, "labels": None}))
    assert table.values == [[0], [128], [255]]
    assert table.lookup[[0, 128, 255]].tolist() == [0, 1, 2]


def test_a_domain_of_two_kinds_of_images(tmp_path):
    domain = add_domain(tmp_path, "a", (1, 2, 3))
    for i, suffix in enumerate((".jpg", ".JPG", ".jpeg")):
        old = tmp_path / "a" / "images" / f"{i}.png"
        Image.open(old).save(tmp_path / "a" / "images" / f"{i}{suffix}", "JPEG")
        old.unlink()
    files = list_files(config_of(domain, domain), "source_train")
    assert [Path(path).name for path in files.images] == ["0.jpg", "1.JPG", "2.jpeg"]
    save_png(tmp_path / "a" / "images" / "1.png", np.zeros((4, 4), np.uint8))
    with pytest.raises(DataError, match=r"1\.(JPG|png) and 1\.(JPG|png) .* two images of one name"):
        list_files(config_of(domain, domain), "source_train")


def test_only_the_names_that_are_like_a_pattern(tmp_path):
    domain = add_domain(tmp_path, "a", (1, 2, 3), count=12)
    for kind in ("images", "labels"):
        (tmp_path / "a" / kind / "night").mkdir()
        for i in (3, 11):
            (tmp_path / "a" / kind / f"{i}.png").rename(tmp_path / "a" / kind / f"night/{i}.png")
    names = list_files(config_of({**domain, "only": "night/*"}, domain), "source_train").names
    assert names == ["night/3", "night/11"]
    with pytest.raises(DataError, match=r"no name below .* is like day/\*"):
        list_files(config_of({**domain, "only": ["day/*"]}, domain), "source_train")


@pytest.mark.parametrize(("images", "labels"), [("NFC", "NFD"), ("NFD", "NFC"), ("NFD", "NFD")])
def test_names_whose_accents_are_encoded_in_two_ways_belong_together(tmp_path, images, labels):
    domain = add_domain(tmp_path, "a", (1, 2, 3), count=1)
    for kind, form in (("images", images), ("labels", labels)):
        old = tmp_path / "a" / kind / "0.png"
        old.rename(old.with_name(unicodedata.normalize(form, "Straße_é.png")))
    (tmp_path / "train.txt").write_text(unicodedata.normalize("NFD", "Straße_é"))
    for config in (domain, {**domain, "train": str(tmp_path / "train.txt")}):
        files = list_files(config_of(config, domain), "source_train")
        assert all(map(os.path.exists, [*files.images, *(files.labels or [])]))


def test_linked_folders_are_looked_into_where_links_may_be_followed(tmp_path):
    domain = add_domain(tmp_path, "a", (1, 2, 3))
    for kind in ("images", "labels"):
        (tmp_path / "a" / kind).rename(tmp_path / f"else_{kind}")
        (tmp_path / "a" / kind).mkdir()
        (tmp_path / "a" / kind / "drive").symlink_to(tmp_path / f"else_{kind}")
        (tmp_path / f"else_{kind}" / "back").symlink_to(tmp_path / "a" / kind)
    with pytest.raises(DataError, match="1 linked sub-folders were not looked into"):
        list_files(config_of(domain, domain), "source_train")
    followed = config_of(domain, domain, follow_links=True)
    assert list_files(followed, "source_train").names == ["drive/0", "drive/1", "drive/2"]


def test_the_city_beside_a_folder(tmp_path):
    target = add_domain(tmp_path, "b", (1, 2, 3))
    config = config_of([{"kind": "city"}, add_domain(tmp_path, "a", (1, 2, 3))], target)
    assert class_table(config).names == ["road", "sky", "car"]
    drawn = folders_of(config, "source_train")
    assert [folders.drawn for folders in drawn] == [160, None]
    assert list_files(config, "source_train", drawn=False).names == ["a/0", "a/1", "a/2"]


@pytest.mark.parametrize(
    ("names", "shown"),
    [((None, None), ["folder", "folder_2"]), (("x", None), ["x", "folder_2"])],
)
def test_domains_get_names_of_their_own(tmp_path, names, shown):
    domains = []
    for place, name in enumerate(names):
        made = add_domain(tmp_path, f"d{place}", (1, 2, 3))
        domains.append({**made, "name": name})
    config = config_of(domains, domains[0])
    assert [folders.domain for folders in folders_of(config, "source_train")] == shown
    with pytest.raises(ConfigError, match="domain name given twice: x"):
        config_of([{**domain, "name": "x"} for domain in domains], domains[0])
