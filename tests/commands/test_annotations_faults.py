"""`import-labels`: choices of labels, names and sizes of images, and damage of every kind."""

import json
import sys
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from typer.testing import CliRunner

from tests.commands.annotation_files import (
    SIZE,
    area,
    coco,
    cvat,
    labelme,
    png,
    result,
    shape,
    stroke,
    studio,
    write,
)
from tests.commands.test_annotations_import import BOX, FLAT, INNER, label_of, legend, voc
from tpld.cli import app
from tpld.commands.import_labels import import_labels
from tpld.data.annotations import recognise
from tpld.errors import ConfigError, DataError, TpldError

LOWER = area(np.s_[4:], np.s_[:])
BAND = [[0, 4], [12, 4], [12, 8], [0, 8]]
FLAT_BAND = [0, 4, 12, 4, 12, 8, 0, 8]


def areas_of(form: str, *pairs: tuple[str, list], name: str = "a.jpg") -> object:
    """A file of each tool with polygons (label, points) on an image of 12x8."""
    if form == "labelme":
        return labelme(*(shape(label, points) for label, points in pairs), imagePath=name)
    if form == "coco":
        names = list(dict.fromkeys(label for label, _ in pairs))
        parts = [
            {"category_id": names.index(label), "segmentation": [list(np.ravel(points).tolist())]}
            for label, points in pairs
        ]
        tree = coco(*parts, categories=[{"id": k, "name": n} for k, n in enumerate(names)])
        tree["images"][0]["file_name"] = name
        return tree
    if form == "cvat":
        text = [
            f'<polygon label="{label}" points="{";".join(f"{x},{y}" for x, y in points)}"/>'
            for label, points in pairs
        ]
        return cvat(*text, name=name)
    percent = [(label, [[100 * x / 12, 100 * y / 8] for x, y in points]) for label, points in pairs]
    results = [
        result("polygonlabels", label, f"r{i}", points=points)
        for i, (label, points) in enumerate(percent)
    ]
    return [studio(*results, image=name)]


SUFFIX = {"labelme": ".json", "coco": ".json", "cvat": ".xml", "labelstudio": ".json"}
FORMS = list(SUFFIX)


def put(folder: Path, form: str, content: object) -> Path:
    return write(folder / f"file{SUFFIX[form]}", content)


@pytest.fixture(params=FORMS)
def form(request) -> str:
    return request.param


# --- which format -------------------------------------------------------------------------------


def test_each_format_is_recognised_as_file_and_folder(tmp_path, form):
    file = put(tmp_path / "in" / "deep", form, areas_of(form, ("car", BOX)))
    assert recognise(file) == form and recognise(file.parent) == form
    assert recognise(tmp_path / "in") == form


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.json", "{}"), ("x.json", "[]"), ("x.json", ""), ("x.json", "\0\1"),
        ("x.json", "[[[]]]"),
        ("x.json", '{"a": {"images": [], "shapes": []}}'), ("x.json", '[{"image_id": 1}]'),
        ("x.xml", "<annotation><object/></annotation>"), ("x.xml", ""), ("x.csv", "images"),
        ("x.png", "no"), ("classes.csv", "value,name,red,green,blue\n0,annotations,0,0,0\n"),
    ],
)  # fmt: skip
def test_other_files_are_not_recognised(tmp_path, name, content):
    file = write(tmp_path / "in" / name, content)
    assert recognise(file) is None and recognise(tmp_path / "in") is None
    with pytest.raises(DataError, match=r"not recognised.*Looked for: labelme .*Label Studio"):
        import_labels(tmp_path / "in", tmp_path / "out")


def test_what_does_not_exist_is_not_recognised(tmp_path):
    assert recognise(tmp_path / "none") is None
    with pytest.raises(DataError, match="does not exist"):
        import_labels(tmp_path / "none", tmp_path / "out")
    (tmp_path / "task.zip").write_bytes(b"PK")
    with pytest.raises(DataError, match="Unpack it first"):
        import_labels(tmp_path / "task.zip", tmp_path / "out")


def test_keys_are_read_where_strings_hold_brackets(tmp_path):
    tree = {"info": {"d": 'a "}]{" \\" b', "shapes": [1]}, "images": [], "categories": []}
    assert recognise(write(tmp_path / "x.json", tree)) == "coco"


def test_of_two_files_one_must_be_named(tmp_path):
    for part in ("train", "val"):
        write(tmp_path / "in" / f"instances_{part}.json", coco())
    with pytest.raises(DataError, match=r"2 files of coco: instances_train.json, .* Name one"):
        import_labels(tmp_path / "in", tmp_path / "out")


# --- which labels -------------------------------------------------------------------------------


def test_later_areas_cover_what_lies_below(tmp_path, form):
    source = put(
        tmp_path, form, areas_of(form, ("road", BAND), ("car", [[2, 5], [4, 5], [4, 7], [2, 7]]))
    )
    import_labels(source, tmp_path / "out", names=["road", "car"])
    label = label_of(tmp_path / "out")
    assert label[4, 0] == 0 and label[5, 2] == label[5, 3] == 1 and label[1, 0] == 255


def test_names_choose_labels_and_their_order(tmp_path, form):
    """A label that is not chosen covers what lies below it: its pixels are neither."""
    pairs = [("road", BAND), ("car", [[2, 5], [5, 5], [5, 7], [2, 7]])]
    source = put(tmp_path, form, areas_of(form, *pairs))
    page = import_labels(source, tmp_path / "out", names=["sky", "road"], background="rest")
    assert legend(tmp_path / "out") == ["rest", "sky", "road"]
    label = label_of(tmp_path / "out")
    assert label[4, 0] == 2 and label[5, 3] == 255 and label[0, 0] == 0
    assert page.facts["labels that became no class"] == ["car"]
    assert page.facts["classes without a pixel"] == ["sky"]


def test_background_may_be_a_label_too(tmp_path, form):
    source = put(tmp_path, form, areas_of(form, ("road", BAND), ("car", BOX)))
    import_labels(source, tmp_path / "out", names=["car", "road"], background="road")
    label = label_of(tmp_path / "out")
    assert legend(tmp_path / "out") == ["car", "road"] and set(np.unique(label)) == {0, 1}
    assert label[0, 11] == 1


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"names": ["Road"]}, "--names has 'Road': the label is 'road'"),
        ({"names": ["rod", "kar"]}, "none of --names is a label. did you mean 'road'"),
        ({"names": ["road", " road"]}, "--names has 'road' twice"),
        ({"names": ["road", "unlabelled"]}, "no class can be called so"),
        ({"background": "unlabelled"}, "no class can be called so"),
    ],
)
def test_names_that_cannot_be_meant_are_refused(tmp_path, form, options, problem):
    source = put(tmp_path, form, areas_of(form, ("road", BAND), ("car", BOX)))
    with pytest.raises(ConfigError, match=problem):
        import_labels(source, tmp_path / "out", **options)


def test_one_label_in_several_spellings_is_one(tmp_path, form):
    spelled = ("Fußgänger", "Fußga\u0308nger", " Fußgänger ")
    pairs = [(label, BOX) for label in spelled]
    import_labels(put(tmp_path, form, areas_of(form, *pairs)), tmp_path / "out")
    assert "Fußgänger" in legend(tmp_path / "out")
    assert sum(name.startswith("Fu") for name in legend(tmp_path / "out")) == 1


@pytest.mark.parametrize(("count", "fits"), [(254, True), (255, False)])
def test_as_many_labels_as_fit_into_8_bits(tmp_path, count, fits):
    pairs = [(f"label{k}", BOX) for k in range(count)]
    source = put(tmp_path, "labelme", areas_of("labelme", *pairs))
    if fits:
        import_labels(source, tmp_path / "out")
        assert legend(tmp_path / "out")[9:11] == ["label9", "label10"]
        assert label_of(tmp_path / "out")[2, 3] == 253
    else:
        with pytest.raises(DataError, match="255 labels are more than the 254"):
            import_labels(source, tmp_path / "out")


# Of Label Studio, tasks without areas have no size: see the round trips.
@pytest.mark.parametrize("form", [form for form in FORMS if form != "labelstudio"])
def test_an_image_without_areas_is_written_and_named(tmp_path, form):
    content = areas_of(form)
    if form == "labelme":
        write(tmp_path / "in" / "b.json", areas_of(form, ("car", BOX), name="b.jpg"))
    if form == "coco":
        content = coco()
    put(tmp_path / "in", form, content)
    page = import_labels(tmp_path / "in", tmp_path / "out")
    assert (label_of(tmp_path / "out") == 255).all()
    assert "1 images without any annotation, written as 255 alone: a.jpg" in page.facts["notes"]
    page = import_labels(tmp_path / "in", tmp_path / "negative", background="other")
    assert (label_of(tmp_path / "negative") == 0).all()
    assert "written as background" in page.facts["notes"][-1]


# --- which images -------------------------------------------------------------------------------


def image(path: Path, size: tuple[int, int] = SIZE, orientation: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.new("RGB", size[::-1])
    exif = picture.getexif()
    exif[0x0112] = orientation
    picture.save(path, exif=exif)
    return path


@pytest.mark.parametrize(
    ("said", "there", "written"),
    [
        ("a.jpg", "a.jpg", "a"), ("a.jpg", "sub/a.jpg", "sub/a"), ("images/a.jpg", "a.jpg", "a"),
        ("x/images/s/a.png", "s/a.jpg", "s/a"), ("a", "a.JPG", "a"),
        ("a.001", "a.001.png", "a.001"),
        ("gro\u0308ße.jpg", "größe.jpg", "größe"), ("0a1b2c3d-a.jpg", "a.jpg", "a"),
        ("a.jpg", "0a1b2c3d-a.jpg", "0a1b2c3d-a"), ("s\\a.jpg", "s/a.jpg", "s/a"),
    ],
)  # fmt: skip
def test_label_files_are_called_like_the_images(tmp_path, form, said, there, written):
    image(tmp_path / "photos" / there)
    image(tmp_path / "photos" / "other.png")
    source = put(tmp_path, form, areas_of(form, ("car", BOX), name=said))
    import_labels(source, tmp_path / "out", images=tmp_path / "photos")
    assert label_of(tmp_path / "out", f"{written}.png").shape == SIZE


def test_an_image_that_is_not_there_or_twice_is_named(tmp_path, form):
    source = put(tmp_path, form, areas_of(form, ("car", BOX)))
    with pytest.raises(DataError, match="is no folder"):
        import_labels(source, tmp_path / "out", images=tmp_path / "photos")
    image(tmp_path / "photos" / "b.jpg")
    with pytest.raises(DataError, match=r"1 of 1 images:\n.* is called 'a.jpg', or several are"):
        import_labels(source, tmp_path / "out", images=tmp_path / "photos")
    image(tmp_path / "photos" / "one" / "a.jpg")
    image(tmp_path / "photos" / "two" / "a.png")
    with pytest.raises(DataError, match="or several are"):
        import_labels(source, tmp_path / "out", images=tmp_path / "photos")


# Exports of Label Studio lie beside no image.
_PLACES = [(form, "photos") for form in FORMS]
_PLACES += [(form, "beside") for form in FORMS if form != "labelstudio"]


@pytest.mark.parametrize(("form", "where"), _PLACES)
def test_images_of_another_size_are_named(tmp_path, form, where):
    source = put(tmp_path / "in", form, areas_of(form, ("car", BOX)))
    photo = image(tmp_path / ("photos" if where == "photos" else "in") / "a.jpg", (9, 12))
    with pytest.raises(DataError, match=rf"annotated as 12x8, but {photo} is 12x9"):
        import_labels(source, tmp_path / "out", images=photo.parent if where == "photos" else None)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_turns_images_as_the_tools_show_them(tmp_path, form, orientation):
    source = put(tmp_path, form, areas_of(form, ("car", BOX)))
    stored = SIZE[::-1] if orientation > 4 else SIZE
    image(tmp_path / "photos" / "a.jpg", stored, orientation)
    page = import_labels(source, tmp_path / "out", images=tmp_path / "photos")
    assert label_of(tmp_path / "out").shape == SIZE
    said = "taken to be annotated upright" in " ".join(page.facts.get("notes", []))
    assert said == (orientation > 1)
    if orientation > 4:  # annotated as it is stored
        image(tmp_path / "photos" / "a.jpg", SIZE, orientation)
        with pytest.raises(DataError, match=f"EXIF orientation {orientation} turns it"):
            import_labels(source, tmp_path / "out2", images=tmp_path / "photos")


def test_names_that_are_not_utf_8_are_named(tmp_path):
    source = put(tmp_path, "coco", areas_of("coco", ("car", BOX)))
    image(tmp_path / "photos" / "a.jpg").rename(tmp_path / "photos" / "b\udce4.jpg")
    with pytest.raises(DataError, match=r"not UTF-8, first 'b\\xe4.jpg'"):
        import_labels(source, tmp_path / "out", images=tmp_path / "photos")


@pytest.mark.parametrize("name", ["../a.jpg", "/etc/a.jpg", "x/../../a.jpg"])
def test_names_lead_nowhere_else(tmp_path, name):
    for form in ("coco", "cvat"):
        source = put(tmp_path / form, form, areas_of(form, ("car", BOX), name=name))
        with pytest.raises(DataError, match="leads out of any folder"):
            import_labels(source, tmp_path / form / "out")


def test_two_images_of_one_label_file_are_refused(tmp_path):
    tree = coco()
    tree["images"].append(tree["images"][0] | {"id": 2, "file_name": "a.png"})
    with pytest.raises(DataError, match=r"'a.png' and 'a.jpg' would write the same file a.png"):
        import_labels(write(tmp_path / "x.json", tree), tmp_path / "out")


def test_all_problems_are_named_together(tmp_path):
    tree = coco()
    tree["images"] = [tree["images"][0] | {"id": i, "file_name": f"/{i}.jpg"} for i in range(13)]
    with pytest.raises(DataError) as said:
        import_labels(write(tmp_path / "x.json", tree), tmp_path / "out")
    text = str(said.value)
    assert text.startswith("13 of 13 images:") and "'/9.jpg'" in text and "and 3 more" in text


# --- what is written ----------------------------------------------------------------------------


def test_a_folder_that_is_not_empty_is_left_as_it_is(tmp_path, form):
    source = put(tmp_path, form, areas_of(form, ("car", BOX)))
    write(tmp_path / "out" / "old.txt", "mine")
    for out in (tmp_path / "out", tmp_path / "out" / "old.txt"):
        with pytest.raises(ConfigError, match="is there already and not empty"):
            import_labels(source, out)
    assert [f.name for f in (tmp_path / "out").iterdir()] == ["old.txt"]
    (tmp_path / "empty").mkdir()
    import_labels(source, tmp_path / "empty")
    assert label_of(tmp_path / "empty").shape == SIZE


def test_areas_outside_of_the_image_are_cut_off(tmp_path, form):
    outer = [[-5, -3], [30, -3], [30, 2], [-5, 2]]
    away = [[40, 40], [50, 40], [50, 50]]
    source = put(tmp_path, form, areas_of(form, ("car", outer), ("car", away)))
    import_labels(source, tmp_path / "out", names=["car"])
    label = label_of(tmp_path / "out")
    assert (label[:2] == 0).all() and (label[3:] == 255).all()


@pytest.mark.parametrize("form", ["coco", "cvat", "labelstudio"])
def test_a_missing_library_is_named(tmp_path, monkeypatch, form):
    source = put(tmp_path, form, areas_of(form, ("car", BOX)))
    monkeypatch.setitem(sys.modules, "pycocotools.mask", None)
    with pytest.raises(ConfigError, match=r"pip install 'tpld\[annotations\]'"):
        import_labels(source, tmp_path / "out")


def test_labelme_and_voc_need_no_library(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pycocotools.mask", None)
    import_labels(put(tmp_path, "labelme", areas_of("labelme", ("car", BOX))), tmp_path / "out")
    import_labels(voc(tmp_path / "voc", "RGB"), tmp_path / "out2")


def test_the_page_has_shares_and_the_command_prints_it(tmp_path, form):
    source = put(tmp_path, form, areas_of(form, ("car", BAND)))
    words = ["import-labels", source, tmp_path / "out", "--names", "car", "--json"]
    done = CliRunner().invoke(app, list(map(str, words)))
    said = json.loads(done.stdout)
    assert done.exit_code == 0 and said["format"] == form
    share = 100 * (label_of(tmp_path / "out") == 0).mean()
    assert said["classes"] == [
        {"value": 0, "class": "car", "share %": pytest.approx(share), "images": 1}
    ]
    assert said["unlabelled %"] == pytest.approx(100 - share)


# --- damage -------------------------------------------------------------------------------------

JUNK = st.sampled_from(
    [None, True, -1, 0, 3, 1e300, float("nan"), "", "x", "1e9", [], [1], [[]], {}, {"a": 1}, 2**70]
)
WHOLE = {
    "labelme": labelme(
        shape("car", BOX), shape("road", [[1, 1], [3, 3]], "circle"),
        shape("bus", [[0, 0], [2, 1]], "mask", mask=png(np.ones((2, 3), bool))),
        imageData=png(np.zeros(SIZE, bool)),
    ),
    "coco": coco(
        {"category_id": 18, "segmentation": [FLAT, FLAT_BAND]},
        {"category_id": 1, "segmentation": {"counts": [90, 6], "size": list(SIZE)}, "iscrowd": 1},
        {"category_id": 1, "segmentation": {"counts": "04^O05N2N", "size": list(SIZE)}},
    ),
    "labelstudio": [
        studio(
            stroke("road", INNER), result("polygonlabels", "car", "r2", points=BOX),
            result("ellipselabels", "sun", "r4", x=75, y=50, radiusX=9, radiusY=25, rotation=3),
            result("rectanglelabels", "bus", "r5", x=25, y=75, width=9, height=12, rotation=9),
        )
    ],
}  # fmt: skip


def places(tree: object, path: tuple = ()) -> list[tuple]:
    """Paths of all values in a tree of lists and dictionaries."""
    inner = (
        tree.items()
        if isinstance(tree, dict)
        else enumerate(tree)
        if isinstance(tree, list)
        else ()
    )
    return [path, *(place for key, value in inner for place in places(value, (*path, key)))]


def changed(tree: object, path: tuple, value: object, drop: bool) -> object:
    if not path:
        return value
    tree = deepcopy(tree)
    inside = tree
    for key in path[:-1]:
        inside = inside[key]
    if drop:
        del inside[path[-1]]
    else:
        inside[path[-1]] = value
    return tree


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
@pytest.mark.parametrize("form", list(WHOLE))
def test_a_damaged_tree_is_read_or_refused(tmp_path_factory, form, data):
    """No traceback, whatever any value is; and what is refused leaves nothing behind."""
    path = data.draw(st.sampled_from(places(WHOLE[form])))
    tree = changed(WHOLE[form], path, data.draw(JUNK), data.draw(st.booleans()))
    attempt(tmp_path_factory.mktemp("damaged"), form, json.dumps(tree))


TEXT = cvat(
    '<mask label="car" rle="0, 1, 1, 2" left="1" top="6" width="2" height="2" z_order="3"/>',
    '<box label="road" xtl="0" ytl="4" xbr="12" ybr="8" rotation="4" z_order="2"/>',
    '<polygon label="car" points="2.0,1.0;6.0,1.0;6.0,4.0;2.0,4.0" z_order="0"/>',
    '<ellipse label="car" cx="9" cy="4" rx="2" ry="4"/>',
)
TEXTS = {form: json.dumps(tree) for form, tree in WHOLE.items()} | {"cvat": TEXT}


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_a_damaged_text_is_read_or_refused(tmp_path_factory, form, data):
    text = TEXTS[form]
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.one_of(st.just(len(text)), st.integers(start, min(start + 9, len(text)))))
    signs = st.text("0123456789-.,;eE\"'<>/{}[]:= axülNn\0", max_size=4)
    attempt(tmp_path_factory.mktemp("damaged"), form, text[:start] + data.draw(signs) + text[end:])


def attempt(folder: Path, form: str, text: str) -> None:
    source = write(folder / f"file{SUFFIX[form]}", text)
    try:
        import_labels(source, folder / "out", form)
    except TpldError as error:
        assert str(error)
        assert sorted(path.name for path in folder.iterdir()) == [source.name]
    else:
        assert (folder / "out" / "classes.csv").is_file()
