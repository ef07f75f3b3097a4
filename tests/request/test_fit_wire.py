"""Each feature through a real client: the first model fails, and what the next one is sent is never refused."""

from __future__ import annotations

import asyncio

import anthropic
import pytest
from anthropic import Anthropic, AsyncAnthropic
from bodies import FEATURES, NEED_A_SERVER, body_with, is_valid
from fit_lab import CURRENT, fit, known

from failover import Failover, wrap
from failover.policy import Policy
from failover.testing import FakeClaude

TARGETS = ("claude-opus-5-5", "claude-haiku-4-5", "claude-sonnet-5-5")
"""Between them they refuse most."""
ON_THE_WIRE = sorted(FEATURES.keys() - NEED_A_SERVER - {"temperature"})  # no model takes that one from the SDK
NO_REPEAT = {"tries": 1, "passes": 1}


@pytest.fixture(scope="module")
def server():
    with FakeClaude() as server:
        yield server


@pytest.fixture
def fake(server):
    server.clear()
    return server


@pytest.fixture(params=["sync", "async"])
def ask(request, fake, fake_clock):
    """Ask with a wrapped client, whose policy goes from any model to one other."""

    def ask(given, to, mode):
        ladders = [{"match": "*", "rungs": [to]}]
        policy = Policy(version=1, name="test", ladders=ladders, fit=mode, retry=NO_REPEAT)
        guard = Failover(policy, clock=fake_clock, random=lambda: 0.5)
        fields = {name: given.body[name] for name in ("model", "max_tokens", "messages")}
        rest = {name: value for name, value in given.body.items() if name not in fields}
        headers = {"anthropic-beta": ",".join(given.betas)} if given.betas else {}
        more = {"extra_body": rest, "extra_headers": headers, "timeout": 60}
        options = {"base_url": fake.url, "api_key": "test"}
        try:
            if request.param == "sync":
                with wrap(Anthropic(**options), guard) as client:
                    return client.messages.create(**fields, **more)
            return asyncio.run(_asked(wrap(AsyncAnthropic(**options), guard), {**fields, **more}))
        except anthropic.APIStatusError as error:
            return error

    async def _asked(client, fields):
        async with client:
            return await client.messages.create(**fields)

    return ask


REWRITTEN = ("prefill", "tool_choice_any", "tool_choice_tool")


def first_model(name, to):
    """A model that takes a feature, if possible of the other's line."""
    takes = [model for model in CURRENT if model.id != to and is_valid(body_with(model.id, name))]
    active = [model for model in takes if model.lifecycle == "active"]
    return max(active, key=lambda model: model.line == known(to).line)


def targets(name):
    """Those that do not take a feature as it is, or any one."""
    return [to for to in TARGETS if not is_valid(body_with(to, name))] or TARGETS[:1]


HOPS = [(name, to, "strict") for name in ON_THE_WIRE for to in targets(name)]
HOPS += [(name, to, "adapt") for name, to, _ in HOPS if name in REWRITTEN]


@pytest.mark.parametrize(("name", "to", "mode"), HOPS)
def test_a_hop_sends_what_fits_or_leaves_the_failure_as_it_was(fake, ask, name, to, mode):
    asked = first_model(name, to)
    given = body_with(asked.id, name)
    fake.fail(asked.id, status=500)
    answer = ask(given, to, mode)
    wanted = fit(given.body, to, adapt=mode == "adapt", betas=given.betas)
    requests = fake.requests
    assert requests[0].body == given.body
    if wanted.misfit is None:
        assert [request.status for request in requests] == [500, 200]
        assert requests[1].body == wanted.body
        assert requests[1].betas == wanted.betas
        assert answer.model.startswith(to)
    else:
        assert [request.status for request in requests] == [500]
        assert isinstance(answer, anthropic.InternalServerError)


def test_with_fit_off_a_request_is_sent_as_it_is(fake, ask):
    given = body_with("claude-opus-5", "thinking_disabled")
    fake.fail("claude-opus-5", status=500)
    ask(given, "claude-opus-5-5", "off")
    assert [request.status for request in fake.requests] == [500, 400]
    assert fake.requests[1].body == {**given.body, "model": "claude-opus-5-5"}


def test_the_sample_holds_all_that_can_come_of_a_hop():
    fits = [fit(body_with(first_model(name, to).id, name).body, to, adapt=mode == "adapt") for name, to, mode in HOPS]
    assert sum(done.misfit is not None for done in fits) >= 10
    assert sum(done.misfit is None and bool(done.changes) for done in fits) >= 15
