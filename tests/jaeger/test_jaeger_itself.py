"""What the real Jaeger does that the tests' own store does not, and what `make jaeger` promises of it.

Where version 2.13 differs from newer ones, the README says what to type instead. A failure here after a step to
another version means that the README can be simpler.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from jaeger_server import JaegerDied, Ports, running
from sdk_callers import FIRST
from span_stores import JaegerStore
from trace_stage import SERVICE

pytestmark = [pytest.mark.jaeger, pytest.mark.parametrize("store", ["jaeger"], indirect=True)]
SCRIPT = Path(__file__).with_name("jaeger_server.py")
LISTENING = "0A"


def asked(**more):
    """A question for `/api/v3/traces`, about the last hour."""
    now = datetime.now(timezone.utc)
    return {
        "query.service_name": SERVICE,
        "query.start_time_min": (now - timedelta(hours=1)).isoformat(),
        "query.start_time_max": (now + timedelta(hours=1)).isoformat(),
        "query.num_traces": "10000",
        **more,
    }


def test_a_search_for_errors_finds_none_by_their_status(store: JaegerStore, played):
    """It reads any value of `error` as `false`, and that as "the status is OK": https://github.com/jaegertracing/jaeger/pull/8217."""
    assert store.find(SERVICE, {"error": "true"}, f"try {FIRST}") == set()
    assert store.find(SERVICE, {"error": "true"}) == store.find(SERVICE, {"error": "false"}) != set()


def test_a_search_knows_neither_scopes_nor_links(store: JaegerStore, played):
    assert store.find(SERVICE, {"scope.name": "failover"}) == set()
    assert store.find(SERVICE, {"failover.link": "opened_by"}) == set()


def test_its_stable_api_searches_by_operation_and_ignores_tags(store: JaegerStore, played):
    """https://github.com/jaegertracing/jaeger/issues/7594."""

    def found(**more):
        spans = store.get("/api/v3/traces", **asked(**more))["result"]["resourceSpans"]
        return {span["traceId"] for resource in spans for scope in resource["scopeSpans"] for span in scope["spans"]}

    everything = {trace for told in played.values() for trace in told.ids}
    assert found() == found(**{"query.attributes": '{"failover.outcome":"refused"}'}) == everything
    assert found(**{"query.operation_name": f"try {FIRST}"}) == store.find(SERVICE, {}, f"try {FIRST}")


@pytest.mark.parametrize(
    ("without", "more", "status"),
    [
        ("query.start_time_min", {"query.startTimeMin": "2026-01-01T00:00:00Z"}, 400),
        ("query.num_traces", {"query.searchDepth": "100"}, 500),
    ],
)
def test_its_stable_api_knows_the_old_spelling_alone(store: JaegerStore, played, without, more, status):
    question = {key: value for key, value in asked(**more).items() if key != without}
    with pytest.raises(urllib.error.HTTPError) as raised:
        store.get("/api/v3/traces", **question)
    raised.value.close()
    assert raised.value.code == status


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="Linux tells who listens where")
def test_it_listens_on_loopback_alone(store: JaegerStore, jaeger):
    sockets = {link for link in map(_target, Path(f"/proc/{jaeger.process.pid}/fd").iterdir()) if link}
    listening = [
        (address, int(port, 16))
        for kind in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{kind}").read_text().splitlines()[1:]
        for (address, _, port), state, inode in [(line.split()[1].partition(":"), line.split()[3], line.split()[9])]
        if state == LISTENING and f"socket:[{inode}]" in sockets
    ]
    assert sorted(port for _, port in listening) == sorted(jaeger.ports)
    assert {address for address, _ in listening} == {"0100007F"}


def _target(link):
    try:
        return str(link.readlink())
    except FileNotFoundError:  # closed meanwhile
        return ""


def test_it_does_not_start_where_somebody_listens_already(store: JaegerStore, jaeger):
    with (
        pytest.raises(JaegerDied, match=f"something listens on {jaeger.ports.query} already"),
        running(jaeger.process.args[0], Ports.free()._replace(query=jaeger.ports.query)),
    ):
        pass


@pytest.mark.parametrize("ending", [KeyboardInterrupt, AssertionError])
def test_it_ends_with_the_tests_however_they_end(store: JaegerStore, jaeger, ending):
    with pytest.raises(ending), running(jaeger.process.args[0]) as another:
        raise ending
    assert another.process.poll() is not None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_in_the_foreground_it_says_where_it_is_and_ends_when_told(store: JaegerStore, jaeger, number):
    ports = ",".join(map(str, Ports.free()))
    command = [sys.executable, SCRIPT, jaeger.process.args[0], "--ports", ports]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as shown:
        told = [shown.stdout.readline() for _ in range(4)]
        urls = re.findall(r"http://[\d.:/\w]+", "".join(told))
        assert f"http://127.0.0.1:{ports.partition(',')[0]}/api/v3/services" in urls
        urllib.request.urlopen(urls[2], timeout=5).close()
        shown.send_signal(number)
        end = time.monotonic() + 20
        while shown.poll() is None and time.monotonic() < end:
            time.sleep(0.01)
        assert shown.poll() == 0
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(urls[2], timeout=5)
