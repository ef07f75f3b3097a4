"""The board: every breaker of a process by its name."""

from __future__ import annotations

import pytest
from breaker_lab import Lab


def test_the_board_knows_its_breakers_by_name():
    lab = Lab()
    bedrock = lab.board.breaker("claude-a", "bedrock")
    assert bedrock.name == "bedrock/claude-a"
    assert lab.board.breakers() == (lab.breaker, bedrock)
    assert lab.board["bedrock/claude-a"] is bedrock
    assert lab.board.breaker("claude-a") is lab.breaker
    with pytest.raises(KeyError, match=r"no circuit 'claude-x'; .*asked for: bedrock/claude-a, claude-a"):
        lab.board["claude-x"]
    assert repr(lab.board) == "<Board claude-a: closed, bedrock/claude-a: closed>"


def test_breakers_of_one_board_are_independent():
    lab = Lab()
    other = lab.board.breaker("claude-b")
    lab.breaker.open()
    assert (lab.state, other.state) == ("open", "closed")
