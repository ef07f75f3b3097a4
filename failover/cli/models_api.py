"""The Models API in the words of the catalogue: https://platform.claude.com/docs/en/api/models/list."""

from __future__ import annotations

import datetime as dt
import typing
from collections.abc import Mapping
from typing import Any

import anthropic

from failover.errors import FailoverError
from failover.request.catalogue_file import Effort, Facts, Thinking

__all__ = ["facts_of", "listed_models"]

_LINES = ("haiku", "sonnet", "opus", "fable", "mythos")
_FLAGS = {
    "citations": "citations",
    "image_input": "images",
    "pdf_input": "pdfs",
    "structured_outputs": "structured_outputs",
}
"""Capabilities that are a yes or a no, to our fields."""


def listed_models() -> list[Mapping[str, Any]] | str:
    """Every model that the API lists, page by page; or one sentence about why there is no list.

    Raises:
        FailoverError: there is no key to ask with.
    """
    try:
        with anthropic.Anthropic(timeout=30) as client:
            return [info.model_dump(mode="json") for info in client.models.list(limit=1000)]
    except TypeError as error:
        if "authentication" not in str(error):
            raise
        raise FailoverError("--refresh asks the Models API and needs ANTHROPIC_API_KEY in the environment") from None
    except anthropic.APIStatusError as error:
        return _refusal(error.status_code, error.type, error.request_id)
    except anthropic.APIConnectionError as error:
        name = type(error).__name__
        return f"the Models API cannot be reached: check the network, the proxy and ANTHROPIC_BASE_URL ({name})"


def _refusal(status: int, kind: str | None, request_id: str | None) -> str:
    """Without the API's own words, which might repeat what was sent."""
    what = {
        401: "does not accept this key",
        403: "does not let this key list models",
        404: "is not there at this address: check ANTHROPIC_BASE_URL",
    }.get(status, "did not answer well")
    return f"the Models API {what} (status {status}, {kind or 'no error type'}, request id {request_id or 'none'})"


def facts_of(info: Mapping[str, Any]) -> dict[str, Any]:
    """What one entry of the list says, by our fields; what it leaves out, or means by nothing, is left out here."""
    said: dict[str, Any] = {
        "line": info.get("line") if info.get("line") in _LINES else None,
        "released": _day(info.get("created_at")),
        "lifecycle": info.get("lifecycle"),
        "retires": _day(info.get("retires_at")),
        "context_window": info.get("max_input_tokens"),
        "max_output": info.get("max_tokens"),
    }
    capabilities = info.get("capabilities") or {}
    for key, field in _FLAGS.items():
        said[field] = _supported(capabilities.get(key))
    said["thinking"] = _kinds(_inner(capabilities.get("thinking"), "types"), typing.get_args(Thinking))
    said["effort"] = _kinds(capabilities.get("effort"), typing.get_args(Effort))
    said["context_edits"] = _kinds(capabilities.get("context_management"))
    said["server_tools"] = _kinds(capabilities.get("server_tools"))
    return {field: said[field] for field in Facts.model_fields if said.get(field) is not None}


def _day(moment: object) -> dt.date | None:
    """The day of a moment; the API says 1970 when it does not know."""
    if not isinstance(moment, str):
        return None
    day = dt.datetime.fromisoformat(moment.replace("Z", "+00:00")).date()
    return day if day.year > 1970 else None  # noqa: PLR2004 - where clocks begin


def _supported(capability: object) -> bool | None:
    supported = capability.get("supported") if isinstance(capability, Mapping) else None
    return supported if isinstance(supported, bool) else None


def _inner(capability: object, key: str) -> object:
    return capability.get(key) if isinstance(capability, Mapping) else None


def _kinds(capability: object, order: tuple[str, ...] = ()) -> tuple[str, ...] | None:
    """Which of the capabilities in another are supported: those of an order in that order, and no others."""
    if not isinstance(capability, Mapping):
        return None
    names = order or [str(name) for name in capability]
    found = tuple(name for name in names if _supported(capability.get(name)))
    return () if _supported(capability) is False else found
