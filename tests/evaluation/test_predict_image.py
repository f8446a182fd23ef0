import numpy as np
import pytest
import torch
from torch import nn

from tpld.compute.runtime import resolve
from tpld.config import Compute, Protocol
from tpld.config.evaluation import CRST
from tpld.errors import TrainingError
from tpld.evaluation.protocols import name_of, stamp
from tpld.stages.evaluate import predict_image


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
    alone = predict_image(Edges(), image, Protocol(name="p"), runtime)
    assert alone.dtype == np.uint8
    assert alone.tolist() == [
        [1, 0, 0, 0, 0, 0],
        [1, 0, 0, 0, 2, 0],
        [1, 0, 0, 0, 0, 0],
        [1, 0, 0, 0, 0, 0],
    ]
    both = predict_image(Edges(), image, Protocol(name="p", mirror=True), runtime)
    # The edge holds in one view alone and is outvoted; the red pixel is where it is in both.
    assert both[1, 4] == 2
    assert (both == 2).sum() == 1
    assert (both != 1).all()


def test_scales_are_brought_back_to_the_image(runtime):
    image = np.zeros((8, 12, 3), np.uint8)
    image[:, 6:] = 255
    seen = predict_image(
        Edges(), image, Protocol(name="p", scales=[0.5, 1.0, 1.5], mirror=True), runtime
    )
    assert seen.shape == (8, 12)
    assert (seen[:, 7:] == 2).all()
    assert (seen[:, :5] != 2).all()


def test_a_sized_protocol_shrinks_the_image_and_scores_at_its_own_size(runtime):
    seen = []

    class Watched(Edges):
        def forward(self, image):
            seen.append(tuple(image.shape[-2:]))
            return super().forward(image)

    image = np.zeros((8, 12, 3), np.uint8)
    image[:, 6:] = 255
    single = Protocol(name="p", size=(4, 6))
    assert predict_image(Watched(), image, single, runtime).shape == (8, 12)
    scaled = Protocol(name="p", size=(4, 6), scales=[0.5, 2.0], mirror=True)
    assert predict_image(Watched(), image, scaled, runtime)[0, -1] == 2
    assert seen == [(4, 6), (2, 3), (8, 12)]


def test_a_stamp_carries_all_that_a_number_depends_on():
    city = [(1024, 2048)] * 3
    assert stamp(CRST, city, 19) == (
        "crst: scales 0.9, 1, 1.2 + mirror, scored at 1024x2048, 19 classes"
    )
    single = Protocol(name="single_512x1024", size=(512, 1024))
    assert stamp(single, city, 16) == (
        "single_512x1024: scale 1 of 512x1024, scored at 1024x2048, 16 classes"
    )
    assert stamp(single, [(4, 4), (4, 5)], 2).endswith("scored at 2 sizes of labels, 2 classes")
    assert name_of(stamp(single, city, 16)) == "single_512x1024"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_logits_that_are_not_finite_are_no_prediction(runtime, value):
    class Broken(Edges):
        def forward(self, image):
            logits = super().forward(image)
            logits[0, 1, 2, 3] = value
            return logits

    with pytest.raises(TrainingError, match="logits that are not finite"):
        predict_image(Broken(), np.zeros((4, 6, 3), np.uint8), Protocol(name="p"), runtime)
