"""`failover demo --live`, with a fake API in the place of the real one."""

from __future__ import annotations

import sys

import pytest

from failover.cli import main
from failover.testing import FakeClaude

POLICY = """
version: 1
name: once
ladders: [{match: "*", rungs: [claude-opus-5]}]
retry: {tries: 1, passes: 1}
"""


@pytest.fixture
def upstream():
    with FakeClaude() as upstream:
        yield upstream


@pytest.fixture
def live(upstream, tmp_path, monkeypatch, capsys):
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "a-key")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", upstream.url)
    monkeypatch.delenv("ANTHROPIC_AUTH_TOKEN", raising=False)

    def run():
        monkeypatch.setattr(sys, "argv", ["failover", "demo", "--live", "--policy", str(policy)])
        with pytest.raises(SystemExit) as raised:
            main()
        return raised.value.code, capsys.readouterr().out

    return run


def test_it_makes_one_call_and_prints_the_route(live, upstream):
    code, out = live()
    assert code == 0
    assert "Route: primary" in out
    assert f"claude-opus-5-5: 200 ok {upstream.requests[0].request_id}" in out
    assert "claude-opus-5-5 answered: Hello from claude-opus-5-5." in out
    assert upstream.count() == 1


def test_a_fallback_is_in_the_route(live, upstream):
    upstream.fail("claude-opus-5-5", 529)
    code, out = live()
    assert code == 0
    assert "Route: fallback" in out
    assert "1. claude-opus-5-5: 529 overloaded_error req_" in out
    assert "2. claude-opus-5: 200 ok req_" in out


def test_no_connection_is_said_in_plain_words(live, upstream):
    upstream.stop()
    code, out = live()
    assert code == 1
    assert "Route: exhausted" in out
    assert "1. claude-opus-5-5: connection_error" in out
    assert "No answer: there is no connection to http://127.0.0.1" in out
    assert "(APIConnectionError)" in out


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"status": 401}, "No answer: the API does not accept the key in ANTHROPIC_API_KEY (AuthenticationError)"),
        ({"status": 529}, "(OverloadedError)"),
        ({"status": 400, "message": "max_tokens: too many"}, "max_tokens: too many"),
    ],
)
def test_an_error_is_said_in_plain_words(live, upstream, fault, words):
    upstream.fail("*", **fault)
    code, out = live()
    assert code == 1
    assert words in out
    assert "a-key" not in out
