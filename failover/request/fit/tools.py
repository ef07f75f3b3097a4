"""Tools that the API defines, and where they are to be had."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from .draft import Draft

__all__ = ["WITHOUT_TOOLS", "advisor", "context_management", "mcp", "server_tools", "tool_versions"]

_SERVER_TOOL = re.compile(r"(web_search|web_fetch|code_execution|advisor)_\d{8}")
WITHOUT_TOOLS: Mapping[str | None, frozenset[str]] = {
    "bedrock": frozenset(),
    "google_cloud": frozenset({"web_search"}),
    "vertex": frozenset({"web_search"}),
}
"""Platforms that have few or none of the tools that the API runs itself, and which they have
(https://platform.claude.com/docs/en/agents-and-tools/tool-use/web-search-tool)."""


def tool_versions(draft: Draft) -> str | None:
    """Some models refuse some versions of a tool, but not on Bedrock
    (https://platform.claude.com/docs/en/models/opus-5-5/whats-new-opus-5-5).
    """
    if draft.model is None or draft.to.platform == "bedrock" or draft.pins("tools"):
        return None
    refused = next((kind for kind, _ in _typed(draft) if kind in draft.model.refused_tools), None)
    return None if refused is None else f"tools: {refused} is not taken"


def advisor(draft: Draft) -> str | None:
    """An advisor must go with the model that it advises
    (https://platform.claude.com/docs/en/models/sonnet-5-5/whats-new-sonnet-5-5).
    """
    if draft.model is None or draft.pins("tools"):
        return None
    for kind, tool in _typed(draft):
        if kind.startswith("advisor_") and tool.get("model") in draft.model.refused_advisors:
            return f"tools: {tool['model']} is not taken as an advisor"
    return None


def server_tools(draft: Draft) -> str | None:
    """Tools that the API runs itself: not every model has each of them, and other platforms have few
    (https://platform.claude.com/docs/en/build-with-claude/overview).
    """
    if draft.pins("tools"):
        return None
    known = draft.model.server_tools if draft.model is not None else None
    there = None if draft.to.whole_api else WITHOUT_TOOLS.get(draft.to.platform)
    for kind, _ in _typed(draft):
        found = _SERVER_TOOL.fullmatch(kind)
        if found is None:
            continue
        if there is not None and found[1] not in there:
            return f"tools: {found[1]} is not to be had there"
        if known is not None and found[1] in ("web_search", "code_execution") and found[1] not in known:
            return f"tools: {found[1]} is not taken"
    return None


def mcp(draft: Draft) -> str | None:
    """The API's own connection to MCP servers is not on other platforms
    (https://platform.claude.com/docs/en/agents-and-tools/mcp-connector).
    """
    if not draft.get("mcp_servers") or draft.to.whole_api or draft.pins("mcp_servers"):
        return None
    return "mcp_servers: not to be had there" if draft.to.platform in WITHOUT_TOOLS else None


def context_management(draft: Draft) -> str | None:
    """Edits of the context that the target does not know go: they save tokens, and ask for nothing
    (https://platform.claude.com/docs/en/build-with-claude/context-editing).
    """
    known = draft.model.context_edits if draft.model is not None else None
    edits = draft.get("context_management", "edits")
    if known is None or not isinstance(edits, list) or draft.pins("context_management"):
        return None
    kept = [edit for edit in edits if not isinstance(edit, Mapping) or edit.get("type") in known]
    if len(kept) < len(edits):
        draft.put_edits(kept, "not taken")
    return None


def _typed(draft: Draft) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each tool that the API defines, with its type and version."""
    tools = draft.get("tools")
    for tool in tools if isinstance(tools, list) else ():
        kind = tool.get("type") if isinstance(tool, Mapping) else None
        if isinstance(kind, str):
            yield kind, tool
