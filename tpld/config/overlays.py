"""The configuration as one row of the table sees it: with its network, and its variant's keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from tpld.config.explain import explain
from tpld.config.model import Model
from tpld.errors import nearest
from tpld.methods import parse_method

if TYPE_CHECKING:
    from tpld.config.root import Config

_OF_NETWORK = ("source_training", "self_training", "adversarial")
"""Sections that an entry of `networks` may change beside `model`."""
_OF_VARIANT = ("thresholds", "voting", "loss", "self_training", "phase2", "adversarial", "options")
"""Sections that an entry of `variants` may change: none of a stage that all rows share."""


def with_network(config: Config, network: str | None) -> Config:
    """The configuration with another network (None: its own) and what `networks` says of it.

    Raises:
        ValueError: the entry of `networks` is wrong.
    """
    name = network or config.model.name
    changes = config.networks.get(name, {})
    if name == config.model.name and not changes:
        return config
    sections: dict[str, Any] = {"model": {"name": name}}
    for key, value in changes.items():
        if key in _OF_NETWORK:
            sections[key] = value
        elif key in Model.model_fields:
            sections["model"][key] = value
        else:
            raise _unknown(f"networks.{name}", key, [*Model.model_fields, *_OF_NETWORK])
    # Checked as an experiment of this network's rows alone.
    rows = map(parse_method, config.methods)
    mine = [row.name for row in rows if (row.network or config.model.name) == name]
    plain = [row.replace(f"@{name}", "") for row in mine] or ["source"]
    return _changed(config, {"networks": {}, "methods": plain}, sections, f"networks.{name}")


def with_variant(config: Config, variant: str | None) -> Config:
    """The configuration with the keys of an entry of `variants` (None: as it is).

    Raises:
        ValueError: there is no such entry, or it is wrong.
    """
    if variant is None:
        return config
    if variant not in config.variants:
        known = list(config.variants)
        raise ValueError(
            f"methods names the variant '{variant}', of which `variants` says nothing; "
            f"{nearest(variant, known)}Known here: {', '.join(known) or 'none'}"
        )
    sections = config.variants[variant]
    for key in sections:
        if key not in _OF_VARIANT:
            raise _unknown(f"variants.{variant}", key, list(_OF_VARIANT))
    # Checked as an experiment of this variant's rows alone.
    rows = map(parse_method, config.methods)
    plain = [row.parent for row in rows if row.variant == variant]
    alone = {"variants": {}, "methods": plain or ["source"]}
    return _changed(config, alone, sections, f"variants.{variant}")


def merge(below: dict[str, Any], above: Any) -> Any:
    """The keys of `above` over those of `below`, section by section."""
    if not isinstance(above, dict):
        return above
    both = dict(below)
    for key, value in above.items():
        old = both.get(key)
        both[key] = merge(old, value) if isinstance(old, dict) else value
    return both


def problems(error: ValidationError, section: Any, above: str) -> str:
    """What is wrong with the values below the key `above`, in one line."""
    return "; ".join(explain(item, section, above) for item in error.errors())


def _changed(config: Config, alone: dict[str, Any], sections: dict[str, Any], where: str) -> Config:
    """The configuration with other `sections`, checked with the rows that are `alone` concerned."""
    tree: dict[str, Any] = config.model_dump() | alone
    for section, values in sections.items():
        tree[section] = merge(tree[section], values)
    try:
        changed = type(config).model_validate(tree)
    except ValidationError as error:
        raise ValueError(problems(error, type(config), where)) from None
    return changed.model_copy(update={key: getattr(config, key) for key in alone})


def _unknown(where: str, key: str, known: list[str]) -> ValueError:
    return ValueError(
        f"{where}.{key}: unknown key; {nearest(key, known)}Known here: {', '.join(known)}"
    )
