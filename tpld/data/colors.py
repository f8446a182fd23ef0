"""From colours to ids, for label files that hold RGB instead of numbers."""

from __future__ import annotations

import numpy as np


def ids_of_colors(rgb: np.ndarray, colors: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """The id of each pixel's colour.

    Args:
        rgb: uint8 (H, W, 3).
        colors: uint8 (n, 3), all different, n >= 1.
        ids: int64 (n,), the id of each colour, >= 0.

    Returns:
        int64 (H, W); -1 where the colour is none of `colors`. Only an exact match counts: a colour
        that is nearly one of them was interpolated, and would be a guess.

    Raises:
        ValueError: two of `colors` are equal, or there are not as many ids as colours.
    """
    keys = _packed(colors[None])[0]
    order = np.argsort(keys)
    keys = keys[order]
    if len(ids) != len(keys) or (keys[1:] == keys[:-1]).any():
        raise ValueError(f"{len(ids)} ids for {len(keys)} colours; each colour has one id")
    pixels = _packed(rgb)
    places = np.searchsorted(keys, pixels)
    places[places == len(keys)] = 0
    found = np.asarray(ids, np.int64)[order][places]
    found[keys[places] != pixels] = -1
    return found


def unknown_colors(rgb: np.ndarray, colors: np.ndarray) -> dict[tuple[int, int, int], int]:
    """Number of pixels of each colour that is none of `colors`, the most frequent first.

    Args:
        rgb: uint8 (H, W, 3).
        colors: uint8 (n, 3).
    """
    values, counts = np.unique(_packed(rgb), return_counts=True)
    strange = ~np.isin(values, _packed(colors[None]))
    values, counts = values[strange], counts[strange]
    order = np.lexsort((values, -counts))
    return {
        (int(value) >> 16, int(value) >> 8 & 255, int(value) & 255): int(count)
        for value, count in zip(values[order], counts[order], strict=True)
    }


def _packed(rgb: np.ndarray) -> np.ndarray:
    """uint32 (H, W): red, green and blue as one number."""
    out = np.zeros((*rgb.shape[:2], 4), np.uint8)
    out[..., 1:] = rgb
    return out.view(">u4")[..., 0].astype(np.uint32)
