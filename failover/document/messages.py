"""What pydantic found, in sentences: what is wrong, what is allowed, and the nearest word that would be right."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from .units import OFF
from .words import Path, did_you_mean, listed, path_text, shown

__all__ = ["sentence"]

_Sentence: TypeAlias = Callable[[ErrorDetails, type[BaseModel]], str]

_DIGITS = re.compile(r"[-+]?\d+(\.\d+)?", re.ASCII)


def sentence(error: ErrorDetails, root: type[BaseModel]) -> str:
    """One error of validating a `root`, without its place."""
    say = _SENTENCES.get(error["type"])
    return say(error, root) if say else error["msg"].replace("Input should", "must")


def _missing(error: ErrorDetails, root: type[BaseModel]) -> str:
    key = str(error["loc"][-1])
    model, _ = _found_at(root, error["loc"][:-1])
    examples = _keys_of(model)[key].examples or []
    return f"this key is missing: write `{key}: {examples[0]}`"


def _unknown(error: ErrorDetails, root: type[BaseModel]) -> str:
    key = str(error["loc"][-1])
    model, _ = _found_at(root, error["loc"][:-1])
    allowed = listed(_keys_of(model), "and")
    if near := did_you_mean(key, _keys_of(model)):
        return f"unknown key{near} Allowed here are {allowed}"
    homes = [path_text(path) for path in _every_key(root, ()) if path[-1] == key]
    home = f"; `{homes[0]}` would be a place for it, so mind the indentation" if len(homes) == 1 else ""
    return f"unknown key{home}; allowed here are {allowed}"


def _part(error: ErrorDetails, root: type[BaseModel]) -> str:
    model, _ = _found_at(root, error["loc"])
    return f"must be a mapping of {listed(_keys_of(model), 'and')}{_or_off(error, root)}, not {shown(error['input'])}"


def _choice(error: ErrorDetails, _root: type[BaseModel]) -> str:
    allowed = re.findall(r"'([^']*)'", error["ctx"]["expected"])
    given = error["input"]
    near = did_you_mean(given, allowed) if isinstance(given, str) else ""
    return f"must be {listed(allowed)}, not {shown(given)}{near}"


def _typed(kind: str) -> _Sentence:
    def say(error: ErrorDetails, root: type[BaseModel]) -> str:
        given = error["input"]
        unquote = isinstance(given, str) and _DIGITS.fullmatch(given) and kind != "text"
        hint = ": remove the quotes" if unquote else ": put it in quotes" if kind == "text" else ""
        return f"must be {kind}{_or_off(error, root)}, not {shown(given)}{hint}"

    return say


def _bounded(words: str, limit: str) -> _Sentence:
    def say(error: ErrorDetails, root: type[BaseModel]) -> str:
        bound = error["ctx"][limit]
        whole = int(bound) if bound == int(bound) else bound
        return f"must be {words} {whole}{_or_off(error, root)}, not {shown(error['input'])}"

    return say


_SENTENCES: dict[str, _Sentence] = {
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
    "bool_type": _typed("true or false"),
    "literal_error": _choice,
    "greater_than": _bounded("more than", "gt"),
    "greater_than_equal": _bounded("at least", "ge"),
    "less_than_equal": _bounded("at most", "le"),
    "string_too_short": lambda *_: "must not be empty",
    "string_too_long": lambda error, _: f"must have at most {error['ctx']['max_length']} characters",
    "too_long": lambda error, _: f"must have at most {error['ctx']['max_length']} entries, not {len(error['input'])}",
    "value_error": lambda error, _: error["msg"].removeprefix("Value error, "),
}


def _or_off(error: ErrorDetails, root: type[BaseModel]) -> str:
    _, field = _found_at(root, error["loc"])
    return ", or `off`" if field is not None and OFF in field.metadata else ""


def _found_at(root: type[BaseModel], loc: Path) -> tuple[type[BaseModel], FieldInfo | None]:
    """The innermost part on the way to a place, and the field of the way's last named key."""
    model = root
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
