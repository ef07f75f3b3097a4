"""Plain YAML scalars by the core schema of YAML 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema).

PyYAML follows YAML 1.1, where `off` is false, `1:30` is ninety and `010` is eight. Here `off`, `no`, `1:30` and dates
are text.
"""

from __future__ import annotations

import math
import re

from .nodes import Scalar
from .words import shown

__all__ = ["core_value"]

_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_DECIMAL = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_MOST_CHARACTERS = 30


def core_value(text: str) -> Scalar:
    """What a scalar without quotes means.

    Raises:
        ValueError: it is NaN, infinite, or a number too large to mean anything.
    """
    if text in _WORDS:
        return _WORDS[text]
    if _NOT_FINITE.fullmatch(text):
        raise ValueError(f"{text} is not a number to count with: write a finite one, or `off` to switch a rule off")
    base = (
        10 if _DECIMAL.fullmatch(text) else 8 if _OCTAL.fullmatch(text) else 16 if _HEXADECIMAL.fullmatch(text) else 0
    )
    if not base and not _FLOAT.fullmatch(text):
        return text
    number = _number(text, base) if len(text) <= _MOST_CHARACTERS else math.inf
    if math.isinf(number):
        raise ValueError(f"{shown(text)} is a number of more digits than any key can use: write a smaller one")
    return number


def _number(text: str, base: int) -> int | float:
    return int(text, base) if base == 10 else int(text[2:], base) if base else float(text)  # noqa: PLR2004  # decimal
