"""Signatures of thinking blocks, and the checks that a model makes of them when a conversation comes back.

Newer models bind a thinking block to what stood before it:
https://platform.claude.com/docs/en/build-with-claude/preserved-thinking/prefix-checks. A signature of this fake
therefore holds who made the block, a hash of its text, one of all that came before it but thinking (`system`, `tools`
and the messages), and the thinking block before it. One that the fake did not make is not checked. The account is one
of those for which the API enforces the check by default.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from .models import KnownModel, known_model
from .violation import Violation

__all__ = ["binding_violations", "signature"]

_MAKER = "fake-claude"
_THINKING = frozenset({"thinking", "redacted_thinking"})
_UNMODIFIED = (
    "`thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified. "
    "These blocks must remain as they were in the original response."
)
_UNBOUND = (
    "Invalid `signature` in `thinking` block. The block is bound to a different conversation. "
    'Remove the block, or set `thinking.block_binding.prefix_mismatch_behavior` to "drop_block".'
)


class _Place(NamedTuple):
    """A thinking block in a request, and what it stands behind."""

    message: int
    block: int
    content: Mapping[str, Any]
    prefix: str
    """Of everything before it but thinking."""
    after: str | None
    """The thinking block before it."""


class _Signed(NamedTuple):
    """What a signature says."""

    nonce: str
    model: str
    text: str
    prefix: str
    after: str | None


def signature(body: Mapping[str, Any], model: str, text: str, nonce: str) -> str:
    """The signature of a thinking block that begins the answer to a request; `nonce` makes it differ from others."""
    places, prefix = _walk(body)
    known = known_model(model)
    signed = _Signed(
        nonce=nonce,
        model=model if known is None else known.id,
        text=_hash(text),
        prefix=prefix,
        after=_name(places[-1].content) if places else None,
    )
    return base64.b64encode(json.dumps([_MAKER, *signed]).encode()).decode()


def binding_violations(body: Mapping[str, Any], model: KnownModel | None) -> Iterator[Violation]:
    """Thinking blocks that were changed, or that no longer stand behind what they were made behind.

    `model` is who is asked. It checks nothing but the latest message's if it is unknown, or if it makes no bound
    blocks itself; and it drops, without a word, those that it cannot read.
    """
    if not any(
        block.get("type") in _THINKING for message in body["messages"] for block in _blocks(message.get("content"))
    ):
        return  # most requests, which need not be read through
    behavior = ((body.get("thinking") or {}).get("block_binding") or {}).get("prefix_mismatch_behavior")
    assistants = [index for index, message in enumerate(body["messages"]) if message.get("role") == "assistant"]
    for place in _walk(body)[0]:
        signed = _read(place.content.get("signature"))
        if signed is None:
            continue
        where = f"messages.{place.message}.content.{place.block}"
        if place.message in assistants[-1:] and signed.text != _hash(place.content.get("thinking")):
            yield Violation(f"{where}: {_UNMODIFIED}")
        elif behavior != "drop_block" and model is not None and signed.model in (model.reads or ()):
            left_out = place.after is not None and place.after != signed.after
            if signed.prefix != place.prefix or left_out:
                yield Violation(f"{where}: {_UNBOUND}")


def _walk(body: Mapping[str, Any]) -> tuple[list[_Place], str]:
    """All thinking blocks, and the hash of all that is none.

    A leading thinking block may be left out, and a trailing one; one between others may not.
    """
    system = body.get("system")
    running = hashlib.sha256(_canonical([_blocks(system) if system else [], body.get("tools") or []]))
    places: list[_Place] = []
    for index, message in enumerate(body["messages"]):
        for inner, block in enumerate(_blocks(message.get("content"))):
            if block.get("type") in _THINKING:
                after = _name(places[-1].content) if places else None
                places.append(_Place(index, inner, block, running.hexdigest()[:24], after))
            else:
                running.update(_canonical([message.get("role"), block]))
    return places, running.hexdigest()[:24]


def _blocks(content: Any) -> list[Mapping[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else list(content or ())


def _canonical(value: Any) -> bytes:
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":")).encode()


def _plain(value: Any) -> Any:
    """Without what says nothing to a model: breakpoints of the cache, and fields that are null."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items() if item is not None and key != "cache_control"}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _name(block: Mapping[str, Any]) -> str:
    return _hash(block.get("signature") or block.get("data"))


def _hash(value: object) -> str:
    return hashlib.sha256(str(value).encode()).hexdigest()[:24]


def _read(text: object) -> _Signed | None:
    try:
        said = json.loads(base64.b64decode(str(text), validate=True))
    except (binascii.Error, ValueError):
        return None
    return _Signed(*said[1:]) if isinstance(said, list) and said[:1] == [_MAKER] else None
