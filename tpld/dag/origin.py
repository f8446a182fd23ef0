"""Which images an experiment's results were made from, so that two do not share a folder unseen.

The check of the data writes it down; every run of the pipeline compares.
"""

from __future__ import annotations

from pathlib import Path

from tpld.config import Config, Domain
from tpld.dag.layout import Layout
from tpld.errors import ConfigError
from tpld.section import Section
from tpld.stores.atomic import replacing

_FILE = "origin.json"


class _Origin(Section):
    """Of each side: kind, folder and list of its domains."""

    source: list[list[str]]
    target: list[list[str]]


def write_origin(config: Config, folder: Path) -> None:
    """Write where the configuration's images come from beside the table of the check."""
    with replacing(folder / _FILE) as partial:
        partial.write_text(_origin(config).model_dump_json(indent=1), encoding="utf-8")


def check_origin(config: Config) -> None:
    """Refuse to make results where those of other images are.

    Raises:
        ConfigError: the folder of the experiment holds trained networks, and they were made from
            other folders or lists of images than the configuration names.
    """
    root = Path(Layout(config).root)
    try:
        before = _Origin.model_validate_json((root / "data" / _FILE).read_bytes())
    except (OSError, ValueError):  # not made yet, or before this was written down
        return
    now = _origin(config)
    if before == now or next(root.rglob("model.safetensors"), None) is None:
        return
    side = "target" if before.source == now.source else "source"
    raise ConfigError(
        f"experiment: the results in {root} were made from other images (data.{side}: "
        f"{_said(getattr(before, side))}; now: {_said(getattr(now, side))}). Give this "
        f"configuration a name of its own (`experiment:`), or delete {root} if its results are not "
        "wanted any more"
    )


def _origin(config: Config) -> _Origin:
    sides = (config.data.source, config.data.target)
    source, target = [[_domain(domain) for domain in side] for side in sides]
    return _Origin(source=source, target=target)


def _domain(domain: Domain) -> list[str]:
    """The same folder is spelt one way."""
    folder = domain.images or domain.root
    where = [str(Path(folder).resolve())] if folder else []
    return [domain.kind, *where, *filter(None, [domain.train]), *domain.only]


def _said(domains: list[list[str]]) -> str:
    return ", ".join(" ".join(domain[1:]) or domain[0] for domain in domains)
