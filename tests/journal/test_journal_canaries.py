"""No prompt, no tool input, no answer, no key and no upstream's words get into a journal, whatever goes wrong.

Each of them is a canary here; real clients send it through every way that a call can go, and then the bytes of the
files are read, and the log.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

import anthropic
import pytest
from journal_lab import kinds

import failover
from failover.journal import JournalListener, read
from failover.policy import Policy
from failover.testing import Fault

FIRST, SECOND = "claude-haiku-5-5", "claude-haiku-4-5"
CANARIES = [
    f"canary-{kind}" for kind in ("prompt", "system", "tool", "key", "header", "answer", "message", "type", "patch")
]
PROMPT, SYSTEM, TOOL, KEY, HEADER, ANSWER, MESSAGE, TYPE, PATCH = CANARIES
ECHO = f"{MESSAGE}: prompt is too long: {PROMPT} {SYSTEM} {KEY}"

CALL = {
    "model": FIRST,
    "max_tokens": 64,
    "system": SYSTEM,
    "messages": [
        {"role": "user", "content": PROMPT},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {"city": TOOL}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": TOOL}]},
    ],
    "tools": [{"name": "f", "description": TOOL, "input_schema": {"type": "object"}}],
    "extra_headers": {"x-mine": HEADER},
    "metadata": {"user_id": PROMPT},
}
POLICY = Policy(
    version=1,
    name="test",
    ladders=[{"match": "claude-*", "rungs": [{"model": SECOND, "set": {"metadata": {"user_id": PATCH}}}]}],
    retry={"tries": 2, "passes": 1, "wait": {"first": 0.001, "max": 0.001}},
    breaker={"trip": {"consecutive_failures": 3}, "last_resort": "off"},
    stream={"on_interrupt": "restart"},
)

FAULTS = {
    "all is well": [],
    "an error that echoes": [Fault(status=500, message=ECHO)] * 2,
    "a type of nobody's": [Fault(status=529, error_type=f"{TYPE} {PROMPT}", message=ECHO)],
    "a code of nobody's": [
        Fault(status=429, error_code=TYPE, message=ECHO, retry_after=60, headers={"x-theirs": ECHO})
    ],
    "a wrong request": [Fault(status=400, message=ECHO)],
    "a prompt that is too long": [Fault(status=413, message=ECHO)],
    "a refused account": [Fault(status=401, message=ECHO)],
    "an unknown model": [Fault(status=404, message=ECHO)],
    "nobody answers": [Fault(drop=True)] * 4,
    "a page": [Fault(malformed="html")] * 2,
    "half an answer": [Fault(malformed="truncated")] * 2,
    "a stream that breaks": [Fault(cut=True, after_events=1)] * 4,
    "an error in a stream": [Fault(error_event="overloaded_error", message=ECHO, after_events=1)] * 4,
    "nobody for long": [Fault(status=529, message=ECHO)] * 12,
}


def call(client):
    """A plain call and a streamed one, whatever comes of them."""
    for _ in range(2):
        with suppress(anthropic.AnthropicError):
            client.messages.create(**CALL)
        with suppress(anthropic.AnthropicError), client.messages.stream(**CALL) as stream:
            stream.until_done()


async def call_async(client):
    for _ in range(2):
        with suppress(anthropic.AnthropicError):
            await client.messages.create(**CALL)
        with suppress(anthropic.AnthropicError):
            async with client.messages.stream(**CALL) as stream:
                await stream.until_done()
    await client.close()


@pytest.fixture
def drive(fake_claude, journal):
    """Makes calls that meet these faults, by a guard whose listener writes to the journal."""

    def drive(faults, *, asynchronous):
        fake_claude.fail("*", say=ANSWER)
        fake_claude.script(FIRST, faults)
        fake_claude.script(SECOND, faults)
        guard = failover.Failover(POLICY, journal=False, listeners=[JournalListener(journal, "test", lambda: None)])
        options = {"base_url": fake_claude.url, "api_key": KEY, "timeout": 10}
        if asynchronous:
            asyncio.run(call_async(failover.wrap(anthropic.AsyncAnthropic(**options), guard)))
        else:
            with anthropic.Anthropic(**options) as client:
                call(failover.wrap(client, guard))
        assert journal.flush(10)

    return drive


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("what", FAULTS)
def test_nothing_of_what_was_said_gets_into_the_file_when(drive, path, log, what, asynchronous):
    drive(FAULTS[what], asynchronous=asynchronous)
    files = list(path.parent.glob("journal.db*"))
    assert {file.name for file in files} == {"journal.db", "journal.db-wal", "journal.db-shm"}
    said = b"".join(file.read_bytes() for file in files).decode("latin-1") + repr(list(read(path))) + log.text
    assert [canary for canary in CANARIES if canary in said] == []
    assert {"served"} if what == "all is well" else {"attempt"} <= set(kinds(path))


def test_there_was_something_that_could_get_in(drive, fake_claude):
    drive([Fault(status=529, message=ECHO)], asynchronous=False)
    first, second, *_ = [str(request.body) for request in fake_claude.requests]
    assert all(canary in first for canary in (PROMPT, SYSTEM, TOOL))
    assert PATCH in second
    with anthropic.Anthropic(base_url=fake_claude.url, api_key=KEY) as client:
        assert ANSWER in client.messages.create(**CALL).model_dump_json()


def test_the_file_has_what_happened(drive, path):
    drive(FAULTS["nobody for long"], asynchronous=False)
    entries = [entry for _, entry in read(path)]
    assert {"attempt", "switch", "transition", "call"} <= {entry.kind for entry in entries}
    attempts = [entry for entry in entries if entry.kind == "attempt"]
    assert {entry.status for entry in attempts} == {529}
    assert all(entry.request_id and entry.policy == "test" and entry.seconds for entry in attempts)
    [opened, *_] = [entry for entry in entries if entry.kind == "transition"]
    assert (opened.outcome, opened.reason, opened.detail) == ("open", "consecutive_failures", {"from": "closed"})
    ids = [entry.request_id for entry in attempts]
    calls = [entry for entry in entries if entry.kind == "call"]
    assert [one for entry in calls for one in entry.detail.get("request_ids", ())] == ids
