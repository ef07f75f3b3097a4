"""How another model takes over a stream that broke: what it is asked, what it is not asked, and where the seam is.

Nothing that the caller has seen is taken back or said twice without a sign. Between what one model said and what
the next one says stands a content block of type `fallback`, the kind with which the API itself marks that another
model goes on (https://platform.claude.com/docs/en/build-with-claude/refusals-and-fallback); its trigger is ours:

    {"type": "fallback", "from": {"model": ...}, "to": {"model": ...},
     "trigger": {"type": "interruption", "mode": "restart" or "continue", "error_type": ...}}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from failover.events import Resumption

from .message import Collected, merged_usage, parsed
from .sse import event, split

__all__ = ["Splice", "continuation", "obstacle", "without_seams"]

_WORDS = frozenset({"text", "thinking", "redacted_thinking", "fallback"})
_THINKING = frozenset({"thinking", "redacted_thinking"})


def obstacle(mode: Resumption, body: Mapping[str, Any], collected: Collected | None) -> str | None:
    """Why nobody can honestly take over, in a word; `None` if somebody can.

    Args:
        mode: how it would be done.
        body: the caller's request.
        collected: what the caller has been given; `None` if it was too much to be kept.
    """
    if collected is None:
        return "not_kept"
    if body.get("thread"):
        return "thread"  # its history is with the model that broke
    if (body.get("output_config") or {}).get("format"):
        return "structured_output"  # of two halves, or of one and a half, nothing can be read
    if collected.message.get("stop_reason"):
        return "stop_reason"  # all of it is there but the last event
    content: list[dict[str, Any]] = collected.message["content"]
    strange = [str(block["type"]) for block in content if block["type"] not in _WORDS]
    if strange:
        return strange[0]  # a tool that was called might be called twice
    return _not_to_be_continued(content) if mode == "continue" else None


def _not_to_be_continued(content: Sequence[Mapping[str, Any]]) -> str | None:
    """Only words can be continued, and the last of them must be words to the caller."""
    said = [block["type"] for block in content if block["type"] != "fallback"]
    if said and said[-1] in _THINKING:
        return "thinking"
    return None if _text(content).strip() else "no_text"


def continuation(body: Mapping[str, Any], collected: Collected, *, takes_a_beginning: bool) -> dict[str, Any]:
    """The body that asks a model to finish the answer.

    The recovery differs by generation: up to 4.5 a model goes on from the beginning of an answer, from 4.6 on it must be
    told (https://platform.claude.com/docs/en/build-with-claude/streaming#error-recovery).
    """
    text = _text(collected.message["content"])
    messages: Sequence[Any] = body.get("messages") or []
    thinks = (body.get("thinking") or {}).get("type") in ("enabled", "adaptive")
    if takes_a_beginning and not thinks:
        # The API refuses a beginning that ends in white space.
        return {**body, "messages": _begun(messages, text.rstrip())}
    asked = f"Your previous response was interrupted and ended with:\n\n{text}\n\nContinue from where you left off."
    return {**body, "messages": [*messages, {"role": "user", "content": asked}]}


def without_seams(messages: Sequence[Any]) -> Sequence[Any]:
    """The messages without the seams of answers that were restarted or continued; the same object if there are none.

    The API does not know these blocks. Guarded calls take them out by themselves while their policy resumes streams;
    this is for others that are given the same history, such as `messages.count_tokens`. What a restarted answer had
    said before its seam goes with it, and an answer of which nothing is left goes altogether.

    Args:
        messages: as for `messages.create`; blocks may be dicts or the SDK's own objects.
    """
    cleaned = [_without_seams(message) for message in messages]
    if all(after is before for after, before in zip(cleaned, messages, strict=True)):
        return messages
    return [message for message in cleaned if message is not None]


class Splice:
    """Makes the events of the attempt that takes over the rest of the stream that the caller is reading."""

    def __init__(
        self,
        mode: Resumption,
        collected: Collected,
        *,
        from_model: str,
        to_model: str,
        error_type: str | None,
        before: Splice | None = None,
    ) -> None:
        """Begin after what was given.

        Args:
            mode: how the attempt takes over.
            collected: what the caller has been given.
            from_model: who said it.
            to_model: who goes on.
            error_type: what broke the stream.
            before: the splice whose attempt broke, if this is not the first.
        """
        trigger = {"type": "interruption", "mode": mode, "error_type": error_type}
        seam = {"type": "fallback", "from": {"model": from_model}, "to": {"model": to_model}, "trigger": trigger}
        index = len(collected.message["content"])
        frames = [{"type": "content_block_stop", "index": collected.open}] if collected.open is not None else []
        frames.append({"type": "content_block_start", "index": index, "content_block": seam})
        frames.append({"type": "content_block_stop", "index": index})
        self._pending = b"".join(event(frame) for frame in frames)
        self._offset = index + 1
        self._before = (collected.message.get("usage") or {}) if before is None else before.spent
        self._usage: dict[str, Any] = {}
        said = _text(collected.message["content"]) if mode == "continue" else ""
        self._repeated = said[len(said.rstrip()) :]
        """White space that the caller has already, and that whoever continues may begin with once more."""

    @property
    def spent(self) -> dict[str, Any]:
        """The usage of all attempts so far, as far as they have told it."""
        return merged_usage(self._before, self._usage)

    def rewrite(self, events: bytes) -> bytes:
        """Whole events of the attempt, as the caller may get them; what cannot be read passes as it is."""
        pending, self._pending = self._pending, b""
        return pending + b"".join(map(self._rewritten, split(events)))

    def _rewritten(self, said: bytes) -> bytes:
        try:
            for data in parsed(said):
                return self._moved(data)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            pass  # the SDK will say what it thinks of it
        return said

    def _moved(self, data: dict[str, Any]) -> bytes:
        kind = data["type"]
        if kind == "message_start":
            self._usage = data["message"].get("usage") or {}
            return b""
        if kind.startswith("content_block"):
            self._without_what_is_repeated(data)
            data = {**data, "index": data["index"] + self._offset}
        elif kind == "message_delta":
            given = (data.get("usage") or {}).items()
            self._usage = {**self._usage, **{key: count for key, count in given if count is not None}}
            data = {**data, "usage": self.spent}
        return event(data)

    def _without_what_is_repeated(self, data: dict[str, Any]) -> None:
        delta = data.get("delta") or {}
        if not self._repeated or delta.get("type") != "text_delta":
            return
        text: str = delta["text"]
        while self._repeated and text.startswith(self._repeated[0]):
            text, self._repeated = text[1:], self._repeated[1:]
        if text:
            self._repeated = ""
        data["delta"] = {**delta, "text": text}


def _text(content: Sequence[Mapping[str, Any]]) -> str:
    """What was said since the last restart."""
    said = ""
    for block in content:
        if block["type"] == "text":
            said += block.get("text") or ""
        elif _is_seam(block) and block["trigger"]["mode"] == "restart":
            said = ""
    return said


def _begun(messages: Sequence[Any], beginning: str) -> list[Any]:
    """The messages with the beginning of an answer, after one that the caller gave."""
    last = messages[-1] if messages else {}
    if last.get("role") != "assistant":
        return [*messages, {"role": "assistant", "content": beginning}]
    given = last["content"]
    content = given + beginning if isinstance(given, str) else [*given, {"type": "text", "text": beginning}]
    return [*messages[:-1], {**last, "content": content}]


def _of(thing: Any, key: str) -> Any:
    return thing.get(key) if isinstance(thing, Mapping) else getattr(thing, key, None)


def _is_seam(block: Any) -> bool:
    return bool(_of(block, "type") == "fallback" and _of(_of(block, "trigger"), "type") == "interruption")


def _without_seams(message: Any) -> Any:
    content = message.get("content") if isinstance(message, Mapping) else None
    if not isinstance(content, (list, tuple)) or not any(map(_is_seam, content)):
        return message
    kept: list[Any] = []
    for block in content:
        if not _is_seam(block):
            if _of(block, "type") != "text" or _of(block, "text"):  # the API takes no text without words
                kept.append(block)
        elif _of(_of(block, "trigger"), "mode") == "restart":
            kept.clear()
    return {**message, "content": kept} if kept else None
