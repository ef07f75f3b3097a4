"""What failover adds to an error must not change it, and what it refuses must not be shown."""

import contextvars
import dataclasses
import gc
import weakref

import anthropic
import pytest
from sdk_callers import CALL, NO_REPEAT, policy

import failover
from failover import Failover, wrap


@dataclasses.dataclass(frozen=True)
class Frozen(Exception):
    """An error that takes no attributes."""


def test_an_error_that_takes_no_attributes_reaches_the_caller_as_it_is(fake_claude):
    def breaks(request, call_next):
        raise Frozen

    client = anthropic.Anthropic(base_url=fake_claude.url, api_key="k", middleware=[Failover(policy()), breaks])
    with pytest.raises(Frozen):
        client.messages.create(**CALL)


def test_an_error_that_is_raised_again_and_again_carries_one_note(fake_claude):
    always_the_same = RuntimeError("a module's own constant")

    def breaks(request, call_next):
        raise always_the_same

    client = anthropic.Anthropic(base_url=fake_claude.url, api_key="k", middleware=[Failover(policy()), breaks])
    for _ in range(3):
        with pytest.raises(RuntimeError):
            client.messages.create(**CALL)
    assert len(always_the_same.__notes__) == 1


def test_a_call_that_gave_up_is_not_kept_alive_when_nobody_will_run_it_again(fake_claude):
    guard = Failover(policy(retry=NO_REPEAT))
    client = anthropic.Anthropic(base_url=fake_claude.url, api_key="k", middleware=[guard], max_retries=0)
    fake_claude.fail("*", drop=True)
    with pytest.raises(anthropic.APIConnectionError) as raised:
        client.messages.create(**CALL)
    kept = weakref.ref(raised.value)
    del raised
    gc.collect()
    assert kept() is None


@pytest.mark.parametrize("refused", [wrap, Failover])
def test_a_wrong_argument_is_not_shown_for_it_may_be_a_key(refused):
    key = b"sk-ant-secret-123"
    with pytest.raises(TypeError) as raised:
        refused(key)
    assert "secret" not in str(raised.value)
    assert "bytes" in str(raised.value)


def test_a_failover_is_shared_by_wrapping_with_it():
    with pytest.raises(TypeError, match="to share one, give it to wrap"):
        Failover(Failover())


def test_a_recording_may_end_in_another_context_than_it_began_in():
    block = failover.recording()
    contextvars.copy_context().run(block.__enter__)
    block.__exit__(None, None, None)


def test_no_line_of_the_log_can_be_forged_with_the_name_of_a_model(caller, fake_claude, caplog):
    forged = "x\nERROR all is lost"
    fake_claude.fail("*", 500)
    caller.error(model=forged)
    assert "all is lost" not in caplog.text
