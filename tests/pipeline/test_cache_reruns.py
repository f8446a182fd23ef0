"""A changed source file is checked again, and rebuilds the decoded images that hold it."""

import pytest
from PIL import Image

pytestmark = pytest.mark.pipeline


def test_a_changed_image_is_decoded_again(project):
    wanted = ["results/tiny/data/source_train", "results/tiny/data/target_train"]

    def ran() -> set[str]:
        output = project.snakemake(*wanted, overlay=project.overlay)
        return {split for split in ("source", "target") if f"decoding {split}_train" in output}

    assert ran() == {"source", "target"}
    assert ran() == set()
    folder = project.data / "target" / "images"
    Image.new("RGB", (64, 48), (10, 200, 90)).save(folder / "a.png")
    assert "target" in ran()
    pixels = (project.folder / wanted[1] / "images.bin").read_bytes()
    assert pixels[:3] == bytes((10, 200, 90))
