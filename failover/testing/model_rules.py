"""Whether the API would take a request, as far as its documentation says: what `FakeClaude` refuses, and why.

A program that changes requests, for another model or to make them smaller, is tested against it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from .rules import (
    KnownModel,
    Violation,
    conversation_violations,
    field_violations,
    known_model,
    prompt_tokens,
)
from .rules.fields import NEWEST_VERSION

__all__ = ["NEWEST_VERSION", "Violation", "violations"]


def violations(
    body: Mapping[str, Any],
    betas: Collection[str] = (),
    *,
    tokens: int | None = None,
    version: str = NEWEST_VERSION,
) -> tuple[Violation, ...]:
    """All that is wrong with the body of a request, in the order in which it is looked at; empty: it is taken.

    Of a model that is not known, only what holds for every model is wrong. The body's fields must have the shapes
    of the API reference.

    Args:
        body: the request's JSON; one without `max_tokens` is a request to count tokens.
        betas: what the `anthropic-beta` header names.
        tokens: how long the prompt is; `None`: estimated.
        version: what the `anthropic-version` header says.
    """
    model = known_model(body["model"])
    if model is not None and model.lifecycle == "retired":
        return (Violation(f"model: {body['model']}", status=404, error_type="not_found_error"),)
    of_the_model = (
        (*field_violations(body, model, betas, version), *_length(body, model, tokens)) if model is not None else ()
    )
    return (*of_the_model, *conversation_violations(body, model, version))


def _length(body: Mapping[str, Any], model: KnownModel, tokens: int | None) -> Iterator[Violation]:
    asked = body.get("max_tokens")
    if model.window is None or asked is None:
        return
    prompt = prompt_tokens(body) if tokens is None else tokens
    if prompt > model.window:
        yield Violation(f"prompt is too long: {prompt} tokens > {model.window} maximum")
    elif prompt + asked > model.window:
        yield Violation(
            f"input length and `max_tokens` exceed context limit: {prompt} + {asked} > {model.window}, "
            "decrease input length or `max_tokens` and try again"
        )
