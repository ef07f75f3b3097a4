"""A body that nobody foresaw: where fitting or shrinking stumbles, the caller still gets what the first model said."""

from __future__ import annotations

import gc
import logging

import anthropic
import pytest
from bulkhead_places import LARGE, idle, limited
from named_lab import BACKUP, Lab, rung, to_backup
from sdk_callers import FIRST, NO_REPEAT, SECOND, ladder, policy, refuse
from stream_places import assert_given_back, half_open

import failover
from failover.request import cargo as cargo_module
from failover.request.cargo import Cargo
from failover.request.fit import rules

CANARY = "canary of the prompt"
PROMPT = [{"role": "user", "content": CANARY}]
UNREAD = "unfit: the request could not be read"
SHRINK = {"when": ["timeout_error"], "steps": ["drop_turns"]}


def stumble(*_args, **_options):
    raise TypeError(f"no list: {CANARY}")


def interrupt(*_):
    raise KeyboardInterrupt


@pytest.fixture
def warnings(caplog):
    """The warnings that told of the request, and not of a circuit or of a switch."""
    caplog.set_level(logging.DEBUG, logger="failover")

    def warnings():
        assert CANARY not in caplog.text
        return [line.getMessage() for line in caplog.records if not hasattr(line, "failover")]

    return warnings


class TestARuleThatStumbles:
    @pytest.fixture
    def stumbles(self, monkeypatch):
        monkeypatch.setattr(rules, "RULES", (stumble, *rules.RULES))

    def test_leaves_the_caller_the_first_models_error(self, stumbles, caller, fake_claude, warnings):
        fake_claude.fail(FIRST, 529)
        error = caller.error(messages=PROMPT)
        assert type(error) is anthropic.OverloadedError
        assert fake_claude.count(SECOND) == 0
        assert warnings() == [f"a request could not be fitted for {SECOND}: TypeError"]

    def test_does_not_hide_the_failure_from_the_circuit(self, stumbles, connect, fake_claude):
        caller = connect(policy(retry=NO_REPEAT))
        fake_claude.fail(FIRST, 529)
        caller.attempt()
        assert caller.board[FIRST].pybreaker.fail_counter == 1

    def test_is_said_on_the_route_without_a_word_of_the_request(self, stumbles, connect, fake_claude):
        fake_claude.fail(FIRST, 529)
        route = failover.route(connect(policy(retry=NO_REPEAT)).error(messages=PROMPT))
        assert dict(zip(route.skipped, route.why_skipped, strict=True)) == {SECOND: UNREAD}
        assert CANARY not in str(route)

    def test_leaves_no_half_open_circuit_without_its_verdict(self, stumbles, caller, fake_claude, fake_clock):
        caller.create()
        half_open(caller.guard, fake_clock, FIRST)
        fake_claude.fail(FIRST, 529)
        assert type(caller.error()) is anthropic.OverloadedError
        assert caller.board[FIRST].state == "open"

    def test_keeps_no_other_rung_from_being_asked(self, monkeypatch, connect, fake_claude):
        def stumble_once(draft):
            return stumble() if draft.to.rung.model == SECOND else None

        monkeypatch.setattr(rules, "RULES", (stumble_once, *rules.RULES))
        fake_claude.fail(FIRST, 529)
        caller = connect(policy(ladders=ladder(SECOND, "claude-sonnet-5"), retry=NO_REPEAT))
        assert caller.create().model == "claude-sonnet-5"


class TestABodyOfAStrangeForm:
    @pytest.fixture
    def backed(self, connect, asynchronous, fake_clock):
        """A caller whose only other rung is on a named client; the upstreams do not look at what they are sent."""
        lab = Lab(connect, fake_clock, "http://backup.test", asynchronous=asynchronous)
        clients = {BACKUP: lab.client(answer=lambda _: refuse(529))}
        yield lab.caller(to_backup(rung(SECOND)), clients, own={"answer": lambda _: refuse(529)})
        lab.close()

    @pytest.mark.parametrize(
        "body",
        [
            {"container": {"skills": 5}},
            {"container": {"skills": [5]}},
            {"messages": [{"role": "user", "content": [5]}, 7]},
            {"tools": 5, "thinking": 6, "output_config": 7, "context_management": 8, "thread": 9},
        ],
    )
    def test_leaves_the_caller_the_first_models_error(self, backed, body):
        error = backed.error(extra_body=body)
        assert type(error) is anthropic.OverloadedError
        assert failover.route(error).attempts[0].status == 529
        assert backed.board[FIRST].pybreaker.fail_counter == 1

    @pytest.mark.parametrize("parts", [{}, {"cost_at_most": 2}, {"shrink": SHRINK}, {"bulkheads": LARGE}])
    def test_that_cannot_be_measured_does_too(self, connect, monkeypatch, parts):
        monkeypatch.setattr(cargo_module, "tokens_of", stumble)
        caller = connect(policy(retry=NO_REPEAT, **parts), answer=lambda _: refuse(504, "timeout_error"))
        error = caller.error()
        assert (type(error), error.status_code) == (anthropic.DeadlineExceededError, 504)
        assert caller.board[FIRST].pybreaker.fail_counter == 1


class TestShrinkingThatStumbles:
    @pytest.fixture
    def caller(self, monkeypatch, connect):
        monkeypatch.setattr(cargo_module, "shrunk", stumble)
        return connect(policy(retry=NO_REPEAT, shrink=SHRINK))

    def test_leaves_the_prompt_as_it_was(self, caller, fake_claude, warnings):
        fake_claude.fail(FIRST, 504)
        assert caller.create(messages=PROMPT).model == SECOND
        assert [request.body["messages"] for request in fake_claude.requests] == [PROMPT, PROMPT]
        assert warnings() == ["a prompt could not be shrunk: TypeError"]

    def test_leaves_the_caller_the_first_models_error(self, caller, fake_claude):
        fake_claude.fail("*", 504)
        error = caller.error(messages=PROMPT)
        assert (type(error), error.status_code) == (anthropic.DeadlineExceededError, 504)
        assert [caller.board[model].pybreaker.fail_counter for model in (FIRST, SECOND)] == [1, 1]


class TestCtrlCWhileARequestIsFitted:
    @pytest.fixture
    def caller(self, connect):
        return connect(limited(1, 0, SECOND))

    def test_gives_the_permit_and_the_ticket_back(self, caller, fake_claude, fake_clock, monkeypatch):
        caller.create()
        half_open(caller.guard, fake_clock, FIRST)
        fake_claude.fail(FIRST, 529)
        with monkeypatch.context() as patch:
            patch.setattr(Cargo, "load", interrupt)
            error = caller.error()
        assert type(error) is KeyboardInterrupt
        assert failover.route(error).outcome == "cancelled"
        del error
        gc.collect()
        assert idle(caller.guard)
        assert_given_back(caller.guard, FIRST)

    def test_keeps_the_next_call_from_nothing(self, caller, fake_claude, monkeypatch):
        fake_claude.fail(FIRST, 529, times=1)
        with monkeypatch.context() as patch:
            patch.setattr(Cargo, "load", interrupt)
            caller.attempt()
        assert caller.create().model == FIRST
