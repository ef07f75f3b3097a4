"""The body of a request for a message: whose it is, and how it is changed for a rung without touching the caller's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anthropic import APIRequest

from failover.policy.model import Rung
from failover.stream.resume import without_seams

__all__ = ["MESSAGES_PATH", "cleaned", "guarded_body", "is_bound_to_its_model", "patched", "with_betas"]

MESSAGES_PATH = "/v1/messages"


def guarded_body(request: APIRequest) -> dict[str, Any] | None:
    """The body of a request for a message (`POST /v1/messages` with a model in it); `None` for any other request.

    A name with a line break in it is no model's: the API may say so, and no log line is forged with it.
    """
    if request.url.partition("?")[0] != MESSAGES_PATH or request.method.lower() != "post":
        return None
    body: Any = request.json
    model = body.get("model") if isinstance(body, dict) else None
    return body if isinstance(model, str) and model.isprintable() else None


def is_bound_to_its_model(body: Mapping[str, Any]) -> bool:
    """Whether a body makes sense only to the model it names: it continues a thread whose history that one keeps."""
    thread = body.get("thread")
    return isinstance(thread, dict) and thread.get("type") == "continue"


def cleaned(body: dict[str, Any]) -> dict[str, Any]:
    """The body without the seams that resumed streams left in its history; the same object if there are none."""
    messages = body.get("messages")
    clean = without_seams(messages) if isinstance(messages, list) else messages
    return body if clean is messages else {**body, "messages": clean}


def patched(body: dict[str, Any], rung: Rung) -> dict[str, Any]:
    """The body for a rung: a shallow copy with its model and its patch; the caller's own body is not touched."""
    patched = {**body, "model": rung.model}
    for key, value in rung.set.items():
        before = patched.get(key)
        if key == "output_config" and isinstance(value, Mapping) and isinstance(before, Mapping):
            merged = {**before, **value}
            patched[key] = {name: setting for name, setting in merged.items() if setting is not None}
        elif value is None:
            patched.pop(key, None)
        else:
            patched[key] = value
    return patched


def with_betas(headers: Any, betas: tuple[str, ...]) -> dict[str, Any]:
    """A request's headers with other betas in them; without any, the header goes."""
    kept = {name: value for name, value in dict(headers or {}).items() if name.lower() != "anthropic-beta"}
    return {**kept, "anthropic-beta": ",".join(betas)} if betas else kept
