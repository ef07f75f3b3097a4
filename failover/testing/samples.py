"""A small value that fits a JSON schema, for answers of a model that reads no prompt.

It covers what the SDK makes of Python types and pydantic models: objects, arrays, scalars, enumerations, unions and
references. It is not a validator, and knows nothing of patterns and of numbers' upper limits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["sample"]


class _EndlessError(Exception):
    """A reference led back to itself: an optional place around it has to stay empty."""


def sample(schema: Any) -> Any:
    """A value that fits the schema; `None` where it allows anything, or can never end."""
    try:
        return _sample(schema, schema, ())
    except _EndlessError:
        return None


def _sample(schema: Any, root: Any, inside: tuple[str, ...]) -> Any:
    if not isinstance(schema, Mapping):
        return None
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    if schema.get("enum"):
        return schema["enum"][0]
    if "$ref" in schema:
        reference = str(schema["$ref"])
        if reference in inside:
            raise _EndlessError
        return _sample(_resolve(reference, root), root, (*inside, reference))
    for key in ("anyOf", "oneOf", "allOf"):
        if schema.get(key):
            return _first_that_ends(schema[key], root, inside)
    return _of_type(schema, root, inside)


def _first_that_ends(options: list[Any], root: Any, inside: tuple[str, ...]) -> Any:
    for option in options:
        try:
            return _sample(option, root, inside)
        except _EndlessError:  # noqa: PERF203 - the next option is tried only then
            continue
    raise _EndlessError


def _of_type(schema: Mapping[str, Any], root: Any, inside: tuple[str, ...]) -> Any:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = kind[0] if kind else None
    if kind == "object":
        properties = schema.get("properties") or {}
        return {name: _sample(part, root, inside) for name, part in properties.items()}
    if kind == "array":
        try:
            return [_sample(schema.get("items"), root, inside)] * max(1, schema.get("minItems", 1))
        except _EndlessError:
            return []
    if kind == "string":
        return "text".ljust(schema.get("minLength", 0), "-")
    scalars = {"integer": schema.get("minimum", 1), "number": schema.get("minimum", 1.5), "boolean": True}
    return scalars.get(str(kind))


def _resolve(reference: str, root: Any) -> Any:
    found = root
    for step in reference.removeprefix("#/").split("/"):
        found = found.get(step) if isinstance(found, Mapping) else None
    return found
