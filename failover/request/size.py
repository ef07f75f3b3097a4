"""How large a prompt is, roughly and at once: counted by blocks and the lengths of their texts, without reading them.

A real count needs the model's own tokenizer (https://platform.claude.com/docs/en/build-with-claude/token-counting).
This one is for decisions in which a tenth more or less does not matter. It costs a little for each block and nothing
for each byte, so that a prompt of 5 MB is measured as quickly as one of 1 KB; of texts beyond ASCII a sample is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["tokens_of", "tokens_of_block", "tokens_of_content", "tokens_of_text"]

# English prose has about 4 characters to a token, with the tokenizer of Opus 4.7 and later some 30 % fewer
# (https://platform.claude.com/docs/en/about-claude/models/overview); code and JSON have fewer still. Other scripts have
# fewer characters to a token and more bytes to a character, so that bytes are a measure for all of them.
_BYTES_PER_TOKEN = 3.5
_SAMPLE = 256
# An image has at most about this many (https://platform.claude.com/docs/en/build-with-claude/vision).
_IMAGE = 1_600
# A page of a PDF is text and an image of it, and it has one at least (https://platform.claude.com/docs/en/build-with-claude/pdf-support).
_PDF_CHARACTERS_PER_TOKEN = 40.0
_DOCUMENT_ELSEWHERE = 20_000
_MESSAGE = 4
_CALL = 20
_CALLS = ("tool_use", "server_tool_use", "mcp_tool_use")
_MAPPING = (dict, Mapping)  # asking for the first is much quicker


def tokens_of(body: Mapping[str, Any]) -> int:
    """About how many input tokens a request has: its system prompt, tools and messages."""
    tokens = tokens_of_content(body.get("system")) + _tokens_of_fields(body.get("tools") or ())
    messages = body.get("messages")
    for message in messages if isinstance(messages, list) else ():
        tokens += _MESSAGE + tokens_of_content(message.get("content") if isinstance(message, _MAPPING) else None)
    return tokens


def tokens_of_content(content: Any) -> int:
    """About how many tokens the content of a message, a system prompt or a tool's result has."""
    if isinstance(content, str):
        return tokens_of_text(content)
    if isinstance(content, list) or (isinstance(content, Iterable) and not isinstance(content, (bytes, Mapping))):
        return sum(map(tokens_of_block, content))
    return 0


def tokens_of_block(block: Any) -> int:
    """About how many tokens one content block has."""
    if not isinstance(block, _MAPPING):
        return _tokens_of_fields(block)
    kind = block.get("type")
    if kind == "text":
        return tokens_of_content(block.get("text"))
    if kind == "tool_result":
        return _MESSAGE + tokens_of_content(block.get("content"))
    if kind in _CALLS:
        return _CALL + _tokens_of_fields(block.get("input"))
    if kind in ("image", "document"):
        return _IMAGE if kind == "image" else _tokens_of_document(block.get("source"))
    return _tokens_of_fields(block)


def tokens_of_text(text: str) -> int:
    """About how many tokens a text has; its bytes are those of a few of its characters, taken at even distances."""
    length = len(text)
    if text.isascii():
        return int(length / _BYTES_PER_TOKEN) + 1
    some = text[:: length // _SAMPLE + 1]
    return int(length * len(some.encode(errors="surrogatepass")) / len(some) / _BYTES_PER_TOKEN) + 1


def _tokens_of_document(source: Any) -> int:
    kind = source.get("type") if isinstance(source, Mapping) else None
    if kind == "text":
        return tokens_of_content(source.get("data"))
    if kind == "base64":
        data = source.get("data")
        return max(_IMAGE, int((len(data) if isinstance(data, str) else 0) / _PDF_CHARACTERS_PER_TOKEN))
    if kind == "content":
        return tokens_of_content(source.get("content"))
    return _DOCUMENT_ELSEWHERE


def _tokens_of_fields(value: Any) -> int:
    """Whatever has no form of its own: a tool's definition, its input, a search result, an SDK object."""
    if isinstance(value, str):
        return tokens_of_text(value)
    if isinstance(value, _MAPPING):
        return sum(len(str(key)) // 3 + _tokens_of_fields(inner) for key, inner in value.items())
    if isinstance(value, (list, tuple)):
        return sum(_tokens_of_fields(inner) for inner in value)
    model = getattr(value, "model_dump", None)
    return _tokens_of_fields(model()) if callable(model) else 1
