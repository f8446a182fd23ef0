"""Label files in colours, as index PNGs: what `tpld init --convert-labels` does."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from tpld.commands.discover import Domain, spread
from tpld.commands.palette import write_index, write_legend
from tpld.compute.progress import progress
from tpld.errors import DataError

_MOST = 200
_SEEN = 200


def convert_labels(domains: list[Domain], out: list[Path]) -> list[tuple[int, int, int]]:
    """Write the coloured label files of some domains as index PNGs; one table for all of them.

    Returns:
        The colour of each index, the most frequent first.

    Raises:
        DataError: a file cannot be read, or the files have too many colours to be classes, as
            JPEGs have, whose compression mixes them.
    """
    pixels: Counter[int] = Counter()
    for domain in domains:
        for name in spread(domain.labelled, _SEEN):
            values, counts = np.unique(_packed(domain.label_file(name)), return_counts=True)
            pixels.update(dict(zip(values.tolist(), counts.tolist(), strict=True)))
    if len(pixels) > _MOST:
        raise DataError(
            f"the label files have {len(pixels)} colours, too many to be classes. JPEG files and "
            "resized pictures mix colours: use the original PNGs"
        )
    order = [color for color, _ in pixels.most_common()]
    colors = [(color >> 16, color >> 8 & 255, color & 255) for color in order]
    palette = np.array(colors, np.uint8)
    for domain, folder in zip(domains, out, strict=True):
        _convert(domain, order, palette, folder)
        write_legend(
            [f"color_{r:02x}{g:02x}{b:02x}" for r, g, b in colors],
            list(range(len(colors))),
            palette,
            folder / "classes.csv",
        )
    return colors


def _convert(domain: Domain, order: list[int], palette: np.ndarray, out: Path) -> None:
    known = np.sort(np.array(order))
    index = np.array([order.index(color) for color in known.tolist()], np.uint8)

    def one(name: str) -> None:
        packed = _packed(domain.label_file(name))
        place = np.clip(np.searchsorted(known, packed), 0, len(known) - 1)
        strange = int((known[place] != packed).sum())
        if strange:
            raise DataError(
                f"{domain.label_file(name)}: {strange} pixels of a colour that none of the first "
                "files has. Correct the file"
            )
        write_index(index[place], palette, out / f"{name}.png")

    with (
        progress(f"converting {domain.labels}", len(domain.labelled)) as tick,
        ThreadPoolExecutor() as pool,
    ):
        for done, _ in enumerate(pool.map(one, domain.labelled), start=1):
            tick(done)


def _packed(path: Path) -> np.ndarray:
    """int64 (H, W): red, green and blue of each pixel as one number."""
    try:
        with Image.open(path) as picture:
            rgb = np.asarray(picture.convert("RGB")).astype(np.int64)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error}). Replace it") from None
    return rgb[..., 0] << 16 | rgb[..., 1] << 8 | rgb[..., 2]
