"""Writes image files of kinds that PIL does not write: 16 bits in colour, bands, planes, pages."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np

PNG_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # by channels


def write_png(path: Path, values: np.ndarray, extra: bytes = b"") -> Path:
    """uint8 or uint16 (H, W, C); `extra`: chunks before the pixels, as `chunk` makes them."""
    height, width, channels = values.shape
    bits = 8 * values.dtype.itemsize
    head = struct.pack(">IIBBBBB", width, height, bits, PNG_COLOUR_TYPES[channels], 0, 0, 0)
    rows = values.astype(values.dtype.newbyteorder(">")).reshape(height, -1)
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + extra
        + chunk(b"IDAT", zlib.compress(raw))
        + chunk(b"IEND", b"")
    )
    return path


def write_few_bits(path: Path, grey: np.ndarray, bits: int) -> Path:
    """A grey PNG of 1, 2 or 4 bits; uint8 (H, W) of values that fit."""
    height, width = grey.shape
    rows = np.unpackbits(grey[..., None], axis=-1)[..., -bits:].reshape(height, -1)
    packed = np.packbits(rows, axis=-1)
    raw = b"".join(b"\0" + row.tobytes() for row in packed)
    head = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(raw))
        + chunk(b"IEND", b"")
    )
    return path


def chunk(kind: bytes, data: bytes) -> bytes:
    crc = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)


def write_tiff(
    path: Path,
    *pages: np.ndarray,
    photometric: int,
    extra: tuple[int, ...] = (),
    planar: bool = False,
    endian: str = "<",
    tags: dict[int, int] | None = None,
    page_kinds: tuple[int, ...] = (),
) -> Path:
    """(H, W, C) of any dtype a page, uncompressed.

    `extra`: kind of each sample beyond the colours; `tags`: further short tags of every page;
    `page_kinds`: tag 254 of each page.
    """
    out = bytearray(b"II*\0" if endian == "<" else b"MM\0*") + b"\0\0\0\0"
    link = 4
    for number, values in enumerate(pages):
        height, width, bands = values.shape
        ordered = values.astype(values.dtype.newbyteorder(endian))
        planes = [ordered[..., i] for i in range(bands)] if planar else [ordered]
        offsets = []
        for plane in planes:
            offsets.append(len(out))
            out += np.ascontiguousarray(plane).tobytes()
        entries: dict[int, tuple[str, list[int]]] = {
            256: ("H", [width]),
            257: ("H", [height]),
            258: ("H", [8 * values.dtype.itemsize] * bands),
            259: ("H", [1]),
            262: ("H", [photometric]),
            273: ("I", offsets),
            277: ("H", [bands]),
            278: ("H", [height]),
            279: ("I", [values.nbytes // len(planes)] * len(planes)),
            284: ("H", [2 if planar else 1]),
            339: ("H", [{"u": 1, "i": 2, "f": 3}[values.dtype.kind]] * bands),
        }
        if extra:
            entries[338] = ("H", list(extra))
        if page_kinds:
            entries[254] = ("I", [page_kinds[number]])
        entries |= {tag: ("H", [value]) for tag, value in (tags or {}).items()}
        out += b"\0" * (len(out) % 2)
        link = _directory(out, link, entries, endian)
    path.write_bytes(bytes(out))
    return path


def _directory(
    out: bytearray, link: int, entries: dict[int, tuple[str, list[int]]], endian: str
) -> int:
    """Append a page's directory, point `link` to it, and return where the next link is."""
    cells = []
    for tag, (kind, values) in sorted(entries.items()):
        data = struct.pack(f"{endian}{len(values)}{kind}", *values)
        if len(data) > 4:
            place, data = len(out), data
            out += data + b"\0" * (len(data) % 2)
            data = struct.pack(f"{endian}I", place)
        number = {"H": 3, "I": 4}[kind]
        cells.append(struct.pack(f"{endian}HHI", tag, number, len(values)) + data.ljust(4, b"\0"))
    out[link : link + 4] = struct.pack(f"{endian}I", len(out))
    out += struct.pack(f"{endian}H", len(cells)) + b"".join(cells)
    out += b"\0\0\0\0"
    return len(out) - 4
