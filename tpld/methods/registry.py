"""Which methods there are: every module of this package that is not part of its framework."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

import tpld.methods
from tpld.errors import nearest
from tpld.methods.base import Recipe

_FRAMEWORK = {"base", "registry", "rows"}


@cache
def known_methods() -> dict[str, type[Recipe]]:
    """Class of each method by name, the source first, then by kind and name.

    Raises:
        TypeError: two modules claim one name, or a module holds no method.
    """
    found: dict[str, type[Recipe]] = {}
    for module in pkgutil.iter_modules(tpld.methods.__path__):
        if module.name in _FRAMEWORK:
            continue
        for recipe in _recipes_in(f"tpld.methods.{module.name}"):
            if recipe.name in found:
                raise TypeError(f"{recipe.__module__}: '{recipe.name}' is already a method")
            found[recipe.name] = recipe
    order = ("source", "oracle", "self_training", "adversarial")
    return dict(sorted(found.items(), key=lambda item: (order.index(item[1].kind), item[0])))


def recipe_class(name: str) -> type[Recipe]:
    """The class of a method without suffixes.

    Raises:
        ValueError: there is no such method; the nearest known one is named.
    """
    known = known_methods()
    if name not in known:
        hint = nearest(name, known)
        raise ValueError(f"'{name}' is no known method; {hint}Known: {', '.join(known)}")
    return known[name]


def _recipes_in(module_name: str) -> list[type[Recipe]]:
    module = importlib.import_module(module_name)
    found = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Recipe) and value.__module__ == module_name
    ]
    if not found:
        raise TypeError(f"{module_name} holds no class of a method that has a name")
    return found
