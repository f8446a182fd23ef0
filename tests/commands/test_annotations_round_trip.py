"""Label maps -> a store -> a tool's file -> label files: the same pixels, names and sizes."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from typer.testing import CliRunner

from tests.commands.annotation_files import write
from tpld.cli import app
from tpld.commands.export_annotations import FILES, export_annotations
from tpld.commands.export_labels import export_labels
from tpld.commands.import_labels import import_labels
from tpld.data.annotations import brush, labelstudio, recognise
from tpld.data.annotations.coco import runs_of_text
from tpld.data.annotations.draw import from_runs, runs_of
from tpld.errors import ConfigError, DataError
from tpld.stores.labels import new_labels

CLASSES = ["road", "Fußgänger", "车 & <Auto>", 'sign "stop"']
TOOLS = list(FILES)


def label_maps() -> dict[str, np.ndarray]:
    """Names of images, and maps of the cases that codes of masks get wrong."""
    rng = np.random.default_rng(7)
    dots = np.full((9, 7), 255, np.uint8)
    dots[[0, 0, 8, 8, 4], [0, 6, 0, 6, 3]] = [0, 1, 2, 3, 2]
    ring = np.full((12, 15), 255, np.uint8)
    ring[2:10, 3:12] = 1
    ring[4:7, 5:9] = 255
    ring[5, 6] = 0
    return {
        "a.png": rng.integers(0, 4, (31, 17)).astype(np.uint8),
        "b.JPG": rng.choice([0, 2, 255], (40, 64)).astype(np.uint8),
        "dots.png": dots,
        "ring.png": ring,
        "void.png": np.full((5, 8), 255, np.uint8),
        "full.png": np.full((6, 11), 3, np.uint8),
        "one.png": np.zeros((1, 1), np.uint8),
        "row.png": np.array([[0, 0, 255, 1, 3, 3]], np.uint8),
        "column.png": np.array([[255], [1], [1], [2]], np.uint8),
        "größe/straße 5.png": rng.integers(0, 3, (20, 20)).astype(np.uint8),
        "sub/deeper/a.png": np.tile(np.uint8([[0, 1], [1, 0]]), (8, 9)),
        "100% #1 & more+.png": np.kron(np.eye(3, dtype=np.uint8), np.ones((4, 5), np.uint8)),
        "frame.001.png": np.full((3, 3), 2, np.uint8),
        "large.png": np.kron(rng.integers(0, 4, (3, 3)), np.ones((130, 170))).astype(np.uint8),
    }


def stem(name: str) -> str:
    return name.rpartition(".")[0]


def make_images(folder: Path, maps: dict[str, np.ndarray]) -> Path:
    for name, label in maps.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        form = "JPEG" if name.lower().endswith("jpg") else "PNG"
        Image.new("RGB", label.shape[::-1], (90, 90, 90)).save(folder / name, form)
    return folder


def make_store(path: Path, maps: dict[str, np.ndarray], classes: list[str]) -> Path:
    sizes = [label.shape for label in maps.values()]
    bars = np.zeros(len(classes))
    names = [stem(name) for name in maps]
    with new_labels(path, names, sizes, classes, bars, {0: "none"}, {"stage": "label"}) as writer:
        for i, label in enumerate(maps.values()):
            score = np.where(label == 0, 0.5, 2.0)
            writer.write(i, label=label, origin=np.zeros_like(label), score=score)
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[Path, Path]:
    """A store and the folder of its images."""
    root = tmp_path_factory.mktemp("made")
    maps = label_maps()
    return make_store(root / "labels.zarr", maps, CLASSES), make_images(root / "images", maps)


def read(folder: Path, name: str) -> np.ndarray:
    with Image.open(folder / f"{stem(name)}.png") as picture:
        assert picture.mode == "P"
        return np.asarray(picture)


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("with_images", [True, False])
def test_every_pixel_comes_back(made, tmp_path, tool, with_images):
    store, images = made
    export_annotations(store, tmp_path / tool, tool, images)
    assert recognise(tmp_path / tool) == tool
    assert recognise(tmp_path / tool / FILES[tool]) == tool
    wanted = label_maps()
    if tool == "labelstudio" and not with_images:
        # Its file has no size of an image without labels: there must be an image to ask.
        with pytest.raises(DataError, match=r"1 of 14 images:\n.*its size is not said. Give --im"):
            import_labels(tmp_path / tool, tmp_path / "back", names=CLASSES)
        return
    names = CLASSES if tool == "labelstudio" else None  # which has no list of them
    page = import_labels(
        tmp_path / tool, tmp_path / "back", names=names, images=images if with_images else None
    )
    for name, label in wanted.items():
        assert np.array_equal(read(tmp_path / "back", name), label), name
    assert len(list((tmp_path / "back").rglob("*.png"))) == len(wanted)
    assert page.tables["classes"]["class"].tolist() == CLASSES
    assert "1 images without any annotation, written as 255 alone: void.png" in page.facts["notes"]
    legend = (tmp_path / "back" / "classes.csv").read_text(encoding="utf-8")
    assert legend == (tmp_path / tool / "classes.csv").read_text(encoding="utf-8") or (
        tool == "labelstudio"  # its tasks do not have the colours
    )


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.integers(1, 9).flatmap(
        lambda height: st.integers(1, 9).flatmap(
            lambda width: arrays(np.uint8, (height, width), elements=st.sampled_from([0, 1, 255]))
        )
    ),
    st.sampled_from(TOOLS),
)
def test_any_small_map_comes_back(tmp_path_factory, label, tool):
    root = tmp_path_factory.mktemp("any")
    maps = {"x.png": label}
    images = make_images(root / "images", maps)
    store = make_store(root / "labels.zarr", maps, ["a", "b"])
    export_annotations(store, root / "out", tool, images)
    if tool == "labelstudio" and (label == 255).all():
        with pytest.raises(DataError, match="nothing has a label"):
            import_labels(root / "out", root / "back", images=images)
        return
    import_labels(root / "out", root / "back", names=["a", "b"], images=images)
    assert np.array_equal(read(root / "back", "x.png"), label)


@given(arrays(np.bool_, st.tuples(st.integers(1, 40), st.integers(1, 40))))
def test_codes_of_masks_are_inverse(mask):
    assert np.array_equal(brush.decode(brush.encode(mask), mask.shape), mask)
    assert np.array_equal(from_runs(runs_of(mask.ravel()), mask.shape, by_columns=False), mask)
    assert np.array_equal(from_runs(runs_of(mask.T.ravel()), mask.shape, by_columns=True), mask)


@given(arrays(np.bool_, st.tuples(st.integers(1, 90), st.integers(1, 90))))
def test_cocos_text_of_runs_is_taken_apart(mask):
    from pycocotools import mask as masks

    text = masks.encode(np.asfortranarray(mask, np.uint8))["counts"].decode()
    assert runs_of_text(text) == runs_of(mask.T.ravel()).tolist()


def test_cocos_text_of_long_runs_is_taken_apart():
    from pycocotools import mask as masks

    mask = np.zeros((700, 900), np.uint8, order="F")
    mask[:, 300:800], mask[5, 10], mask[:, 850] = 1, 1, 1
    assert runs_of_text(masks.encode(mask)["counts"].decode()) == runs_of(mask.T.ravel()).tolist()


def test_the_brush_is_label_studios_own():
    """Bytes that label-studio-converter 0.0.59's `mask2rle` gives; it ends with a byte more."""
    mask = np.zeros((3, 4), bool)
    mask[1, 1:3] = True
    theirs = [0, 0, 0, 48, 57, 27, 254, 19, 0, 159, 255, 9, 128, 0]
    ours = brush.encode(mask)
    assert ours == theirs[: len(ours)] and len(theirs) - len(ours) <= 1
    assert np.array_equal(brush.decode(theirs, (3, 4)), mask)


def test_a_run_of_more_than_16_bits_is_split():
    mask = np.ones((200, 300), bool)
    assert np.array_equal(brush.decode(brush.encode(mask), (200, 300)), mask)


def test_a_brush_of_single_values_is_read():
    """Label Studio's editor writes groups of different values, too: 0, then each of them."""
    values = [7, 7, 7, 255, 1, 2, 3, 0]
    bits = f"{len(values):032b}" + f"{7:05b}" + "".join(f"{n:04b}" for n in (2, 3, 7, 15))
    bits += "0" + "00" + f"{len(values) - 1:03b}" + "".join(f"{v:08b}" for v in values)
    bits += "0" * (-len(bits) % 8)
    code = [int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)]
    assert brush.decode(code, (1, 2)).tolist() == [[True, False]]


def test_pycocotools_finds_the_same_pixels(made, tmp_path):
    from pycocotools import coco

    store, images = made
    export_annotations(store, tmp_path, "coco", images)
    tree = coco.COCO(str(tmp_path / FILES["coco"]))
    by_name = {entry["file_name"]: entry["id"] for entry in tree.dataset["images"]}
    assert sorted(by_name) == sorted(label_maps())
    for name, label in label_maps().items():
        seen = np.full(label.shape, 255)
        for entry in tree.loadAnns(tree.getAnnIds([by_name[name]])):
            mask = tree.annToMask(entry).astype(bool)
            assert entry["area"] == mask.sum() and (seen[mask] == 255).all()
            left, top, width, height = (int(v) for v in entry["bbox"])
            assert mask[top : top + height, left : left + width].sum() == mask.sum()
            seen[mask] = entry["category_id"] - 1
        assert np.array_equal(seen, label), name
    assert [entry["name"] for entry in tree.loadCats(tree.getCatIds())] == CLASSES


def test_cvats_masks_are_cut_to_their_box(made, tmp_path):
    """As `cvat/apps/dataset_manager/formats/cvat.py` writes and reads them, written out by hand."""
    store, images = made
    export_annotations(store, tmp_path, "cvat", images)
    tree = ET.parse(tmp_path / FILES["cvat"]).getroot()
    image = next(e for e in tree.iter("image") if e.get("name") == "ring.png")
    assert (image.get("width"), image.get("height")) == ("15", "12")
    mask = next(e for e in image if e.get("label") == CLASSES[1])
    box = {key: mask.get(key) for key in ("left", "top", "width", "height")}
    assert box == {"left": "3", "top": "2", "width": "9", "height": "8"}
    assert mask.get("rle") == "0, 20, 4, 5, 4, 5, 4, 30" and mask.get("source") == "auto"


def test_label_studio_is_told_of_labels_and_images(made, tmp_path):
    store, images = made
    export_annotations(store, tmp_path, "labelstudio", images, "https://here/")
    config = ET.parse(tmp_path / labelstudio.CONFIG).getroot()
    assert [label.get("value") for label in config.iter("Label")] == CLASSES
    tasks = json.loads((tmp_path / FILES["labelstudio"]).read_text(encoding="utf-8"))
    brushes = config.find("BrushLabels")
    result = tasks[0]["predictions"][0]["result"][0]
    assert (result["from_name"], result["to_name"]) == (brushes.get("name"), brushes.get("toName"))
    addresses = [task["data"]["image"] for task in tasks]
    assert "https://here/100%25%20%231%20%26%20more%2B.png" in addresses


@pytest.mark.parametrize("tool", TOOLS)
def test_labels_come_in_the_size_of_the_image(tmp_path, tool):
    """The pipeline saw images resized; the tool shows them as they are, turned by EXIF."""
    label = np.uint8([[0, 1], [255, 0], [1, 1]])
    store = make_store(tmp_path / "labels.zarr", {"x.jpg": label}, ["a", "b"])
    turned = Image.new("RGB", (12, 8))
    exif = turned.getexif()
    exif[0x0112] = 6
    (tmp_path / "images").mkdir()
    turned.save(tmp_path / "images" / "x.jpg", exif=exif)
    page = export_annotations(store, tmp_path / "out", tool, tmp_path / "images")
    assert page.facts["brought to the size of the image"] == "1 of 1 label maps"
    page = import_labels(tmp_path / "out", tmp_path / "back", images=tmp_path / "images")
    wanted = np.kron(label, np.ones((4, 4), np.uint8))
    assert np.array_equal(read(tmp_path / "back", "x.jpg"), wanted)
    assert any("turned by EXIF" in note for note in page.facts["notes"])


def test_images_are_found_by_what_their_names_begin_with(tmp_path):
    label = np.zeros((2, 3), np.uint8)
    store = make_store(tmp_path / "labels.zarr", {"aachen/a_1.png": label}, ["a"])
    names = {"aachen/a_1_leftImg8bit.png": label, "aachen/a_10_leftImg8bit.png": label}
    make_images(tmp_path / "images", names)
    export_annotations(store, tmp_path / "out", "cvat", tmp_path / "images")
    tree = ET.parse(tmp_path / "out" / FILES["cvat"]).getroot()
    assert [e.get("name") for e in tree.iter("image")] == ["aachen/a_1_leftImg8bit.png"]


@pytest.mark.parametrize("tool", [*TOOLS, "index"])
def test_each_domain_is_exported_by_itself(tmp_path, tool):
    """Images of two domains have the same names: only the domain tells which file one is."""
    maps = {
        f"{d}/f{i}.png": np.full((4, 5), n, np.uint8) for n, d in enumerate("ab") for i in (1, 2)
    }
    maps |= {"b/c/f3.png": np.uint8([[0, 1]])}
    store = make_store(tmp_path / "labels.zarr", maps, ["road", "car"])
    write(tmp_path / "data" / "target_train" / "domains.json", {"a": {}, "b": {}})
    mine = {name.removeprefix("b/"): label for name, label in maps.items() if name[0] == "b"}
    images = make_images(tmp_path / "images", mine)
    if tool == "index":
        export_labels(store, tmp_path / "back", suffix=".png", domain="b")
    else:
        with pytest.raises(ConfigError, match="--domain, one of a, b"):
            export_annotations(store, tmp_path / "out", tool, images)
        with pytest.raises(ConfigError, match="Known here: a, b"):
            export_annotations(store, tmp_path / "out", tool, images, domain="c")
        export_annotations(store, tmp_path / "out", tool, images, domain="b")
        import_labels(tmp_path / "out", tmp_path / "back", names=["road", "car"], images=images)
    assert len(list((tmp_path / "back").rglob("*.png"))) == len(mine)
    for name, label in mine.items():
        assert np.array_equal(read(tmp_path / "back", name), label), name


def test_a_bar_for_the_score_leaves_labels_out(made, tmp_path):
    store, images = made
    export_annotations(store, tmp_path / "out", "cvat", images, min_score=1.0)
    import_labels(tmp_path / "out", tmp_path / "back")
    for name, label in label_maps().items():
        wanted = np.where(label == 0, 255, label)
        assert np.array_equal(read(tmp_path / "back", name), wanted)


@pytest.mark.parametrize("tool", TOOLS)
def test_export_says_what_is_missing_and_writes_nothing(made, tmp_path, tool):
    store, _ = made
    with pytest.raises(ConfigError, match="needs --images FOLDER"):
        export_annotations(store, tmp_path / "out", tool, None)
    make_images(tmp_path / "few", {"a.png": np.zeros((3, 3))})
    with pytest.raises(DataError, match=r"12 of 14 images of .* are not below"):
        export_annotations(store, tmp_path / "out", tool, tmp_path / "few")
    assert not (tmp_path / "out").exists()


def test_the_command_line_knows_all_of_it(made, tmp_path):
    store, images = made
    out = tmp_path / "out"
    run = CliRunner().invoke
    for tool in TOOLS:
        words = ["export-labels", store, out / tool, "--format", tool, "--images", images]
        done = run(app, list(map(str, words)))
        assert done.exit_code == 0, done.output
        words = ["import-labels", out / tool, out / f"{tool}-back", "--images", images, "--json"]
        done = run(app, list(map(str, words)))
        assert done.exit_code == 0, done.output
        assert json.loads(done.stdout)["format"] == tool
    for words in (["--suffix", "x.png"], ["--address", "x"]):
        done = run(app, ["export-labels", str(store), str(out), "--format", "cvat", *words])
        assert isinstance(done.exception, ConfigError) and "leave it out" in str(done.exception)
    done = run(app, ["export-labels", str(store), str(out), "--images", str(images)])
    assert isinstance(done.exception, ConfigError)
