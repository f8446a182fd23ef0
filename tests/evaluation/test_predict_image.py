import numpy as np
import pytest
import torch
from torch import nn

from tpld.config import Compute, load_config
from tpld.runtime import resolve
from tpld.stages.evaluate import Protocol, predict_image, protocols


class Edges(nn.Module):
    """Three classes: 1 at the left edge, 2 wherever red is high, a constant for 0."""

    def forward(self, image):
        position = torch.arange(image.shape[-1]).float().expand_as(image[:, 0])
        return torch.stack(
            [torch.full_like(position, 0.5), 4 - 8 * position, 100 * image[:, 0]], dim=1
        )


@pytest.fixture()
def runtime():
    threads = torch.get_num_threads()
    yield resolve(Compute(device="cpu", precision="float32", threads=1))
    torch.set_num_threads(threads)


def test_the_mirror_view_is_mirrored_back_before_it_counts(runtime):
    image = np.zeros((4, 6, 3), np.uint8)
    image[1, 4] = 255
    alone = predict_image(Edges(), image, Protocol("", [1.0], False), runtime)
    assert alone.dtype == np.uint8
    assert alone.tolist() == [
        [1, 0, 0, 0, 0, 0],
        [1, 0, 0, 0, 2, 0],
        [1, 0, 0, 0, 0, 0],
        [1, 0, 0, 0, 0, 0],
    ]
    both = predict_image(Edges(), image, Protocol("", [1.0], True), runtime)
    # The edge holds in one view alone and is outvoted; the red pixel is where it is in both.
    assert both[1, 4] == 2
    assert (both == 2).sum() == 1
    assert (both != 1).all()


def test_scales_are_brought_back_to_the_image(runtime):
    image = np.zeros((8, 12, 3), np.uint8)
    image[:, 6:] = 255
    seen = predict_image(Edges(), image, Protocol("", [0.5, 1.0, 1.5], True), runtime)
    assert seen.shape == (8, 12)
    assert (seen[:, 7:] == 2).all()
    assert (seen[:, :5] != 2).all()


def test_protocols_carry_all_that_their_numbers_depend_on():
    base = {"source_training": {"batch_norm": "train"}}
    config = load_config({**base, "evaluation": {"scales": [0.9, 1.2], "mirror": True}})
    full, plain = protocols(config, single=False)
    assert full == ("scales 0.9, 1.2 + mirror", [0.9, 1.2], True)
    assert plain == ("scale 1", [1.0], False)
    assert protocols(config, single=True) == [plain]
    config = load_config({**base, "evaluation": {"scales": [1.0], "mirror": False}})
    assert protocols(config, single=False) == [plain]
