"""What a word without quotes means: the core schema of YAML 1.2, in which `off` and `1:30` are text."""

from __future__ import annotations

import pytest

from failover.document.scalars import core_value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[(word, None) for word in ("", "~", "null", "Null", "NULL")],
        *[(word, True) for word in ("true", "True", "TRUE")],
        *[(word, False) for word in ("false", "False", "FALSE")],
        *[
            (word, word)
            for word in ("off", "on", "no", "yes", "y", "n", "Off", "1:30", "2026-11-22", "1_000", "tRUE", "-", ".")
        ],
        *[("0", 0), ("010", 10), ("-7", -7), ("+7", 7), ("0o17", 15), ("0x1F", 31)],
        *[("1.5", 1.5), (".5", 0.5), ("5.", 5.0), ("1e3", 1000.0), ("-2.5E-1", -0.25)],
    ],
)
def test_plain_scalars_follow_the_core_schema_of_yaml_1_2(text, value):
    read = core_value(text)
    assert read == value
    assert type(read) is type(value)
