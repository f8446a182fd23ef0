"""From a domain's labels to the experiment's classes: by name, by what they stand for, by `map`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tpld.data.datasets import DATASETS
from tpld.data.datasets.base import Label
from tpld.data.mapping import map_labels, plain
from tpld.errors import ConfigError

LABELS = (
    Label(0, "Road", "road"),
    Label(1, "LaneMkgsDriv", "road"),
    Label(2, "Car", "car"),
    Label(3, "SUV-Pickup Truck", "car"),
    Label(4, "Bicyclist", "rider"),
    Label(5, "Void", None),
)


@pytest.mark.parametrize(
    ("classes", "given_map", "values"),
    [
        # Labels that stand for a class join the one that is called like it.
        (["road", "car"], {}, [[0, 1], [2, 3]]),
        (["road", "car", "rider"], {}, [[0, 1], [2, 3], [4]]),
        # A label that is called like another class is that one.
        (["car", "suv_pickuptruck"], {}, [[2], [3]]),
        (["lane mkgs driv", "road"], {}, [[1], [0]]),
        (["bicyclist", "rider"], {}, [[4], []]),
        # What `map` gives is that class alone, and a class of `map` is nothing else.
        (["road", "car"], {"car": ["suv pickup truck"]}, [[0, 1], [3]]),
        (["road", "car"], {"road": ["Car"]}, [[2], [3]]),
        (["drivable", "road"], {"drivable": ["road", "lanemkgsdriv"]}, [[0, 1], []]),
        (["ground", "road"], {"ground": ["Road"]}, [[0], [1]]),
        (["void", "car"], {}, [[5], [2, 3]]),
        # Two classes that differ in case alone: the exact name decides, else the first.
        (["road", "Road"], {}, [[1], [0]]),
    ],
)
def test_by_hand(classes, given_map, values):
    mapped = map_labels(classes, LABELS, given_map, "data.source")
    assert mapped.values == values
    used = {value for several in values for value in several}
    assert mapped.ignored == [label.id for label in LABELS if label.id not in used]


@given(
    st.sampled_from(sorted(DATASETS)),
    st.lists(st.sampled_from(["road", "CAR", "Sky", "traffic light", "x", "person"]), unique=True),
    st.data(),
)
def test_every_label_goes_to_one_place(kind, classes, data):
    labels = DATASETS[kind].labels
    chosen = data.draw(st.lists(st.sampled_from(labels), unique=True, max_size=5))
    given_map: dict[str, list[str]] = {}
    if classes:
        for label in chosen:
            given_map.setdefault(data.draw(st.sampled_from(classes)), []).append(label.name)
    mapped = map_labels(classes, labels, given_map, "data.source")
    placed = sorted([*(v for several in mapped.values for v in several), *mapped.ignored])
    assert placed == [label.id for label in labels]
    by_id = {label.id: label for label in labels}
    for name, values in zip(classes, mapped.values, strict=True):
        if name in given_map:
            assert {by_id[v].name for v in values} == set(given_map[name])
        for value in values:
            names = {plain(by_id[value].name), plain(by_id[value].stands_for or "")}
            assert name in given_map or plain(name) in names


@pytest.mark.parametrize(
    ("given_map", "message"),
    [
        ({"cart": ["Car"]}, "'cart', which is no class of the experiment"),
        ({"car": ["Cars"]}, "'Cars', which is no label of this domain"),
        ({"car": ["Car"], "road": ["car"]}, "'car' to two classes"),
    ],
)
def test_names_that_do_not_exist(given_map, message):
    with pytest.raises(ConfigError, match=message) as caught:
        map_labels(["road", "car"], LABELS, given_map, "data.source")
    assert "data.source.map" in str(caught.value)
