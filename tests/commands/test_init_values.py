"""`init`: label values keep their meaning, or are refused by name; over every kind of file."""

import io

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

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
from tests.data.image_files import write_few_bits, write_tiff
from tpld.commands.own.label_files import read_labels
from tpld.commands.own.label_values import count_values, percent
from tpld.commands.own.suspects import instance_ids, mixtures
from tpld.data.sources import class_table
from tpld.errors import ConfigError, DataError


def grey_rgb(values):
    return np.stack([values] * 3, axis=-1)


def rgb(colors, places):
    return np.array(colors, np.uint8)[places]


def only_source(root, label, count=2):
    """A source with the same label file a few times, and a target without labels."""
    domain(root / "source", [label] * count)
    domain(root / "target", None, images=2)


# Frequent values first, last, and in between: what is frequent must make no difference.
@pytest.mark.parametrize("order", [[0, 255, 255, 255], [0, 0, 0, 255], [255, 0, 255]])
@pytest.mark.parametrize("form", ["grey", "rgb", "one bit", "grey alpha", "rgb alpha"])
def test_masks_of_0_and_255_keep_their_names_in_every_form(tmp_path, order, form):
    values = stripes(order)
    label = {
        "grey": values,
        "rgb": grey_rgb(values),
        "one bit": values > 0,
        "grey alpha": np.stack([values, np.full_like(values, 255)], -1),
        "rgb alpha": np.stack([values] * 3 + [np.full_like(values, 255)], -1),
    }[form]
    only_source(tmp_path, label)
    convert = None if form == "grey" else tmp_path / "ids"
    config = written(answers(tmp_path, source_names="bg,fg", convert=convert))
    names = ["fg" if value else "bg" for value in order]
    assert run(decoded(config, "source_train")["x0"]) == run(names)
    top = 1 if form == "one bit" else 255
    assert config.data.source[0].values == {0: "bg", top: "fg"}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    ids=st.lists(st.integers(0, 254), min_size=2, max_size=5, unique=True),
    widths=st.lists(st.integers(1, 40), min_size=5, max_size=5),
    colored=st.booleans(),
    data=st.data(),
)
def test_names_go_to_values_as_they_are_in_the_files(tmp_path_factory, ids, widths, colored, data):
    """Grey RGB keeps its ids, colours are in ascending order of red, green, blue."""
    root = tmp_path_factory.mktemp("named")
    row = np.repeat(np.arange(len(ids)), widths[: len(ids)])[None].repeat(8, 0)
    if colored:
        channel = st.integers(0, 255)
        triple = st.tuples(channel, channel, channel).filter(lambda c: len(set(c)) > 1)
        size = len(ids)
        colors = data.draw(st.lists(triple, min_size=size, max_size=size, unique=True))
        label, order = rgb(colors, row), sorted(range(size), key=lambda i: colors[i])
    else:
        label, order = grey_rgb(np.array(ids, np.uint8)[row]), np.argsort(ids).tolist()
    only_source(root, label)
    names = [f"n{place}" for place in order]
    config = written(answers(root, source_names=",".join(names), convert=root / "ids"))
    assert run(decoded(config, "source_train")["x0"]) == [f"n{i}" for i in range(len(ids))]
    if not colored:
        assert config.data.source[0].values == {v: f"n{i}" for i, v in enumerate(ids)}


def test_ignored_values_are_those_of_the_files_not_of_the_numbers_that_they_get(tmp_path):
    colors = [(10, 200, 0), (0, 0, 0), (255, 0, 0), (9, 9, 200)]
    only_source(tmp_path, rgb(colors, stripes([0, 1, 2, 3, 3, 3])))
    for ignore in ("#000000", "0,0,0"):
        asked = answers(tmp_path, source_ignore=ignore, source_names="c,a,b")
        asked.convert = tmp_path / f"ids{len(ignore)}"
        asked.out = tmp_path / f"{len(ignore)}.yaml"
        config = written(asked)
        assert run(decoded(config, "source_train")["x0"]) == ["a", "-", "b", "c"]


@pytest.mark.parametrize("ignore", ["0", "0,0", "12,1"])
def test_numbers_are_no_colours(tmp_path, ignore):
    only_source(tmp_path, rgb([(0, 0, 0), (1, 2, 3), (9, 0, 0)], stripes([0, 1, 2])))
    with pytest.raises(ConfigError, match=r"is no colour.*#rrggbb"):
        found_in(answers(tmp_path, source_ignore=ignore, convert=tmp_path / "ids"))


@pytest.mark.parametrize(
    ("values", "given", "expected", "said"),
    [
        ([0, 128, 255], {}, {0: "class_0", 128: "class_128"}, "value 255 holds 33 % .* is ignored"),
        ([0, 128, 255], {"source_names": "a,b,c"}, {0: "a", 128: "b", 255: "c"}, None),
        ([0, 128, 255], {"source_names": "a,b"}, {0: "a", 128: "b"}, "value 255 holds"),
        ([0, 128, 255], {"source_ignore": "255"}, {0: "class_0", 128: "class_128"}, None),
        ([0, 1, 255], {"source_names": "0=a,1=b,255=c"}, {0: "a", 1: "b", 255: "c"}, None),
        ([0, 255], {}, {0: "class_0", 255: "class_255"}, None),
        ([5, 255], {"source_names": "bg,fg"}, {5: "bg", 255: "fg"}, None),
        ([0, 1, 2], {"source_names": "a,b", "source_ignore": "1"}, {0: "a", 2: "b"}, None),
        ([0, 1, 2], {"source_names": "0=a,1=b,2=a"}, {0: "a", 1: "b", 2: "a"}, None),
    ],
)
def test_255_is_a_class_where_it_is_named_or_needed(tmp_path, values, given, expected, said):
    only_source(tmp_path, stripes(values))
    asked = answers(tmp_path, **given)
    found = found_in(asked)
    assert found.labels["source"].table.names == expected
    assert bool(said) == any("255 holds" in note for note in found.notes)
    assert written(asked).data.source[0].values == expected


def test_ids_of_16_bits_are_never_merged(tmp_path):
    values = [0, 255, 256, 300, 65535, 511]
    only_source(tmp_path, stripes(values, np.uint16))
    names = ",".join(f"n{v}" for v in sorted(values))
    config = written(answers(tmp_path, source_names=names))
    assert run(decoded(config, "source_train")["x0"]) == [f"n{v}" for v in values]


@pytest.mark.parametrize("dtype", [np.int32, np.float32, np.int8])
def test_minus_one_is_named_and_never_class_0(tmp_path, dtype):
    domain(tmp_path / "target", None, images=2)
    for i in range(2):
        picture(tmp_path / "source/images" / f"x{i}.png", (32, 48))
        label = stripes([-1, 0, 3], dtype)
        path = tmp_path / "source/labels" / f"x{i}.tif"
        path.parent.mkdir(parents=True, exist_ok=True)
        if dtype is np.int8:
            Image.fromarray(label.view(np.uint8)).save(path, tiffinfo={339: 2})
        else:
            Image.fromarray(label).save(path)
    with pytest.raises(DataError, match=r"value -1 holds 33 % .*x0.tif.*outside of 0..65535"):
        found_in(answers(tmp_path))
    with pytest.raises(DataError, match="value -1 holds"):
        found_in(answers(tmp_path, source_ignore="-1"))
    with pytest.raises(DataError, match="value -1 holds"):
        found_in(answers(tmp_path, convert=tmp_path / "ids"))
    asked = answers(tmp_path, source_ignore="-1", source_names="a,b", convert=tmp_path / "ids")
    config = written(asked)
    assert run(decoded(config, "source_train")["x0"]) == ["-", "a", "b"]


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".tif"])
def test_lossy_label_files_are_refused(tmp_path, suffix):
    only_source(tmp_path, stripes([0, 255]))
    for file in (tmp_path / "source/labels").iterdir():
        kind = {"compression": "jpeg"} if suffix == ".tif" else {}
        Image.open(file).convert("RGB" if suffix != ".jpg" else "L").save(
            file.with_suffix(suffix), **kind
        )
        file.unlink()
    with pytest.raises(DataError, match="compressed with loss"):
        found_in(answers(tmp_path, convert=tmp_path / "ids"))


def test_lossless_webp_is_read(tmp_path):
    file = tmp_path / "x.webp"
    Image.fromarray(rgb([(1, 2, 3), (200, 0, 0)], stripes([0, 1]))).save(file, lossless=True)
    assert np.unique(read_labels(file).values).tolist() == [0x010203, 0xC80000]


def _circles(count, soft=True, at=4):
    image = Image.new("L", (96 * at, 96 * at), 0)
    draw = ImageDraw.Draw(image)
    for i in range(count):
        place = (96 * at // count) * i
        draw.ellipse([place, 8 * at, place + 80 * at // count, 70 * at], fill=255 - 60 * i)
    kind = Image.Resampling.BILINEAR if soft else Image.Resampling.NEAREST
    return np.asarray(image.resize((96, 96), kind))


def _from_jpeg(values):
    data = io.BytesIO()
    Image.fromarray(values).save(data, "JPEG", quality=80)
    return np.asarray(Image.open(data))


@pytest.mark.parametrize(
    "label",
    [_circles(1), _circles(2), _circles(3), _from_jpeg(_circles(1, soft=False))],
    ids=["one class", "two classes", "three classes", "saved as JPEG before"],
)
@pytest.mark.parametrize("colored", [False, True])
def test_mixed_values_are_named_as_what_they_are(tmp_path, label, colored):
    if colored:
        label = np.stack([label, label // 2, 255 - label], -1)
    only_source(tmp_path, label)
    convert = tmp_path / "ids" if colored else None
    for names in (None, "bg,fg"):
        with pytest.raises(DataError, match=r"only at borders.*Frequent values: (#0000ff|0) "):
            found_in(answers(tmp_path, source_names=names, convert=convert))
    assert not (tmp_path / "ids").exists()


def test_thin_classes_are_no_mixtures(tmp_path):
    label = stripes([1, 2, 3, 4, 5, 6, 7])
    label[::8, ::9] = 20  # poles, one pixel each
    label[3::8, ::9] = 21
    only_source(tmp_path, label)
    values = count_values([tmp_path / "source/labels/x0.png"])
    assert mixtures(values) == set()
    assert len(found_in(answers(tmp_path)).classes.names) == 9


@pytest.mark.parametrize(
    "labels",
    [
        [stripes([26000, 26001, 26002, 24000, 24001, 7, 11], np.uint16)] * 2,
        [stripes(range(n + 1)) for n in (3, 7, 2, 20)],
        [stripes([0, *range(1 + 5 * i, 6 + 5 * i)]) for i in range(4)],
    ],
    ids=["class * 1000 + number", "counted in each file", "counted over all files"],
)
def test_ids_of_objects_are_named_as_what_they_are(tmp_path, labels):
    domain(tmp_path / "source", labels)
    domain(tmp_path / "target", None, images=1)
    with pytest.raises(DataError, match=r"ids of single objects \(instances\)"):
        found_in(answers(tmp_path))


@pytest.mark.parametrize(
    "labels",
    [
        [stripes([1000, 2000, 3000], np.uint16)] * 3,
        [stripes([1110, 1120, 2110, 2120], np.uint16)] * 3,
        [stripes([0, 1, 2, 3]), stripes([0, 2]), stripes([0, 3, 4]), stripes([1])],
        [stripes([0, 1, 2])] * 5,
    ],
)
def test_classes_are_no_objects(tmp_path, labels):
    domain(tmp_path / "source", labels)
    files = sorted((tmp_path / "source/labels").iterdir())
    assert instance_ids(count_values(files)) == ""


def test_whoever_names_every_value_is_believed(tmp_path):
    domain(tmp_path / "source", [stripes(range(n + 1)) for n in (3, 7, 2, 9)])
    domain(tmp_path / "target", None, images=1)
    names = ",".join(f"n{i}" for i in range(10))
    assert len(found_in(answers(tmp_path, source_names=names)).classes.names) == 10


RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def _palettes(root, *palettes):
    domain(root / "target", None, images=1)
    for i, colors in enumerate(palettes):
        picture(root / "source/images" / f"x{i}.png", (32, 48))
        palette_png(root / "source/labels" / f"x{i}.png", stripes([0, 1, 2]), colors)


def test_palettes_that_give_an_index_another_colour_are_not_guessed_at(tmp_path):
    _palettes(tmp_path, {0: RED, 1: GREEN, 2: BLUE}, {0: GREEN, 1: RED, 2: BLUE})
    with pytest.raises(DataError, match=r"index 0 has one colour in x0.png and another in x1.png"):
        found_in(answers(tmp_path))
    by_index = found_in(answers(tmp_path, palettes="index"))
    assert list(by_index.labels["source"].table.names) == [0, 1, 2]
    with pytest.raises(DataError, match="--convert-labels"):
        found_in(answers(tmp_path, palettes="color"))
    asked = answers(tmp_path, palettes="color", convert=tmp_path / "ids")
    asked.source_names = "#0000ff=b,#00ff00=g,#ff0000=r"
    rows = decoded(written(asked), "source_train")
    assert (run(rows["x0"]), run(rows["x1"])) == (["r", "g", "b"], ["g", "r", "b"])


@pytest.mark.parametrize("moved", [{0: BLUE, 1: RED, 2: GREEN}, {0: RED, 1: BLUE, 2: GREEN}])
def test_palettes_of_source_and_target_that_swap_colours_are_not_guessed_at(tmp_path, moved):
    for side, colors in (("source", {0: RED, 1: GREEN, 2: BLUE}), ("target", moved)):
        for i in range(2):
            picture(tmp_path / side / "images" / f"x{i}.png")
            palette_png(tmp_path / side / "labels" / f"x{i}.png", stripes([0, 1, 2]), colors)
    with pytest.raises(ConfigError, match=r"--palettes index.*--source-names, --target-names"):
        found_in(answers(tmp_path))
    by_index = found_in(answers(tmp_path, palettes="index"))
    assert any("are read by index" in note for note in by_index.notes)
    names = {"source_names": "#ff0000=r,#00ff00=g,#0000ff=b"}
    rows = written(answers(tmp_path, **names, target_names=names["source_names"]))
    shown = [{RED: "r", GREEN: "g", BLUE: "b"}[moved[i]] for i in range(3)]
    assert run(decoded(rows, "target_val")["x1"]) == shown


def test_palettes_that_only_look_different_are_read_by_index(tmp_path):
    _palettes(tmp_path, {0: RED, 1: GREEN, 2: BLUE}, {0: (9, 9, 9), 1: GREEN, 2: BLUE})
    found = found_in(answers(tmp_path))
    assert any("read by index" in note for note in found.notes)


def test_two_indices_of_one_colour_are_two_classes(tmp_path):
    """As GTA5 has it."""
    _palettes(tmp_path, {0: RED, 1: GREEN, 2: RED}, {0: RED, 1: GREEN, 2: RED})
    assert len(found_in(answers(tmp_path)).classes.names) == 3


def test_colours_beside_ids_double_nothing(tmp_path):
    values = stripes([0, 1, 2])
    domain(tmp_path / "target", None, images=1)
    for i in range(3):
        picture(tmp_path / "source/images" / f"x{i}.png", (32, 48))
        save_png(tmp_path / "source/labels" / f"x{i}_color.png", rgb([RED, GREEN, BLUE], values))
        save_png(tmp_path / "source/labels" / f"x{i}_ids.png", values)
    for convert in (None, tmp_path / "ids"):
        found = found_in(answers(tmp_path, convert=convert))
        assert found.source.domains[0].label_suffixes == ["_ids.png"]
        assert any("_color.png (3)" in note for note in found.notes)
        assert len(found.classes.names) == 3


def test_some_files_of_colours_among_files_of_ids_are_refused(tmp_path):
    domain(tmp_path / "source", [stripes([0, 1, 2]), rgb([RED, GREEN, BLUE], stripes([0, 1, 2]))])
    domain(tmp_path / "target", None, images=1)
    with pytest.raises(DataError, match=r"colours \(1, first .*x1.png\) and others class ids \(1"):
        found_in(answers(tmp_path, convert=tmp_path / "ids"))


@pytest.mark.parametrize(
    ("label", "said"),
    [
        (np.stack([stripes([0, 1])] * 3 + [stripes([255, 7])], -1), "not opaque"),
        (np.stack([stripes([0, 1]), stripes([255, 7])], -1), "not opaque"),
        (stripes([0.5, 1.0], np.float32), "fractions"),
        (stripes(range(0, 3000, 10), np.uint16, width=1), "these are no classes"),
    ],
    ids=["colours with alpha", "ids with alpha", "fractions", "depths"],
)
def test_what_is_no_label_file_is_refused(tmp_path, label, said):
    domain(tmp_path / "target", None, images=1)
    path = tmp_path / "source/labels" / ("x0.tif" if label.dtype.kind == "f" else "x0.png")
    picture(tmp_path / "source/images/x0.png", label.shape[:2])
    save_png(path, label)
    with pytest.raises(DataError, match=said):
        found_in(answers(tmp_path, convert=tmp_path / "ids"))


def test_several_pages_are_refused(tmp_path):
    only_source(tmp_path, stripes([0, 1]))
    first = Image.fromarray(stripes([0, 1]))
    for file in (tmp_path / "source/labels").iterdir():
        first.save(file.with_suffix(".tif"), save_all=True, append_images=[first])
        file.unlink()
    with pytest.raises(DataError, match="2 pages"):
        found_in(answers(tmp_path))


def test_a_colour_that_one_of_many_files_has_is_a_class(tmp_path):
    common = rgb([RED, GREEN, BLUE], stripes([0, 1]))
    rare = rgb([RED, GREEN, BLUE], stripes([0, 2]))
    domain(tmp_path / "source", [common] * 250 + [rare] + [common] * 49)
    domain(tmp_path / "target", None, images=1)
    config = written(answers(tmp_path, source_names="b,g,r", convert=tmp_path / "ids"))
    assert class_table(config).names == ["b", "g", "r"]
    rows = decoded(config, "source_train")
    assert run(rows["x250"]) == ["r", "b"] and run(rows["x299"]) == ["r", "g"]


def _one_band(name, path, values):
    """A label file of one channel as this or that program writes it."""
    if name.startswith("png"):
        return write_few_bits(path, values, int(name[3:]))
    kind = {"tif_int8": np.int8, "tif_uint8": np.uint8, "tif_uint16": np.uint16}
    kind |= {"tif_int16": np.int16, "tif_int32": np.int32, "tif_float": np.float32}
    band = values[..., None].astype(kind.get(name, np.uint8))
    if name == "tif_infrared":
        return write_tiff(path, band.repeat(2, -1), photometric=1, extra=(0,))
    tags = {339: 2 if "_int" in name else 3 if "float" in name else 1}
    return write_tiff(path, band, photometric=0 if name == "tif_inverted" else 1, tags=tags)


@pytest.mark.parametrize(
    "name",
    [
        "png1",
        "png2",
        "png4",
        "tif_uint8",
        "tif_uint16",
        "tif_int8",
        "tif_int16",
        "tif_int32",
        "tif_float",
        "tif_inverted",
        "tif_infrared",
    ],
)
def test_init_reads_a_label_file_as_training_does_or_converts_or_refuses_it(tmp_path, name):
    """Whatever is converted or not: names are those of the values in the file."""
    values = stripes([0, 1] if name == "png1" else [0, 1, 3])
    names = "a,b" if name == "png1" else "a,b,c"
    domain(tmp_path / "target", None, images=1)
    suffix = ".png" if name.startswith("png") else ".tif"
    picture(tmp_path / "source/images/x0.png")
    file = tmp_path / "source/labels" / f"x0{suffix}"
    file.parent.mkdir()
    _one_band(name, file, values)
    if name in ("tif_inverted", "tif_infrared"):
        with pytest.raises(DataError, match=r"x0\.tif"):
            found_in(answers(tmp_path, convert=tmp_path / "ids"))
        return
    asked = answers(tmp_path, source_names=names)
    if not read_labels(file).plain:
        with pytest.raises(DataError, match="--convert-labels"):
            found_in(asked)
        asked.convert = tmp_path / "ids"
    assert run(decoded(written(asked), "source_train")["x0"]) == names.split(",")


@pytest.mark.parametrize("named", [None, "#804080=road,#00008e=car"])
@pytest.mark.parametrize("convert", [False, True])
def test_soft_edges_of_more_colours_than_classes_can_be_are_named_as_such(tmp_path, named, convert):
    """At once: not first when they have been sent to be converted."""
    drawn = Image.new("RGB", (800, 600), (128, 64, 128))
    draw = ImageDraw.Draw(drawn)
    for i in range(8):
        box = (90 * i, 60 * i, 90 * i + 120, 60 * i + 100)
        draw.ellipse(box, fill=(0, 20 * i, 142), outline=(220, 30 * i, 30), width=12)
    label = np.asarray(drawn.resize((400, 300), Image.Resampling.LANCZOS))
    only_source(tmp_path, label)
    asked = answers(tmp_path, source_names=named, convert=tmp_path / "ids" if convert else None)
    with pytest.raises(DataError, match=r"soft edges.*#804080") as caught:
        found_in(asked)
    assert "--convert-labels" not in str(caught.value)


@pytest.mark.parametrize("form", ["grey", "rgb", "deep"])
def test_photographs_and_depth_maps_are_not_called_mixtures(tmp_path, form):
    noise = np.random.default_rng(0)
    smooth = np.add.outer(np.arange(64), np.arange(96)) + noise.integers(0, 9, (64, 96))
    label = {
        "grey": smooth.astype(np.uint8),
        "rgb": noise.integers(0, 256, (64, 96, 3), np.uint8),
        "deep": (smooth * 50).astype(np.uint16),
    }[form]
    only_source(tmp_path, label)
    with pytest.raises(DataError, match="depth maps, photographs") as caught:
        found_in(answers(tmp_path))
    assert "soft edges" not in str(caught.value)


def test_shares_read_as_numbers_and_absent_values_are_said(tmp_path):
    assert [percent(x) for x in (100, 99.9, 99.4, 33.33, 0.123)] == [
        "100",
        "100",
        "99",
        "33",
        "0.12",
    ]
    only_source(tmp_path, stripes([0, 1, 2]))
    notes = found_in(answers(tmp_path, source_ignore="2,7,11")).notes
    assert "source: 7, 11, which is to be ignored, is in no label file" in notes
