"""The Models API in the words of the catalogue: https://platform.claude.com/docs/en/api/models/list."""

from __future__ import annotations

import datetime as dt
import functools
import json
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import anthropic
from anthropic.pagination import SyncPage
from anthropic.types import ModelInfo

from failover.document.files import printable
from failover.errors import FailoverError
from failover.request.catalogue_file import Effort, Facts, Thinking

__all__ = ["Said", "facts_of", "listed_models"]

_FLAGS = {
    "citations": "citations",
    "image_input": "images",
    "pdf_input": "pdfs",
    "structured_outputs": "structured_outputs",
}
"""Capabilities that are a yes or a no, to our fields."""


class _NoListError(Exception):
    """A page without a list."""


_NO_LIST = (_NoListError, AttributeError, json.JSONDecodeError, UnicodeDecodeError)
"""With what the SDK raises for JSON that is no page, and for what is no JSON."""


class Said(NamedTuple):
    """What one entry of the list says."""

    facts: dict[str, Any]
    """By our fields; what it leaves out, or means by nothing, is left out here."""
    unusable: tuple[str, ...]
    """The fields of which it says what they cannot hold."""


def listed_models() -> list[object] | str:
    """Every entry that the API lists, page by page; or one sentence about why there is no list.

    Raises:
        FailoverError: there is no key to ask with.
    """
    try:
        with anthropic.Anthropic(timeout=30) as client:
            pages = client.models.list(limit=1000).iter_pages()
            return [entry for page in pages for entry in _entries(page)]
    except TypeError as error:
        if "authentication" not in str(error):
            raise
        raise FailoverError("--refresh asks the Models API and needs ANTHROPIC_API_KEY in the environment") from None
    except anthropic.APIStatusError as error:
        return _refusal(error.status_code, error.type, error.request_id)
    except anthropic.APIConnectionError as error:
        name = type(error).__name__
        return f"the Models API cannot be reached: check the network, the proxy and ANTHROPIC_BASE_URL ({name})"
    except _NO_LIST:
        return "the Models API answered with something that is no list of models"


def _entries(page: SyncPage[ModelInfo]) -> Iterator[object]:
    """As plain values: the SDK does not check what it reads, so that they may be anything.

    Raises:
        _NoListError: it is no page of a list.
    """
    data: object = page.data
    if not isinstance(data, list):
        raise _NoListError
    for entry in data:
        yield entry.model_dump(mode="json", warnings=False) if isinstance(entry, ModelInfo) else entry


def _refusal(status: int, kind: str | None, request_id: str | None) -> str:
    """Without the API's own words, which might repeat what was sent."""
    what = {
        401: "does not accept this key",
        403: "does not let this key list models",
        404: "is not there at this address: check ANTHROPIC_BASE_URL",
    }.get(status, "did not answer well")
    said = f"{kind or 'no error type'}, request id {request_id or 'none'}"
    return f"the Models API {what} (status {status}, {printable(said)})"


def facts_of(info: Mapping[str, Any]) -> Said:
    """What one entry of the list says, each value only if its field can hold it."""
    facts: dict[str, Any] = {}
    unusable: list[str] = []
    capabilities = info.get("capabilities")
    if capabilities is not None and not isinstance(capabilities, Mapping):
        unusable.append("capabilities")
        capabilities = None
    readers = {**_of_info(info), **_of_capabilities(capabilities or {})}
    for field in Facts.model_fields:
        if field not in readers:
            continue
        try:
            value = getattr(Facts.model_validate({field: readers[field]()}), field)
        except ValueError:
            unusable.append(field)
        else:
            facts |= {} if value is None else {field: value}
    return Said(facts, tuple(unusable))


def _of_info(info: Mapping[str, Any]) -> dict[str, Callable[[], object]]:
    return {
        "line": lambda: info.get("line"),
        "released": lambda: _day(info.get("created_at")),
        "lifecycle": lambda: info.get("lifecycle"),
        "retires": lambda: _day(info.get("retires_at")),
        "context_window": lambda: info.get("max_input_tokens"),
        "max_output": lambda: info.get("max_tokens"),
    }


def _of_capabilities(said: Mapping[str, object]) -> dict[str, Callable[[], object]]:
    flags = {field: functools.partial(_supported, said.get(key)) for key, field in _FLAGS.items()}
    return {
        **flags,
        "thinking": lambda: _kinds(_mapping(said.get("thinking")).get("types"), typing.get_args(Thinking)),
        "effort": lambda: _kinds(said.get("effort"), typing.get_args(Effort)),
        "context_edits": lambda: _kinds(said.get("context_management")),
        "server_tools": lambda: _kinds(said.get("server_tools")),
    }


def _day(moment: object) -> dt.date | None:
    """The day of a moment; the API says 1970 when it does not know.

    Raises:
        ValueError: it is no moment.
    """
    if moment is None:
        return None
    day = dt.datetime.fromisoformat(str(moment).replace("Z", "+00:00")).date()
    return day if day.year > 1970 else None  # noqa: PLR2004 - where clocks begin


def _mapping(capability: object) -> Mapping[str, object]:
    """A capability, or an empty one where nothing is said of it.

    Raises:
        ValueError: it is no capability.
    """
    if capability is None:
        return {}
    if isinstance(capability, Mapping):
        return capability
    raise ValueError("a capability is a mapping")


def _supported(capability: object) -> bool | None:
    """Whether it is; `None` where that is not said.

    Raises:
        ValueError: it is no capability, or that is neither yes nor no.
    """
    supported = _mapping(capability).get("supported")
    if supported is None or isinstance(supported, bool):
        return supported
    raise ValueError("a capability is supported, or it is not")


def _kinds(capability: object, order: tuple[str, ...] = ()) -> tuple[str, ...] | None:
    """Which of the capabilities in another are supported: those of an order in that order, and no others.

    Raises:
        ValueError: one of these is no capability.
    """
    if capability is None:
        return None
    inner = _mapping(capability)
    names = order or tuple(name for name in inner if name != "supported")
    found = tuple(name for name in names if _supported(inner.get(name)))
    return () if _supported(capability) is False else found
