"""What another model costs and whether a prompt has room in it: known prices, and a count asked of the API."""

from __future__ import annotations

import anthropic
import pytest
from sdk_callers import NO_REPEAT, Watcher, ladder, policy

import failover
from failover import Failover
from failover.events import ModelSkipped

ASKED, SMALL, LARGE = "claude-sonnet-5-5", "claude-haiku-4-5", "claude-opus-5"
COUNT = "/v1/messages/count_tokens"
COUNTED = {"count_tokens": True}
WINDOW = 200_000
"""Of `SMALL`; the others' are five times as large."""


def prompt(tokens):
    """A prompt that FakeClaude counts as about so many tokens; the quick estimate is an eighth more."""
    return [{"role": "user", "content": "word" * tokens}]


@pytest.fixture
def overloaded(connect, fake_claude, fake_clock):
    """Makes a caller whose requested model is overloaded, with what was skipped."""

    def overloaded(*rungs, **parts):
        skips = []
        listeners = [
            lambda event: skips.append((event.model, event.reason)) if isinstance(event, ModelSkipped) else None
        ]
        a_policy = policy(**{"ladders": ladder(*(rungs or (SMALL, LARGE))), "retry": NO_REPEAT, **parts})
        caller = connect(guard=Failover(a_policy, clock=fake_clock, random=lambda: 0.5, listeners=listeners))
        fake_claude.fail(ASKED, 529)
        return caller, skips

    return overloaded


class TestACount:
    @pytest.mark.parametrize(
        ("tokens", "counts", "served"),
        [
            (10_000, 0, SMALL),  # no close call: it fits
            (150_000, 1, SMALL),
            (199_000, 1, LARGE),  # counted: the prompt fits, its answer does not
            (230_000, 1, LARGE),
            (400_000, 0, LARGE),  # no close call: it does not
        ],
    )
    def test_is_asked_once_where_it_is_a_close_call(self, overloaded, fake_claude, tokens, counts, served):
        caller, _ = overloaded(fit=COUNTED)
        assert caller.create(model=ASKED, messages=prompt(tokens), max_tokens=2000).model == served
        assert fake_claude.count(path=COUNT) == counts

    def test_decides_where_the_estimate_would_have_been_wrong(self, overloaded, fake_claude):
        words = prompt(185_000)
        caller, skips = overloaded()
        assert caller.create(model=ASKED, messages=words).model == LARGE
        assert skips == [(SMALL, "unfit")]
        caller, skips = overloaded(fit=COUNTED)
        assert caller.create(model=ASKED, messages=words).model == SMALL
        assert skips == []

    def test_names_the_model_that_it_is_for_and_sends_nothing_but_what_counts(self, overloaded, fake_claude):
        caller, _ = overloaded(fit=COUNTED)
        caller.create(model=ASKED, messages=prompt(150_000), system="Be brief.", metadata={"user_id": "u1"})
        (counted,) = [request for request in fake_claude.requests if request.path == COUNT]
        assert (counted.model, counted.status) == (SMALL, 200)
        assert set(counted.body) == {"model", "messages", "system"}

    def test_is_not_asked_while_the_requested_model_answers(self, overloaded, fake_claude):
        caller, _ = overloaded(fit=COUNTED)
        fake_claude.heal()
        caller.create(model=ASKED, messages=prompt(150_000))
        assert [request.path for request in fake_claude.requests] == ["/v1/messages"]

    def test_is_not_asked_for_a_model_whose_circuit_is_open(self, overloaded, fake_claude):
        caller, _ = overloaded(fit=COUNTED)
        caller.create(model=ASKED)
        caller.board[SMALL].open()
        assert caller.create(model=ASKED, messages=prompt(150_000)).model == LARGE
        assert fake_claude.count(path=COUNT) == 0

    @pytest.mark.parametrize("fault", [{"status": 500}, {"status": 429, "retry_after": 60}, {"drop": True}])
    def test_that_fails_leaves_the_estimate_and_no_mark_on_the_model(self, overloaded, fake_claude, fault):
        fake_claude.fail("*", path=COUNT, **fault)
        caller, skips = overloaded(fit=COUNTED)
        assert caller.create(model=ASKED, messages=prompt(150_000)).model == SMALL
        assert caller.create(model=ASKED, messages=prompt(190_000)).model == LARGE
        assert skips == [(SMALL, "unfit")]
        assert fake_claude.count(path=COUNT) == 2
        assert caller.board[SMALL].state == "closed"
        assert caller.board[SMALL].pybreaker.fail_counter == 0

    @pytest.mark.parametrize(("deadline", "seconds"), [("3s", 2), ("2m", 5), ("off", 5)])
    def test_takes_no_longer_than_the_call_may(self, overloaded, deadline, seconds):
        caller, _ = overloaded(fit=COUNTED, retry={**NO_REPEAT, "deadline": deadline, "reserve": "1s"})
        watcher = Watcher()
        caller.client = caller.client.with_middleware(watcher)
        assert caller.create(model=ASKED, messages=prompt(150_000)).model == SMALL
        (count,) = [request for request in watcher.requests if request.url.startswith(COUNT)]
        assert count.options.timeout == pytest.approx(seconds)

    def test_is_no_attempt(self, overloaded):
        caller, _ = overloaded(fit=COUNTED)
        with failover.recording() as routes:
            caller.create(model=ASKED, messages=prompt(150_000))
        assert [attempt.model for attempt in routes[-1].attempts] == [ASKED, SMALL]

    def test_is_not_asked_unless_the_policy_says_so(self, overloaded, fake_claude):
        caller, _ = overloaded()
        caller.create(model=ASKED, messages=prompt(150_000))
        assert fake_claude.count(path=COUNT) == 0


class TestAPromptThatIsTooLong:
    MESSAGES = prompt(230_000)

    def test_goes_to_the_next_model_with_more_room(self, connect, fake_claude):
        caller = connect(policy(ladders=ladder("claude-sonnet-4-5", LARGE), retry=NO_REPEAT))
        assert caller.create(model=SMALL, messages=self.MESSAGES).model == LARGE
        assert [request.model for request in fake_claude.requests] == [SMALL, LARGE]
        assert caller.board[SMALL].pybreaker.fail_counter == 0

    def test_is_an_error_if_none_is_known_to_have_more(self, connect, fake_claude):
        caller = connect(policy(ladders=ladder("claude-sonnet-4-5", "some-other-model"), retry=NO_REPEAT))
        error = caller.error(model=SMALL, messages=self.MESSAGES)
        assert type(error) is anthropic.BadRequestError
        assert "prompt is too long" in str(error)
        assert fake_claude.count() == 1


class TestACost:
    DEAR = "claude-fable-5"
    """Five times the price of `ASKED`."""

    @pytest.mark.parametrize(
        ("at_most", "served"), [(None, DEAR), (5.0, DEAR), (4.9, "claude-haiku-5-5"), (1.0, "claude-haiku-5-5")]
    )
    def test_above_the_policys_limit_passes_a_model_over(self, overloaded, at_most, served):
        caller, skips = overloaded(self.DEAR, "claude-haiku-5-5", cost_at_most=at_most)
        assert caller.create(model=ASKED).model == served
        assert skips == ([] if served == self.DEAR else [(self.DEAR, "cost")])

    def test_that_is_not_known_is_not_too_high(self, overloaded):
        caller, _ = overloaded("some-other-model", cost_at_most=1.0)
        assert caller.create(model=ASKED).model == "some-other-model"

    def test_of_a_long_prompt_may_be_another(self, overloaded, fake_claude):
        caller, skips = overloaded("claude-haiku-4-5", cost_at_most=3.0)
        fake_claude.fail("claude-haiku-5-5", 529)
        assert type(caller.error(model="claude-haiku-5-5")) is anthropic.OverloadedError
        assert skips == [("claude-haiku-4-5", "cost")]
        assert caller.create(model="claude-haiku-5-5", messages=prompt(120_000)).model == "claude-haiku-4-5"

    def test_is_told_with_both_prices(self, connect, fake_claude):
        whys = []
        listeners = [lambda event: whys.append(event.why) if isinstance(event, ModelSkipped) else None]
        caller = connect(policy(ladders=ladder(self.DEAR), retry=NO_REPEAT, cost_at_most=2), listeners=listeners)
        fake_claude.fail(ASKED, 529)
        caller.error(model=ASKED)
        assert whys == [f"input costs 10 USD per million tokens, more than 2 times the 2 of {ASKED}"]
