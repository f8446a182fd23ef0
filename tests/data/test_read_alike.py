"""The check, the cache and `tpld predict` see the same pixels, and say once how they were read."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import Folders
from tests.data.image_files import write_png, write_tiff
from tests.data.test_decode import STORED, UPRIGHT, save_turned
from tpld.commands.predict_files import find_images
from tpld.commands.predict_run import Run, Wanted
from tpld.data.cache import Cache, write_cache
from tpld.data.decode import decode_image
from tpld.data.sources import class_table, folders_of, list_items
from tpld.errors import DataError
from tpld.models.card import Card
from tpld.stages.check import check_data

SIZE = STORED.shape[:2]


def odd_files(folder: Path) -> list[str]:
    """PNG files whose pixels could be taken in several ways; names without suffix."""
    deep = STORED.astype(np.uint16) * 257
    made = [f"turned{n}" for n in range(1, 9)]
    for number, name in enumerate(made, start=1):
        save_turned(folder / f"{name}.png", "PNG", number)
    write_png(folder / "deep.png", deep)
    write_png(folder / "grey16.png", deep[..., :1])
    write_png(folder / "clear.png", np.concatenate([STORED, STORED[..., :1]], -1))
    frames = [Image.fromarray(STORED), Image.fromarray(255 - STORED)]
    frames[0].save(folder / "frames.png", save_all=True, append_images=frames[1:])
    write_tiff(folder / "planes.png", STORED, photometric=2, planar=True)  # whatever its name says
    write_tiff(folder / "multiplied.png", deep.repeat(2, -1)[..., :4], photometric=2, extra=(1,))
    Image.fromarray(STORED).quantize(20).save(folder / "palette.png", transparency=3)
    return [*made, "deep", "grey16", "clear", "frames", "planes", "multiplied", "palette"]


@pytest.fixture()
def odd(empty_folders: Folders) -> Folders:
    """Such files as images of both domains, with labels of the upright image."""
    for domain in ("source", "target"):
        root = empty_folders.root / domain
        for name in odd_files(root / "images"):
            with Image.open(root / "images" / f"{name}.png") as picture:
                size = decode_image(Path(picture.filename)).shape[:2]
            Image.fromarray(np.full(size, 7, np.uint8)).save(root / "labels" / f"{name}.png")
    return empty_folders


@pytest.mark.parametrize("exif", [True, False])
@pytest.mark.parametrize("limit", [1.0, 0.0])
def test_training_sees_what_predict_sees(odd, tmp_path, limit, exif):
    odd.folder["source"]["exif"] = exif
    config = odd.config()
    items, folders = list_items(config, "source_train"), folders_of(config, "source_train")
    write_cache(tmp_path / "cache", items, ("images",), folders, limit)
    cache = Cache(tmp_path / "cache", class_table(config))
    found = find_images([odd.root / "source" / "images"])
    card = Card(config.model, ["a"], [0], np.zeros((1, 3), np.uint8), None, {})
    run = Run(found, tmp_path, card, np.zeros(1, np.uint8), Wanted())
    assert sorted(cache.names) == sorted(run.names)
    differ = 0
    for i, name in enumerate(cache.names):
        seen = run.read(run.names.index(name))
        assert seen is not None
        if name.startswith("turned"):
            orientation = int(name[-1])
            assert np.array_equal(seen, UPRIGHT[orientation](STORED))
            assert np.array_equal(cache.image(i), seen if exif else STORED)
            differ += not np.array_equal(seen, cache.image(i))
        else:
            assert np.array_equal(cache.image(i), seen)
    assert differ == (0 if exif else 7)
    assert not run.problems


def test_the_check_says_it_once_a_split(odd, tmp_path, caplog):
    odd.add("target", "plain", np.zeros(SIZE, np.uint8))  # the others are images of the source, too
    check_data(odd.config(), tmp_path / "check.csv")
    for split, count in (("source_train", 15), ("target_train", 16)):
        lines = [m for m in caplog.messages if m.startswith(split)]
        said = [line for line in lines if f" of {count} images " in line]
        assert len(said) == 4
        assert f"{split}: 7 of {count} images are turned as their EXIF orientation says" in said[0]
        assert "turned2.png)" in said[0]
        assert f"2 of {count} images have transparent pixels" in said[1]
        assert f"1 of {count} images are stored multiplied by their transparency" in said[2]
        assert f"1 of {count} images have further pages or frames" in said[3]
        assert sum("set `exif: false`" in line for line in lines) == 1


def test_masks_stored_unturned_are_named_as_such(odd, tmp_path, caplog):
    images, labels = odd.root / "source" / "images", odd.root / "source" / "labels"
    for path in labels.iterdir():
        Image.fromarray(np.full(SIZE, 7, np.uint8)).save(path)
    with pytest.raises(DataError) as caught:
        check_data(odd.config(), tmp_path / "check.csv")
    text = str(caught.value)
    assert text.startswith("4 files cannot be used:")
    for number in range(5, 9):
        assert f"{images}/turned{number}.png is 16x32 pixels" in text
        assert f"turned as its EXIF orientation {number} says, the label is not" in text
    with pytest.raises(DataError, match="EXIF orientation 5 says"):
        odd.cache("source_train")
    odd.folder["source"]["exif"] = False
    caplog.clear()
    check_data(odd.config(), tmp_path / "check.csv")
    assert not [m for m in caplog.messages if m.startswith("source_train") and "EXIF" in m]
