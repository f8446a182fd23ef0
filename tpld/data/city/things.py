"""People, bicycles, trees, poles and signs of the procedural city, as flat figures."""

from __future__ import annotations

import numpy as np

from tpld.data.city.canvas import Billboard, Canvas
from tpld.data.city.style import BICYCLE, PERSON, POLE, RGB, RIDER, SIGN, VEGETATION, Style

SKIN: tuple[RGB, ...] = ((0.90, 0.72, 0.60), (0.75, 0.55, 0.42), (0.50, 0.34, 0.25))
HAIR: tuple[RGB, ...] = ((0.14, 0.10, 0.08), (0.38, 0.24, 0.13), (0.72, 0.58, 0.33))
TROUSERS: tuple[RGB, ...] = ((0.16, 0.20, 0.34), (0.14, 0.14, 0.16), (0.45, 0.40, 0.33))


def pick(rng: np.random.Generator, colours: tuple[RGB, ...], spread: float = 0.06) -> RGB:
    """One of the colours, made a little lighter or darker."""
    red, green, blue = colours[int(rng.integers(len(colours)))]
    factor = 1.0 + float(rng.uniform(-spread, spread))
    return red * factor, green * factor, blue * factor


def shaded(colour: RGB, factor: float) -> RGB:
    """The colour times a factor."""
    return colour[0] * factor, colour[1] * factor, colour[2] * factor


def person(canvas: Canvas, rng: np.random.Generator, style: Style, x: float, z: float) -> None:
    """A pedestrian of 1.45 to 1.95 m who walks or stands."""
    _ground_shadow(canvas, x, z, 0.3, 1.1)
    figure = Billboard(canvas, x, z, PERSON)
    k = float(rng.uniform(0.83, 1.11))
    stride = float(rng.uniform(0.0, 0.24)) * k
    lean = float(rng.choice([-1.0, 1.0]))
    top = pick(rng, style.clothes)
    legs, shirt = figure.paint(pick(rng, TROUSERS)), figure.paint(top)
    sleeve, skin = figure.paint(shaded(top, 0.82)), figure.paint(pick(rng, SKIN))
    shoe, hair = figure.paint((0.12, 0.10, 0.10)), figure.paint(pick(rng, HAIR))
    for side in (-1.0, 1.0):
        foot = side * (0.07 * k + stride)
        figure.limb((side * 0.08 * k, 0.90 * k), (foot, 0.05), 0.17 * k, legs)
        figure.limb((foot - 0.05 * lean, 0.04), (foot + 0.12 * lean, 0.04), 0.09, shoe)
        hand = (side * (0.27 * k + 0.5 * stride), 0.86 * k)
        figure.limb((side * 0.21 * k, 1.42 * k), hand, 0.12 * k, sleeve)
        figure.disc(*hand, 0.05 * k, 0.06 * k, skin)
    hem = 0.55 if rng.random() < 0.3 else 0.84  # a coat or a jacket
    chest = [(-0.17, 1.48), (0.17, 1.48), (0.24, 1.38), (0.18, hem), (-0.18, hem), (-0.24, 1.38)]
    figure.poly([(a * k, b * k) for a, b in chest], shirt)
    if rng.random() < 0.35:
        bag = figure.paint(pick(rng, style.clothes))
        figure.poly([(a * k * lean, b * k) for a, b in _BAG], bag)
    figure.disc(0.0, 1.63 * k, 0.12 * k, 0.15 * k, hair)
    figure.disc(0.02 * lean * k, 1.59 * k, 0.095 * k, 0.115 * k, skin)


_BAG = ((0.20, 1.30), (0.36, 1.25), (0.36, 0.92), (0.20, 0.90))


def bicycle(
    canvas: Canvas, rng: np.random.Generator, style: Style, x: float, z: float, turn: float
) -> Billboard:
    """A bicycle; `turn` is the cosine of its heading: 1 from the side, 0.1 from behind."""
    _ground_shadow(canvas, x, z, 0.9 * turn + 0.15, 0.5)
    figure = Billboard(canvas, x, z, BICYCLE)
    tyre, spokes = figure.paint((0.07, 0.07, 0.08)), figure.paint((0.34, 0.34, 0.36), 0.3)
    frame, saddle = figure.paint(pick(rng, style.paints)), figure.paint((0.1, 0.1, 0.1))
    wide = max(turn, 0.14)
    for hub in (-0.52, 0.52):
        figure.disc(hub * turn, 0.35, 0.36 * wide, 0.36, tyre)
        figure.disc(hub * turn, 0.35, 0.27 * wide, 0.28, spokes)
    points = {"rear": (-0.52, 0.35), "crank": (-0.05, 0.30), "seat": (-0.20, 0.88)}
    points |= {"head": (0.36, 0.86), "front": (0.52, 0.35), "bar": (0.34, 1.04)}
    at = {name: (a * turn, b) for name, (a, b) in points.items()}
    pairs = ("rear crank", "crank seat", "seat rear", "crank head", "seat head", "head front")
    for pair in (*pairs, "head bar"):
        start, end = pair.split()
        figure.limb(at[start], at[end], 0.055, frame)
    span = 0.10 + 0.20 * (1.0 - turn)  # the handlebar is widest from behind
    figure.limb((at["bar"][0] - span, 1.05), (at["bar"][0] + span, 1.05), 0.05, saddle)
    figure.limb((at["seat"][0] - 0.12, 0.92), (at["seat"][0] + 0.12, 0.92), 0.07, saddle)
    return figure


def rider(canvas: Canvas, rng: np.random.Generator, style: Style, x: float, z: float) -> None:
    """A cyclist with a bicycle, seen from the side, at an angle or from behind."""
    turn = float(rng.choice([0.12, 0.45, 0.75, 1.0])) * float(rng.choice([-1.0, 1.0]))
    bicycle(canvas, rng, style, x, z, abs(turn))
    figure = Billboard(canvas, x, z, RIDER)
    top = pick(rng, style.clothes)
    shirt, legs = figure.paint(top), figure.paint(pick(rng, TROUSERS))
    sleeve, skin = figure.paint(shaded(top, 0.82)), figure.paint(pick(rng, SKIN))
    hat = figure.paint(pick(rng, style.paints) if rng.random() < 0.7 else pick(rng, HAIR))
    spread = 0.16 * (1.0 - abs(turn)) + 0.02
    for side, pedal in ((-1.0, 0.20), (1.0, 0.42)):
        knee = (0.22 * turn + side * spread, 0.55 + pedal / 2)
        figure.limb((-0.18 * turn + side * spread, 0.95), knee, 0.17, legs)
        figure.limb(knee, (0.0 + side * spread, pedal), 0.13, legs)
    half = 0.13 + 0.09 * (1.0 - abs(turn))
    hip, neck = -0.20 * turn, 0.16 * turn
    back = [(hip - half, 0.88), (hip + half, 0.88), (neck + half, 1.40), (neck, 1.52)]
    figure.poly([*back, (neck - half, 1.40)], shirt)
    for side in (-1.0, 1.0):
        grip = (0.36 * turn + side * (0.05 + spread), 1.06)
        figure.limb((neck + side * half * 0.9, 1.38), grip, 0.11, sleeve)
    figure.disc(neck * 1.4, 1.65, 0.105, 0.135, skin)
    figure.disc(neck * 1.4, 1.71, 0.13, 0.10, hat)


def tree(canvas: Canvas, rng: np.random.Generator, style: Style, x: float, z: float) -> None:
    """A broad-leaved tree of 4.5 to 8.5 m."""
    height = float(rng.uniform(4.5, 8.5))
    radius = height * float(rng.uniform(0.22, 0.32))
    _ground_shadow(canvas, x + 0.5 * radius, z, radius, radius)
    figure = Billboard(canvas, x, z, VEGETATION)
    if figure.outside(1.2 * radius):
        return
    bark = figure.paint((0.30, 0.23, 0.17), 0.2)
    figure.limb((0.0, -0.02), (0.0, height * 0.6), 0.05 * height, bark)
    figure.limb((0.0, height * 0.35), (0.4 * radius, height * 0.6), 0.02 * height, bark)
    _foliage(figure, rng, style, height * 0.66, radius, height * 0.34)


def bush(canvas: Canvas, rng: np.random.Generator, style: Style, x: float, z: float) -> None:
    """A shrub of about a metre."""
    figure = Billboard(canvas, x, z, VEGETATION)
    height = float(rng.uniform(0.7, 1.6))
    if figure.outside(height):
        return
    _foliage(figure, rng, style, height * 0.45, height * 0.75, height * 0.5)


def _foliage(
    figure: Billboard, rng: np.random.Generator, style: Style, y: float, rx: float, ry: float
) -> None:
    """Clusters of leaves around (0, y): dark ones first, sunlit ones above and to the left."""
    colour = pick(rng, style.leaves, 0.12)
    # Far crowns are a few pixels wide: fewer, larger clusters look the same and draw faster.
    count = int(np.clip(figure.scale * rx * 0.8, 4, 30))
    # Tone, cluster size, lift and least distance from the middle; the first makes a ragged rim.
    layers = ((0.7, 0.17, 0.0, 0.8), (0.62, 0.45, 0.0, 0.0))
    layers += ((0.92, 0.32, 0.10, 0.0), (1.22, 0.20, 0.24, 0.0))
    for tone, size, lift, least in layers:
        part = figure.paint(shaded(colour, tone), 0.34)
        angle = rng.uniform(0, 2 * np.pi, count)
        far = np.sqrt(rng.uniform(least, 1, count)) * (1.0 - 0.6 * size)
        grow = rng.uniform(0.7, 1.2, count) * size
        dx = (far * np.cos(angle) - 0.6 * lift) * rx
        dy = (far * np.sin(angle) + lift) * ry
        for a, b, g in zip(dx.tolist(), dy.tolist(), grow.tolist(), strict=True):
            figure.disc(a, y + b, g * rx, g * ry * 0.85, part)


def lamp_post(canvas: Canvas, rng: np.random.Generator, style: Style, x: float, z: float) -> None:
    """A street lamp whose arm reaches over the road."""
    figure = Billboard(canvas, x, z, POLE)
    height, reach = float(rng.uniform(5.5, 7.5)), -float(np.sign(x)) * 1.6
    tone = float(rng.uniform(0.3, 0.5))
    steel = figure.paint((tone, tone * 1.02, tone * 1.05))
    lamp = figure.paint((1.0, 0.90, 0.66), 0.0, style.glow)
    _ground_shadow(canvas, x + 1.0, z, 1.0, 0.12)
    figure.limb((0.0, 0.0), (0.0, height), 0.15, steel)
    figure.limb((0.0, 0.0), (0.0, 0.9), 0.26, steel)
    figure.limb((0.0, height - 0.05), (reach, height + 0.25), 0.12, steel)
    figure.limb((reach * 0.8, height + 0.2), (reach * 1.25, height + 0.28), 0.2, steel)
    figure.limb((reach * 0.85, height + 0.1), (reach * 1.2, height + 0.16), 0.1, lamp)


def traffic_sign(
    canvas: Canvas, rng: np.random.Generator, style: Style, x: float, z: float
) -> None:
    """A sign on a post: prohibition, warning, mandatory, information or priority."""
    del style  # signs are the same everywhere: that is their point
    post = Billboard(canvas, x, z, POLE)
    height = float(rng.uniform(2.3, 3.0))
    post.limb((0.0, 0.0), (0.0, height + 0.3), 0.12, post.paint((0.52, 0.53, 0.55)))
    plate = Billboard(canvas, x, z, SIGN)
    white, red = plate.paint((0.93, 0.93, 0.92), 0.03), plate.paint((0.80, 0.10, 0.10), 0.03)
    blue, ink = plate.paint((0.10, 0.28, 0.66), 0.03), plate.paint((0.12, 0.12, 0.12), 0.03)
    size, kind = float(rng.uniform(0.36, 0.48)), int(rng.integers(5))
    if kind == 0:
        plate.disc(0, height, size, size, red)
        plate.disc(0, height, size * 0.72, size * 0.72, white)
        plate.limb((-size * 0.3, height), (size * 0.3, height), size * 0.5, ink)
    elif kind == 1:
        plate.poly(_triangle(height, size * 1.2), red)
        plate.poly(_triangle(height, size * 0.75), white)
    elif kind == 2:
        plate.disc(0, height, size, size, blue)
        plate.limb((0, height - size * 0.6), (0, height + size * 0.6), size * 0.3, white)
    elif kind == 3:
        plate.limb((0, height - size), (0, height + size), size * 1.7, blue)
        plate.limb((0, height - size * 0.5), (0, height + size * 0.6), size * 0.8, white)
    else:
        yellow = plate.paint((0.95, 0.78, 0.12), 0.03)
        for reach, part in ((1.25, white), (0.95, yellow)):
            s = size * reach
            plate.poly([(0, height + s), (s, height), (0, height - s), (-s, height)], part)


def _triangle(y: float, size: float) -> list[tuple[float, float]]:
    """Upright triangle around (0, y)."""
    return [(0.0, y + size), (size * 0.9, y - size * 0.6), (-size * 0.9, y - size * 0.6)]


def _ground_shadow(canvas: Canvas, x: float, z: float, rx: float, rz: float) -> None:
    """An elliptic shadow on the ground."""
    angle = np.linspace(0.0, 2 * np.pi, 10, endpoint=False)
    canvas.shadow(np.stack([x + rx * np.cos(angle), z + rz * np.sin(angle)], axis=-1), 70)
