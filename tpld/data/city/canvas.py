"""Camera and canvas of the procedural city.

The canvas is one integer image of *part numbers* and a table with a row for each part. A pixel's
colour, class and distance are all looked up through its part number, which is why label and image
agree to the pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from tpld.data.city.style import RGB

NEAR = 1.0
"""Distance in metres to which points beside or behind the camera are pushed."""

BACKGROUND = 0
"""Part number of a pixel that nothing was drawn on: ground below the horizon, sky above."""

COLUMNS = ("red", "green", "blue", "label", "depth", "rough", "glow", "facade")


@dataclass(frozen=True)
class Camera:
    """Pinhole camera looking along +z; x points right and y up from the road under it.

    A pitch is a shifted `horizon` and a yaw a shifted `centre`, so upright edges stay upright and
    shapes can be drawn as axis-aligned figures.
    """

    width: int
    height: int
    focal: float
    horizon: float
    centre: float
    eye: float

    def project(self, points: np.ndarray) -> np.ndarray:
        """World points (..., 3) in metres -> image points (..., 2) in pixels (column, row)."""
        z = np.maximum(points[..., 2], NEAR)
        pixels = np.empty((*points.shape[:-1], 2))
        pixels[..., 0] = self.centre + self.focal * points[..., 0] / z
        pixels[..., 1] = self.horizon - self.focal * (points[..., 1] - self.eye) / z
        return pixels

    def rays(self) -> tuple[np.ndarray, np.ndarray]:
        """Slopes dx/dz of the columns (W,) and dy/dz of the rows (H,), float32."""
        dx = (np.arange(self.width, dtype=np.float32) + 0.5 - self.centre) / self.focal
        dy = (self.horizon - np.arange(self.height, dtype=np.float32) - 0.5) / self.focal
        return dx.astype(np.float32), dy.astype(np.float32)


class Canvas:
    """Parts drawn so far, back to front, and the shadows that they throw on the ground."""

    def __init__(self, camera: Camera) -> None:
        self.camera = camera
        size = (camera.width, camera.height)
        self._image = Image.new("I", size, BACKGROUND)
        self._draw = ImageDraw.Draw(self._image)
        self._shadow = Image.new("L", size, 255)
        self._shadow_draw = ImageDraw.Draw(self._shadow)
        self._parts: list[tuple[float, ...]] = [(0.0,) * len(COLUMNS)]

    def part(
        self,
        colour: RGB,
        label: int,
        depth: float,
        rough: float = 0.06,
        glow: float = 0.0,
        facade: int = -1,
    ) -> int:
        """Add a row to the table and return its part number.

        `rough` is the amplitude of the texture, `glow` 1 makes the part shine by itself, `facade`
        is the row of the facade table that paints the part (-1: `colour` does).
        """
        self._parts.append((*colour, label, depth, rough, glow, facade))
        return len(self._parts) - 1

    def polygon(self, points: np.ndarray, part: int) -> None:
        """Fill image points (N, 2)."""
        self.fill(points.ravel().tolist(), part)

    def fill(self, points: list[float], part: int) -> None:
        """Fill a polygon given as column, row, column, row ..."""
        self._draw.polygon(points, fill=part)

    def disc(self, column: float, row: float, rx: float, ry: float, part: int) -> None:
        """Fill an ellipse given by centre and radii in pixels."""
        self._draw.ellipse((column - rx, row - ry, column + rx, row + ry), fill=part)

    def shadow(self, points: np.ndarray, light: int) -> None:
        """Darken ground points (N, 2) of (x, z) in metres to `light` / 255 of the direct sun."""
        world = np.stack([points[:, 0], np.zeros(len(points)), points[:, 1]], axis=-1)
        self._shadow_draw.polygon(self.camera.project(world).ravel().tolist(), fill=light)

    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Part numbers (H, W) int32, sunlight (H, W) uint8, table (parts, COLUMNS) float32."""
        table = np.asarray(self._parts, dtype=np.float32)
        return np.asarray(self._image, dtype=np.int32), np.asarray(self._shadow), table


class Billboard:
    """A flat figure facing the camera, drawn in metres from its foot on the ground."""

    def __init__(self, canvas: Canvas, x: float, z: float, label: int) -> None:
        camera = canvas.camera
        self._canvas = canvas
        self.label = label
        self.depth = z
        self.scale = camera.focal / z
        self._column = camera.centre + self.scale * x
        self._row = camera.horizon + self.scale * camera.eye

    def outside(self, reach: float) -> bool:
        """Whether nothing within `reach` metres sideways of the foot is in the image."""
        margin = self.scale * reach
        return not -margin < self._column < self._canvas.camera.width + margin

    def paint(self, colour: RGB, rough: float = 0.06, glow: float = 0.0) -> int:
        """Part number for a colour of this figure."""
        return self._canvas.part(colour, self.label, self.depth, rough, glow)

    def poly(self, points: Sequence[tuple[float, float]], part: int) -> None:
        """Fill a polygon of (x, y) points in metres."""
        # Plain floats: for a handful of points numpy costs more than it saves.
        column, row, s = self._column, self._row, self.scale
        self._canvas.fill([v for x, y in points for v in (column + s * x, row - s * y)], part)

    def disc(self, x: float, y: float, rx: float, ry: float, part: int) -> None:
        """Fill an ellipse in metres."""
        s = self.scale
        self._canvas.disc(self._column + s * x, self._row - s * y, s * rx, s * ry, part)

    def limb(
        self, start: tuple[float, float], end: tuple[float, float], width: float, part: int
    ) -> None:
        """Fill a straight bar of `width` metres, never thinner than a pixel."""
        dx, dy = end[0] - start[0], end[1] - start[1]
        length = max((dx * dx + dy * dy) ** 0.5, 1e-6)
        # Pillow fills the outline too, which widens a bar by about a pixel.
        half = max(width - 0.6 / self.scale, 0.4 / self.scale) / 2 / length
        nx, ny = -dy * half, dx * half
        corners = [(start[0] + nx, start[1] + ny), (end[0] + nx, end[1] + ny)]
        corners += [(end[0] - nx, end[1] - ny), (start[0] - nx, start[1] - ny)]
        self.poly(corners, part)
