"""The procedural city: determinism, labels, frequencies, the gap, and what is on disk."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tpld.data.city.draw import (
    CITY_CLASSES,
    IGNORE,
    SPLITS,
    Domain,
    render_scene,
    scene_seeds,
    write_city,
)

NAMES = [name for name, _ in CITY_CLASSES]
COUNTS = {"source_train": 2, "source_val": 1, "target_train": 2, "target_val": 1}
DOMAINS: tuple[Domain, ...] = ("source", "target")


@cache
def scenes(domain: Domain) -> tuple[np.ndarray, np.ndarray]:
    """Forty small scenes: images (40, 128, 256, 3) and labels (40, 128, 256)."""
    pairs = [render_scene(seed, domain, 128, 256) for seed in range(40)]
    return np.stack([image for image, _ in pairs]), np.stack([label for _, label in pairs])


def test_a_domain_that_nobody_reads_is_not_drawn(tmp_path: Path) -> None:
    only = COUNTS | {"target_train": 0, "target_val": 0}
    write_city(tmp_path / "both", seed=0, counts=COUNTS, height=64, width=128)
    write_city(tmp_path / "one", seed=0, counts=only, height=64, width=128)
    drawn = {path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.png")}
    assert len(drawn) == 6 and {path.parts[0] for path in drawn} == {"source"}
    for path in drawn:
        assert (tmp_path / "one" / path).read_bytes() == (tmp_path / "both" / path).read_bytes()


@pytest.mark.parametrize("domain", DOMAINS)
def test_same_arguments_give_the_same_bytes(domain: Domain) -> None:
    np.random.seed(1)  # noqa: NPY002  the global state must not matter
    image, label = render_scene(7, domain)
    np.random.seed(2)  # noqa: NPY002
    again, again_label = render_scene(7, domain)
    assert image.tobytes() == again.tobytes()
    assert label.tobytes() == again_label.tobytes()


def test_seeds_and_domains_give_different_scenes() -> None:
    labels = [render_scene(seed, domain, 64, 128)[1] for seed in (0, 1) for domain in DOMAINS]
    assert len({label.tobytes() for label in labels}) == 4


@pytest.mark.parametrize("size", [(256, 512), (64, 64), (90, 301), (300, 480)])
def test_shapes_types_and_values(size: tuple[int, int]) -> None:
    image, label = render_scene(3, "target", *size)
    assert image.shape == (*size, 3)
    assert label.shape == size
    assert image.dtype == label.dtype == np.uint8
    assert set(np.unique(label).tolist()) <= {*range(len(CITY_CLASSES)), IGNORE}


def test_class_list_is_unambiguous() -> None:
    assert len(CITY_CLASSES) >= 10
    assert len(set(NAMES)) == len({colour for _, colour in CITY_CLASSES}) == len(CITY_CLASSES)


@pytest.mark.parametrize("domain", DOMAINS)
def test_class_frequencies_are_those_of_a_street(domain: Domain) -> None:
    _, labels = scenes(domain)
    share = np.bincount(labels.ravel(), minlength=256) / labels.size
    present = [np.mean([np.any(label == k) for label in labels]) for k in range(len(NAMES))]
    assert min(present) >= 0.2, dict(zip(NAMES, present, strict=True))
    assert share.max() < 0.6
    assert np.sum(share[: len(NAMES)] < 0.01) >= 3
    assert {NAMES[k] for k in np.argsort(share)[-3:]} == {"road", "building", "vegetation"}
    assert share[IGNORE] < 0.08


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_scene_is_arranged_like_a_street(domain: Domain) -> None:
    _, labels = scenes(domain)
    row = np.arange(labels.shape[1])[None, :, None] * np.ones_like(labels)
    height = {k: row[labels == NAMES.index(k)].mean() for k in ("sky", "building", "car", "road")}
    assert height["sky"] < height["building"] < height["car"] < height["road"]


def test_label_edges_are_image_edges() -> None:
    image, label = render_scene(5, "source")
    step = np.abs(np.diff(image.astype(int).sum(axis=2), axis=1))
    edge = np.diff(label.astype(int), axis=1) != 0
    assert step[edge].mean() > 3 * step[~edge].mean()


def test_domains_differ_in_light_colour_geometry_and_content() -> None:
    (source, source_label), (target, target_label) = scenes("source"), scenes("target")
    assert 70 < target.mean() < source.mean() - 10  # darker, but far from black
    cast = [float(np.mean(x[..., 0]) - np.mean(x[..., 2])) for x in (source, target)]
    assert cast[1] > cast[0] + 2  # warmer light
    assert target.std() < source.std() - 5  # lower contrast
    first_row = [
        np.mean([np.flatnonzero((x == NAMES.index("road")).any(axis=1))[0] for x in labels])
        for labels in (source_label, target_label)
    ]
    assert first_row[1] < first_row[0] - 5  # the road begins higher up: pitch and camera height
    people = [np.mean(x == NAMES.index("person")) for x in (source_label, target_label)]
    cars = [np.mean(x == NAMES.index("car")) for x in (source_label, target_label)]
    assert people[1] > people[0]
    assert cars[1] < cars[0]


def test_splits_share_no_scene() -> None:
    seeds = scene_seeds(3, dict.fromkeys(SPLITS, 500))
    numbers = [n for block in seeds.values() for n in block]
    assert len(set(numbers)) == len(numbers) == 2000
    assert not set(numbers) & {
        n for b in scene_seeds(4, dict.fromkeys(SPLITS, 500)).values() for n in b
    }


def test_files_round_trip(tmp_path: Path) -> None:
    seen: list[int] = []
    root = tmp_path / "city"
    write_city(root, seed=1, counts=COUNTS, height=64, width=128, progress=seen.append)
    assert seen == [1, 2, 3, 4, 5, 6]
    assert [path.name for path in tmp_path.iterdir()] == ["city"]
    seeds = scene_seeds(1, COUNTS)
    for split in SPLITS:
        domain, part = split.split("_")
        stems = (root / domain / f"{part}.txt").read_text().split()
        assert len(stems) == COUNTS[split]
        for stem, seed in zip(stems, seeds[split], strict=True):
            expected = render_scene(seed, "source" if domain == "source" else "target", 64, 128)
            with Image.open(root / domain / "images" / f"{stem}.png") as image:
                assert image.mode == "RGB"
                np.testing.assert_array_equal(np.asarray(image), expected[0])
            with Image.open(root / domain / "labels" / f"{stem}.png") as label:
                assert label.mode == "P"
                np.testing.assert_array_equal(np.asarray(label), expected[1])
                palette = label.getpalette() or []
                assert tuple(palette[3:6]) == CITY_CLASSES[1][1]


@pytest.mark.parametrize(
    ("height", "width", "message"),
    [
        (8, 512, "height is 8 pixels; choose 64 to 4096"),
        (256, 9000, "width is 9000 pixels"),
        (256, 128, "256x128 .*choose a width from 256 to 1024"),
    ],
)
def test_silly_sizes_are_refused(tmp_path: Path, height: int, width: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        render_scene(0, "source", height, width)
    with pytest.raises(ValueError, match=message):
        write_city(tmp_path / "city", seed=0, counts=COUNTS, height=height, width=width)
    assert not list(tmp_path.iterdir())


def test_other_bad_arguments_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'mars'; use one of source, target"):
        render_scene(0, "mars")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="seed is -1"):
        render_scene(-1, "source")
    with pytest.raises(ValueError, match="give exactly source_train"):
        scene_seeds(0, {"source_train": 1})
    with pytest.raises(ValueError, match="target_val is -1; give 0 to"):
        scene_seeds(0, COUNTS | {"target_val": -1})
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FileExistsError, match="not an empty folder"):
        write_city(tmp_path, seed=0, counts=COUNTS, height=64, width=128)
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_an_interrupted_write_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    def stop(done: int) -> None:
        if done == 3:
            raise error

    with pytest.raises(error):
        write_city(tmp_path / "city", seed=0, counts=COUNTS, height=64, width=128, progress=stop)
    assert not list(tmp_path.iterdir())


def test_the_leftovers_of_a_killed_run_are_removed(tmp_path: Path) -> None:
    stale = tmp_path / ".city.partial" / "source" / "images"
    stale.mkdir(parents=True)
    (stale / "old.png").write_bytes(b"half")
    (tmp_path / "city").mkdir()  # Snakemake makes the folder of a directory() output
    write_city(tmp_path / "city", seed=0, counts=COUNTS, height=64, width=128)
    assert [path.name for path in tmp_path.iterdir()] == ["city"]
    assert not (tmp_path / "city" / "source" / "images" / "old.png").exists()


def test_several_processes_write_the_same_files(tmp_path: Path) -> None:
    for workers in (1, 2):
        root = tmp_path / str(workers)
        write_city(root, seed=0, counts=COUNTS, height=64, width=128, workers=workers)
    files = [sorted(p for p in (tmp_path / w).rglob("*") if p.is_file()) for w in ("1", "2")]
    assert [p.read_bytes() for p in files[0]] == [p.read_bytes() for p in files[1]]
    assert len(files[0]) == 2 * sum(COUNTS.values()) + 4
