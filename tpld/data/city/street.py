"""Plan of a street of the procedural city, and the placing of everything that stands in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from tpld.data.city.canvas import NEAR, Canvas
from tpld.data.city.style import BUILDING, CAR, FENCE, IGNORE, TRUCK, VEGETATION, Range, Style
from tpld.data.city.things import (
    bicycle,
    bush,
    lamp_post,
    person,
    pick,
    rider,
    shaded,
    traffic_sign,
    tree,
)
from tpld.data.city.vehicles import vehicle

FAR = 130.0
"""Length of the street in metres; a row of buildings closes it."""

LANE = 3.3
SLOT = 6.2  # metres of kerb a parked car takes
Job = tuple[float, Callable[[], None]]
Thing = Callable[[Canvas, np.random.Generator, Style, float, float], None]

FACADE_COLUMNS = (
    "across",  # 1: the wall faces the camera (z = plane), 0: it faces the street (x = plane)
    "plane",
    "start",
    "height",
    "floor",
    "pitch",
    "window_w",
    "window_h",
    "red",
    "green",
    "blue",
    "brick",
    "seed",
    "light",
    "shop",
)


@dataclass(frozen=True)
class Street:
    """Cross-section and crossing of a street, in metres; index 0 is left and 1 right."""

    road: Range  # x of both kerbs
    verge: Range  # width of the grass between kerb and pavement
    walk: Range  # width of the pavements
    lines: tuple[float, ...]  # x of the dashed lane lines
    crossing: Range  # z where a side street begins and ends; beyond FAR if there is none
    zebra: float  # z of a zebra crossing; beyond FAR if there is none
    parking: tuple[bool, bool]

    def plot(self, side: int) -> float:
        """Distance from the camera's line to the plots of a side (0 left, 1 right)."""
        return abs(self.road[side]) + self.verge[side] + self.walk[side]

    def blocked(self, start: float, end: float) -> bool:
        """Whether the stretch of z touches the side street with its pavements."""
        return end > self.crossing[0] - 3.0 and start < self.crossing[1] + 3.0


def plan_street(rng: np.random.Generator) -> Street:
    """Draw a street: one or two lanes each way, parking, verges, perhaps a side street."""
    parking = (bool(rng.random() < 0.7), bool(rng.random() < 0.7))
    oncoming = int(rng.integers(1, 3))
    right = LANE / 2 + (2.3 if parking[1] else 0.5)
    left = LANE / 2 + LANE * oncoming + (2.3 if parking[0] else 0.5)
    verge = [float(rng.uniform(1.2, 2.6)) if rng.random() < 0.45 else 0.0 for _ in range(2)]
    crossing, zebra = (10 * FAR, 10 * FAR), 10 * FAR
    if rng.random() < 0.55:
        start = float(rng.uniform(17, 60))
        crossing = (start, start + float(rng.uniform(7, 11)))
    if rng.random() < 0.6:
        zebra = crossing[0] - 4.5 if crossing[0] < FAR else float(rng.uniform(10, 35))
    return Street(
        road=(-left, right),
        verge=(verge[0], verge[1]),
        walk=(float(rng.uniform(2.6, 5.0)), float(rng.uniform(2.6, 5.0))),
        lines=tuple(-LANE / 2 - LANE * i for i in range(oncoming)),
        crossing=crossing,
        zebra=zebra,
        parking=parking,
    )


def furnish(canvas: Canvas, street: Street, style: Style, rng: np.random.Generator) -> np.ndarray:
    """Draw everything on the canvas, far things first.

    Returns the facade table, (facades, FACADE_COLUMNS) float32. A job's sorting distance is that
    of the thing, for a building its far end: what stands in front of a wall is nearer than that,
    what a building hides stands behind it.
    """
    facades: list[tuple[float, ...]] = []
    jobs: list[Job] = [(FAR + 1, partial(_street_end, canvas, facades, style, rng))]
    for side in range(2):
        jobs += _plots(canvas, facades, street, style, rng, side)
        jobs += _furniture(canvas, street, style, rng, side)
    jobs += _traffic(canvas, street, style, rng)
    jobs += _people(canvas, street, style, rng)
    for _, job in sorted(jobs, key=lambda entry: -entry[0]):
        job()
    _bonnet(canvas, style, rng)
    return np.asarray(facades, dtype=np.float32)


def _sign(side: int) -> float:
    """-1 for the left side, +1 for the right."""
    return -1.0 if side == 0 else 1.0


def _plots(
    canvas: Canvas,
    facades: list[tuple[float, ...]],
    street: Street,
    style: Style,
    rng: np.random.Generator,
    side: int,
) -> list[Job]:
    """Buildings, gardens with fences, and parks along one side."""
    jobs: list[Job] = []
    edge, z = street.plot(side), NEAR
    while z < FAR:
        end = z + float(rng.uniform(9, 24))
        if street.blocked(z, end):
            if street.crossing[0] - 3.0 - z > 6.0:
                end = street.crossing[0] - 3.0
            else:
                z = max(street.crossing[1] + 3.0, z + 1.0)
                continue
        flush, gap = rng.random() < style.flush, rng.random() < style.gap
        setback = 0.0 if flush else float(rng.uniform(2.5, 6.0))
        if not gap:
            wall = _sign(side) * (edge + setback)
            build = partial(_building, canvas, facades, style, rng, wall, (z, end))
            jobs.append((end, build))
        if gap or not flush:
            jobs += _garden(canvas, street, style, rng, side, (z, end), setback or 9.0)
        z = end + (0.0 if rng.random() < 0.6 else float(rng.uniform(1, 4)))
    return jobs


def _building(
    canvas: Canvas,
    facades: list[tuple[float, ...]],
    style: Style,
    rng: np.random.Generator,
    x: float,
    reach: Range,
) -> None:
    """A house with its wall to the street at x from z = reach[0] to reach[1]."""
    storeys = int(rng.integers(int(style.storeys[0]), int(style.storeys[1]) + 1))
    floor = float(rng.uniform(2.9, 3.6))
    height, out = storeys * floor + 0.8, float(np.sign(x))
    base = pick(rng, style.walls, 0.1)
    shared = (height, floor, float(rng.uniform(1.9, 3.4)), float(rng.uniform(0.4, 0.66)),
              float(rng.uniform(0.42, 0.62)), *base, float(rng.random() < 0.5),
              float(rng.integers(1, 4000)))  # fmt: skip
    shop = float(rng.random() < 0.35)
    # The sun stands to the left: walls on the right of the street are lit.
    light = 1.0 if out > 0 else 0.66
    far = x + out * 13.0
    gable = storeys <= 3 and rng.random() < style.gable
    if gable:
        _roof(canvas, rng, x, far, reach, height)
    corners = ((x, reach[0], far, reach[0]), (x, reach[0], x, reach[1]))
    for across, (x0, z0, x1, z1) in zip((1.0, 0.0), corners, strict=True):
        plane, start = (z0, min(x0, x1)) if across else (x, z0)
        face_light = 0.80 if across else light
        facades.append((across, plane, start, *shared, face_light, 0.0 if across else shop))
        wall = np.array([[x0, 0, z0], [x0, height, z0], [x1, height, z1], [x1, 0, z1]])
        part = canvas.part(base, BUILDING, z0, facade=len(facades) - 1)
        canvas.polygon(canvas.camera.project(wall), part)
    if out < 0:  # the shadow of the left row falls across the pavement
        width = min(0.32 * height, 6.0)
        corners = [(x, reach[0]), (x + width, reach[0]), (x + width, reach[1]), (x, reach[1])]
        canvas.shadow(np.array(corners), 90)


def _roof(
    canvas: Canvas, rng: np.random.Generator, x: float, far: float, reach: Range, height: float
) -> None:
    """A pitched roof whose ridge runs along the street."""
    tiles = pick(rng, ((0.55, 0.25, 0.18), (0.34, 0.30, 0.30), (0.44, 0.28, 0.22)), 0.1)
    ridge, top = (x + far) / 2, height + float(rng.uniform(2.0, 3.5))
    slope = [[x, height, reach[0]], [x, height, reach[1]], [ridge, top, reach[1]]]
    slope.append([ridge, top, reach[0]])
    end = [[x, height, reach[0]], [ridge, top, reach[0]], [far, height, reach[0]]]
    for points, tone in ((slope, 1.0), (end, 1.35)):
        part = canvas.part(shaded(tiles, tone), BUILDING, reach[0] + 4.0, 0.12)
        canvas.polygon(canvas.camera.project(np.array(points)), part)


def _street_end(
    canvas: Canvas, facades: list[tuple[float, ...]], style: Style, rng: np.random.Generator
) -> None:
    """What one sees at the end of the street: a skyline with trees in front of it."""
    if rng.random() < 0.6:
        x = -90.0
        while x < 90.0:
            width = float(rng.uniform(12, 30))
            _building(canvas, facades, style, rng, x, (FAR + 2, FAR + 2 + width))
            x += 13.0
    for x in rng.uniform(-70, 70, 12):
        tree(canvas, rng, style, float(x), FAR)


def _garden(
    canvas: Canvas,
    street: Street,
    style: Style,
    rng: np.random.Generator,
    side: int,
    reach: Range,
    depth: float,
) -> list[Job]:
    """Lawn with shrubs and trees, mostly behind a fence or a hedge."""
    jobs: list[Job] = []
    edge, out = street.plot(side), _sign(side)
    for z in rng.uniform(reach[0], reach[1], int(rng.integers(2, 5))):
        thing = tree if rng.random() < (0.35 if depth < 7 else 0.7) else bush
        x = out * (edge + float(rng.uniform(0.8, depth)))
        if z > 7.0:
            jobs.append((float(z), partial(thing, canvas, rng, style, x, float(z))))
    kind = rng.choice(["boards", "rails", "hedge", "open"], p=[0.40, 0.30, 0.15, 0.15])
    if kind == "open":
        return jobs
    tone = pick(rng, ((0.50, 0.38, 0.27), (0.72, 0.70, 0.66), (0.28, 0.30, 0.30)), 0.15)
    leaf = pick(rng, style.leaves, 0.1)
    height = float(rng.uniform(1.0, 1.9))
    for z in np.arange(reach[0], reach[1] - 0.1, 2.5):
        span = (float(z), min(float(z) + 2.5, reach[1]))
        if kind == "hedge":
            job = partial(_hedge, canvas, leaf, out * edge, span, height)
        else:
            job = partial(_fence, canvas, tone, kind == "rails", out * edge, span, height)
        jobs.append((span[0], job))
    return jobs


def _panel(x: float, span: Range, low: float, high: float) -> np.ndarray:
    """Corners (4, 3) of an upright rectangle along the street."""
    return np.array([[x, low, span[0]], [x, high, span[0]], [x, high, span[1]], [x, low, span[1]]])


def _hedge(canvas: Canvas, leaf: tuple, x: float, span: Range, height: float) -> None:
    """A stretch of clipped hedge."""
    for tone, low, high in ((0.65, 0.0, height), (1.0, 0.75 * height, height)):
        part = canvas.part(shaded(leaf, tone), VEGETATION, span[0], 0.3)
        canvas.polygon(canvas.camera.project(_panel(x, span, low, high)), part)


def _fence(canvas: Canvas, tone: tuple, rails: bool, x: float, span: Range, height: float) -> None:
    """A stretch of fence: boards with gaps, or rails on a low wall. Gaps count as fence."""
    project, far = canvas.camera.project, span[0] > 45.0
    wall = shaded((0.62, 0.60, 0.57), 0.8)
    back = canvas.part(shaded(tone, 0.55), FENCE, span[0], 0.08)
    bar, foot = canvas.part(tone, FENCE, span[0], 0.10), canvas.part(wall, FENCE, span[0], 0.12)
    canvas.polygon(project(_panel(x, span, 0.0, height)), back)
    step, width = (0.28, 0.08) if rails else (0.25, 0.19)
    starts = np.arange(span[0], span[0] if far else span[1], step)[:, None]
    bars = np.repeat(_panel(x, (0.0, width), 0.0, height * 0.97)[None], len(starts), axis=0)
    bars[..., 2] += starts
    for corners in project(bars):
        canvas.polygon(corners, bar)
    canvas.polygon(project(_panel(x, span, height * 0.9, height)), bar)
    if rails:
        canvas.polygon(project(_panel(x, span, 0.0, 0.4)), foot)


def _furniture(
    canvas: Canvas, street: Street, style: Style, rng: np.random.Generator, side: int
) -> list[Job]:
    """Lamps, signs, trees and parked bicycles along one pavement."""
    jobs: list[Job] = []
    out, kerb, edge = _sign(side), abs(street.road[side]), street.plot(side)

    def place(thing: Thing, offset: float, z: float) -> None:
        if not street.crossing[0] - 0.5 < z < street.crossing[1] + 0.5:
            jobs.append((z, partial(thing, canvas, rng, style, out * (kerb + offset), z)))

    z = float(rng.uniform(8, 22))
    spacing = float(rng.uniform(16, 26))
    while z < 90.0:
        place(lamp_post, 0.5, z)
        z += spacing
    for _ in range(int(rng.poisson(style.signs / 2))):
        place(traffic_sign, 0.45, float(rng.uniform(7.5, 32)))
    if rng.random() < 0.55:
        z, spacing = float(rng.uniform(10, 20)), float(rng.uniform(*style.tree_spacing))
        while z < FAR:
            place(tree, max(street.verge[side] / 2, 0.8), z + float(rng.uniform(-1, 1)))
            z += spacing
    for _ in range(int(rng.poisson(style.bicycles / 2))):
        z, row = float(rng.uniform(6.5, 20)), int(rng.integers(1, 4))
        for i in range(row):  # parked side by side, on the far edge of the pavement
            turn = float(rng.uniform(0.6, 1.0))
            parked = partial(_parked_bicycle, turn=turn)
            place(parked, edge - kerb - 0.7, z + 0.7 * i)
    return jobs


def _parked_bicycle(
    canvas: Canvas, rng: np.random.Generator, style: Style, x: float, z: float, turn: float
) -> None:
    """A bicycle without a rider."""
    bicycle(canvas, rng, style, x, z, turn)


def _traffic(canvas: Canvas, street: Street, style: Style, rng: np.random.Generator) -> list[Job]:
    """Parked and moving cars and trucks."""
    places: list[tuple[float, float, float, int]] = []
    for side in range(2):
        if street.parking[side]:
            x = street.road[side] - _sign(side) * 1.15
            for z in np.arange(rng.uniform(7, 12), 75, SLOT):
                free = street.blocked(z - 3, z + 3) or abs(z - street.zebra) < 5
                if not free and rng.random() < style.parked:
                    label = TRUCK if rng.random() < 0.05 * style.trucks else CAR
                    shift = 0.25 if label == TRUCK else 0.0
                    heading = 0.0 if side == 1 else np.pi
                    places.append((x - _sign(side) * shift, float(z), heading, label))
    lanes = [(0.0, 0.0)] + [(line - LANE / 2, np.pi) for line in street.lines]
    for label, mean in ((CAR, style.moving), (TRUCK, style.trucks)):
        for _ in range(int(rng.poisson(mean))):
            x, heading = lanes[int(rng.integers(len(lanes)))]
            z = float(rng.uniform(11, 60 if label == CAR else 42))
            lane = [place for place in places if abs(place[0] - x) < 2.0]
            if all(abs(place[1] - z) > 8.5 for place in lane):
                wobble = float(rng.normal(0, 0.03))
                places.append((x + float(rng.normal(0, 0.15)), z, heading + wobble, label))
    return [(z, partial(vehicle, canvas, rng, style, (x, z, heading), label))
            for x, z, heading, label in places]  # fmt: skip


def _people(canvas: Canvas, street: Street, style: Style, rng: np.random.Generator) -> list[Job]:
    """Pedestrians on pavements and zebra crossings, riders at the edge of the road."""
    jobs: list[Job] = []
    for _ in range(int(rng.poisson(style.persons))):
        z = float(rng.uniform(6.0, 42.0))
        side = int(rng.integers(2))
        start, end = abs(street.road[side]) + street.verge[side], street.plot(side)
        x = _sign(side) * float(rng.uniform(start + 0.3, end - 0.3))
        if street.zebra < 40 and rng.random() < 0.3:
            x, z = float(rng.uniform(*street.road)), street.zebra + float(rng.uniform(-1, 1))
        jobs.append((z, partial(person, canvas, rng, style, x, z)))
    for _ in range(int(rng.poisson(style.riders))):
        side, z = int(rng.integers(2)), float(rng.uniform(6.5, 30.0))
        inner = 3.0 if street.parking[side] else 0.8
        x = street.road[side] - _sign(side) * (inner + float(rng.uniform(-0.2, 0.3)))
        jobs.append((z, partial(rider, canvas, rng, style, x, z)))
    return jobs


def _bonnet(canvas: Canvas, style: Style, rng: np.random.Generator) -> None:
    """The ego car's bonnet at the lower edge, which no label names."""
    camera = canvas.camera
    rise = float(rng.uniform(*style.bonnet)) * camera.height
    share = np.linspace(-0.05, 1.05, 24)
    rows = camera.height - rise * np.clip(1.25 - 3.2 * (share - 0.5) ** 2, 0.0, 1.0)
    outline = np.stack([share * camera.width, rows], axis=-1)
    corners = np.array(
        [[1.05 * camera.width, camera.height], [-0.05 * camera.width, camera.height]]
    )
    part = canvas.part((0.20, 0.22, 0.26), IGNORE, NEAR, 0.02)
    canvas.polygon(np.concatenate([outline, corners + np.array([0.0, 2.0])]), part)
