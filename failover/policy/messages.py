"""What pydantic found, in sentences: what is wrong, what is allowed, and the nearest word that would be right."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from .model import Policy
from .words import Path, did_you_mean, listed, path_text, shown

__all__ = ["sentence"]

_DIGITS = re.compile(r"[-+]?\d+(\.\d+)?", re.ASCII)


def sentence(error: ErrorDetails) -> str:
    """One error of validating a `Policy`, without its place."""
    say = _SENTENCES.get(error["type"])
    return say(error) if say else error["msg"].replace("Input should", "must")


def _missing(error: ErrorDetails) -> str:
    key = str(error["loc"][-1])
    model, _ = _found_at(error["loc"][:-1])
    examples = _keys_of(model)[key].examples or []
    return f"this key is missing: write `{key}: {examples[0]}`"


def _unknown(error: ErrorDetails) -> str:
    key = str(error["loc"][-1])
    model, _ = _found_at(error["loc"][:-1])
    allowed = listed(_keys_of(model), "and")
    if near := did_you_mean(key, _keys_of(model)):
        return f"unknown key{near} Allowed here are {allowed}"
    homes = [path_text(path) for path in _every_key(Policy, ()) if path[-1] == key]
    home = f"; `{homes[0]}` would be a place for it, so mind the indentation" if len(homes) == 1 else ""
    return f"unknown key{home}; allowed here are {allowed}"


def _part(error: ErrorDetails) -> str:
    model, _ = _found_at(error["loc"])
    return f"must be a mapping of {listed(_keys_of(model), 'and')}{_or_off(error)}, not {shown(error['input'])}"


def _choice(error: ErrorDetails) -> str:
    allowed = re.findall(r"'([^']*)'", error["ctx"]["expected"])
    given = error["input"]
    near = did_you_mean(given, allowed) if isinstance(given, str) else ""
    return f"must be {listed(allowed)}, not {shown(given)}{near}"


def _typed(kind: str) -> Callable[[ErrorDetails], str]:
    def say(error: ErrorDetails) -> str:
        given = error["input"]
        unquote = isinstance(given, str) and _DIGITS.fullmatch(given) and kind != "text"
        hint = ": remove the quotes" if unquote else ": put it in quotes" if kind == "text" else ""
        return f"must be {kind}{_or_off(error)}, not {shown(given)}{hint}"

    return say


def _bounded(words: str, limit: str) -> Callable[[ErrorDetails], str]:
    def say(error: ErrorDetails) -> str:
        bound = error["ctx"][limit]
        whole = int(bound) if bound == int(bound) else bound
        return f"must be {words} {whole}{_or_off(error)}, not {shown(error['input'])}"

    return say


def _pattern(error: ErrorDetails) -> str:
    if error["ctx"]["pattern"].startswith("^[a-z]"):
        return f"{shown(error['input'])} is no field of a request's body: those are lower-case words like `max_tokens`"
    return "must be one line that neither begins nor ends with a space"


_SENTENCES: dict[str, Callable[[ErrorDetails], str]] = {
    "missing": _missing,
    "extra_forbidden": _unknown,
    "model_type": _part,
    "mapping_type": _typed("a mapping"),
    "dict_type": _typed("a mapping"),
    "tuple_type": _typed("a list"),
    "int_type": _typed("a whole number"),
    "int_from_float": _typed("a whole number"),
    "float_type": _typed("a number"),
    "string_type": _typed("text"),
    "literal_error": _choice,
    "greater_than": _bounded("more than", "gt"),
    "greater_than_equal": _bounded("at least", "ge"),
    "less_than_equal": _bounded("at most", "le"),
    "string_too_short": lambda _: "must not be empty",
    "string_too_long": lambda error: f"must have at most {error['ctx']['max_length']} characters",
    "string_pattern_mismatch": _pattern,
    "too_long": lambda error: (
        f"must have at most {error['ctx']['max_length']} entries, not {error['ctx']['actual_length']}"
    ),
    "value_error": lambda error: error["msg"].removeprefix("Value error, "),
}


def _or_off(error: ErrorDetails) -> str:
    _, field = _found_at(error["loc"])
    return ", or `off`" if field is not None and type(None) in get_args(field.annotation) else ""


def _found_at(loc: tuple[int | str, ...]) -> tuple[type[BaseModel], FieldInfo | None]:
    """The innermost part of a policy on the way to a place, and the field of the way's last named key."""
    model: type[BaseModel] = Policy
    field: FieldInfo | None = None
    for step in loc:
        keys = _keys_of(model)
        if isinstance(step, str) and step in keys:
            field = keys[step]
            model = _model_in(field.annotation) or model
    return model, field


def _keys_of(model: type[BaseModel]) -> dict[str, FieldInfo]:
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for inner in get_args(annotation) if (model := _model_in(inner))), None)


def _every_key(model: type[BaseModel], above: Path) -> Iterator[Path]:
    for key, field in _keys_of(model).items():
        yield (*above, key)
        if (inner := _model_in(field.annotation)) is not None:
            yield from _every_key(inner, (*above, key))
