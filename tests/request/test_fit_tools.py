"""Tools that the API defines go where they are taken."""

from __future__ import annotations

import pytest
from conversing import TOOLS
from fit_lab import fit, known, sent

ASKED, TO = "claude-opus-4-8", "claude-opus-4-7"
COMPUTER = {"type": "computer_20251124", "name": "computer"}
OLDER_COMPUTER = {"type": "computer_20250124", "name": "computer"}


@pytest.mark.parametrize(
    ("tool", "to", "goes"),
    [
        (COMPUTER, "claude-opus-5", True),
        (COMPUTER, "claude-opus-5-5", False),
        (COMPUTER, "claude-sonnet-5-5", False),
        (COMPUTER, "claude-haiku-5-5", False),
        (OLDER_COMPUTER, "claude-opus-5-5", True),
        (OLDER_COMPUTER, "claude-haiku-5-5", False),
        ({"type": "computer_toolset_20260801"}, "claude-haiku-5-5", True),
        (COMPUTER, "claude-unheard-of", True),
    ],
)
@pytest.mark.parametrize("adapt", [False, True])
def test_a_version_of_a_tool_that_is_refused_goes_nowhere(tool, to, goes, adapt):
    body = sent(ASKED, tools=[*TOOLS, tool], output_config={"effort": "low"})
    done = fit(body, to, adapt=adapt)
    assert done.why == (None if goes else f"tools: {tool['type']} is not taken")
    assert done.body["tools"] is body["tools"]
    assert fit(body, to, patch={"tools": [tool]}).misfit is None


@pytest.mark.parametrize(("platform", "goes"), [("bedrock", True), ("google_cloud", False), ("aws", False)])
def test_bedrock_takes_versions_that_the_api_refuses(platform, goes):
    body = sent(ASKED, tools=[COMPUTER])
    assert (fit(body, "claude-opus-5-5", platform=platform, other_client=True).misfit is None) == goes


@pytest.mark.parametrize(("advisor", "goes"), [("claude-opus-5-5", True), ("claude-opus-4-8", False), (None, True)])
def test_an_advisor_goes_with_the_model_that_it_advises(advisor, goes):
    body = sent(ASKED, tools=[{"type": "advisor_20260301", "name": "advisor", "model": advisor}])
    assert fit(body, "claude-sonnet-5-5").why == (None if goes else f"tools: {advisor} is not taken as an advisor")
    assert fit(body, "claude-opus-5").misfit is None


@pytest.mark.parametrize(
    ("kind", "platforms"),
    [
        ("web_search_20260209", {"anthropic", "aws", "foundry", "google_cloud", "vertex", None}),
        ("web_fetch_20260318", {"anthropic", "aws", "foundry", None}),
        ("code_execution_20260521", {"anthropic", "aws", "foundry", None}),
        ("advisor_20260301", {"anthropic", "aws", "foundry", None}),
        ("bash_20250124", {"anthropic", "aws", "foundry", "google_cloud", "vertex", "bedrock", None}),
        ("memory_20250818", {"anthropic", "aws", "foundry", "google_cloud", "vertex", "bedrock", None}),
        ("custom", {"anthropic", "aws", "foundry", "google_cloud", "vertex", "bedrock", None}),
    ],
)
def test_tools_that_the_api_runs_go_to_platforms_that_are_not_known_to_lack_them(kind, platforms):
    body = sent(ASKED, tools=[{"type": kind, "name": "tool"}])
    for platform in ("anthropic", "aws", "foundry", "google_cloud", "vertex", "bedrock", None):
        done = fit(body, TO, platform=platform, other_client=True)
        name = kind.rpartition("_")[0]
        assert done.why == (None if platform in platforms else f"tools: {name} is not to be had there")


def test_tools_that_the_api_runs_go_to_models_that_are_not_known_to_lack_them():
    body = sent(ASKED, tools=[{"type": "web_search_20260209", "name": "web_search"}])
    assert fit(body, known(TO, server_tools=("code_execution",))).why == "tools: web_search is not taken"
    assert fit(body, known(TO, server_tools=("web_search",))).misfit is None
    assert fit(body, known(TO, server_tools=None)).misfit is None
    fetch = sent(ASKED, tools=[{"type": "web_fetch_20260318", "name": "web_fetch"}])
    assert fit(fetch, known(TO, server_tools=())).misfit is None  # of that one the API does not tell


@pytest.mark.parametrize("platform", ["bedrock", "vertex", "google_cloud"])
def test_servers_of_tools_are_not_asked_of_platforms_without(platform):
    servers = [{"type": "url", "name": "files", "url": "https://example.com"}]
    body = sent(ASKED, mcp_servers=servers)
    assert fit(body, TO, platform=platform, other_client=True).why == "mcp_servers: not to be had there"
    assert fit(sent(ASKED, mcp_servers=[]), TO, platform=platform, other_client=True).misfit is None
    assert fit(body, TO, platform="foundry", other_client=True).misfit is None
    assert fit(body, TO, platform=platform, other_client=True, patch={"mcp_servers": servers}).misfit is None


CLEAR, COMPACT = {"type": "clear_tool_uses_20250919"}, {"type": "compact_20260112"}


@pytest.mark.parametrize(
    ("known_edits", "kept"),
    [
        (None, [CLEAR, COMPACT]),
        (("clear_tool_uses_20250919", "compact_20260112"), [CLEAR, COMPACT]),
        (("clear_tool_uses_20250919",), [CLEAR]),
        ((), []),
    ],
)
def test_edits_of_the_context_go_where_they_are_taken(known_edits, kept):
    body = sent(ASKED, context_management={"edits": [CLEAR, COMPACT]})
    done = fit(body, known(TO, context_edits=known_edits))
    assert done.body.get("context_management", {"edits": []}) == {"edits": kept}
    gone = 2 - len(kept)
    assert done.changes == ((f"context_management: {gone} edits dropped, not taken",) if gone else ())
    patched = fit(body, known(TO, context_edits=known_edits), patch={"context_management": {"edits": [COMPACT]}})
    assert patched.body["context_management"] == {"edits": [COMPACT]}
