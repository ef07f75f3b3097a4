"""Conversations as the Messages API takes them, drawn at random: what no adaptation and no shrinking may break.

They are valid by construction: a user speaks first and last, every tool call is answered in the next message and
every answer has its call, ids are used once, nothing is empty. Texts are repeated words, so that long ones are cheap
to draw and to shrink.
"""

from __future__ import annotations

import base64
import struct
import zlib

from hypothesis import strategies as st

__all__ = [
    "DOCUMENT",
    "IMAGE",
    "TOOLS",
    "conversations",
    "png",
    "redacted",
    "signed",
    "text",
    "tool_result",
    "tool_use",
]


def png(width=8, height=8):
    """A grey image, whole and valid."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\x00" + b"\x80" * width) * height
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def text(words, **more):
    return {"type": "text", "text": words, **more}


def tool_use(identity, name="search", **arguments):
    return {"type": "tool_use", "id": identity, "name": name, "input": arguments}


def tool_result(identity, content="found", **more):
    return {"type": "tool_result", "tool_use_id": identity, "content": content, **more}


def signed(thoughts="Let me see.", signature="c2lnbmF0dXJl"):
    """A thinking block with a signature that no fake made, so that it is bound to nothing."""
    return {"type": "thinking", "thinking": thoughts, "signature": signature}


def redacted(data="cmVkYWN0ZWQ="):
    return {"type": "redacted_thinking", "data": data}


def _base64(media_type, data):
    return {"type": "base64", "media_type": media_type, "data": base64.b64encode(data).decode()}


IMAGE = {"type": "image", "source": _base64("image/png", png())}
IMAGE_BY_URL = {"type": "image", "source": {"type": "url", "url": "https://example.com/picture.png"}}
DOCUMENT = {"type": "document", "source": _base64("application/pdf", b"%PDF-1.4\n" + b"0" * 600 + b"\n%%EOF\n")}
TEXT_DOCUMENT = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "A page. " * 80}}
TOOLS = [
    {
        "name": name,
        "description": f"Does a {name}.",
        "input_schema": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
    }
    for name in ("search", "read_file")
]
_EPHEMERAL = {"type": "ephemeral"}
_MOST_BREAKPOINTS = 4
_WORDS = ("hello ", "What does this say? ", "línea ", "数据 ", '{"key": [1, 2, 3]} ', "a\nb\t")


def _texts(longest=200):
    """Words some times over: a sentence mostly, at times a page or many."""
    return st.sampled_from([(word * times).strip() for times in (1, 5, 30, longest) for word in _WORDS])


def _text_blocks(longest=200):
    """The same as blocks, some of them to be cached up to there."""
    return st.sampled_from(
        [
            text((word * times).strip(), **more)
            for times, more in [(1, {}), (5, {}), (1, {"cache_control": _EPHEMERAL}), (longest, {})]
            for word in _WORDS
        ]
    )


_ATTACHMENTS = [IMAGE, IMAGE_BY_URL, DOCUMENT, TEXT_DOCUMENT, {**IMAGE, "cache_control": _EPHEMERAL}]
_THOUGHTS = [[], [], [signed()], [signed("Let me think. " * 100)], [signed(thoughts="")], [redacted(), signed()]]
_CALLED = st.sampled_from([(tool["name"], words) for tool in TOOLS for words in ("one", "two " * 200)])


def _user_contents():
    """What a person sends: plain words, or blocks with or without attachments."""
    words = st.lists(_text_blocks(), min_size=1, max_size=2)
    attached = st.lists(st.sampled_from(_ATTACHMENTS), max_size=2)
    return st.one_of(_texts(), st.tuples(attached, words).map(lambda parts: [*parts[0], *parts[1]]))


def _result_contents():
    """What a tool brings: words, blocks with pictures and documents among them, or nothing."""
    blocks = st.lists(st.one_of(_text_blocks(2000), st.sampled_from(_ATTACHMENTS)), min_size=1, max_size=2)
    return st.one_of(_texts(2000), blocks, st.just(""))


@st.composite
def _tool_round(draw, number):
    """An assistant's message with tool calls, and the message with their results."""
    called = draw(st.lists(_CALLED, min_size=1, max_size=3))
    calls = [tool_use(f"toolu_{number:03}_{index}", name, query=words) for index, (name, words) in enumerate(called)]
    results = [tool_result(call["id"], draw(_result_contents())) for call in calls]
    if draw(st.booleans()):
        results[0]["is_error"] = True
        results.reverse()
    words, remarks = draw(st.sampled_from([([], []), ([text("I look it up.")], []), ([], [text("Go on.")])]))
    return [
        {"role": "assistant", "content": [*draw(st.sampled_from(_THOUGHTS)), *words, *calls]},
        {"role": "user", "content": [*results, *remarks]},
    ]


@st.composite
def _answer(draw, number):
    """An assistant's last word in a turn: words, with thinking or with a search of the server's own before it."""
    kind = draw(st.sampled_from(["plain", "blocks", "thought", "searched"]))
    if kind == "plain":
        return {"role": "assistant", "content": draw(_texts())}
    thoughts = draw(st.sampled_from(_THOUGHTS)) if kind == "thought" else []
    searched = _web_search(f"srvtoolu_{number:03}") if kind == "searched" else []
    return {"role": "assistant", "content": [*thoughts, *searched, draw(_text_blocks())]}


def _web_search(identity):
    found = {
        "type": "web_search_result",
        "url": "https://example.com",
        "title": "An example",
        "encrypted_content": "ZW5jcnlwdGVk" * 40,
        "page_age": None,
    }
    return [
        {"type": "server_tool_use", "id": identity, "name": "web_search", "input": {"query": "example"}},
        {"type": "web_search_tool_result", "tool_use_id": identity, "content": [found]},
    ]


@st.composite
def _messages(draw, max_turns):
    messages = [{"role": "user", "content": draw(_user_contents())}]
    turns = draw(st.integers(0, max_turns))
    for turn in range(turns + 1):
        for step in range(draw(st.integers(0, 3))):
            messages += draw(_tool_round(turn * 10 + step))
        if turn < turns:
            messages += [draw(_answer(turn)), {"role": "user", "content": draw(_user_contents())}]
    return messages


@st.composite
def _system(draw, mark):
    """Blocks of the system prompt, any of which may be marked: all, some or none."""
    blocks = draw(st.lists(_text_blocks(), min_size=1, max_size=4))
    if mark is None:
        return blocks
    marked = draw(st.lists(st.booleans(), min_size=len(blocks), max_size=len(blocks)))
    return [{**block, "text": mark(block["text"])} if yes else block for block, yes in zip(blocks, marked, strict=True)]


def _cached_in_few_places(value, left):
    """The same, copied, with no more breakpoints of the cache than a request may have."""
    if isinstance(value, list):
        return [_cached_in_few_places(item, left) for item in value]
    if not isinstance(value, dict):
        return value
    if "cache_control" in value:
        left[0] -= 1
    dropped = {"cache_control"} if left[0] < 0 else set()
    return {key: _cached_in_few_places(item, left) for key, item in value.items() if key not in dropped}


@st.composite
def conversations(draw, *, mark=None, max_turns=3, model="claude-opus-5"):
    """A body that is valid for any model with tools, images and documents; without any model's own fields.

    `mark` is what makes of a system text one that may be dropped (`failover.optional`); some blocks are marked then.
    """
    body = {"model": model, "max_tokens": 1024, "messages": draw(_messages(max_turns))}
    system = draw(st.one_of(st.none(), _texts(), _system(mark)))
    if system is not None:
        body["system"] = system
    return _cached_in_few_places({**body, "tools": TOOLS}, [_MOST_BREAKPOINTS])
