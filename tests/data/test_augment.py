import numpy as np
import pytest
import torch

from tpld.config import Jitter
from tpld.data import augment
from tpld.data.normalise import MEAN, STD, normalise

NONE = Jitter()
GREY = np.array([40, 130, 220], np.uint8)


def read_off(image: torch.Tensor) -> np.ndarray:
    """Grey value (h, w) of a normalised crop whose image holds one grey value a pixel."""
    mean, std = torch.tensor(MEAN)[:, None, None], torch.tensor(STD)[:, None, None]
    return ((image * std + mean) * 255)[0].numpy()


def blocks(height: int, width: int, side: int, seed: int) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 3, (height // side, width // side), np.uint8)
    return np.kron(coarse, np.ones((side, side), np.uint8))


def draw(label: np.ndarray, crop, scale, rng):
    """Crop a label and the image that encodes it, as the data sets do."""
    image = np.stack([GREY[label]] * 3, axis=-1)
    size = augment.window_size(label.shape, crop, scale)
    origin = augment.random_origin(label.shape, size, rng)
    geo = augment.geometry(origin, size, crop, scale, bool(rng.integers(2)))
    pixels = augment.crop_image(image[geo.window], geo, crop, NONE, rng)
    mask, inside = augment.crop_label(label[geo.window], geo, crop, 255)
    one_hot = np.eye(3, dtype=np.float32)[label].transpose(2, 0, 1)
    planes = augment.crop_map(one_hot[:, *geo.window], geo, crop)
    return geo, pixels, mask, inside, planes


@pytest.mark.parametrize("scale", [0.5, 0.7, 1.0, 1.3, 1.5, 2.0])
@pytest.mark.parametrize("crop", [(40, 56), (128, 160)])
def test_image_label_and_map_stay_aligned(scale, crop):
    """Under scale, mirror and padding (the second crop is larger than the image)."""
    wrong = total = 0
    mirrors, paddings = set(), set()
    for seed in range(8):
        rng = np.random.default_rng(seed)
        label = blocks(96, 128, 16, seed)
        geo, image, mask, inside, planes = draw(label, crop, scale, rng)
        mirrors.add(geo.mirror)
        paddings.add(bool((~inside).any()))
        assert image.shape == (3, *crop)
        assert image.dtype == torch.float32
        assert mask.shape == inside.shape == crop
        assert mask.dtype == torch.int64
        assert inside.dtype == torch.bool
        seen = np.abs(read_off(image)[..., None] - GREY.astype(float)).argmin(-1)
        wrong += int((seen != mask.numpy())[inside].sum())
        total += int(inside.sum())
        # The soft map is brought along by the same nearest neighbour as the label.
        assert torch.equal(planes.argmax(0)[inside], mask[inside])
        assert torch.equal(planes.sum(0), inside.float())
        assert (mask[~inside] == 255).all()
        assert (mask[inside] < 3).all()
    assert mirrors == {True, False}
    if crop == (128, 160):
        assert paddings == ({True} if scale <= 1.0 else paddings)
    # Only pixels that straddle two blocks can differ: resized images blend there.
    assert wrong <= (0 if scale == 1.0 else 0.12) * total


def test_a_shift_by_one_pixel_would_be_seen():
    """The alignment test above is not blind: at scale 1 it allows no pixel at all."""
    label = blocks(96, 128, 16, 0)
    _, image, mask, _, _ = draw(label, (40, 56), 1.0, np.random.default_rng(0))
    seen = np.abs(read_off(image)[..., None] - GREY.astype(float)).argmin(-1)
    assert (seen[:, 1:] != mask.numpy()[:, :-1]).any()


@pytest.mark.parametrize("mirror", [False, True])
def test_numbers_worked_by_hand(mirror):
    label = np.array([[0, 1, 2], [2, 0, 1]], np.uint8)
    geo = augment.geometry((0, 0), (2, 3), (3, 5), 1.0, mirror)
    mask, inside = augment.crop_label(label, geo, (3, 5), 255)
    rows = [[2, 1, 0], [1, 0, 2]] if mirror else [[0, 1, 2], [2, 0, 1]]
    assert mask.tolist() == [[*row, 255, 255] for row in rows] + [[255] * 5]
    assert inside.tolist() == [[True] * 3 + [False] * 2] * 2 + [[False] * 5]
    image = augment.crop_image(
        np.full((2, 3, 3), 255, np.uint8), geo, (3, 5), NONE, np.random.default_rng(0)
    )
    white = normalise(torch.full((3, 1, 1), 255, dtype=torch.uint8))
    assert torch.equal(image[:, :2, :3], white.expand(3, 2, 3))
    assert not image[:, 2:].any()  # the mean colour
    assert not image[:, :, 3:].any()


def test_doubling_repeats_each_label():
    label = np.array([[0, 1], [2, 0]], np.uint8)
    geo = augment.geometry((0, 0), (2, 2), (4, 4), 2.0, False)
    mask, inside = augment.crop_label(label, geo, (4, 4), 255)
    assert mask.tolist() == [[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 0, 0], [2, 2, 0, 0]]
    assert inside.all()


def test_the_window_of_a_geometry():
    geo = augment.geometry((3, 5), (10, 20), (40, 40), 2.0, False)
    assert geo.window == (slice(3, 13), slice(5, 25))
    assert (geo.out_height, geo.out_width) == (20, 40)


def test_window_size():
    assert augment.window_size((1000, 1000), (500, 400), 0.5) == (1000, 800)
    assert augment.window_size((1000, 1000), (500, 400), 2.0) == (250, 200)
    assert augment.window_size((300, 1000), (500, 400), 1.0) == (300, 400)
    assert augment.window_size((8, 8), (1, 1), 1.5) == (1, 1)


def test_origins_reach_every_place_and_none_outside():
    rng = np.random.default_rng(0)
    seen = {augment.random_origin((4, 6), (3, 4), rng) for _ in range(200)}
    assert seen == {(y, x) for y in range(2) for x in range(3)}


@pytest.mark.parametrize(
    ("bounds", "grid"),
    [
        ((0.5, 1.5), [0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5]),
        ((0.7, 1.0), [0.7, 0.8, 0.9, 1.0]),
        ((1.0, 1.0), [1.0]),
    ],
)
def test_scales_are_drawn_from_a_grid_of_tenths_with_both_ends(bounds, grid):
    rng = np.random.default_rng(0)
    seen = sorted({round(augment.draw_scale(rng, bounds), 9) for _ in range(400)})
    assert seen == pytest.approx(grid)


ALL = Jitter(brightness=0.5, contrast=0.4, saturation=0.4, hue=0.1, gamma=0.8, blur=2.0, noise=0.05)
KEYS = list(Jitter.model_fields)


@pytest.fixture()
def picture() -> torch.Tensor:
    pixels = np.random.default_rng(0).integers(30, 200, (3, 24, 20), np.uint8)
    return torch.from_numpy(pixels)


def test_jitter_keeps_type_and_shape_and_follows_the_generator(picture):
    before = picture.clone()
    first = augment.photometric(picture, ALL, np.random.default_rng(1))
    again = augment.photometric(picture, ALL, np.random.default_rng(1))
    other = augment.photometric(picture, ALL, np.random.default_rng(2))
    assert first.dtype == torch.uint8
    assert first.shape == picture.shape
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(picture, before), "the picture itself must not change"


@pytest.mark.parametrize("key", KEYS)
def test_each_key_of_the_jitter_does_something(picture, key):
    value = {"hue": 0.2, "blur": 3.0, "noise": 0.1}.get(key, 0.8)
    changed = augment.photometric(picture, Jitter(**{key: value}), np.random.default_rng(1))
    assert changed.dtype == torch.uint8
    assert changed.shape == picture.shape
    assert not torch.equal(changed, picture)


def test_no_jitter_draws_nothing_and_changes_nothing(picture):
    rng = np.random.default_rng(1)
    assert torch.equal(augment.photometric(picture, NONE, rng), picture)
    assert rng.random() == np.random.default_rng(1).random()


def test_brightness_never_turns_negative(picture):
    bright = Jitter(brightness=3.0)
    for seed in range(20):
        augment.photometric(picture, bright, np.random.default_rng(seed))


def test_noise_has_the_spread_it_names():
    grey = torch.full((3, 64, 64), 128, dtype=torch.uint8)
    rng = np.random.default_rng(5)
    drawn = np.random.default_rng(5).uniform(0, 0.1) * 255
    noisy = augment.photometric(grey, Jitter(noise=0.1), rng).float()
    assert noisy.std().item() == pytest.approx(drawn, rel=0.05)


def test_crops_follow_the_generator():
    label = blocks(96, 128, 16, 1)
    one = draw(label, (40, 56), 1.3, np.random.default_rng([1, 2, 3]))
    two = draw(label, (40, 56), 1.3, np.random.default_rng([1, 2, 3]))
    assert one[0] == two[0]
    assert torch.equal(one[1], two[1])


@pytest.mark.parametrize("bounds", [(0.7, 1.05), (0.5, 1.25), (0.5, 1.5)])
def test_scales_stay_within_their_bounds(bounds):
    rng = np.random.default_rng(0)
    seen = {round(augment.draw_scale(rng, bounds), 9) for _ in range(300)}
    assert min(seen) == bounds[0]
    assert max(seen) <= bounds[1]
