"""What a program meets when no model of its client answers: the errors, the waiting, and the end of it."""

from __future__ import annotations

import copy
import datetime as dt
import json
import pickle

import anthropic
import httpx2
import pybreaker
import pytest
from incident_places import FAILING, begin, due, incident_policy, pings, probed, tiny
from named_lab import BACKUP, BACKUP_KEY, OWN_KEY, rung
from sdk_callers import CALL, FIRST, SECOND, ladder, refuse, reply
from stream_callers import streams_of

import failover
from failover.errors import CircuitOpen, PlatformIncident
from failover.events import CallFinished, IncidentEnded, IncidentStarted, ModelSkipped, Waiting
from failover.testing import Fault


@pytest.fixture
def told():
    """What a listener hears."""
    return []


@pytest.fixture
def failing_fast(connect, told):
    return connect(incident_policy(), listeners=[told.append])


class TestTheErrorOfACallThatWasKeptBack:
    @pytest.fixture
    def error(self, failing_fast, fake_claude, fake_clock):
        begin(failing_fast, fake_claude)
        fake_clock.advance(10)
        return failing_fast.error()

    def test_is_what_handlers_of_every_kind_expect(self, error):
        assert type(error) is PlatformIncident
        kinds = (
            CircuitOpen,
            anthropic.ServiceUnavailableError,
            anthropic.InternalServerError,
            anthropic.APIStatusError,
        )
        assert all(isinstance(error, kind) for kind in (*kinds, pybreaker.CircuitBreakerError, failover.FailoverError))
        assert error.status_code == 503
        assert isinstance(error.response.request.url.host, str)

    def test_says_since_when_which_models_which_requests_and_when_it_is_asked_again(self, error, fake_claude):
        ids = tuple(request.request_id for request in fake_claude.requests)
        assert (error.client, error.models, error.request_ids) == ("default", (FIRST, SECOND), ids)
        assert error.retry_in == pytest.approx(20)
        assert error.breakers == (FIRST, SECOND)
        age = dt.datetime.now(dt.timezone.utc) - error.since
        assert age.total_seconds() == pytest.approx(10, abs=5)

    def test_says_it_in_a_sentence(self, error, fake_claude):
        first, last = (request.request_id for request in fake_claude.requests)
        assert str(error) == (
            f"Nothing was sent: platform incident since {error.since.replace(tzinfo=None).isoformat(timespec='seconds')}Z: "
            f"none of {FIRST}, {SECOND} on client `default` answers, 2 failures (overloaded_error); "
            f"next probe in 20.0 s; request ids: {first}, {last}"
        )

    def test_has_the_route_of_a_call_that_was_sent_nowhere(self, error):
        route = failover.route(error)
        assert (route.outcome, route.attempts, route.skipped) == ("refused", (), (FIRST, SECOND))
        assert error.route is route

    @pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])
    def test_says_the_same_in_another_process(self, error, again):
        found = again(error)
        assert type(found) is PlatformIncident
        assert str(found) == str(error)
        assert found.message == error.message
        names = ("client", "since", "models", "retry_in", "request_ids", "breakers", "causes", "status_code")
        assert [getattr(found, name) for name in names] == [getattr(error, name) for name in names]

    def test_is_not_sent_again_by_the_sdks_own_retries(self, connect, fake_claude):
        caller = connect(incident_policy(), max_retries=3)
        begin(caller, fake_claude)
        before = len(fake_claude.requests)
        assert type(caller.error()) is PlatformIncident
        assert len(fake_claude.requests) == before

    @pytest.mark.parametrize(
        "path",
        ["messages.create", "messages.parse", "beta.messages.create", "messages.with_raw_response.create"],
    )
    def test_is_the_same_for_every_way_to_call(self, failing_fast, fake_claude, path):
        begin(failing_fast, fake_claude)
        assert type(failing_fast.error(path)) is PlatformIncident

    def test_is_the_same_for_a_stream(self, failing_fast, fake_claude):
        begin(failing_fast, fake_claude)
        reading, _ = streams_of(failing_fast).read()
        assert type(reading.error) is PlatformIncident

    def test_holds_nothing_of_what_the_upstream_said(self, failing_fast, fake_claude):
        fake_claude.fail("*", 529, message="CANARY", error_type="overloaded_error")
        failing_fast.error()
        error = failing_fast.error()
        assert type(error) is PlatformIncident
        assert "CANARY" not in str(error) + repr(error) + str(vars(error))


def test_a_call_that_sent_something_is_shown_its_own_first_error(failing_fast, fake_claude, told):
    fake_claude.fail(FIRST, 500)
    fake_claude.fail(SECOND, 529)
    error = failing_fast.error()
    assert type(error) is anthropic.InternalServerError
    assert [attempt.status for attempt in failover.route(error).attempts] == [500, 529]
    assert [type(event) for event in told if isinstance(event, (IncidentStarted, CallFinished))] == [
        IncidentStarted,
        CallFinished,
    ]


def test_a_program_can_ask_what_it_is_in(failing_fast, fake_claude, fake_clock):
    assert failing_fast.guard.incidents == ()
    begin(failing_fast, fake_claude)
    fake_clock.advance(5)
    (found,) = failing_fast.guard.incidents
    assert (found.client, found.cause, found.models) == ("default", "models", (FIRST, SECOND))
    assert (found.failing_for, found.next_probe_in) == (pytest.approx(5), pytest.approx(25))


def test_a_policy_that_looks_for_none_is_in_none(caller, fake_claude):
    fake_claude.fail("*", 529)
    caller.error()
    assert caller.guard.incidents == ()


class TestTheEnd:
    def test_is_found_by_two_tiny_requests_and_the_call_goes_on(self, failing_fast, fake_claude, fake_clock, told):
        before = due(failing_fast, fake_claude, fake_clock)
        assert failing_fast.create().model == FIRST
        assert len(fake_claude.requests) == before + 3
        assert probed(told) == [(FIRST, True, 200, None)] * 2
        (ended,) = [event for event in told if isinstance(event, IncidentEnded)]
        assert (ended.client, ended.models, ended.probes, ended.kept_back) == ("default", (FIRST, SECOND), 2, 0)
        assert ended.seconds == pytest.approx(30)
        assert failing_fast.guard.incidents == ()

    def test_is_not_there_while_the_probe_fails(self, failing_fast, fake_claude, fake_clock, told):
        begin(failing_fast, fake_claude)
        for model in (FIRST, SECOND, FIRST):
            fake_clock.advance(30)
            assert type(failing_fast.error()) is PlatformIncident
            assert probed(told)[-1] == (model, False, 529, "overloaded_error")
            assert type(failing_fast.error()) is PlatformIncident
        assert len(pings(fake_claude.requests)) == 3

    def test_leads_to_a_call_that_may_fail_like_any_other(self, failing_fast, fake_claude, fake_clock):
        due(failing_fast, fake_claude, fake_clock)
        fake_claude.script(FIRST, [None, None, Fault(status=400)])
        assert type(failing_fast.error()) is anthropic.BadRequestError

    def test_is_told_with_the_request_ids_of_the_probes(self, failing_fast, fake_claude, fake_clock, told):
        due(failing_fast, fake_claude, fake_clock)
        failing_fast.create()
        told_ids = [event.request_id for event in told if type(event).__name__ == "IncidentProbed"]
        assert told_ids == [request.request_id for request in pings(fake_claude.requests)]


class TestACallThatWaits:
    def test_is_answered_when_it_is_over(self, connect, fake_claude, fake_clock, told):
        caller = connect(incident_policy("wait"), listeners=[told.append])
        fake_claude.script(FIRST, [Fault(status=529)] * 3)
        fake_claude.script(SECOND, [Fault(status=529)] * 3)
        message = caller.create()
        assert message.model == FIRST
        assert [event.answered for event in told if type(event).__name__ == "IncidentProbed"][-2:] == [True, True]
        (waiting,) = [event for event in told if isinstance(event, Waiting)]
        assert waiting.cause == "incident"
        assert waiting.seconds == pytest.approx(sum(fake_clock.slept))
        assert len([event for event in told if isinstance(event, ModelSkipped)]) == 2

    def test_is_told_at_its_deadline_what_it_waited_for(self, connect, fake_claude, fake_clock):
        caller = connect(incident_policy("wait", retry={**FAILING, "deadline": "100s"}))
        fake_claude.fail("*", 529)
        assert type(caller.error()) is anthropic.OverloadedError
        error = caller.error()
        assert type(error) is PlatformIncident
        assert failover.route(error).waited == pytest.approx(100, abs=1)

    def test_streams_after_it(self, connect, fake_claude):
        caller = connect(incident_policy("wait"))
        fake_claude.script(FIRST, [Fault(status=529)] * 2)
        fake_claude.script(SECOND, [Fault(status=529)] * 2)
        text, route = caller.stream()
        assert text == f"Hello from {FIRST}."
        assert route.outcome == "primary"


class TestAnotherClient:
    def a_policy(self, **parts):
        return incident_policy(ladders=ladder(SECOND, rung(SECOND)), **parts)

    def test_serves_while_the_callers_own_is_in_an_incident(self, lab, fake_claude, backup):
        caller = lab.caller(self.a_policy(), own={"url": fake_claude.url})
        fake_claude.fail("*", 529)
        for _ in range(3):
            assert caller.create().model == SECOND
        assert caller.guard.incidents == ()  # somebody answered each call
        backup.fail("*", 529)
        caller.error()
        assert [found.client for found in caller.guard.incidents] == ["default"]
        backup.heal()
        caller.board[f"{BACKUP}/{SECOND}"].close()
        seen = len(fake_claude.requests)
        assert caller.create().model == SECOND
        assert len(fake_claude.requests) == seen

    def test_is_asked_with_its_own_key_and_without_the_callers_headers(self, lab, fake_clock):
        """Of a client whose every rung is elsewhere."""
        wire, down = [], [True]

        def answer(request):
            wire.append(request)
            return refuse(529) if down else httpx2.Response(200, json=reply("theirs"))

        ladders = [{"match": "*", "rungs": [rung(FIRST), rung(SECOND)]}]
        own = {"answer": lambda _: refuse(401, "authentication_error")}
        caller = lab.caller(incident_policy(ladders=ladders), {BACKUP: lab.client(answer=answer)}, own=own)
        caller.error()
        assert [found.client for found in caller.guard.incidents] == [BACKUP]
        fake_clock.advance(30)
        down.clear()
        wire.clear()
        caller.create(extra_headers={"x-gateway-key": OWN_KEY})
        assert [json.loads(request.content) for request in wire[:2]] == [tiny(FIRST)] * 2
        assert len(wire) == 3
        for request in wire:
            assert BACKUP_KEY in str(dict(request.headers))
            assert OWN_KEY not in str(dict(request.headers))


def test_two_clients_that_share_a_guard_share_its_incident(connect, fake_claude, fake_clock):
    one = connect(incident_policy())
    other = connect(guard=one.guard)
    begin(one, fake_claude)
    assert type(other.error()) is PlatformIncident
    fake_claude.heal()
    fake_clock.advance(30)
    assert other.create(**CALL).model == FIRST
    assert one.create().model == FIRST
