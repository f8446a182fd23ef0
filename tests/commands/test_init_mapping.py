"""`init`: two folders whose label values differ, mapped by name; legends; public data sets."""

import json

import numpy as np
import pytest

from tests.commands.own import (
    answers,
    decoded,
    domain,
    found_in,
    palette_png,
    picture,
    run,
    stripes,
    written,
)
from tests.conftest import save_png
from tpld.commands.init import class_table as shown_table
from tpld.commands.own.legends import of_dataset, read_legend
from tpld.data.datasets import CLASSES
from tpld.data.sources import class_table
from tpld.errors import ConfigError, DataError

ROAD, CAR, SKY = (128, 64, 128), (0, 0, 142), (70, 130, 180)


def both(root, source, target):
    domain(root / "source", [source] * 2)
    domain(root / "target", [target] * 2)


def test_values_that_differ_are_matched_by_name_and_shown(tmp_path):
    both(tmp_path, stripes([7, 11, 26]), stripes([3, 0, 1, 9]))
    asked = answers(
        tmp_path, source_names="road,building,car", target_names="Car,Tree,road,buil-ding"
    )
    found = found_in(asked)
    table = shown_table(found)
    assert table["class"].tolist() == ["road", "building", "car", "(ignored)"][: len(table)]
    assert table["target values"].tolist()[:3] == ["3 (25.00 %)", "9 (25.00 %)", "0 (25.00 %)"]
    assert any("Tree (1 (25 %)) is no class of the source" in note for note in found.notes)
    config = written(asked)
    assert run(decoded(config, "target_val")["x1"]) == ["road", "car", "-", "building"]
    assert run(decoded(config, "source_train")["x1"]) == ["road", "building", "car"]


def test_labels_are_given_to_a_class_many_to_one(tmp_path):
    both(tmp_path, stripes([0, 1, 2]), stripes([5, 6, 7]))
    asked = answers(
        tmp_path,
        source_names="road,car,truck",
        target_names="lane,van,sky",
        maps=["vehicle=car+truck+van", "ground=road|lane"],
    )
    config = written(asked)
    assert class_table(config).names == ["ground", "vehicle"]
    assert run(decoded(config, "source_train")["x0"]) == ["ground", "vehicle"]
    assert run(decoded(config, "target_val")["x1"]) == ["ground", "vehicle", "-"]


@pytest.mark.parametrize(
    ("maps", "said"),
    [
        (["vehicle=cra"], "names 'cra', which is a label of neither side; did you mean 'car'"),
        (["vehicle"], "is no mapping"),
        (["a=car", "b=car"], "two classes"),
        (["all=road+car+truck"], "at least two classes"),
    ],
)
def test_mappings_that_cannot_be_are_refused(tmp_path, maps, said):
    both(tmp_path, stripes([0, 1, 2]), stripes([0, 1, 2]))
    with pytest.raises(ConfigError, match=said):
        found_in(answers(tmp_path, source_names="road,car,truck", maps=maps))


@pytest.mark.parametrize(
    ("source", "target", "same"),
    [
        ([0, 1, 2], [0, 1, 2], True),
        ([0, 1, 2], [0, 1], True),
        ([0, 1, 2], [0, 1, 9], True),
        ([0, 1, 2, 255], [0, 1, 255], True),
        ([0, 1], [0, 255], False),
        ([7, 8, 11, 12], [0, 1, 2, 8], False),
        ([0, 1, 2], [10, 20, 30], False),
    ],
)
def test_unnamed_values_mean_the_same_only_where_most_are_the_same(tmp_path, source, target, same):
    both(tmp_path, stripes(source), stripes(target))
    if not same:
        with pytest.raises(ConfigError, match=r"target's label values .* --target-names"):
            found_in(answers(tmp_path))
        return
    found = found_in(answers(tmp_path))
    assert any("each is taken for what it is in the source" in note for note in found.notes)
    assert (9 not in target) or any("values 9 (33 %) occur" in note for note in found.notes)
    classes = [v for v in source if v != 255]
    rows = decoded(written(answers(tmp_path)), "target_val")["x1"]
    assert run(rows) == [f"class_{v}" if v in classes else "-" for v in target]


def test_ids_and_colours_are_matched_by_name(tmp_path):
    both(tmp_path, stripes([0, 1, 2]), np.array([SKY, ROAD, CAR], np.uint8)[stripes([0, 1, 2])])
    with pytest.raises(DataError, match=r"cannot be used as they are.*--convert-labels"):
        found_in(answers(tmp_path))
    asked = answers(tmp_path, source_names="road,car,sky", convert=tmp_path / "ids")
    with pytest.raises(ConfigError, match=r"target's label values .*#468"):
        found_in(asked)
    asked.target_names = "#4682b4=sky,#804080=road,#00008e=car"
    config = written(asked)
    assert run(decoded(config, "target_val")["x1"]) == ["sky", "road", "car"]
    assert config.data.source[0].labels == str(tmp_path / "source/labels")


LEGENDS = {
    "classes.csv": "value,name,red,green,blue\n0,road,128,64,128\n1,car,0,0,142\n2,sky,70,130,180\n"
    "255,unlabelled,0,0,0\n",
    "classes.csv ;": "value;name;red;green;blue\n0;road;128;64;128\n1;car;0;0;142\n"
    "2;sky;70;130;180\n",
    "classes.csv names": "id,name\n0,road\n1,car\n2,sky\n",
    "class_dict.csv": "name,r,g,b\nroad,128,64,128\ncar,0,0,142\nsky,70,130,180\n",
    "labelmap.txt": "# label:color_rgb:parts:actions\nroad:128,64,128::\ncar:0,0,142::\n"
    "sky:70,130,180::\n",
    "codes.txt": "road\ncar\nsky\n",
    "names.json": json.dumps({"0": "road", "1": "car", "2": "sky"}),
    "legend.json": json.dumps({"legend": {"road": 0, "car": 1, "sky": 2}}),
    "classes.json": json.dumps(["road", "car", "sky"]),
    "labels.json": json.dumps(
        {"labels": [{"id": i, "name": n} for i, n in enumerate(("road", "car", "sky"))]}
    ),
}


@pytest.mark.parametrize("kind", LEGENDS)
@pytest.mark.parametrize("place", ["source/labels", "source"])
def test_legends_beside_the_labels_name_their_values(tmp_path, kind, place):
    both(tmp_path, stripes([2, 0, 1]), stripes([10, 20, 30]))
    (tmp_path / place / kind.split()[0]).write_text("\ufeff" + LEGENDS[kind])
    found = found_in(answers(tmp_path, target_names="sky,road,car"))
    assert found.labels["source"].table.names == {0: "road", 1: "car", 2: "sky"}
    assert found.classes.colors == [ROAD, CAR, SKY]
    given = found_in(
        answers(
            tmp_path,
            source_names="a,b,c",
            target_names="a,b,c",
        )
    )
    assert given.classes.names == ["a", "b", "c"]


@pytest.mark.parametrize("kind", ["class_dict.csv", "labelmap.txt", "classes.csv"])
@pytest.mark.parametrize("form", ["palette", "color"])
def test_a_legend_of_colours_names_colours(tmp_path, kind, form):
    """Indices of a palette that are in another order than the legend are named by colour."""
    colors = {1: SKY, 2: ROAD, 3: CAR}
    for i in range(2):
        picture(tmp_path / "source/images" / f"x{i}.png", (32, 48))
        path = tmp_path / "source/labels" / f"x{i}.png"
        if form == "palette":
            palette_png(path, stripes([1, 2, 3]), colors)
        else:
            save_png(path, np.array([SKY, ROAD, CAR], np.uint8)[stripes([0, 1, 2])])
    domain(tmp_path / "target", None, 2)
    (tmp_path / "source" / kind).write_text(LEGENDS[kind])
    if form == "palette" and kind == "classes.csv":  # values are written there
        with pytest.raises(DataError, match=r"says nothing about values of .*: 3 "):
            found_in(answers(tmp_path))
        return
    config = written(answers(tmp_path, convert=tmp_path / "ids"))
    assert run(decoded(config, "source_train")["x0"]) == ["sky", "road", "car"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("value,name\n0,road\n", None),
        ("value,name\n0,road\n0,car\n", "value 0 is both 'road' and 'car'"),
        ("value,name\nx,road\n", "line 2: 'x' is no whole number"),
        ("value,name\nnan,road\n", "no whole number"),
        ("value,name\n0\n", "line 2 has 1 of 2 columns"),
        ("value,nome\n0,road\n", "no column 'name'"),
        ("value,name\n0,\n", "no name"),
        ("value,name,red,green,blue\n0,road,1,2,300\n", "channels go from 0 to 255"),
        (b"value,name\n0,stra\xdfe\n", "cannot be read as a legend"),
        (b"\x00\x01", "cannot be read as a legend"),
    ],
)
def test_damaged_legends_say_what_is_wrong(tmp_path, text, said):
    file = tmp_path / "classes.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    if said is None:
        assert read_legend(file).by_value == {0: "road"}
        return
    with pytest.raises(DataError, match=said):
        read_legend(file)


def test_a_legend_that_lacks_a_value_names_it_with_its_file(tmp_path):
    both(tmp_path, stripes([0, 1, 2, 5]), stripes([0, 1, 2]))
    (tmp_path / "source/classes.csv").write_text(LEGENDS["classes.csv"])
    with pytest.raises(DataError, match=r"nothing about values of .*: 5 \(25 %\), first in .*x0"):
        found_in(answers(tmp_path))
    found = found_in(answers(tmp_path, source_ignore="5"))
    assert found.classes.names == ["road", "car", "sky"]


def test_a_public_data_sets_names_can_be_given_to_own_files(tmp_path):
    both(tmp_path, stripes([0, 1, 13]), stripes([7, 8, 26]))
    config = written(
        answers(tmp_path, source_names="cityscapes_train_ids", target_names="cityscapes")
    )
    assert class_table(config).names == ["road", "sidewalk", "car"]
    assert run(decoded(config, "target_val")["x1"]) == ["road", "sidewalk", "car"]


def gta5(root):
    colors = {7: CLASSES["road"], 23: CLASSES["sky"], 26: CLASSES["car"]}
    for i in range(3):
        picture(root / "images" / f"0000{i}.png", (32, 48))
        palette_png(root / "labels" / f"0000{i}.png", stripes([7, 23, 26]), colors)


def test_a_public_data_set_is_recognised_by_more_than_its_folders(tmp_path):
    gta5(tmp_path / "source")
    domain(tmp_path / "target", [stripes([7, 23, 26])] * 2)
    with pytest.raises(ConfigError, match="--target-names"):
        found_in(answers(tmp_path))
    config = written(answers(tmp_path, target_names="road,sky,car"))
    source = config.data.source[0]
    assert (source.kind, source.root) == ("gta5", str(tmp_path / "source"))
    assert run(decoded(config, "target_val")["x1"]) == ["road", "sky", "car"]
    plain = answers(tmp_path, source_labels=tmp_path / "source/labels", target_names="a,b,c")
    plain.source_names, plain.out = "a,b,c", tmp_path / "plain.yaml"
    assert found_in(plain).source.dataset is None
    domain(tmp_path / "other/source", [stripes([7, 23, 26])] * 2)
    domain(tmp_path / "other/target", None, 2)
    assert found_in(answers(tmp_path / "other")).source.dataset is None


def test_two_public_data_sets_need_no_classes(tmp_path):
    gta5(tmp_path / "source")
    for part in ("train", "val"):
        stem = tmp_path / "target/leftImg8bit" / part / "ulm/ulm_0_leftImg8bit.png"
        picture(stem, (32, 48))
        truth = tmp_path / "target/gtFine" / part / "ulm/ulm_0_gtFine_labelIds.png"
        save_png(truth, stripes([7, 23, 26]))
    config = written(answers(tmp_path))
    assert [config.data.source[0].kind, config.data.target[0].kind] == ["gta5", "cityscapes"]
    assert config.data.classes is None
    assert len(class_table(config).names) == 19


def test_a_data_set_with_classes_of_its_own_keeps_their_names():
    table = of_dataset("idd_lite").by_value
    assert table[2] == "living thing" and len(set(table.values())) == 7
    assert of_dataset("cityscapes").by_value[4] == "void"
