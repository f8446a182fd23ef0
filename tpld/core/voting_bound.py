"""The most that voting can give a pixel, so that hopeless pixels cost next to nothing.

No mean and no share of scores exceeds the largest of them. The image is cut into tiles; each knows
the highest excess of each class in it, and a window around one of its pixels sees the tiles around:

        +---+---+---+
        |   |   |   |      window of the pixel: inside the tiles at most ceil(radius / TILE) away
        +---+-+-+---+
        |   | x |   |      reach[x's tile, c] = α * highest excess of c in all of them,
        +---+-+-+---+      -α where none of them has a label of c, since v = 0 there
        |   |   |   |
        +---+---+---+

A pixel with (1-α) e[c] + reach[c] < 0 for both candidates stays unlabelled, whatever its window
holds. On realistic maps that decides four fifths of the pixels.
"""

import numpy as np
from numba import njit, prange

from tpld.core.labels import IGNORE

TILE = 32
"""Side of a tile in pixels: small enough to tell neighbourhoods apart, and few in number."""


@njit(cache=True)
def local_reach(label, excess, num_classes, radius_y, radius_x, alpha, unbounded, unit):
    """Upper bound of α v_e (METHOD 5.3) for the pixels of each tile: (tiles y, tiles x, K) float64.

    label: (H, W) uint8, excess: (H, W) float32: the state at the start of an iteration.
    unbounded: True for a pool that grows with the number of labels (sum): +inf where there is one.
    unit: one step of the fixed-point sums, added so that rounding cannot make the bound too small.
    """
    highest = _highest(label, excess, num_classes)
    around = _spread(highest, -(-radius_y // TILE), -(-radius_x // TILE))
    reach = np.empty(around.shape, np.float64)
    for i in range(around.shape[0]):
        for j in range(around.shape[1]):
            for c in range(num_classes):
                best = np.float64(around[i, j, c])
                if best == -np.inf:
                    reach[i, j, c] = -alpha
                elif unbounded:
                    reach[i, j, c] = np.inf
                else:
                    reach[i, j, c] = alpha * (max(best, -1.0) + 2 * unit)
    return reach


@njit(cache=True, parallel=True)
def _highest(label, excess, num_classes):
    """Highest excess of each class in each tile, (tiles y, tiles x, K) float32; -inf for none."""
    height, width = label.shape
    rows, columns = -(-height // TILE), -(-width // TILE)
    highest = np.full((rows, columns, num_classes), -np.inf, np.float32)
    for i in prange(rows):
        for y in range(i * TILE, min(height, (i + 1) * TILE)):
            words = label[y, : width // 8 * 8].view(np.uint64)
            for left in range(0, width, 8):
                if left + 8 <= width and words[left // 8] == np.uint64(0xFFFFFFFFFFFFFFFF):
                    continue  # eight neighbours without a label, as most are
                for x in range(left, min(left + 8, width)):
                    c = label[y, x]
                    if c != IGNORE and excess[y, x] > highest[i, x // TILE, c]:
                        highest[i, x // TILE, c] = excess[y, x]
    return highest


@njit(cache=True)
def _spread(highest, reach_y, reach_x):
    """The maximum over all tiles at most reach_y rows and reach_x columns of tiles away."""
    rows, columns, _ = highest.shape
    across = highest.copy()
    for j in range(columns):
        for t in range(max(0, j - reach_x), min(columns, j + reach_x + 1)):
            across[:, j] = np.maximum(across[:, j], highest[:, t])
    out = across.copy()
    for i in range(rows):
        for t in range(max(0, i - reach_y), min(rows, i + reach_y + 1)):
            out[i] = np.maximum(out[i], across[t])
    return out
