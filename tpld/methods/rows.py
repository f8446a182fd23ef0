"""A row's name, `base[+tpld][@network][~variant]`, taken apart."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from tpld.methods.base import Kind
from tpld.methods.registry import recipe_class

TPLD_SUFFIX = "+tpld"
_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
NETWORK_MARK = "@"
VARIANT_MARK = "~"


@dataclass(frozen=True)
class Method:
    """A row of the comparison table.

    Attributes:
        name: as in the configuration, for example ``crst_mrkld+tpld@deeplabv2_vgg16``.
        base: name of a method in this package.
        tpld: voting, bootstrapping and phase 2 on top of the base.
        network: the network, where it is not the configuration's own.
        variant: name of an entry of `variants`, whose keys differ from those of `parent`.
    """

    name: str
    base: str
    tpld: bool
    network: str | None = None
    variant: str | None = None

    @property
    def kind(self) -> Kind:
        """``source``, ``oracle``, ``self_training`` or ``adversarial``."""
        return recipe_class(self.base).kind

    @property
    def adapts(self) -> bool:
        """False for the rows that adaptation is measured between: source only, and oracle."""
        return self.kind not in ("source", "oracle")

    @property
    def parent(self) -> str:
        """The row that a variant differs from in a few keys; of another row, itself."""
        return self.name.partition(VARIANT_MARK)[0]

    @property
    def source_row(self) -> str:
        """The source-only row of the same network."""
        return f"source{NETWORK_MARK}{self.network}" if self.network else "source"


@cache
def parse_method(name: str) -> Method:
    """Take a row's name apart.

    Raises:
        ValueError: no such method, or TPLD on a method that makes no pseudo labels.
    """
    parent, variant_mark, variant = name.partition(VARIANT_MARK)
    method, mark, network = parent.partition(NETWORK_MARK)
    base = method.removesuffix(TPLD_SUFFIX)
    tpld = method.endswith(TPLD_SUFFIX)
    found = Method(name, base, tpld, network or None, variant or None)
    if recipe_class(base).kind != "self_training" and found.tpld:
        raise ValueError(
            f"'{name}': TPLD makes pseudo labels dense, and '{base}' makes none. "
            f"Write '{base}{mark}{network}'"
        )
    if mark and not re.fullmatch(_NAME, network):
        raise ValueError(
            f"'{name}': after {NETWORK_MARK} comes a network, or a name of `networks`, of letters, "
            "digits, and _ . -"
        )
    if variant_mark and not re.fullmatch(_NAME, variant):
        raise ValueError(
            f"'{name}': after {VARIANT_MARK} comes a name of `variants`, of letters, digits, and "
            "_ . -"
        )
    if variant and not found.adapts:
        raise ValueError(
            f"'{name}': variants change how a network is adapted, and '{base}' adapts none. "
            f"Write '{parent}'"
        )
    return found
