"""`import-labels` on files as each tool writes them, and on what goes wrong with any of them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

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
from tpld.commands.import_labels import import_labels
from tpld.data.annotations import recognise
from tpld.errors import DataError

BOX = [[2, 1], [6, 1], [6, 4], [2, 4]]  # columns 2 to 5, rows 1 to 3
SQUARE, NEXT = [8, 0, 9, 0, 9, 1, 8, 1], [10, 0, 11, 0, 11, 1, 10, 1]
FLAT = [2, 1, 6, 1, 6, 4, 2, 4]


def label_of(folder: Path, name: str = "a.png") -> np.ndarray:
    return np.asarray(Image.open(folder / name))


def legend(folder: Path) -> list[str]:
    table = pd.read_csv(folder / "classes.csv", keep_default_na=False)
    assert table["value"].tolist() == [*range(len(table) - 1), 255]
    return table["name"].tolist()[:-1]


def expected(*areas: tuple[np.ndarray, int]) -> np.ndarray:
    wanted = np.full(SIZE, 255, np.uint8)
    for mask, value in areas:
        wanted[mask] = value
    return wanted


INNER = area(np.s_[1:4], np.s_[2:6])


# --- labelme ------------------------------------------------------------------------------------


def test_labelme_is_drawn_as_labelme_draws_it(tmp_path):
    """With outlines, later on top; what has no area is counted, `__ignore__` is no class."""
    mask = np.zeros((2, 3), bool)
    mask[0, 0] = mask[1, 2] = True
    tree = labelme(
        shape("road", [[0, 4], [11, 4], [11, 7], [0, 7]], None),
        shape("car", [[5, 6], [3, 5]], "rectangle"),
        shape("__ignore__", [[9, 6], [9, 7]], "circle"),
        shape("sign10", [[0, 0], [2, 1]], "mask", mask=png(mask)),
        shape("sign9", [[9, 1], [11, 1], [11, 2], [9, 2]], "oriented_rectangle"),
        shape("pole", [[1, 1], [1, 7]], "line"),
        shape("pole", [[4, 4]], "point"),
    )
    write(tmp_path / "in" / "sub" / "a.json", tree)
    page = import_labels(tmp_path / "in", tmp_path / "out")
    wanted = expected((area(np.s_[4:], np.s_[:]), 1), (area(np.s_[5:7], np.s_[3:6]), 0))
    wanted[5:8, 8:11] = 255
    wanted[[0, 1], [0, 2]] = 3
    wanted[1:3, 9:12] = 2
    got = label_of(tmp_path / "out", "sub/a.png")
    corners = [(5, 8), (5, 10), (7, 8), (7, 10)]  # of a circle of radius 1: PIL's affair
    for y, x in corners:
        got = got.copy()
        got[y, x] = wanted[y, x]
    assert np.array_equal(got, wanted)
    assert legend(tmp_path / "out") == ["car", "road", "sign9", "sign10"]  # by name, 9 before 10
    assert {"left out: line (1)", "left out: point (1)"} <= set(page.facts["notes"])


@pytest.mark.parametrize(
    ("path", "name"),
    [("a.jpg", "in/b/a.png"), ("..\\images\\x.JPG", "in/b/x.png"), ("/home/u/x.png", "in/b/x.png"),
     ("C:\\data\\x.png", "in/b/x.png"), ("sub\\x.bmp", "in/b/sub/x.png"),
     ("frame.001", "in/b/frame.001.png")],
)  # fmt: skip
def test_labelme_names_are_those_of_the_image(tmp_path, path, name):
    write(tmp_path / "s" / "in" / "b" / "n.json", labelme(shape("car", BOX), imagePath=path))
    import_labels(tmp_path / "s", tmp_path / "out")
    assert label_of(tmp_path / "out", name).shape == SIZE


def test_labelme_takes_its_size_from_where_it_can(tmp_path):
    bare = labelme(shape("car", BOX), imageHeight=None, imageWidth=None)
    write(tmp_path / "in" / "n.json", bare)
    with pytest.raises(DataError, match="its size is not said"):
        import_labels(tmp_path / "in", tmp_path / "out")
    write(tmp_path / "in" / "n.json", bare | {"imageData": png(np.zeros(SIZE, bool))})
    import_labels(tmp_path / "in", tmp_path / "out")
    assert label_of(tmp_path / "out").shape == SIZE
    write(tmp_path / "in" / "n.json", bare)
    Image.new("RGB", (20, 10)).save(tmp_path / "in" / "a.jpg")
    import_labels(tmp_path / "in", tmp_path / "out2")
    assert label_of(tmp_path / "out2").shape == (10, 20)


def test_other_json_files_among_labelmes_are_named(tmp_path):
    write(tmp_path / "in" / "a.json", labelme(shape("car", BOX)))
    write(tmp_path / "in" / "zz.json", {"model": "x"})
    write(tmp_path / "in" / ".ipynb_checkpoints" / "a.json", labelme(shape("bus", BOX)))
    write(tmp_path / "in" / "._a.json", "\0")
    page = import_labels(tmp_path / "in", tmp_path / "out")
    assert legend(tmp_path / "out") == ["car"]
    assert page.facts["notes"][0].startswith("1 JSON files are none of labelme's, first ")


# --- COCO ---------------------------------------------------------------------------------------


def test_coco_polygons_and_runs_keep_small_areas_on_top(tmp_path):
    """Ids as COCO's own, not contiguous; the larger area lies below whatever the order."""
    whole = {"counts": [0, 96], "size": list(SIZE)}
    compressed = {"counts": rle(area(np.s_[7:], np.s_[:])), "size": list(SIZE)}
    tree = coco(
        {"category_id": 18, "segmentation": [FLAT]},
        {"category_id": 1, "segmentation": whole, "iscrowd": 1},
        {"category_id": 90, "segmentation": compressed, "iscrowd": 1},
        {"category_id": 90, "segmentation": [SQUARE, NEXT]},
        {"category_id": 90, "segmentation": []},
        {"category_id": 90},
        {"category_id": 90, "segmentation": [[1, 1, 3, 3]]},
        {"category_id": 90, "segmentation": [FLAT], "image_id": 5},
    )  # fmt: skip
    source = write(tmp_path / "instances.json", tree)
    page = import_labels(source, tmp_path / "out")
    wanted = np.full(SIZE, 1, np.uint8)
    wanted[INNER], wanted[7:], wanted[0, [8, 10]] = 2, 0, 0
    assert np.array_equal(label_of(tmp_path / "out"), wanted)
    assert legend(tmp_path / "out") == ["toothbrush", "person", "dog"]  # the file's order
    assert page.facts["notes"] == [
        "left out: annotation of an image that is not listed (1)",
        "left out: box without a segmentation (2)",
        "left out: polygon of less than 3 points (1)",
    ]


def rle(mask: np.ndarray) -> str:
    from pycocotools import mask as masks

    return masks.encode(np.asfortranarray(mask, np.uint8))["counts"].decode()


@pytest.mark.parametrize(
    ("segmentation", "problem"),
    [
        ({"counts": [0, 95], "size": list(SIZE)}, "cover 95 pixels, 12x8 are 96"),
        ({"counts": [-1, 97], "size": list(SIZE)}, "cover 96 pixels"),
        ({"counts": [1.5, 94.5], "size": list(SIZE)}, "no list of whole numbers"),
        ({"counts": [0, 96], "size": [12, 8]}, r"its mask has size \[12, 8\]"),
        ({"counts": "ZZ", "size": list(SIZE)}, "end in the middle"),
        ({"counts": "", "size": list(SIZE)}, "end in the middle"),
        ({"counts": "12", "size": list(SIZE)}, "cover 3 pixels"),
        ({"counts": "1 2", "size": list(SIZE)}, "hold the sign ' '"),
        ({"counts": "ü", "size": list(SIZE)}, "annotation 0 is not as COCO writes it"),
        ({"counts": 5, "size": list(SIZE)}, "neither text nor a list"),
        ({"size": list(SIZE)}, "'counts' is missing"),
        ([[1, 1, 2, 2, 3]], "annotation 0 is not as COCO writes it"),
        ([["x", 1, 2, 2, 3, 3]], "annotation 0 is not as COCO writes it"),
        ([[float("nan"), 1, 2, 2, 3, 3]], "no number, or more than 100 000 pixels away"),
        ([[1e9, 1, 2, 2, 3, 3]], "no number, or more than 100 000 pixels away"),
    ],
)
def test_damaged_coco_masks_are_named(tmp_path, segmentation, problem):
    source = write(tmp_path / "x.json", coco({"category_id": 1, "segmentation": segmentation}))
    with pytest.raises(DataError, match=problem):
        import_labels(source, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.json"]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            {"annotations": [{"id": 3, "image_id": 397133, "category_id": 2}]},
            "category 2 is not am",
        ),
        ({"images": [{"id": 1, "file_name": "a.jpg"}] * 2}, "image 1 is listed twice"),
        ({"images": [{"id": 1, "file_name": "a.jpg", "height": 0, "width": 3}]}, "no size of an"),
        ({"images": [{"id": 1, "file_name": "a.jpg"}]}, "'height' is missing"),
        ({"images": []}, "lists no image"),
        ({"categories": [{"id": 1, "name": " "}]}, "a label is empty"),
        ({"categories": None}, "is not as COCO writes it"),
    ],
)
def test_damaged_coco_files_are_named(tmp_path, change, problem):
    with pytest.raises(DataError, match=problem):
        import_labels(write(tmp_path / "x.json", coco(**change)), tmp_path / "out")


# --- CVAT ---------------------------------------------------------------------------------------


def test_cvat_shapes_lie_by_their_z_order(tmp_path):
    text = cvat(
        '<mask label="car" source="manual" occluded="0" rle="0, 1, 1, 2" left="1" top="6" '
        'width="2" height="2" z_order="3"></mask>',
        '<box label="road" source="manual" occluded="0" xtl="0.00" ytl="4.00" xbr="12.00" '
        'ybr="8.00" z_order="2"><attribute name="a">b</attribute></box>',
        '<polygon label="car" source="manual" occluded="0" points="2.00,1.00;6.00,1.00;6.00,4.00;'
        '2.00,4.00" z_order="0"></polygon>',
        '<polygon label="sky" source="auto" occluded="0" points="-9.0,-9.0;30,-9.0;30,2.0;-9,2.0" '
        'z_order="-1"></polygon>',
        '<polyline label="road" points="1,1;2,2" z_order="0"/><points label="road" points="1,1"/>',
        '<tag label="road" source="manual"/><cuboid label="car"/>',
    )
    page = import_labels(write(tmp_path / "annotations.xml", text), tmp_path / "out")
    wanted = expected((area(np.s_[:2], np.s_[:]), 0), (INNER, 1), (area(np.s_[4:], np.s_[:]), 2))
    wanted[[6, 7, 7], [1, 1, 2]] = 1
    assert np.array_equal(label_of(tmp_path / "out"), wanted)
    assert legend(tmp_path / "out") == ["sky", "car", "road"]
    kinds = ["cuboid", "points", "polyline", "tag"]
    assert page.facts["notes"] == [f"left out: {kind} (1)" for kind in kinds]
    table = pd.read_csv(tmp_path / "out" / "classes.csv")
    assert table.loc[2, ["red", "green", "blue"]].tolist() == [0x80, 0x40, 0x80]


def test_cvat_turns_boxes_and_ellipses_about_their_centre(tmp_path):
    text = cvat(
        '<box label="sky" xtl="1" ytl="2" xbr="5" ybr="4" rotation="90.0" z_order="0"/>',
        '<ellipse label="car" cx="9" cy="4" rx="2" ry="4" rotation="90.0" z_order="0"/>',
    )
    import_labels(write(tmp_path / "annotations.xml", text), tmp_path / "out")
    label = label_of(tmp_path / "out")
    assert np.array_equal(label == 0, area(np.s_[1:5], np.s_[2:4]))
    y, x = np.mgrid[:8, :12] + 0.5
    inside = ((x - 9) / 4) ** 2 + ((y - 4) / 2) ** 2
    assert (label[inside < 0.8] == 1).all() and not (label[inside > 1.25] == 1).any()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (cvat("<box/>"), "image 'a.jpg', box 0: 'label' is missing"),
        (cvat('<star label="sky"/>'), "shape 'star' is unknown"),
        (cvat('<mask label="sky" rle="1, 2" left="0" top="0" width="2" height="2"/>'), "cover 3"),
        (cvat('<mask label="sky" rle="x" left="0" top="0" width="2" height="2"/>'), "mask 0 is"),
        (cvat('<polygon label="sky" points="1,1;2,2"/>'), "3 or more points"),
        (cvat('<polygon label="sky" points="1,1;2;3,3"/>'), "polygon 0 is not as"),
        (cvat(more='<track id="0" label="car"></track>'), "tracks of a video"),
        (cvat()[:-20], r"annotations.xml is damaged \(.*line \d+, column \d+"),
        (cvat().replace('width="12"', 'width="wide"'), "image 'a.jpg' is not as CVAT"),
    ],
)  # fmt: skip
def test_damaged_cvat_files_are_named(tmp_path, text, problem):
    with pytest.raises(DataError, match=problem):
        import_labels(write(tmp_path / "annotations.xml", text), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_labels_of_a_skeletons_points_are_no_classes(tmp_path):
    text = cvat('<skeleton label="man"><points label="nose" points="1,1"/></skeleton>',
                meta="<label><name>nose</name><parent>man</parent></label>")  # fmt: skip
    import_labels(write(tmp_path / "annotations.xml", text), tmp_path / "out")
    assert legend(tmp_path / "out") == ["sky", "car", "road"]


# --- Pascal VOC ---------------------------------------------------------------------------------

LABELMAP = "# label:color_rgb:parts:actions\nbackground:0,0,0::\ncar:128,0,0::\na:b:0,128,0::\n"
COLORS = np.uint8([(0, 0, 0), (128, 0, 0), (0, 128, 0), (224, 224, 192)])


def voc(root: Path, mode: str, labelmap: str | None = LABELMAP, name: str = "sub/a.png") -> Path:
    index = np.zeros(SIZE, np.uint8)
    index[INNER], index[6:, :4], index[0] = 1, 2, 3
    if mode == "P":
        picture = Image.fromarray(index)
        picture.putpalette(COLORS.tobytes())
    elif mode == "L":
        picture = Image.fromarray(np.where(index == 3, 255, index).astype(np.uint8))
    else:
        picture = Image.fromarray(COLORS[index]).convert(mode)
    file = root / "SegmentationClass" / name
    file.parent.mkdir(parents=True)
    picture.save(file)
    if labelmap:
        write(root / "labelmap.txt", labelmap)
    return root


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L"])
def test_voc_colours_and_indices_become_labels(tmp_path, mode):
    root = voc(tmp_path / "voc", mode)
    wanted = expected((INNER, 0), (area(np.s_[6:], np.s_[:4]), 1))
    for number, source in enumerate((root, root / "SegmentationClass")):
        assert recognise(source) == "voc"
        out = tmp_path / f"out{number}"
        import_labels(source, out)
        assert np.array_equal(label_of(out, "sub/a.png"), wanted)
        assert legend(out) == ["car", "a:b"]
    import_labels(root, tmp_path / "with", background="background")
    wanted = np.where(wanted == 255, 0, wanted + 1).astype(np.uint8)
    wanted[0] = 255  # the border of objects stays no class
    assert np.array_equal(label_of(tmp_path / "with", "sub/a.png"), wanted)


def test_voc_itself_has_no_labelmap(tmp_path):
    root = voc(tmp_path / "voc", "P", None, name="2007_000032.png")
    assert recognise(root) == "voc"
    import_labels(root, tmp_path / "out")
    assert legend(tmp_path / "out")[:3] == ["aeroplane", "bicycle", "bird"]
    assert set(np.unique(label_of(tmp_path / "out", "2007_000032.png"))) == {0, 1, 2, 255}


def test_numbers_that_nothing_names_are_refused(tmp_path):
    """Trees in VOC's layout with classes of their own: VOC's names would be wrong."""
    root = voc(tmp_path / "voc", "L", None)
    assert recognise(root) is None
    with pytest.raises(DataError, match="nothing says what its values mean"):
        import_labels(root, tmp_path / "out", "voc")


def test_labelmes_converter_lists_names(tmp_path):
    root = voc(tmp_path / "voc", "L", None)
    write(root / "class_names.txt", "_background_\nmouse\ncat\n")
    import_labels(root, tmp_path / "out")
    assert legend(tmp_path / "out") == ["mouse", "cat"]


@pytest.mark.parametrize(
    ("mode", "labelmap", "problem"),
    [
        ("RGB", "background:0,0,0::\ncar:128,0,0::\n", r"colour \(0, 128, 0\) \(8 pixels\) stands"),
        ("L", "background:0,0,0::\ncar:128,0,0::\n", r"value 2 \(8 pixels\) stands for no label"),
        ("RGB", "car:128,0,0\n", "labelmap.txt, line 1 is not as a labelmap"),
        ("RGB", "car:128,0::\n", "labelmap.txt, line 1 is not as a labelmap"),
        ("RGB", "car:300,0,0::\n", "300,0,0 is no colour"),
        (
            "RGB",
            "car:1,0,0::\nbus:1,0,0::\n",
            "line 2: label 'bus' or its colour stands in it twice",
        ),
        ("LA", LABELMAP, "is of mode LA"),
    ],
)
def test_damaged_voc_trees_are_named(tmp_path, mode, labelmap, problem):
    with pytest.raises(DataError, match=problem):
        import_labels(voc(tmp_path / "voc", mode, labelmap), tmp_path / "out")


def test_a_voc_file_that_is_no_picture_is_named(tmp_path):
    root = voc(tmp_path / "voc", "RGB")
    (root / "SegmentationClass" / "b.png").write_bytes(b"no")
    with pytest.raises(DataError, match=r"b.png cannot be decoded"):
        import_labels(root, tmp_path / "out")


# --- Label Studio -------------------------------------------------------------------------------


def per_cent(points: list) -> list:
    return [[100 * x / SIZE[1], 100 * y / SIZE[0]] for x, y in points]


def test_label_studio_areas_lie_in_their_order(tmp_path):
    tasks = [
        studio(
            stroke("road", area(np.s_[4:], np.s_[:])),
            result("polygonlabels", "car", "r2", points=per_cent(BOX), closed=True),
            result("rectanglelabels", "sky", "r3", x=0, y=0, width=50, height=12.5, rotation=0),
            result("ellipselabels", "sun", "r4", x=75, y=50, radiusX=100 / 6, radiusY=25),
            result("rectanglelabels", "bus", "5", x=25, y=75, width=16.7, height=12.5, rotation=90),
            result("keypointlabels", "nose", "r6", x=1, y=1, width=0.5),
            {"type": "choices", "value": {"choices": ["good"]}, "id": "r7", "to_name": "image"},
        )
    ]  # fmt: skip
    page = import_labels(write(tmp_path / "export.json", tasks), tmp_path / "out")
    assert legend(tmp_path / "out") == ["bus", "car", "road", "sky", "sun"]
    label = label_of(tmp_path / "out")
    assert (label[INNER] == 1).all() and (label[0, :6] == 3).all() and label[7, 0] == 2
    y, x = np.mgrid[:8, :12] + 0.5
    assert (label[((x - 9) / 2) ** 2 + ((y - 4) / 2) ** 2 < 0.8] == 4).all()
    assert np.array_equal(label == 0, area(np.s_[6:], np.s_[2:3]))  # turned about its corner
    assert page.facts["notes"] == ["left out: keypointlabels (1)"]


def test_a_brush_and_its_label_may_be_two_results(tmp_path):
    inner, code = INNER, stroke(None, INNER, "x")["value"]["rle"]
    tasks = [
        studio(
            result("brush", None, "x", format="rle", rle=code),
            result("labels", "car", "x", format="rle", rle=code),
            stroke(None, area(np.s_[7:], np.s_[:]), "y"),
        )
    ]
    page = import_labels(write(tmp_path / "e.json", tasks), tmp_path / "out", background="rest")
    wanted = np.zeros(SIZE, np.uint8)
    wanted[inner], wanted[7:] = 1, 255
    assert np.array_equal(label_of(tmp_path / "out"), wanted)
    assert page.facts["notes"] == ["left out: area without a label: its pixels are ignored (1)"]


def test_label_studios_short_form_is_read(tmp_path):
    areas = [
        stroke("car", INNER)["value"] | {"original_width": SIZE[1], "original_height": SIZE[0]}
    ]
    tasks = [{"image": "/data/upload/2/0a1b2c3d-a.jpg", "id": 4, "tag": areas, "annotator": 1,
              "annotation_id": 5, "lead_time": 2.5}]  # fmt: skip
    source = write(tmp_path / "min.json", tasks)
    assert recognise(source) == "labelstudio"
    import_labels(source, tmp_path / "out")
    assert np.array_equal(label_of(tmp_path / "out"), expected((INNER, 0)))


def test_of_several_annotations_one_counts(tmp_path):
    def done(label: str, day: int, **more: object) -> dict:
        entry = {"result": [stroke(label, INNER)], "updated_at": f"2023-01-0{day}T00:00:00Z"}
        return entry | {"was_cancelled": False, "ground_truth": False} | more

    tasks = [
        studio(annotations=[done("new", 3), done("old", 1), done("no", 9, was_cancelled=True)]),
        studio(annotations=[done("true", 1, ground_truth=True), done("new", 5)], image="b.jpg"),
        studio(annotations=[], predictions=[done("guess", 1)], image="c.jpg"),
    ]
    page = import_labels(write(tmp_path / "e.json", tasks), tmp_path / "out")
    assert legend(tmp_path / "out") == ["new", "true"]
    assert [label_of(tmp_path / "out", name)[2, 3] for name in ("a.png", "b.png")] == [0, 1]
    assert not (tmp_path / "out" / "c.png").exists()
    assert page.facts["notes"] == [
        "1 tasks have several annotations: one was taken",
        "1 images not annotated yet, left out: c.jpg",
    ]


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("/data/upload/1/0a1b2c3d-a.jpg", "a"),
        ("/data/upload/1/0a1b2c3d-gr%C3%B6%C3%9Fe.jpg", "größe"),
        ("/data/local-files/?d=night/images/b%201.png", "night/images/b 1"),
        ("s3://bucket/some/folder/c.jpg", "c"),
        ("https://host/x/d.png?token=1", "d"),
        ("sub/e.jpg", "sub/e"),
    ],
)
def test_label_studios_addresses_become_names(tmp_path, address, name):
    tasks = [studio(stroke("car", INNER), image=address)]
    import_labels(write(tmp_path / "e.json", tasks), tmp_path / "out")
    assert label_of(tmp_path / "out", f"{name}.png").shape == SIZE


@pytest.mark.parametrize(
    ("task", "problem"),
    [
        (studio(stroke("car", INNER) | {"image_rotation": 90}), "turned in Label Studio"),
        (studio(stroke("car", INNER) | {"original_width": 13}), "of 384 values; 13x8 RGBA pixels"),
        (studio(result("brushlabels", "car", rle=[1, 2, 3])), "ends in the middle"),
        (studio(result("brushlabels", "car", rle=[300])), "no list of bytes"),
        (studio(result("polygonlabels", "car", points=[[1, 2]])), "3 or more points"),
        (studio(stroke("car", INNER), result("rectanglelabels", "car", x=1, y=1, width=1, height=1)
                | {"original_width": 5}), "images of several sizes"),
        (studio(stroke("car", INNER), image=5), "names no image"),
    ],
)  # fmt: skip
def test_damaged_label_studio_tasks_are_named(tmp_path, task, problem):
    with pytest.raises(DataError, match=problem) as said:
        import_labels(write(tmp_path / "e.json", [task]), tmp_path / "out")
    assert "task 1" in str(said.value) and not (tmp_path / "out").exists()
