"""Damage to bytes and trees, as disks, careless hands and strangers do it."""

from __future__ import annotations

import copy
import random
import struct
import zlib
from typing import Any

_VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 2, 255, 256, 65536, 2**31, 2**63, 10**30, -(10**12), 0.0, 0.5,
    1e-300, 1e300, float("nan"), float("inf"), "", " ", "a", "0", "true", "../x", "/etc/passwd",
    "~", "a/../../b", "x" * 5000, "é\u202e\U0001f600", "\x00", "<script>", "$(touch PWNED)",
    "`touch PWNED`", "; touch PWNED", "{0}", "%s", "[/red]", "source", "cbst+tpld", "cbst@x",
    [], [[]], [0], [1, 2], [2, 1], ["a", "a"], {}, {"a": 1}, {1: 2}, {"": {}},
]  # fmt: skip


def damage(data: bytes, rng: random.Random) -> bytes:
    """Flipped bits, lost, repeated or foreign bytes, or a cut."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
        at, length = rng.randrange(len(changed) + 1), rng.choice((1, 2, 4, 8, 64))
        kind = rng.randrange(7)
        if kind <= 1 and at < len(changed):
            changed[at] ^= 1 << rng.randrange(8)
        elif kind == 2:
            changed[at : at + length] = rng.randbytes(length)
        elif kind == 3:
            del changed[at : at + length]
        elif kind == 4:
            changed[at:at] = changed[at : at + length]
        elif kind == 5:
            changed[at : at + length] = rng.choice((b"\x00", b"\xff", b"\x7f")) * length
        elif rng.random() < 0.3:
            del changed[at:]
    return bytes(changed)


def damage_png(data: bytes, rng: random.Random) -> bytes:
    """Damage inside a chunk of a PNG, whose checksum is then made right, so that it is read on."""
    chunks, at = [], 8
    while at + 12 <= len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    place = rng.randrange(len(chunks))
    kind = rng.randrange(5)
    name, body = chunks[place]
    if kind <= 1:
        chunks[place] = (name, damage(body, rng))
    elif kind == 2:
        chunks[place] = (rng.choice((b"IHDR", b"PLTE", b"IDAT", b"tRNS", b"zTXt", b"iCCP")), body)
    elif kind == 3:
        chunks.insert(place, chunks[rng.randrange(len(chunks))])
    else:
        del chunks[place]
    return data[:8] + b"".join(_chunk(name, body) for name, body in chunks)


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def damage_tree(tree: Any, rng: random.Random) -> Any:
    """A copy of a tree of mappings and lists with one to four entries changed."""
    changed = copy.deepcopy(tree)
    for _ in range(rng.choice((1, 1, 2, 4))):
        places = _places(changed)
        if not places:
            return rng.choice(_VALUES)
        node, key = rng.choice(places)
        kind = rng.randrange(6)
        if kind <= 2:
            node[key] = copy.deepcopy(rng.choice(_VALUES))
        elif kind == 3:
            del node[key]
        elif kind == 4:
            other, from_key = rng.choice(places)
            node[key] = copy.deepcopy(other[from_key]) if _has(other, from_key) else None
        elif isinstance(node, dict):
            node[rng.choice((str(key) + "x", str(key)[:-1], key))] = node.pop(key)
        else:
            node.append(copy.deepcopy(node[key]))
    return changed


def _has(node: Any, key: Any) -> bool:
    return key in node if isinstance(node, dict) else key < len(node)


def _places(tree: Any) -> list[tuple[Any, Any]]:
    found, todo = [], [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, dict | list):
            keys = list(node) if isinstance(node, dict) else list(range(len(node)))
            found += [(node, key) for key in keys]
            todo += [node[key] for key in keys]
    return found


def from_schema(
    schema: dict[str, Any], rng: random.Random, root: dict[str, Any] | None = None
) -> Any:
    """A value that a JSON schema allows, or nearly (bounds are met, but stretched)."""
    root = root or schema
    if "$ref" in schema:
        return from_schema(root["$defs"][schema["$ref"].rsplit("/", 1)[1]], rng, root)
    for some in ("anyOf", "oneOf", "allOf"):
        if some in schema:
            return from_schema(rng.choice(schema[some]), rng, root)
    if "enum" in schema or "const" in schema:
        return rng.choice(schema.get("enum", [schema.get("const")]))
    kind = schema.get("type", "object")
    if kind == "object":
        fields = schema.get("properties", {})
        needed = schema.get("required", [])
        chosen = [name for name in fields if name in needed or rng.random() < 0.25]
        return {name: from_schema(fields[name], rng, root) for name in chosen}
    if kind == "array":
        fixed = schema.get("prefixItems")
        if fixed:
            return [from_schema(item, rng, root) for item in fixed]
        low = schema.get("minItems", 0)
        count = low + rng.randrange(3)
        return [
            from_schema(schema.get("items", {"type": "string"}), rng, root) for _ in range(count)
        ]
    if kind in ("integer", "number"):
        low = schema.get("minimum", schema.get("exclusiveMinimum", -(10**6)))
        high = schema.get("maximum", schema.get("exclusiveMaximum", 10**6))
        if kind == "integer":
            return rng.choice((int(low), int(high), rng.randint(int(low), int(high))))
        return rng.choice((low, high, rng.uniform(low, high), min(high, 0.5)))
    if kind == "boolean":
        return rng.random() < 0.5
    if kind == "null":
        return None
    return rng.choice(
        (
            "source",
            "crst_mrkld",
            "crst_mrkld+tpld",
            "clan",
            "cbst@x",
            "random",
            "DEFAULT",
            "a",
            "../x",
            "",
        )
    )
