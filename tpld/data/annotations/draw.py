"""Areas as masks: polygons, boxes and ellipses as pycocotools fills them, and runs of pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tpld.data.annotations.base import Size, coco_masks, points_of


def polygons(parts: Sequence[np.ndarray], size: Size) -> np.ndarray:
    """bool (H, W): the union of polygons, each float64 (N, 2) of x, y; pixel 0 reaches from 0 to 1.

    Parts of fewer than three points are empty. What lies outside of the image is cut off.
    """
    masks = coco_masks()
    flat = [part.ravel().tolist() for part in parts if len(part) >= 3]
    if not flat:
        return np.zeros(size, bool)
    return masks.decode(masks.merge(masks.frPyObjects(flat, *size))).astype(bool)


def box(
    left: float, top: float, right: float, bottom: float, turn: float = 0.0, corner: bool = False
) -> np.ndarray:
    """float64 (4, 2): the corners of a box, turned clockwise by degrees.

    It turns about its centre; with `corner` about the upper left one.
    """
    points = np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
    about = points[0] if corner else points.mean(0)
    return points_of(about + (points - about) @ _turning(turn))


def ellipse(x: float, y: float, across: float, down: float, turn: float = 0.0) -> np.ndarray:
    """float64 (N, 2): a polygon round an ellipse; centre, radii, degrees clockwise."""
    radius = max(abs(across), abs(down), 1.0)
    angles = np.linspace(0, 2 * np.pi, min(max(16, int(4 * radius)), 4096), endpoint=False)
    ring = np.stack([across * np.cos(angles), down * np.sin(angles)], axis=1)
    return points_of(np.array([x, y]) + ring @ _turning(turn))


def _turning(degrees: float) -> np.ndarray:
    """Turns row vectors clockwise, y pointing down."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[cos, sin], [-sin, cos]])


def runs_of(mask: np.ndarray) -> np.ndarray:
    """int64 (R,): lengths of runs of a flat bool mask, in turn without and with; 0 may come first.

    Both COCO's counts (column by column) and CVAT's (row by row) are of this kind.
    """
    ends = np.flatnonzero(np.diff(mask)) + 1
    runs = np.diff(np.concatenate([[0], ends, [mask.size]]))
    return np.concatenate([[0], runs]) if mask.size and mask[0] else runs


def from_runs(runs: Sequence[int] | np.ndarray, size: Size, by_columns: bool) -> np.ndarray:
    """bool (H, W) from the lengths of its runs.

    Raises:
        ValueError: they are no lengths, or do not fill the mask.
    """
    lengths = np.asarray(runs)
    if lengths.ndim != 1 or not len(lengths) or lengths.dtype.kind not in "iu":
        raise ValueError("the runs of a mask are no list of whole numbers")
    total = size[0] * size[1]
    if lengths.min() < 0 or lengths.max() > total or int(lengths.sum()) != total:
        raise ValueError(
            f"the runs of a mask cover {lengths.sum()} pixels, {size[1]}x{size[0]} are {total}"
        )
    flat = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
    return flat.reshape(size[::-1]).T if by_columns else flat.reshape(size)


def placed(mask: np.ndarray, left: int, top: int, size: Size) -> np.ndarray:
    """bool (H, W): a smaller mask at its place; what lies outside of the image is cut off."""
    full = np.zeros(size, bool)
    rows = slice(max(top, 0), max(min(top + mask.shape[0], size[0]), 0))
    columns = slice(max(left, 0), max(min(left + mask.shape[1], size[1]), 0))
    if rows.start < rows.stop and columns.start < columns.stop:
        inside = mask[rows.start - top : rows.stop - top]
        full[rows, columns] = inside[:, columns.start - left : columns.stop - left]
    return full
