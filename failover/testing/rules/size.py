"""How many tokens a prompt has, roughly: what the API's own count is to programs that are tested here.

Four bytes are a token. What is sent encoded counts by its kind and not by its length: the API scales pictures down,
and reads of a document its pages.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

__all__ = ["prompt_tokens"]

_BYTES_PER_TOKEN = 4
_ATTACHMENT = 1600
"""About what a picture of a megapixel, and one page of a document, cost."""


def prompt_tokens(body: Mapping[str, Any], size: int | None = None) -> int:
    """The estimate for a request body whose JSON has `size` bytes; without that, its JSON is made here."""
    if size is None:
        size = len(json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode())
    attached = _encoded_sizes(body.get("messages"))
    return max(1, (size - sum(attached)) // _BYTES_PER_TOKEN + _ATTACHMENT * len(attached))


def _encoded_sizes(value: Any) -> list[int]:
    if isinstance(value, list):
        return [size for item in value for size in _encoded_sizes(item)]
    if not isinstance(value, Mapping):
        return []
    source = value.get("source")
    if isinstance(source, Mapping) and source.get("type") == "base64" and isinstance(source.get("data"), str):
        return [len(source["data"])]
    return _encoded_sizes(value.get("content"))
