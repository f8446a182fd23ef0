"""The simulated night of benchmarks/night.py."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "night.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("night", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_night_is_dark_blue_noisy_and_the_same_each_time(script):
    grey = np.full((60, 80, 3), 180, np.uint8)
    seen = script.night(grey, 7)
    assert np.array_equal(seen, script.night(grey, 7))
    assert not np.array_equal(seen, script.night(grey, 8))
    red, green, blue = seen.reshape(-1, 3).mean(axis=0)
    assert red < green < blue < 180
    # By hand: 180 is 0.4564 of the light; times 0.35 * 0.9, in sRGB, 106.
    assert green == pytest.approx(106, abs=1)
    assert 1 < seen[..., 1].std() < 15


def test_copies_are_written_for_listed_images_alone(script, tmp_path):
    for name in ("a", "b"):
        Image.new("RGB", (8, 6), (90, 120, 200)).save(tmp_path / f"{name}.jpg")
    (tmp_path / "list.txt").write_text("a\n")
    script.main(tmp_path, tmp_path / "out", [tmp_path / "list.txt"], ".jpg")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.png"]
