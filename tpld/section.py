"""What all sections of the configuration share: strictness, and bounded numbers."""

from __future__ import annotations

import re
import types
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
)

Portion = Annotated[float, Field(gt=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1, le=10**9)]
Seed = Annotated[int, Field(ge=0, le=2**31 - 1)]
# Of one line: names go into tables, and into comments of LaTeX that end with the line.
Name = Annotated[str, Field(min_length=1, pattern=r"^[^\x00-\x1f\x7f]+$")]
Size = tuple[Count, Count]
FileValue = Annotated[int, Field(ge=0, le=65535)]
Channel = Annotated[int, Field(ge=0, le=255)]


def _ascending(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] > bounds[1]:
        raise ValueError(f"{list(bounds)} runs backwards; give the smaller bound first")
    return bounds


Scale = Annotated[tuple[Positive, Positive], AfterValidator(_ascending)]


class Section(BaseModel):
    """Base of all sections: unknown keys are refused, values cannot change after loading."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )

    @field_validator("*", mode="before")
    @classmethod
    def _no_guesses(cls, value: Any, info: ValidationInfo) -> Any:
        """What pydantic would turn into another thing than was written, in every field."""
        return as_meant(value, cls.model_fields[str(info.field_name)].annotation)


_EXPONENT = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+")
"""Numbers that YAML 1.1 reads as text, for it wants a point and a sign in them."""
_CONTAINERS = (list, tuple, set, frozenset)


def as_meant(value: Any, annotation: Any) -> Any:
    """A value as YAML gave it, made ready for an annotation, within lists and mappings too.

    ``1e-4`` becomes a number where one is wanted. Sections check themselves.

    Raises:
        ValueError: a truth value (``yes``, ``on``, ``true``) where none is wanted, which pydantic
            takes for the number 1; or keys of a mapping that are equal once they are numbers.
    """
    kinds = _alternatives(annotation)
    if isinstance(value, Mapping):
        inner = next((get_args(kind) for kind in kinds if get_origin(kind) is dict), ())
        return _mapping(value, *inner) if inner else value
    if isinstance(value, list | tuple):
        inner = next((get_args(kind) for kind in kinds if get_origin(kind) in _CONTAINERS), ())
        return [
            as_meant(item, kind) for item, kind in zip(value, _of_each(inner, value), strict=True)
        ]
    if Any in kinds or not kinds & {int, float, str}:
        return value
    if isinstance(value, bool) and bool not in kinds:
        wanted = "a text is wanted; put it in quotes" if str in kinds else "a number is wanted"
        raise ValueError(
            f"YAML reads {_WORDS[value]} as the truth value {str(value).lower()}, and {wanted}"
        )
    if isinstance(value, str) and str not in kinds and _EXPONENT.fullmatch(value.strip()):
        return float(value)
    return value


_WORDS = {True: "yes, on and true", False: "no, off and false"}


def _alternatives(annotation: Any) -> set[Any]:
    """Members of a union (or the annotation itself), without `Annotated`; types of literals."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _alternatives(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return set().union(*map(_alternatives, get_args(annotation)))
    if origin is Literal:
        return {type(entry) for entry in get_args(annotation)}
    return {annotation}


def _of_each(inner: tuple[Any, ...], values: list[Any] | tuple[Any, ...]) -> list[Any]:
    """The annotation of each entry of a list or tuple; Any for what is too much."""
    if len(inner) == 1 or inner[1:] == (...,):
        return [inner[0]] * len(values)
    return [*inner, *[Any] * len(values)][: len(values)]


def _mapping(value: Mapping[Any, Any], key_kind: Any, value_kind: Any) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    seen: set[str] = set()
    for key, entry in value.items():
        name = as_meant(key, key_kind)
        if str(name) in seen:  # pydantic would turn 1 and '1' into one key, and keep the last
            raise ValueError(f"the key {name} is given twice, once as text")
        seen.add(str(name))
        found[name] = as_meant(entry, value_kind)
    return found
