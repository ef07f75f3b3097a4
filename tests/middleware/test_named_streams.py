"""Streams whose attempts are of two clients: before the first content a hop is not seen, after it a seam is."""

from __future__ import annotations

import anthropic
import pytest
from named_lab import BACKUP, attempts, rung, to_backup
from sdk_callers import FIRST, SECOND, Watcher, trip
from stream_callers import streams_of
from stream_reading import INTERRUPTIONS, PATHS, SILENCE, Interruptions, assert_one_stream, read, seam

import failover
from failover.testing import FakeClaude

BROKEN = {"error_event": "overloaded_error"}


def resuming(mode, *rungs):
    return to_backup(*rungs, stream={"on_interrupt": mode, "idle": SILENCE, "first_event": SILENCE})


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("how", INTERRUPTIONS)
def test_one_that_breaks_before_its_first_content_on_the_backup_moves_on(lab, fake_claude, backup, path, how):
    fault, _, error_type = INTERRUPTIONS[how]
    fake_claude.fail("*", 529)
    backup.fail(FIRST, **fault, after_events=0)
    reading = read(lab.caller(resuming("raise", rung(), rung(SECOND))), path)
    assert_one_stream(reading)
    assert reading.blocks == [("text", f"Hello from {SECOND}.")]
    assert [(client, model, kind) for client, model, _, kind in attempts(reading.route)] == [
        ("default", FIRST, "overloaded_error"),
        (BACKUP, FIRST, error_type),
        (BACKUP, SECOND, None),
    ]


@pytest.mark.parametrize("how", INTERRUPTIONS)
def test_one_that_breaks_before_its_first_content_on_both_raises_the_first_error(lab, fake_claude, backup, how):
    fault, kind, _ = INTERRUPTIONS[how]
    fake_claude.fail("*", **fault, after_events=0)
    backup.fail("*", **fault, after_events=0)
    error = read(lab.caller(resuming("raise"))).error
    assert type(error) is kind
    assert [attempt.client for attempt in failover.route(error).attempts] == ["default", BACKUP]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("mode", ["restart", "continue"])
def test_the_backup_takes_over_one_that_broke(lab, fake_claude, backup, path, mode):
    fake_claude.fail("*", **BROKEN, after_events=2)
    told = Interruptions()
    caller = lab.caller(resuming(mode, rung(SECOND)), listeners=[told])
    reading = read(caller, path)
    assert reading.error is None
    assert_one_stream(reading)
    assert reading.blocks == [("text", "Hello from c"), ("fallback", ""), ("text", f"Hello from {SECOND}.")]
    assert reading.seams == [seam(FIRST, SECOND, mode, "overloaded_error")]
    assert (reading.route.resumed, reading.route.attempts[-1].client) == (mode, BACKUP)
    assert reading.route.request_ids == (fake_claude.requests[0].request_id, backup.requests[0].request_id)
    assert [event.then for event in told] == [mode]


@pytest.mark.parametrize("mode", ["restart", "continue"])
def test_the_same_model_on_the_backup_can_take_over(lab, fake_claude, backup, mode):
    fake_claude.fail("*", **BROKEN, after_events=2)
    reading = read(lab.caller(resuming(mode)))
    assert reading.error is None
    assert reading.blocks[-1] == ("text", f"Hello from {FIRST}.")
    assert reading.seams == [seam(FIRST, FIRST, mode, "overloaded_error")]


@pytest.mark.parametrize("mode", ["restart", "continue"])
def test_another_takes_over_one_that_the_backup_began(lab, fake_claude, backup, mode):
    fake_claude.fail("*", 529)
    backup.fail("*", **BROKEN, after_events=2)
    with FakeClaude() as third:
        clients = {BACKUP: lab.client(), "third": lab.client(third.url)}
        reading = read(lab.caller(resuming(mode, rung(), rung(SECOND, "third")), clients))
        assert reading.error is None
        assert reading.blocks == [("text", "Hello from c"), ("fallback", ""), ("text", f"Hello from {SECOND}.")]
        assert [attempt.client for attempt in reading.route.attempts] == ["default", BACKUP, "third"]
        assert len(third.requests) == 1


def test_what_was_said_is_sent_along_to_whoever_continues(lab, fake_claude, backup):
    fake_claude.fail("*", **BROKEN, after_events=2)
    read(lab.caller(resuming("continue", rung("claude-haiku-4-5"))))
    assert backup.requests[0].body["messages"][-1] == {"role": "assistant", "content": "Hello from c"}


@pytest.mark.parametrize("path", PATHS)
def test_one_of_the_backup_that_breaks_is_its_readers_by_default(lab, fake_claude, backup, path):
    fake_claude.fail("*", 529)
    backup.fail("*", **BROKEN, after_events=2)
    caller = lab.caller(to_backup(rung(), rung(SECOND), breaker=trip(consecutive_failures=1)))
    error = read(caller, path).error
    assert type(error) is anthropic.OverloadedError
    assert failover.route(error).outcome == "interrupted"
    assert caller.board[f"{BACKUP}/{FIRST}"].state == "open"
    assert backup.count() == 1


def test_the_middleware_of_the_backup_sees_the_request_of_a_takeover(lab, fake_claude, backup):
    fake_claude.fail("*", **BROKEN)
    watcher = Watcher()
    read(lab.caller(resuming("restart"), {BACKUP: lab.client(middleware=[watcher])}))
    assert (watcher.seen, watcher.requests[0].stream) == ([200], True)


def test_raw_bytes_of_the_backup_come_as_they_are(lab, fake_claude, backup):
    caller = lab.caller()
    words = streams_of(caller)
    own, error = words.wire()
    assert error is None
    fake_claude.fail("*", 529)
    other, error = words.wire()
    assert error is None
    assert own.startswith(b"event: message_start")
    assert [line for line in other.splitlines() if line.startswith(b"event")] == [
        line for line in own.splitlines() if line.startswith(b"event")
    ]


def test_a_stream_left_early_gives_the_backups_connection_back(lab, fake_claude, backup):
    fake_claude.fail("*", 529)
    theirs = lab.client()
    caller = lab.caller(clients={BACKUP: theirs})
    assert caller.first_text() == "Hello "
    connections = theirs._client._transport._pool.connections
    assert [one for one in connections if not one.is_idle() and not one.is_closed()] == []
    assert caller.board[f"{BACKUP}/{FIRST}"].outlook() is None
