"""The merged configuration as a file: commands read it, and it lies beside every table."""

from __future__ import annotations

from pathlib import Path

import yaml

from tpld.config import Config
from tpld.stores.atomic import replacing
from tpld.stores.code import digest


def write_config(config: Config, path: Path) -> None:
    """Write every key of a configuration as YAML; the file appears whole or not at all."""
    with replacing(path) as partial:
        partial.write_text(_text(config), encoding="utf-8")


def write_merged(config: Config) -> str:
    """Write the configuration below ``results/state/config`` and give the file's path.

    The name changes with the content, so that a dry run of other settings never touches what a
    running job reads.
    """
    path = Path(config.results, "state", "config", f"{digest(_text(config))}.yaml")
    if not path.exists():
        write_config(config, path)
    return path.as_posix()


def _text(config: Config) -> str:
    tree = config.model_dump(mode="json")
    return yaml.safe_dump(tree, sort_keys=False, allow_unicode=True)
