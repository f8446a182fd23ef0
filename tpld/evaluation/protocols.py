"""Stamps: the name of a protocol together with all that a number under it depends on."""

from __future__ import annotations

from collections.abc import Iterable

from tpld.config.evaluation import Protocol


def stamp(
    protocol: Protocol,
    sizes: Iterable[tuple[int, int]],
    num_classes: int,
    domain: str | None = None,
) -> str:
    """Name and settings of a protocol, as printed with every number.

    Args:
        protocol: of the configuration.
        sizes: height and width of the labels that are scored, one or more.
        num_classes: K, the classes that a pixel can be given.
        domain: the one of several that is scored alone; None: all that there are.

    Returns:
        For example ``crst: scales 0.9, 1, 1.2 + mirror, scored at 1024x2048, 19 classes``.
    """
    scales = ", ".join(f"{scale:g}" for scale in protocol.scales)
    parts = [f"scale{'s' if len(protocol.scales) > 1 else ''} {scales}"]
    if protocol.size:
        parts[0] += f" of {_size(protocol.size)}"
    if protocol.mirror:
        parts[0] += " + mirror"
    distinct = sorted(set(sizes))
    many = f"{len(distinct)} sizes of labels"
    parts += [f"scored at {_size(distinct[0]) if len(distinct) == 1 else many}"]
    name = f"{protocol.name} ({domain})" if domain else protocol.name
    return f"{name}: {', '.join([*parts, f'{num_classes} classes'])}"


def name_of(stamped: str) -> str:
    """The protocol's name in a stamp."""
    return stamped.partition(":")[0]


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
