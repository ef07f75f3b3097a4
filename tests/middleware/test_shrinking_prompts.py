"""Prompts that are made smaller on their way, before a real client: what arrives, what is told, what stays as it was."""

from __future__ import annotations

import copy
import json
import logging
from pathlib import Path

import anthropic
import httpx2
import pytest
from sdk_callers import NO_REPEAT, Watcher, ladder, policy

import failover
from failover.events import PromptShrunk
from failover.policy import load_policy, parse_policy
from failover.testing import Fault

ASKED, SECOND, THIRD = LADDER = ("claude-opus-5", "claude-opus-5-5", "claude-sonnet-5-5")
SECRET = "the secret of the file "
RESULT = SECRET * 800
"""About 5,000 tokens."""
FILE = Path(__file__).parents[2] / "policies" / "shrink-on-timeout.yaml"
TOO_LONG = {"when": ["prompt_too_long"], "steps": [{"drop_turns": {"keep_last": 2}}]}
TOOLS = [{"name": "read", "description": "Reads a file.", "input_schema": {"type": "object", "properties": {}}}]


def history(results):
    """An agent's conversation with so many large results of a tool."""
    messages = [{"role": "user", "content": "Tidy up."}]
    for number in range(results):
        call = {"type": "tool_use", "id": f"toolu_{number}", "name": "read", "input": {}}
        result = {"type": "tool_result", "tool_use_id": f"toolu_{number}", "content": RESULT}
        messages += [{"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]
    return messages


AGENT = {"model": ASKED, "messages": history(12), "tools": TOOLS}


def results_of(request):
    """Whether each result of a tool that reached the API was whole."""
    contents = [message["content"] for message in request.body["messages"][1:]]
    return [RESULT in json.dumps(content) for content in contents if content[0]["type"] == "tool_result"]


class Slow:
    """Lets the next request fail if its prompt is above a size: the fault of an outage that only large prompts meet."""

    def __init__(self, fake_claude, fault, over=150_000):
        self._fake_claude = fake_claude
        self._fault = fault
        self._over = over

    def __call__(self, request):
        large = len(json.dumps(request.json)) > self._over
        self._fake_claude.script(request.json["model"], [self._fault if large else None])


@pytest.fixture
def in_an_outage(connect, fake_claude):
    """Makes a caller during an outage of large prompts, with a function that tells how often one was shrunk."""

    def in_an_outage(a_policy, fault):
        events = []
        caller = connect(a_policy, listeners=[events.append])
        caller.client = caller.client.with_middleware(Watcher(Slow(fake_claude, fault)))
        return caller, lambda: [event for event in events if isinstance(event, PromptShrunk)]

    return in_an_outage


class TestTheExamplePolicy:
    def test_gets_an_answer_to_half_of_what_a_model_was_too_slow_for(self, in_an_outage, fake_claude):
        caller, shrunk = in_an_outage(load_policy(FILE), Fault(status=504))
        with failover.recording() as routes:
            assert caller.create(**AGENT).model == SECOND
        assert [(request.model, request.status) for request in fake_claude.requests] == [(ASKED, 504), (SECOND, 200)]
        whole, half = fake_claude.requests
        assert results_of(whole) == [True] * 12
        assert results_of(half) == [False] * 7 + [True] * 5  # the oldest went, and no more than had to
        (event,) = shrunk()
        assert event.tokens_after <= event.tokens_before / 2
        assert [bool(attempt.changes) for attempt in routes[-1].attempts] == [False, True]

    def test_gets_it_also_when_models_say_nothing_at_all(self, in_an_outage, fake_claude):
        quick = FILE.read_text().replace("first_event: 60s", "first_event: 300ms")
        caller, shrunk = in_an_outage(parse_policy(quick, FILE.name), Fault(hang=30))
        assert caller.create(**AGENT).model == SECOND
        assert [request.model for request in fake_claude.requests] == [ASKED, SECOND]
        assert len(shrunk()) == 1

    def test_gets_it_for_streams_as_well(self, in_an_outage):
        caller, shrunk = in_an_outage(load_policy(FILE), Fault(status=504))
        text, route = caller.stream(**AGENT)
        assert (text, route.served_model) == (f"Hello from {SECOND}.", SECOND)
        assert len(shrunk()) == 1

    def test_answers_every_call_of_a_long_outage(self, in_an_outage, fake_claude):
        caller, _ = in_an_outage(load_policy(FILE), Fault(status=504))
        answers = [caller.attempt(**AGENT) for _ in range(30)]
        assert [type(answer) for answer in answers] == [anthropic.types.Message] * 30
        assert fake_claude.count() <= 30 * 4

    def test_leaves_small_prompts_alone(self, in_an_outage, fake_claude):
        caller, shrunk = in_an_outage(load_policy(FILE), Fault(status=504))
        for _ in range(4):
            caller.create(**AGENT)
            assert caller.create(**{**AGENT, "messages": history(1)}).model == ASKED
        assert len(shrunk()) == 4

    def test_loses_nothing_by_other_failures(self, connect, fake_claude):
        caller = connect(load_policy(FILE))
        fake_claude.script(ASKED, [Fault(status=529)])
        assert caller.create(**AGENT).model == SECOND
        assert results_of(fake_claude.requests[-1]) == [True] * 12

    def test_takes_a_prompt_that_is_too_long_for_every_model(self, connect, fake_claude):
        caller = connect(load_policy(FILE))
        file = {"type": "tool_result", "tool_use_id": "toolu_0", "content": "word" * 1_100_000}
        messages = [*history(6)]
        messages[2] = {"role": "user", "content": [file]}
        assert caller.create(**{**AGENT, "messages": messages}).model == ASKED
        assert [(request.model, request.status) for request in fake_claude.requests] == [(ASKED, 400), (ASKED, 200)]

    def test_sends_and_shrinks_in_silence_as_its_comment_says(self, connect, fake_claude, fake_clock):
        events, starts = [], []
        caller = connect(load_policy(FILE), listeners=[events.append], timeout=600)
        began = fake_clock.now()

        def silent(request):
            starts.append(fake_clock.now() - began)
            fake_clock.advance(min(60, request.options.timeout.read))
            raise anthropic.APITimeoutError(request=httpx2.Request("POST", "http://test"))

        caller.client = caller.client.with_middleware(Watcher(silent))
        error = caller.error(**AGENT)
        assert isinstance(error, anthropic.APITimeoutError)
        assert starts == pytest.approx([0, 60, 120, 183.75, 243.75, 270])
        shrunk = [event for event in events if isinstance(event, PromptShrunk)]
        assert [event.number for event in shrunk] == [1, 2, 3, 4, 5]
        assert fake_claude.count() == 0


class TestAPromptThatIsTooLong:
    MESSAGES = tuple({"role": ("user", "assistant")[n % 2], "content": f"{n}: " + "word" * 25_000} for n in range(11))

    @pytest.fixture
    def call(self):
        return {"model": "claude-haiku-4-5", "messages": list(self.MESSAGES)}

    def test_is_sent_to_the_same_model_with_less_in_it(self, connect, fake_claude, fake_clock, call):
        caller = connect(policy(ladders=ladder("claude-sonnet-4-5"), shrink=TOO_LONG))
        assert caller.create(**call).model == "claude-haiku-4-5"
        assert [request.status for request in fake_claude.requests] == [400, 200]
        assert fake_clock.slept == []
        sent = fake_claude.requests[-1].body["messages"]
        assert [message["content"][:3] for message in (sent[0], *sent[-2:])] == ["0: ", "9: ", "10:"]
        assert len(sent) < len(self.MESSAGES)

    def test_is_the_callers_error_when_nothing_can_be_dropped(self, connect, fake_claude):
        caller = connect(policy(ladders=ladder("claude-sonnet-4-5"), shrink=TOO_LONG))
        one = [{"role": "user", "content": "word" * 250_000}]
        error = caller.error(model="claude-haiku-4-5", messages=one)
        assert type(error) is anthropic.BadRequestError
        assert fake_claude.count() == 1

    def test_goes_where_there_is_room_when_nothing_can_be_dropped(self, connect):
        caller = connect(policy(ladders=ladder("claude-sonnet-5-5"), shrink=TOO_LONG, retry=NO_REPEAT))
        one = [{"role": "user", "content": "word" * 250_000}]
        assert caller.create(model="claude-haiku-4-5", messages=one).model == "claude-sonnet-5-5"

    def test_is_not_shrunk_by_a_rung_that_says_off(self, connect, call):
        rungs = ladder({"model": "claude-haiku-4-5", "shrink": "off"})
        caller = connect(policy(ladders=rungs, shrink=TOO_LONG))
        assert type(caller.error(**call)) is anthropic.BadRequestError


class TestTheProgramsOwnRequest:
    def test_is_as_it_was(self, in_an_outage, fake_claude):
        caller, _ = in_an_outage(load_policy(FILE), Fault(status=504))
        agent = copy.deepcopy(AGENT)
        caller.create(**agent)
        assert agent == AGENT

    def test_goes_out_whole_with_the_next_call(self, in_an_outage, fake_claude):
        caller, _ = in_an_outage(load_policy(FILE), Fault(status=504))
        caller.create(**AGENT)
        caller.create(**AGENT)
        assert [results_of(request) == [True] * 12 for request in fake_claude.requests] == [True, False] * 2


def test_what_was_dropped_is_told_without_a_word_of_it(in_an_outage, caplog):
    caplog.set_level(logging.DEBUG, "failover")
    caller, shrunk = in_an_outage(load_policy(FILE), Fault(status=504))
    with failover.recording() as routes:
        caller.create(**AGENT)
    (event,) = shrunk()
    told = " ".join(
        [*event.done, *(change for attempt in routes[-1].attempts for change in attempt.changes), caplog.text]
    )
    assert event.done[0].startswith("clear_tool_results: 7 results, about ")
    assert SECRET.strip() not in told
    (record,) = [record for record in caplog.records if getattr(record, "failover", {}).get("event") == "shrunk"]
    assert record.levelno == logging.WARNING
