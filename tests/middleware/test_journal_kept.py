"""A guarded client keeps a journal if it is asked to, by an argument or by the environment, and not otherwise."""

from __future__ import annotations

import subprocess
import sys

import anthropic
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sdk_callers import CALL, FIRST, SECOND

import failover
from failover.journal import read

SOON = 10.0  # seconds, at most, until what was put is in the file


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.db"


@pytest.fixture(autouse=True)
def nobody_names_one(monkeypatch):
    monkeypatch.delenv("FAILOVER_JOURNAL", raising=False)


def kept(path, *kinds):
    """The entries of these kinds."""
    return [entry for _, entry in read(path) if entry.kind in kinds]


def test_a_failure_a_switch_and_a_saved_call_are_kept_with_their_trace(connect, fake_claude, path):
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    caller = connect(journal=path, tracer_provider=provider)
    fake_claude.fail(FIRST, status=529, times=1)
    message = caller.call("messages.create", **CALL)
    assert caller.guard.journal.flush(SOON)
    (attempt,), (switch,), (call,) = (kept(path, kind) for kind in ("attempt", "switch", "call"))
    first, second = fake_claude.requests
    assert (attempt.model, attempt.status, attempt.error_type) == (FIRST, 529, "overloaded_error")
    assert (switch.detail["from"], switch.model) == (FIRST, SECOND)
    assert (call.outcome, call.count, call.detail["served"]) == ("fallback", 2, SECOND)
    assert call.detail["request_ids"] == [attempt.request_id, message._request_id]
    assert len({first.request_id, second.request_id} & set(call.detail["request_ids"])) == 2
    spans = {span.context.trace_id for span in exporter.get_finished_spans() if span.name.startswith("failover ")}
    assert {entry.trace_id for entry in (attempt, switch, call)} == {f"{trace:032x}" for trace in spans}
    assert {entry.policy for entry in (attempt, switch, call)} == {"default"}


def test_calls_that_go_well_are_only_counted(connect, path):
    caller = connect(journal=path)
    for _ in range(3):
        caller.call("messages.create", **CALL)
    caller.guard.journal.close()
    served = kept(path, "served")
    assert sum(entry.count for entry in served) == 3
    assert {(entry.model, entry.trace_id) for entry in served} == {(FIRST, None)}
    assert not kept(path, "attempt", "switch", "call", "transition")


def test_the_environment_may_name_one_and_an_argument_knows_better(path, monkeypatch):
    assert failover.Failover().journal is None
    monkeypatch.setenv("FAILOVER_JOURNAL", str(path))
    assert failover.Failover().journal.path == str(path)
    assert failover.Failover(journal=False).journal is None
    assert failover.Failover(journal=path.with_name("other.db")).journal.path == str(path.with_name("other.db"))
    monkeypatch.setenv("FAILOVER_JOURNAL", "")
    assert failover.Failover().journal is None


def test_several_may_share_one(path):
    journal = failover.Journal(path)
    assert failover.Failover(journal=journal).journal is failover.Failover(journal=journal).journal is journal


@pytest.mark.parametrize("wrong", [True, 7, ["journal.db"], b"journal.db"])
def test_anything_else_is_refused_at_once(wrong):
    with pytest.raises(TypeError, match="journal"):
        failover.Failover(journal=wrong)


@pytest.mark.parametrize("option", [False, "journal.db"])
def test_a_shared_failover_has_its_journal_already(option):
    with pytest.raises(TypeError, match="journal"):
        failover.wrap(anthropic.Anthropic(api_key="test"), failover.Failover(), journal=option)


def test_one_that_cannot_be_written_harms_no_call(connect, tmp_path, caplog):
    caller = connect(journal=tmp_path / "no such folder" / "journal.db")
    assert caller.call("messages.create", **CALL).model == FIRST
    caller.guard.journal.close()
    why, lost = [record for record in caplog.records if record.name == "failover"]
    assert {why.levelname, lost.levelname} == {"ERROR"}
    assert "its folder does not exist" in why.getMessage()
    assert "1 entries are lost" in lost.getMessage()


def test_who_keeps_none_loads_no_database(tmp_path):
    code = (
        "import failover, sys; failover.Failover(); print('sqlite3' in sys.modules, 'failover.journal' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert ran.stdout.split() == ["False", "False"]
