"""Bodies of requests for the tests of everything that changes one: single features, and valid ones at random.

A feature is one thing that some model may not take. What a model takes is asked of `failover.testing.model_rules`,
which knows nothing of the rules that are tested with these bodies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from conversing import DOCUMENT, IMAGE, TOOLS, conversations, redacted, signed, text, tool_result, tool_use
from hypothesis import strategies as st

from failover.testing.model_rules import violations

__all__ = ["FEATURES", "PLAIN", "Feature", "Sent", "body_with", "conversations", "is_valid", "valid_bodies"]

PLAIN = {"max_tokens": 4096, "messages": [{"role": "user", "content": "What is new?"}]}
LONG = 260_000
"""Tokens: more than the smaller context windows, and fewer than the larger ones."""


class Sent(NamedTuple):
    """What a request brings."""

    body: dict[str, Any]
    betas: tuple[str, ...]


@dataclass(frozen=True)
class Feature:
    """What it makes of a body. Tools are added, parts of `output_config` are set one by one, the rest is replaced."""

    fields: Mapping[str, Any] = field(default_factory=dict)
    betas: tuple[str, ...] = ()
    before: tuple[Mapping[str, Any], ...] = ()
    """Messages that come first."""
    blocks: tuple[Mapping[str, Any], ...] = ()
    """What the last message of the user has more."""
    after: tuple[Mapping[str, Any], ...] = ()
    """Messages that come last."""

    @property
    def places(self) -> frozenset[str]:
        """What of a body it sets; two features that set the same do not go together."""
        parts = {f"output_config.{name}" for name in self.fields.get("output_config", ())}
        return frozenset({*self.fields, *parts} - {"tools", "output_config"} | ({"after"} if self.after else set()))

    def on(self, sent: Sent) -> Sent:
        """The body with it; the one given stays as it is."""
        body, fields = sent.body, dict(self.fields)
        for name, joined in (("tools", list), ("output_config", dict)):
            if name in fields and body.get(name):
                fields[name] = (
                    joined([*body[name], *fields[name]]) if joined is list else {**body[name], **fields[name]}
                )
        messages = list(body["messages"])
        if self.blocks:
            last = max(index for index, message in enumerate(messages) if message["role"] == "user")
            content = messages[last]["content"]
            content = [text(content)] if isinstance(content, str) else content
            messages[last] = {**messages[last], "content": [*content, *self.blocks]}
        messages = [*self.before, *messages, *self.after]
        return Sent({**body, **fields, "messages": messages}, tuple(dict.fromkeys([*sent.betas, *self.betas])))


def _user(*blocks):
    return {"role": "user", "content": list(blocks)}


def _assistant(*blocks):
    return {"role": "assistant", "content": list(blocks)}


def _thinking(kind, **more):
    return Feature({"thinking": {"type": kind, **more}})


def _effort(level):
    return Feature({"output_config": {"effort": level}})


def _tools(*tools, betas=(), **fields):
    return Feature({"tools": list(tools), **fields}, betas=betas)


def _edits(*kinds, betas=()):
    edits = [{"type": kind} for kind in kinds]
    return Feature({"context_management": {"edits": edits}}, betas=("context-management-2025-06-27", *betas))


def _file(kind):
    return Feature(blocks=({"type": kind, "source": {"type": "file", "file_id": "file_011"}},), betas=(_FILES,))


_FILES = "files-api-2025-04-14"
_FALLBACK = "server-side-fallback-2026-07-01"
_THREADS = "message-threads-2026-08-12"
_SCREEN = {"name": "computer", "display_width_px": 1024, "display_height_px": 768}
_SCHEMA = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"], "additionalProperties": False}  # fmt: skip
_SEARCH = {"type": "web_search_20260209", "name": "web_search"}
_PAUSED = {"type": "server_tool_use", "id": "srvtoolu_paused", "name": "web_search", "input": {"query": "news"}}

FEATURES: dict[str, Feature] = {
    "plain": Feature(),
    "thinking_adaptive": _thinking("adaptive"),
    "thinking_omitted": _thinking("adaptive", display="omitted"),
    "thinking_enabled": _thinking("enabled", budget_tokens=2048),
    "thinking_disabled": _thinking("disabled"),
    "thinking_between_tools": _thinking("between_tools"),
    "effort_low": _effort("low"),
    "effort_medium": _effort("medium"),
    "effort_high": _effort("high"),
    "effort_xhigh": _effort("xhigh"),
    "effort_max": _effort("max"),
    "max_tokens_big": Feature({"max_tokens": 128_000}),
    "long_prompt": Feature(blocks=(text("word " * (LONG * 4 // 5)),)),
    "prefill": Feature(after=(_assistant(text("The best answer is (")),)),
    "paused_turn": Feature({"tools": [_SEARCH]}, after=(_assistant(text("I search."), _PAUSED),)),
    "tool_choice_any": _tools(*TOOLS, tool_choice={"type": "any"}),
    "tool_choice_tool": _tools(*TOOLS, tool_choice={"type": "tool", "name": "search"}),
    "tool_choice_auto": _tools(*TOOLS, tool_choice={"type": "auto"}),
    "tool_choice_none": _tools(*TOOLS, tool_choice={"type": "none"}),
    "speed_fast": Feature({"speed": "fast"}, betas=("fast-mode-2026-02-01",)),
    "speed_standard": Feature({"speed": "standard"}),
    "service_tier_auto": Feature({"service_tier": "auto"}),
    "service_tier_standard": Feature({"service_tier": "standard_only"}),
    "inference_geo": Feature({"inference_geo": "us"}),
    "fallbacks_default": Feature({"fallbacks": "default"}, betas=(_FALLBACK,)),
    "fallbacks_list": Feature({"fallbacks": [{"model": "claude-opus-4-8", "max_tokens": 1024}]}, betas=(_FALLBACK,)),
    "fallback_credit_token": Feature({"fallback_credit_token": "fct_1"}, betas=("fallback-credit-2026-07-01",)),
    "temperature": Feature({"temperature": 0.5}),
    "clear_tool_uses": _edits("clear_tool_uses_20250919"),
    "clear_thinking": _edits("clear_thinking_20251015"),
    "compact": _edits("compact_20260112", betas=("compact-2026-01-12",)),
    "structured_output": Feature({"output_config": {"format": {"type": "json_schema", "schema": _SCHEMA}}}),
    "strict_tool": _tools({"name": "strict_one", "strict": True, "input_schema": _SCHEMA}),
    "image": Feature(blocks=(IMAGE,)),
    "pdf": Feature(blocks=(DOCUMENT,)),
    "citations": Feature(blocks=({**DOCUMENT, "citations": {"enabled": True}},)),
    "computer_20251124": _tools({**_SCREEN, "type": "computer_20251124"}, betas=("computer-use-2025-11-24",)),
    "computer_20250124": _tools({**_SCREEN, "type": "computer_20250124"}, betas=("computer-use-2025-01-24",)),
    "computer_toolset": _tools({"type": "computer_toolset_20260801"}),
    "web_search": _tools(_SEARCH),
    "code_execution": _tools({"type": "code_execution_20260120", "name": "code_execution"}),
    "advisor": _tools(
        {"type": "advisor_20260301", "name": "advisor", "model": "claude-opus-5-5"}, betas=("advisor-tool-2026-03-01",)
    ),
    "advisor_opus_4_8": _tools(
        {"type": "advisor_20260301", "name": "advisor", "model": "claude-opus-4-8"}, betas=("advisor-tool-2026-03-01",)
    ),
    "container": Feature({"container": "container_011"}),
    "image_file": _file("image"),
    "document_file": _file("document"),
    "thread_create": Feature({"thread": {"type": "create"}}, betas=(_THREADS,)),
    "thread_continue": Feature({"thread": {"type": "continue", "previous_message_id": "msg_011"}}, betas=(_THREADS,)),
    "mcp_servers": _tools(
        {"type": "mcp_toolset", "mcp_server_name": "files"},
        mcp_servers=[{"type": "url", "name": "files", "url": "https://example.com/mcp"}],
        betas=("mcp-client-2025-11-20",),
    ),
    "cache_control": Feature({"cache_control": {"type": "ephemeral"}}),
    "cached_block": Feature(blocks=(text("Up to here.", cache_control={"type": "ephemeral"}),)),
    "metadata": Feature({"metadata": {"user_id": "someone"}}),
    "stop_sequences": Feature({"stop_sequences": ["END"]}),
    "system_text": Feature({"system": "Be brief."}),
    "system_blocks": Feature({"system": [text("Be brief.", cache_control={"type": "ephemeral"}), text("Be kind.")]}),
    "system_message": Feature(after=({"role": "system", "content": "It is late."},)),
    "thinking_history": Feature(before=(_user(text("Hi")), _assistant(signed(), redacted(), text("Hello.")))),
    "tool_history": Feature(
        {"tools": TOOLS},
        before=(
            _user(text("Look it up.")),
            _assistant(signed(), tool_use("toolu_first", query="it")),
            _user(tool_result("toolu_first")),
            _assistant(text("Here it is.")),
        ),
    ),
}  # fmt: skip
"""Every field that the rules of fitting know, one by one."""

NEED_A_SERVER = frozenset({"thread_continue"})
"""Those that are only taken after another request."""


def body_with(model, *names, body=PLAIN) -> Sent:
    """A plain body, or another, with some features."""
    sent = Sent({"model": model, **body}, ())
    for name in names:
        sent = FEATURES[name].on(sent)
    return sent


def is_valid(sent: Sent) -> bool:
    """Whether the API would take it."""
    return not violations(sent.body, sent.betas)


@st.composite
def _combined(draw, model, names):
    base = draw(st.one_of(st.just(PLAIN), conversations(max_turns=1)))
    sent = Sent({**base, "model": model}, ())
    taken: set[str] = set()
    for name in draw(st.lists(st.sampled_from(names), max_size=6, unique=True)):
        feature = FEATURES[name]
        if taken.isdisjoint(feature.places):
            taken |= feature.places
            sent = feature.on(sent)
    return sent


def valid_bodies(model):
    """Bodies, with their betas, that this model takes as they are: features of all kinds, and conversations."""
    names = [name for name in FEATURES if name not in NEED_A_SERVER and is_valid(body_with(model, name))]
    return _combined(model, names).filter(is_valid)
