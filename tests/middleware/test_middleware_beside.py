"""Other middleware on the same client, before ours and after it, sees what the SDK promises; and so does the caller."""

from __future__ import annotations

import json

import anthropic
import httpx2
import pytest
from anthropic.lib.middleware import BetaFallbackState, BetaRefusalFallbackMiddleware
from sdk_callers import FIRST, NO_REPEAT, SECOND, Watcher, policy, refuse, reply

import failover
from failover import Failover
from failover.testing import Fault

THIRD = "claude-sonnet-5"


class TestAUsersOwnMiddleware:
    def test_before_ours_sees_one_call_and_its_answer(self, connect, fake_claude):
        caller = connect(middleware=[watcher := Watcher()])
        fake_claude.fail(FIRST, 529)
        assert caller.create().model == SECOND
        assert watcher.seen == [200]

    def test_after_ours_sees_every_attempt(self, caller, fake_claude):
        caller.client = caller.client.with_middleware(watcher := Watcher())
        fake_claude.script(FIRST, [Fault(drop=True), Fault(status=500)])
        assert caller.create().model == SECOND
        assert watcher.seen == [anthropic.APIConnectionError, 500, 200]
        assert [request.json["model"] for request in watcher.requests] == [FIRST, FIRST, SECOND]

    @pytest.mark.parametrize("status", [400, 401, 429, 500, 529])
    def test_before_ours_gets_an_error_answer_returned_and_the_caller_gets_it_raised(
        self, connect, fake_claude, status
    ):
        caller = connect(policy(retry=NO_REPEAT), middleware=[watcher := Watcher()])
        fake_claude.fail("*", status)
        error = caller.error()
        assert isinstance(error, anthropic.APIStatusError)
        assert watcher.seen == [error.status_code] == [status]

    def test_before_ours_gets_a_connection_error_raised(self, connect, fake_claude):
        caller = connect(policy(retry=NO_REPEAT), middleware=[watcher := Watcher()])
        fake_claude.fail("*", drop=True)
        assert type(caller.error()) is anthropic.APIConnectionError
        assert watcher.seen == [anthropic.APIConnectionError]

    def test_before_ours_may_read_the_answer_and_the_route(self, connect, fake_claude, asynchronous):
        read = []

        class Reads(anthropic.Middleware):
            def handle(self, request, call_next):
                response = call_next(request)
                read.append((response.parse().model, failover.route(response).outcome))
                return response

            async def handle_async(self, request, call_next):
                response = await call_next(request)
                read.append(((await response.parse()).model, failover.route(response).outcome))
                return response

        caller = connect(middleware=[Reads()])
        fake_claude.fail(FIRST, 529)
        assert caller.create().model == SECOND
        assert read == [(SECOND, "fallback")]

    def test_before_ours_may_answer_in_its_place(self, connect, fake_claude):
        def canned(request):
            raise LookupError("the cache is broken")

        caller = connect(middleware=[Watcher(canned)])
        assert isinstance(caller.error(), LookupError)
        assert fake_claude.count() == 0
        assert caller.board.breakers() == ()

    def test_before_ours_may_change_the_model(self, connect, fake_claude, asynchronous):
        class Swaps(anthropic.Middleware):
            def handle(self, request, call_next):
                return call_next(request.copy(body={**request.json, "model": SECOND}))

            async def handle_async(self, request, call_next):
                return await call_next(request.copy(body={**request.json, "model": SECOND}))

        caller = connect(middleware=[Swaps()])
        with failover.recording() as routes:
            assert caller.create().model == SECOND
        assert routes[0].requested_model == SECOND

    def test_after_ours_may_raise_what_is_nobodys_outage(self, caller, fake_claude):
        def broken(_):
            raise LookupError("a bug")

        caller.client = caller.client.with_middleware(Watcher(broken))
        error = caller.error()
        assert isinstance(error, LookupError)
        assert failover.route(error).outcome == "failed"
        assert fake_claude.count() == 0
        assert caller.board[FIRST].pybreaker.fail_counter == 0

    def test_functions_are_middleware_too(self, connect, fake_claude, asynchronous):
        seen = []

        def watch(request, call_next):
            seen.append(request.json["model"])
            return call_next(request)

        async def watch_async(request, call_next):
            seen.append(request.json["model"])
            return await call_next(request)

        mine = watch_async if asynchronous else watch
        caller = connect(middleware=[mine])
        caller.client = caller.client.with_middleware(mine)
        fake_claude.fail(FIRST, 529)
        caller.create()
        assert seen == [FIRST, FIRST, SECOND]


def test_two_policies_one_inside_the_other_count_each_for_themselves(connect, fake_clock, fake_claude):
    inner = Failover(policy(retry=NO_REPEAT), clock=fake_clock)
    caller = connect(policy(retry=NO_REPEAT))
    caller.client = caller.client.with_middleware(inner)
    fake_claude.fail(FIRST, 529)
    assert caller.create().model == SECOND
    assert caller.board[FIRST].pybreaker.fail_counter == 0
    assert inner.board[FIRST].pybreaker.fail_counter == 1


class TestTheSdksRefusalFallback:
    """A refusal is theirs to fall back from, an outage ours; a refusal is an answer, so no circuit hears of it."""

    @pytest.fixture
    def upstream(self):
        """Models that refuse and models that are down, and the models that were asked."""

        class Upstream:
            refusing = frozenset()
            down = frozenset()

            def __init__(self):
                self.asked = []

            def __call__(self, request):
                body = json.loads(request.content)
                self.asked.append(body["model"])
                if body["model"] in self.down:
                    return refuse(529)
                if body["model"] in self.refusing:
                    details = {"type": "refusal", "category": "cyber", "explanation": None}
                    return httpx2.Response(
                        200, json=reply(body["model"], "", stop_reason="refusal", stop_details=details)
                    )
                return httpx2.Response(200, json=reply(body["model"]))

        return Upstream()

    @pytest.fixture(params=["theirs outside", "theirs inside"])
    def both(self, request, connect, upstream):
        theirs = BetaRefusalFallbackMiddleware([{"model": THIRD}])
        outside = [theirs] if request.param == "theirs outside" else []
        caller = connect(policy(retry=NO_REPEAT), answer=upstream, middleware=outside)
        if not outside:
            caller.client = caller.client.with_middleware(theirs)
        return caller

    def ask(self, caller):
        with BetaFallbackState():
            return caller.call(
                "beta.messages.create", model=FIRST, max_tokens=9, messages=[{"role": "user", "content": "?"}]
            )

    def test_answers_a_refusal(self, both, upstream):
        upstream.refusing = {FIRST}
        message = self.ask(both)
        assert (message.model, message.content[-1].text) == (THIRD, "Hello.")
        assert upstream.asked == [FIRST, THIRD]
        assert both.board[FIRST].pybreaker.fail_counter == 0

    def test_leaves_an_outage_to_us(self, both, upstream):
        upstream.down = {FIRST}
        assert self.ask(both).model == SECOND
        assert upstream.asked == [FIRST, SECOND]
        assert both.board[FIRST].pybreaker.fail_counter == 1

    def test_answers_the_refusal_of_a_model_that_we_fell_back_to(self, both, upstream):
        upstream.down, upstream.refusing = {FIRST}, {SECOND}
        assert self.ask(both).model == THIRD
        assert upstream.asked == [FIRST, SECOND, THIRD]

    def test_a_refusal_that_nobody_answers_is_handed_on(self, both, upstream):
        upstream.refusing = {FIRST, THIRD}
        message = self.ask(both)
        assert message.stop_reason == "refusal"
        assert all(breaker.state == "closed" for breaker in both.board.breakers())


def test_a_refusal_is_an_answer(connect):
    def answer(request):
        return httpx2.Response(200, json=reply(FIRST, "", stop_reason="refusal"))

    caller = connect(answer=answer)
    with failover.recording() as routes:
        assert caller.create().stop_reason == "refusal"
    assert [route.outcome for route in routes] == ["primary"]
