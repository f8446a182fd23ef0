"""The rows of a comparison: which methods there are, and what a row's name stands for.

One module a method, found by looking into this folder: its class derives from `SourceOnly`,
`TargetTrained`, `SelfTraining` or `Adversarial` (`base`), and says what is particular about the
method. Stages, rules, evaluator and report ask it and nothing else. See docs/adding_a_method.md.

Nothing here loads torch or numba on import: the command line and the rules read it.
"""

from tpld.methods.base import Adversarial, Recipe, SelfTraining, SourceOnly, TargetTrained
from tpld.methods.registry import known_methods, recipe_class
from tpld.methods.rows import Method, parse_method

__all__ = [
    "Adversarial",
    "Method",
    "Recipe",
    "SelfTraining",
    "SourceOnly",
    "TargetTrained",
    "known_methods",
    "parse_method",
    "recipe_class",
]
