"""From part numbers to colours: ground, walls, sky, haze, and what the camera adds.

Everything works on flat arrays of those pixels that need it, in float32, colours in 0..1.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from PIL import Image, ImageFilter

from tpld.data.city.canvas import BACKGROUND, COLUMNS, Camera, Canvas
from tpld.data.city.street import FACADE_COLUMNS, FAR, Street
from tpld.data.city.style import ROAD, SIDEWALK, SKY, TERRAIN, Style

TILE = 256
_F = {name: i for i, name in enumerate(FACADE_COLUMNS)}
_P = {name: i for i, name in enumerate(COLUMNS)}


@cache
def _tile(power: float) -> np.ndarray:
    """Periodic noise (TILE, TILE) in about -1..1 with a 1/f^power spectrum (0: white).

    The seed is fixed: scenes differ by where they read the tile, not by the tile.
    """
    rng = np.random.default_rng(20210)
    noise = np.fft.rfft2(rng.standard_normal((TILE, TILE)))
    frequency = np.hypot(np.fft.fftfreq(TILE)[:, None], np.fft.rfftfreq(TILE)[None, :])
    frequency[0, 0] = 1.0
    noise /= frequency**power
    noise[0, 0] = 0.0
    field = np.fft.irfft2(noise, s=(TILE, TILE))
    return np.clip(field / (2.0 * field.std()), -1.0, 1.0).astype(np.float32)


def _noise(power: float, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Noise at coordinates counted in texels, nearest texel."""
    rows, columns = a.astype(np.int32) & (TILE - 1), b.astype(np.int32) & (TILE - 1)
    return _tile(power)[rows, columns]


def _hash(a: np.ndarray, b: np.ndarray, seed: np.ndarray | int) -> np.ndarray:
    """A random number in 0..1 for each integer cell."""
    mixed = a.astype(np.int32) * 7919 + b.astype(np.int32) * 104729 + np.asarray(seed, np.int32)
    mixed = (mixed ^ (mixed >> 7)) * 31337
    return ((mixed >> 5) & 1023).astype(np.float32) / 1023.0


def shade(
    canvas: Canvas, facades: np.ndarray, street: Street, style: Style, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Image (H, W, 3) uint8 and label (H, W) uint8 of a furnished canvas."""
    camera = canvas.camera
    parts, sunlight, table = canvas.arrays()
    shape = parts.shape
    ids = parts.ravel()
    dx, dy = camera.rays()
    ray = (np.tile(dx, shape[0]), np.repeat(dy, shape[1]))
    _light(table[:, :3], style, np.float32(0.72), table[:, _P["glow"]])
    colour = table[ids, :3]
    label = table[ids, _P["label"]].astype(np.uint8)
    depth = table[ids, _P["depth"]]
    _texture(colour, table[ids, _P["rough"]], shape, camera, rng)
    empty = ids == BACKGROUND
    ground, sky = np.flatnonzero(empty & (ray[1] < 0)), np.flatnonzero(empty & (ray[1] >= 0))
    sun = sunlight.ravel()[ground].astype(np.float32) / 255.0
    _ground(colour, label, depth, ground, ray, (street, style, camera, sun))
    which = table[ids, _P["facade"]].astype(np.int32)
    wall = np.flatnonzero((which >= 0) & ~empty)
    _walls(colour, depth, wall, ray, (facades[which[wall]], style, camera))
    _haze(colour, depth, style, rng)
    _sky(colour, sky, ray, style, rng)
    label[sky] = SKY
    return _photograph(colour.reshape(*shape, 3), style, rng), label.reshape(shape)


def _texture(
    colour: np.ndarray,
    rough: np.ndarray,
    shape: tuple[int, ...],
    camera: Camera,
    rng: np.random.Generator,
) -> None:
    """Grain on drawn parts, in image coordinates."""
    shift = rng.integers(0, TILE, 2)
    rows = np.arange(shape[0])[:, None] * 512 // camera.width + shift[0]
    columns = np.arange(shape[1])[None, :] * 512 // camera.width + shift[1]
    grain = _tile(0.7)[rows & (TILE - 1), columns & (TILE - 1)].ravel()
    colour *= (1.0 + 1.5 * rough * grain)[:, None]


def _light(
    colour: np.ndarray, style: Style, sun: np.ndarray | np.float32, glow: np.ndarray
) -> None:
    """Multiply by ambient light and sun; what glows keeps its own colour."""
    lit = np.asarray(style.ambient, np.float32) + np.multiply.outer(
        sun, np.asarray(style.sun, np.float32)
    )
    colour *= lit + (1.15 - lit) * glow[:, None]


def _ground(
    colour: np.ndarray,
    label: np.ndarray,
    depth: np.ndarray,
    index: np.ndarray,
    ray: tuple[np.ndarray, np.ndarray],
    scene: tuple[Street, Style, Camera, np.ndarray],
) -> None:
    """Road, pavement and grass by intersecting the rays with the plane y = 0."""
    street, style, camera, sun = scene
    z = np.minimum(camera.eye / -ray[1][index], 1000.0)
    x = ray[0][index] * z
    side = (x > 0).astype(np.int32)
    beyond = np.abs(x) - np.abs(np.asarray(street.road, np.float32))[side]  # metres past the kerb
    verge = np.asarray(street.verge, np.float32)[side]
    walk = np.asarray(street.walk, np.float32)[side]
    across = np.maximum(street.crossing[0] - z, z - street.crossing[1])  # to the side street
    past = np.minimum(beyond, across)
    grass = (beyond > verge + walk) & (across > 3.0) | (beyond > 0.15) & (beyond < verge) & (
        across > 0.15
    )
    kinds = np.where(past <= 0, ROAD, np.where(grass, TERRAIN, SIDEWALK)).astype(np.uint8)
    surface = np.empty((len(z), 3), np.float32)
    for kind, paint in ((ROAD, _road), (SIDEWALK, _paving), (TERRAIN, _grass)):
        at = np.flatnonzero(kinds == kind)
        surface[at] = paint(x[at], z[at], beyond[at], across[at], street, style)
    _light(surface, style, sun, np.zeros_like(z))
    surface *= (0.88 + 0.12 * (sun > 0.1))[:, None]  # right under a car it is darker still
    colour[index], label[index], depth[index] = surface, kinds, z


def _near(z: np.ndarray, full: float, none: float) -> np.ndarray:
    """Weight of a detail: 1 up to the distance `full`, 0 from `none`. Keeps aliasing away."""
    return np.clip((none - z) / (none - full), 0.0, 1.0)


def _road(
    x: np.ndarray,
    z: np.ndarray,
    beyond: np.ndarray,
    across: np.ndarray,
    street: Street,
    style: Style,
) -> np.ndarray:
    """Asphalt with wheel tracks, patches and white markings, (N, 3)."""
    worn = 0.05 * np.cos(x * (4 * np.pi / 3.3)) + 0.14 * _noise(1.0, x * 6 + 40, z * 3)
    grain = 0.14 * _noise(0.0, x * 30, z * 30) * _near(z, 8.0, 40.0)
    patch = _hash(np.floor(x / 1.7), np.floor(z / 5.3), 11) < 0.09
    tone = 1.0 + worn + grain - 0.13 * patch
    plain = across > 0.3  # no markings on the side street
    mark = np.zeros(z.shape, dtype=bool)
    for i, line in enumerate(street.lines):
        # With two lanes to the left, the one between the directions is solid.
        drawn = (np.mod(z, 6.0) < 3.2) | (i == 0 and len(street.lines) > 1)
        mark |= (np.abs(x - line) < 0.075) & drawn & plain
    mark |= (np.abs(beyond + 0.3) < 0.06) & plain
    if street.zebra < FAR:
        mark |= (np.abs(z - street.zebra) < 1.6) & (np.mod(x, 1.0) < 0.5) & (beyond < -0.4)
    tone *= 1.0 - 0.3 * ((beyond > -0.18) & plain)  # the gutter
    asphalt = np.multiply.outer(tone, np.asarray(style.asphalt, np.float32))
    paint = (0.86 + 0.25 * worn)[:, None] * np.ones(3, np.float32)
    return np.where(mark[:, None], paint, asphalt).astype(np.float32)


def _paving(
    x: np.ndarray,
    z: np.ndarray,
    beyond: np.ndarray,
    across: np.ndarray,
    street: Street,
    style: Style,
) -> np.ndarray:
    """Slabs with joints behind a kerb of granite, (N, 3)."""
    del street
    past = np.minimum(beyond, across)
    sharp = _near(z, 9.0, 32.0)
    slab = 0.12 * (_hash(np.floor(x / 0.8), np.floor(z / 0.8), 5) - 0.5)
    joint = (np.mod(x, 0.8) < 0.06) | (np.mod(z, 0.8) < 0.09)
    tone = 1.0 + sharp * (slab - 0.22 * joint) + 0.10 * _noise(1.0, x * 8, z * 8)
    tone = np.where(past < 0.16, 1.16, np.where(past < 0.24, 0.72, tone))
    return np.multiply.outer(tone, np.asarray(style.paving, np.float32)).astype(np.float32)


def _grass(
    x: np.ndarray,
    z: np.ndarray,
    beyond: np.ndarray,
    across: np.ndarray,
    street: Street,
    style: Style,
) -> np.ndarray:
    """Lawn, (N, 3)."""
    del beyond, across, street
    tone = 1.0 + 0.22 * _noise(0.6, x * 20, z * 8) + 0.18 * _noise(1.2, x * 3 + 90, z * 3)
    return np.multiply.outer(tone, np.asarray(style.grass, np.float32)).astype(np.float32)


def _walls(
    colour: np.ndarray,
    depth: np.ndarray,
    index: np.ndarray,
    ray: tuple[np.ndarray, np.ndarray],
    scene: tuple[np.ndarray, Style, Camera],
) -> None:
    """Facades: rows of windows, shops, brick or plaster, in true perspective."""
    table, style, camera = scene
    column = {name: table[:, i] for name, i in _F.items()}
    dx, dy = ray[0][index], ray[1][index]
    slope = np.where(np.abs(dx) < 1e-4, np.float32(1e-4), dx)
    z = np.where(column["across"] > 0, column["plane"], column["plane"] / slope)
    z = np.clip(z, 1.0, 400.0)
    along = np.where(column["across"] > 0, dx * z, z) - column["start"]
    up = camera.eye + dy * z
    surface = table[:, _F["red"] : _F["blue"] + 1] * _plaster(along, up, z, column)[:, None]
    glow = _windows(surface, along, up, z, column, style)
    _light(surface, style, column["light"], glow)
    # Streets are darker near the ground, where less of the sky is seen.
    surface *= (0.78 + 0.22 * np.clip(up / 6.0, 0.0, 1.0))[:, None]
    colour[index], depth[index] = surface, z


def _plaster(
    along: np.ndarray, up: np.ndarray, z: np.ndarray, column: dict[str, np.ndarray]
) -> np.ndarray:
    """Brightness of the bare wall: brick courses, stains, plinth and cornice."""
    course = np.floor(up * 4.5)
    offset = np.mod(along * 2.0 + 0.5 * np.mod(course, 2.0), 1.0)
    joint = (np.mod(up * 4.5, 1.0) < 0.2) | (offset < 0.1)
    brick = column["brick"] * _near(z, 8.0, 30.0)
    tone = 1.0 - 0.16 * brick * joint + 0.10 * _noise(1.2, along * 4 + column["seed"], up * 4)
    tone += 0.05 * _noise(0.0, along * 24, up * 24) * _near(z, 8.0, 30.0)
    tone = np.where(up < 0.6, 0.78, tone)
    return np.where(up > column["height"] - 0.45, 1.14, tone)


def _windows(
    surface: np.ndarray,
    along: np.ndarray,
    up: np.ndarray,
    z: np.ndarray,
    column: dict[str, np.ndarray],
    style: Style,
) -> np.ndarray:
    """Paint windows, doors and shop fronts onto `surface`; returns what glows (N,)."""
    row, bay = np.floor(up / column["floor"]), np.floor(along / column["pitch"])
    fy = up / column["floor"] - row
    fx = np.abs(along / column["pitch"] - bay - 0.5)
    shop = (column["shop"] > 0) & (row < 1)
    half_w = np.where(shop, 0.44, column["window_w"] / 2)
    mid_y = np.where(shop, 0.42, 0.55)
    half_h = np.where(shop, 0.33, column["window_h"] / 2)
    fy = np.abs(fy - mid_y)
    inside = up < column["height"] - 0.7
    frame = (fx < half_w + 0.04) & (fy < half_h + 0.035) & inside
    pane = (fx < half_w) & (fy < half_h) & inside
    sharp = _near(z, 12.0, 40.0)
    bar = ((fx < 0.02) & ~shop).astype(np.float32) * sharp
    chance = _hash(bay, row, column["seed"].astype(np.int32))
    lit = pane & (chance < np.where(shop, 2.0, 1.0) * style.lit_windows)
    shine = 0.55 + 0.9 * chance * np.clip(1.2 - fy, 0.4, 1.0)  # what the pane mirrors
    glass = np.multiply.outer(shine, np.asarray((0.27, 0.33, 0.40), np.float32))
    warm = np.asarray((0.98, 0.82, 0.50), np.float32)
    np.copyto(surface, np.minimum(surface * 1.22, 0.95), where=frame[:, None])
    np.copyto(surface, glass, where=(pane & ~lit)[:, None])
    np.copyto(surface, warm, where=lit[:, None])
    surface *= (1.0 + pane * bar)[:, None]
    band = (column["shop"] > 0) & (row < 1) & (up / column["floor"] > 0.80)
    awning = _hash(np.floor(along / 6.0), row, column["seed"].astype(np.int32))
    tint = np.stack([0.25 + 0.5 * awning, 0.55 - 0.35 * awning, 0.30 + 0.2 * np.sin(9 * awning)], 1)
    np.copyto(surface, tint.astype(np.float32), where=band[:, None])
    return lit * np.float32(style.glow * 0.85)


def _haze(colour: np.ndarray, depth: np.ndarray, style: Style, rng: np.random.Generator) -> None:
    """Mix in the colour of the air, more with distance."""
    clear = np.exp(-depth / np.float32(rng.uniform(*style.visibility)))[:, None]
    haze = np.asarray(style.haze, np.float32)
    colour -= haze
    colour *= clear
    colour += haze


def _sky(
    colour: np.ndarray,
    index: np.ndarray,
    ray: tuple[np.ndarray, np.ndarray],
    style: Style,
    rng: np.random.Generator,
) -> None:
    """A gradient with clouds on a plane high above."""
    dx, dy = ray[0][index], ray[1][index]
    share = np.clip(dy / 0.42, 0.0, 1.0)[:, None] ** 0.7
    low, top = (np.asarray(c, np.float32) for c in (style.sky_low, style.sky_top))
    paint = low + (top - low) * share
    far = 190.0 / (dy + 0.22)
    shift = rng.integers(0, TILE, 2)
    density = _noise(1.7, far + shift[0], dx * far * 0.6 + shift[1])
    edge = 0.8 - 1.2 * rng.uniform(*style.cloudiness)
    cover = np.clip((density - edge) * 1.6, 0.0, 0.9)[:, None] * np.clip(dy / 0.06, 0, 1)[:, None]
    colour[index] = paint + (np.asarray(style.cloud, np.float32) - paint) * cover


def _photograph(colour: np.ndarray, style: Style, rng: np.random.Generator) -> np.ndarray:
    """Exposure, vignette, lens blur and sensor noise; (H, W, 3) float -> uint8."""
    height, width = colour.shape[:2]
    gain = np.asarray(style.gain, np.float32) * rng.uniform(0.97, 1.03, 3).astype(np.float32)
    contrast, brightness = rng.uniform(*style.contrast), rng.uniform(*style.brightness)
    rows, columns = np.linspace(-1, 1, height) ** 2, np.linspace(-1, 1, width) ** 2
    falloff = 1.0 - rng.uniform(*style.vignette) * (rows[:, None] * 0.6 + columns) / 1.6
    colour *= gain * np.float32(contrast)
    colour += np.float32(0.45 * (1.0 - contrast) + brightness)
    colour *= (255.0 * falloff).astype(np.float32)[..., None]
    image = Image.fromarray(np.clip(colour, 0.0, 255.0, out=colour).astype(np.uint8))
    # At other sizes the blur covers the same part of the scene.
    image = image.filter(ImageFilter.GaussianBlur(rng.uniform(*style.blur) * width / 512))
    # The sum of two uniform bytes is close to normal, and six times as fast to draw.
    drawn = rng.integers(0, 256, (2, height, width, 3), dtype=np.uint8)
    noise = np.add(drawn[0], drawn[1], dtype=np.float32)
    noise -= 255.0
    noise *= np.float32(rng.uniform(*style.noise) * np.sqrt(6.0))
    noise += np.asarray(image)
    noise += 0.5
    return np.clip(noise, 0.0, 255.0, out=noise).astype(np.uint8)
