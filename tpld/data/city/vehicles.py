"""Cars and trucks of the procedural city, as small solids drawn in true perspective."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from tpld.data.city.canvas import Canvas
from tpld.data.city.style import CAR, RGB, TRUCK, Style
from tpld.data.city.things import pick, shaded

Profile = tuple[tuple[float, float], ...]

# Side views as (z, y) in metres, front at +z. Convex, so that hiding back faces is enough.
_SEDAN: tuple[Profile, Profile] = (
    ((-2.15, 0.26), (-2.2, 0.6), (-2.1, 0.93), (1.0, 0.95), (2.05, 0.76), (2.15, 0.5), (2.1, 0.26)),
    ((-1.75, 0.92), (-1.2, 1.42), (0.1, 1.45), (1.0, 0.93)),
)
_HATCH: tuple[Profile, Profile] = (
    ((-1.9, 0.26), (-1.95, 0.6), (-1.9, 1.0), (1.0, 1.0), (1.75, 0.8), (1.9, 0.55), (1.85, 0.26)),
    ((-1.88, 0.98), (-1.6, 1.50), (0.2, 1.53), (1.1, 0.98)),
)
_SUV: tuple[Profile, Profile] = (
    ((-2.2, 0.32), (-2.25, 0.7), (-2.2, 1.1), (1.1, 1.1), (2.05, 0.98), (2.2, 0.6), (2.15, 0.32)),
    ((-2.15, 1.08), (-1.9, 1.70), (0.2, 1.74), (1.0, 1.08)),
)
_CAB: Profile = ((1.5, 0.45), (1.5, 2.55), (2.9, 2.55), (3.35, 1.5), (3.4, 0.45))
_CARGO: Profile = ((-3.6, 0.75), (-3.6, 3.05), (1.35, 3.05), (1.35, 0.75))


@dataclass(frozen=True)
class Face:
    """A flat piece of a vehicle in its own frame: points (N, 3), unit normal (3,), material."""

    points: np.ndarray
    normal: np.ndarray
    material: str


def _faces(profile: Profile, low: float, high: float, material: str) -> list[Face]:
    """Solid between x = -half and +half; the half width goes from `low` to `high` with y."""
    zy = np.asarray(profile)
    share = (zy[:, 1] - zy[:, 1].min()) / np.ptp(zy[:, 1])
    half = low + (high - low) * share
    sides = [np.stack([s * half, zy[:, 1], zy[:, 0]], axis=-1) for s in (-1.0, 1.0)]
    polygons = list(sides)
    for i in range(len(zy)):
        j = (i + 1) % len(zy)
        polygons.append(np.stack([sides[0][i], sides[0][j], sides[1][j], sides[1][i]]))
    middle = sides[0].mean(axis=0) * np.array([0.0, 1.0, 1.0])
    return [Face(p, _normal(p, middle), material) for p in polygons]


def _normal(points: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Unit normal of a flat polygon, pointing away from the point `inside`."""
    normal = np.cross(points[1] - points[0], points[2] - points[0])
    normal = normal / np.linalg.norm(normal)
    return normal if normal @ (points.mean(axis=0) - inside) > 0 else -normal


def _inset(face: Face, factor: float, material: str) -> Face:
    """A window: the face shrunk around its middle."""
    middle = face.points.mean(axis=0)
    return Face(middle + (face.points - middle) * factor, face.normal, material)


def _plate(x0: float, x1: float, y0: float, y1: float, z: float, material: str) -> Face:
    """Upright rectangle across the vehicle at z, facing away from its middle."""
    points = np.array([[x0, y0, z], [x1, y0, z], [x1, y1, z], [x0, y1, z]])
    return Face(points, np.array([0.0, 0.0, np.sign(z)]), material)


def _wheels(half: float, axles: tuple[float, ...], radius: float) -> list[Face]:
    """Tyres and hubs on both sides."""
    angle = np.linspace(0.0, 2 * np.pi, 12, endpoint=False)
    out = []
    for side in (-1.0, 1.0):
        normal = np.array([side, 0.0, 0.0])
        for axle in axles:
            for part, material in ((1.0, "tyre"), (0.58, "hub")):
                z = axle + part * radius * np.cos(angle)
                y = radius + part * radius * np.sin(angle)
                points = np.stack([np.full(12, side * half), y, z], axis=-1)
                out.append(Face(points, normal, material))
    return out


def _ends(length: tuple[float, float], half: float, low: float, high: float) -> list[Face]:
    """Lights, number plates and bumpers at the rear (length[0]) and the front (length[1])."""
    out = []
    for z, lamp in ((length[0] - 0.02, "tail"), (length[1] + 0.02, "head")):
        out.append(_plate(-half, half, low, low + 0.16, z, "dark"))
        out.append(_plate(-0.26, 0.26, low + 0.20, low + 0.32, z, "white"))
        for side in (-1.0, 1.0):
            edge = sorted((side * half * 0.62, side * half * 0.96))
            out.append(_plate(edge[0], edge[1], high - 0.2, high, z, lamp))
    return out


@cache
def _car(kind: int) -> tuple[tuple[Face, ...], ...]:
    """Layers of faces of a car, in drawing order."""
    body, cabin = (_SEDAN, _HATCH, _SUV)[kind]
    ends = (body[1][0], body[-2][0])
    low, high = body[0][1], 0.82 if kind < 2 else 0.98
    tyres = [_plate(s * 0.72 - 0.11, s * 0.72 + 0.11, 0.0, 0.4, e * 0.9, "tyre")
             for s in (-1.0, 1.0) for e in ends]  # fmt: skip
    shell = _faces(body, 0.88, 0.86, "paint")
    wheels = _wheels(0.89, (ends[0] * 0.62, ends[1] * 0.66), 0.33)
    top = _faces(cabin, 0.82, 0.66, "paint")
    # Of the cabin: 0 and 1 are the sides, 2 the rear, 3 the roof, 4 the windscreen, 5 the floor.
    glass = [_inset(top[i], 0.84, "glass") for i in (0, 1, 2, 4)]
    pillars = []
    for side in glass[:2]:
        x, low_y, high_y = side.points[:, 0], side.points[:, 1].min(), side.points[:, 1].max()
        post = np.array([[-0.5, low_y], [-0.38, low_y], [-0.42, high_y], [-0.5, high_y]])
        depth = np.array([x[0], x[0], x[1], x[1]])
        points = np.stack([depth, post[:, 1], post[:, 0]], axis=-1)
        pillars.append(Face(points, side.normal, "paint"))
    return (
        tuple(tyres),
        tuple(shell + _ends(ends, 0.84, low, high) + wheels),
        tuple(top[:5] + glass + pillars),
    )


@cache
def _truck() -> tuple[tuple[Face, ...], ...]:
    """Layers of faces of a box truck: chassis, cargo box, cab (the last two sorted later)."""
    chassis = _faces(((-3.5, 0.4), (-3.5, 0.78), (3.2, 0.78), (3.2, 0.4)), 0.95, 0.95, "dark")
    tyres = [_plate(s * 0.85 - 0.2, s * 0.85 + 0.2, 0.0, 0.8, z, "tyre")
             for s in (-1.0, 1.0) for z in (-3.0, 3.0)]  # fmt: skip
    wheels = _wheels(1.12, (-2.4, 2.4), 0.48)
    cargo = _faces(_CARGO, 1.18, 1.18, "cargo")
    stripe = [_inset(cargo[i], 0.55, "stripe") for i in (0, 1)]
    door = [_plate(-0.03, 0.03, 0.8, 3.0, -3.62, "dark"), *_ends((-3.6, 3.6), 1.1, 0.55, 0.98)[:4]]
    cab = _faces(_CAB, 1.08, 1.02, "paint")
    front = [_inset(cab[4], 0.82, "glass"), *_ends((-3.6, 3.4), 1.0, 0.45, 1.0)[4:]]
    window = np.array([[1.8, 1.5], [2.75, 1.5], [2.55, 2.25], [1.8, 2.25]])
    for i, side in ((0, -1.09), (1, 1.09)):
        points = np.stack([np.full(4, side), window[:, 1], window[:, 0]], axis=-1)
        front.append(Face(points, cab[i].normal, "glass"))
    return tuple(tyres + chassis), tuple(cargo + stripe + door), tuple(cab + front), tuple(wheels)


def vehicle(
    canvas: Canvas,
    rng: np.random.Generator,
    style: Style,
    place: tuple[float, float, float],
    label: int,
) -> None:
    """Draw a car or a truck at (x, z, heading); heading 0 drives away, in radians to the right."""
    x, z, heading = place
    layers = _truck() if label == TRUCK else _car(int(rng.integers(3)))
    materials = _materials(rng, style)
    turn = np.array(
        [[np.cos(heading), 0, np.sin(heading)], [0, 1, 0], [-np.sin(heading), 0, np.cos(heading)]]
    )
    _vehicle_shadow(canvas, x, z, turn, label)
    if label == TRUCK:  # the nearer of box and cab hides the other; wheels lie outside both
        chassis, cargo, cab, wheels = layers
        near = (turn @ np.array([0.0, 0.0, 1.0]))[2] * z < 0
        layers = (chassis, cargo, cab, wheels) if near else (chassis, cab, cargo, wheels)
    for layer in layers:
        _draw_faces(canvas, layer, turn, np.array([x, 0.0, z]), materials, label)


def _draw_faces(
    canvas: Canvas,
    faces: tuple[Face, ...],
    turn: np.ndarray,
    place: np.ndarray,
    materials: dict[str, tuple[RGB, float]],
    label: int,
) -> None:
    """Project the faces that look at the camera and fill them."""
    camera = canvas.camera
    world = np.concatenate([face.points for face in faces]) @ turn.T + place
    pixels = camera.project(world)
    normals = np.stack([face.normal for face in faces]) @ turn.T
    eye = np.array([0.0, camera.eye, 0.0])
    start = 0
    for face, normal in zip(faces, normals, strict=True):
        end = start + len(face.points)
        if normal @ (eye - world[start]) > 0:
            colour, glow = materials[face.material]
            light = 0.82 + 0.16 * normal[1] - 0.10 * normal[0]  # the sun stands up to the left
            part = canvas.part(shaded(colour, light), label, float(place[2]), 0.03, glow)
            canvas.polygon(pixels[start:end], part)
        start = end


def _materials(rng: np.random.Generator, style: Style) -> dict[str, tuple[RGB, float]]:
    """Colour and glow of each material for one vehicle."""
    box: tuple[RGB, ...] = ((0.86, 0.86, 0.84), (0.70, 0.72, 0.75), (0.80, 0.74, 0.60))
    return {
        "paint": (pick(rng, style.paints), 0.0),
        "cargo": (pick(rng, box), 0.0),
        "stripe": (pick(rng, style.paints), 0.0),
        "glass": ((0.16, 0.20, 0.25), 0.0),
        "dark": ((0.12, 0.12, 0.13), 0.0),
        "tyre": ((0.06, 0.06, 0.065), 0.0),
        "hub": ((0.55, 0.56, 0.58), 0.0),
        "white": ((0.92, 0.92, 0.88), 0.0),
        "tail": ((0.85, 0.10, 0.08), 0.6 * style.glow),
        "head": ((1.0, 0.97, 0.86), style.glow),
    }


def _vehicle_shadow(canvas: Canvas, x: float, z: float, turn: np.ndarray, label: int) -> None:
    """The shadow beside a vehicle and the darker one right under it."""
    length, half = (3.5, 1.15) if label == TRUCK else (2.1, 0.9)
    corners = np.array([[-half, 0, -length], [half, 0, -length], [half, 0, length],
                        [-half, 0, length]])  # fmt: skip
    ground = (corners @ turn.T)[:, [0, 2]] + np.array([x, z])
    spread = np.array([1.0 if label == CAR else 2.0, 0.0])
    canvas.shadow(np.concatenate([ground[[0]], ground[[1, 2]] + spread, ground[[3]]]), 70)
    canvas.shadow(ground, 0)
