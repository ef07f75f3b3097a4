"""The deadline is for an answer to begin: a stream that has begun keeps the time-outs that its caller gave it."""

import anthropic
import pytest
from sdk_callers import FIRST, SECOND, policy

from failover.clock import SystemClock

SHORT = {"tries": 1, "passes": 1, "deadline": "1s", "reserve": "300ms"}  # of real time: room for a busy machine


@pytest.mark.parametrize("down", [False, True])
def test_a_slow_stream_is_not_cut_by_the_deadline_of_its_call(connect, fake_claude, down):
    caller = connect(policy(retry=SHORT), clock=SystemClock())
    if down:
        fake_claude.fail(FIRST, 529)
    fake_claude.fail(SECOND if down else FIRST, token_every=1.1)
    text, route = caller.stream()
    assert text == f"Hello from {SECOND if down else FIRST}."
    assert route.served_model == (SECOND if down else FIRST)


def test_the_callers_own_time_out_still_ends_a_stream_that_stalls(connect, fake_claude):
    caller = connect(policy(), clock=SystemClock(), timeout=0.2)
    fake_claude.fail(FIRST, stall=5, after_events=1)
    with pytest.raises(anthropic.APITimeoutError):
        caller.stream()
