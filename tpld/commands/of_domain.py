"""Of a store that is of several domains: the images of one, by the names that they have there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from tpld.config import Config, Data
from tpld.errors import ConfigError, nearest
from tpld.stores.labels import Labels


class Chosen(NamedTuple):
    """Some images of a store: their positions in it, and names without their domain's."""

    places: list[int]
    names: list[str]


def images_of(store: Labels, domain: str | None, config: Config | None = None) -> Chosen:
    """The images of a domain; of all, with the domain's name before theirs, where none is given.

    Args:
        store: a labels store.
        domain: name of a domain of the target.
        config: where the domains come from; None: the experiment around the store.

    Raises:
        ConfigError: there is no such domain.
    """
    if domain is None:
        return Chosen(list(range(len(store))), list(store.names))
    known, start = domains_of_store(store, config), f"{domain}/"
    if not any(name.startswith(start) for name in store.names) or (known and domain not in known):
        raise ConfigError(
            f"--domain is '{domain}', but no image of {store.path} is of a domain of that name; "
            f"{nearest(domain, known)}Known here: {', '.join(known) or 'one domain without name'}"
        )
    places = [i for i, name in enumerate(store.names) if name.startswith(start)]
    return Chosen(places, [store.names[i].removeprefix(start) for i in places])


def domains_of_store(store: Labels, config: Config | None = None) -> list[str]:
    """The names of the target's domains, whose images have them in front; none of an only one."""
    known = Data.names_of(config.data.target) if config else _above(store.path)
    return known if len(known) > 1 else []


def _above(path: Path) -> list[str]:
    """The domains beside the decoded target images of the experiment that a store lies in."""
    for folder in path.absolute().parents:
        file = folder / "data" / "target_train" / "domains.json"
        if file.is_file():
            return list(json.loads(file.read_text(encoding="utf-8")))
    return []
