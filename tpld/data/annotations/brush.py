"""The code in which Label Studio keeps brush strokes: runs of the bytes of an RGBA picture.

Bits, the highest first: 32 the number of values; 5 the bits of a value, less 1; four times 4 the
bits of a run's length, less 1. Then groups: 1 bit whether one value repeats; 2 which length; the
length, less 1; and the value once, or each of the values. Label Studio took it from rle-pack of
thi.ng. It has no library of its own that is light: its converter and its SDK bring opencv and nltk.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tpld.data.annotations.base import Size

_LENGTHS = (3, 4, 8, 16)
_WORD = 8


def encode(mask: np.ndarray) -> list[int]:
    """Bytes for a bool mask (H, W): RGBA of 255 within, of 0 without."""
    bits = [f"{4 * mask.size:032b}{_WORD - 1:05b}", *(f"{bits - 1:04b}" for bits in _LENGTHS)]
    flat = mask.ravel()
    edges = np.flatnonzero(np.diff(flat)) + 1
    starts = np.concatenate([[0], edges])
    runs = 4 * np.diff(np.concatenate([starts, [flat.size]]))
    for run, value in zip(runs.tolist(), flat[starts].tolist(), strict=True):
        word = "1" * _WORD if value else "0" * _WORD
        while run:
            which = next((i for i, width in enumerate(_LENGTHS) if run <= 1 << width), 3)
            length = min(run, 1 << _LENGTHS[which])
            bits.append(f"1{which:02b}{length - 1:0{_LENGTHS[which]}b}{word}")
            run -= length
    text = "".join(bits)
    text += "0" * (-len(text) % 8)
    return list(int(text, 2).to_bytes(len(text) // 8, "big"))


def decode(code: Sequence[int], size: Size) -> np.ndarray:
    """bool (H, W): where the picture is not transparent.

    Raises:
        ValueError: damaged, or of another size.
    """
    data = np.asarray(code)
    if data.ndim != 1 or data.dtype.kind not in "iu" or data.min() < 0 or data.max() > 255:
        raise ValueError("a brush's `rle` is no list of bytes")
    stream = _Bits((np.unpackbits(data.astype(np.uint8)) + ord("0")).tobytes().decode("ascii"))
    count, word = stream.take(32), stream.take(5) + 1
    lengths = [stream.take(4) + 1 for _ in range(4)]
    if count != 4 * size[0] * size[1]:
        raise ValueError(
            f"a brush's `rle` is of {count} values; {size[1]}x{size[0]} RGBA pixels "
            f"are {4 * size[0] * size[1]}"
        )
    values, done = np.zeros(count, np.uint32), 0
    while done < count:
        same, which = stream.take(1), stream.take(2)
        end = done + 1 + stream.take(lengths[which])
        if end > count:
            raise ValueError("a brush's `rle` runs over its end")
        values[done:end] = stream.take(word) if same else stream.several(end - done, word)
        done = end
    return values.reshape(*size, 4)[:, :, 3] > 0


class _Bits:
    """Reads numbers off a text of 0 and 1."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def take(self, bits: int) -> int:
        self.at += bits
        if self.at > len(self.text):
            raise ValueError("a brush's `rle` ends in the middle")
        return int(self.text[self.at - bits : self.at], 2)

    def several(self, count: int, bits: int) -> list[int]:
        return [self.take(bits) for _ in range(count)]
