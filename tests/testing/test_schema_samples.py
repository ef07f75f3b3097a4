"""The value that the fake API makes up for a JSON schema."""

from __future__ import annotations

import pytest

from failover.testing.samples import sample

TEXT = {"type": "string"}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"const": 7}, 7),
        ({"type": "string", "default": "given"}, "given"),
        ({"enum": ["red", "green"]}, "red"),
        ({"type": ["integer", "null"]}, 1),
        ({"type": "integer", "minimum": 18}, 18),
        ({"type": "string", "minLength": 6}, "text--"),
        ({"type": "null"}, None),
        ({"type": "array", "items": {"type": "boolean"}, "minItems": 2}, [True, True]),
        ({"allOf": [{"type": "object", "properties": {"a": TEXT}}]}, {"a": "text"}),
        ({"$ref": "#/$defs/a/b", "$defs": {"a": {"b": TEXT}}}, "text"),
        ({"$ref": "#/$defs/missing"}, None),
        ({"$ref": "#"}, None),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}]}}}, None),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}, TEXT]}}}, "text"),
        ({}, None),
        ("no schema", None),
    ],
    ids=str,
)
def test_a_sample_fits_its_schema(schema, value):
    assert sample(schema) == value
