"""`--otlp`: what reaches a collector, and what a dead one costs."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from cli_lab import FALLBACK, OPUS, run
from otlp_receiver import Collector, attributes, status

GUARDED_STREAMS = 3
"""One that is overloaded before its first content, and two after some words."""


@pytest.fixture(scope="module")
def delivered(outage):
    """A run, and the collector that its spans were sent to."""
    with Collector() as collector:
        ran = run("demo", *outage, "--otlp", collector.url)
    assert ran.returncode == 0
    return ran, collector


def test_all_spans_reach_a_collector(delivered):
    ran, collector = delivered
    spans = collector.spans()
    names = Counter(span.name for span, _ in spans)
    assert collector.paths == {"/v1/traces"}
    assert names["anthropic.messages.create"] == names["failover small"] == 60 + GUARDED_STREAMS
    assert names[f"try {OPUS}"] + names[f"try {FALLBACK}"] == len(spans) - 2 * (60 + GUARDED_STREAMS)
    assert {attributes(resource)["service.name"].string_value for _, resource in spans} == {"failover-demo"}
    assert f"{len(spans)} spans sent to {collector.url}/v1/traces (service failover-demo)" in ran.stdout


@pytest.mark.parametrize(("number", "streamed"), [(0, False), (1, True)])
def test_the_traces_on_the_screen_are_among_those_at_the_collector(delivered, number, streamed):
    ran, collector = delivered
    shown = re.findall(r"trace ([0-9a-f]{32})\n", ran.stdout)
    assert len(shown) == 2
    of_trace = {span.name: span for span, _ in collector.spans() if span.trace_id.hex() == shown[number]}
    assert ("failover.stream.end" in attributes(of_trace[f"try {OPUS}"])) is streamed
    root, policy = of_trace["anthropic.messages.create"], of_trace["failover small"]
    assert policy.parent_span_id == root.span_id
    assert of_trace[f"try {FALLBACK}"].parent_span_id == policy.span_id
    assert attributes(of_trace[f"try {OPUS}"])["anthropic.request.id"].string_value in ran.stdout


def test_no_prompt_text_and_no_key_leaves_the_machine(delivered):
    _, collector = delivered
    sent = b"".join(request.SerializeToString() for request in collector.requests)
    assert b"Say hello" not in sent
    assert b"not-a-key" not in sent


def test_a_path_of_ones_own_is_kept(cli, moment):
    with Collector() as collector:
        cli("demo", *moment, "--otlp", f"{collector.url}/otlp/traces")
    assert collector.paths == {"/otlp/traces"}


@pytest.fixture
def closed_port():
    with Collector() as closed:
        pass
    return closed.url


def test_a_dead_collector_costs_one_line(cli, moment, closed_port):
    ran = cli("demo", *moment, "--otlp", closed_port)
    assert ran.returncode == 0
    (line,) = ran.stderr.splitlines()
    assert re.fullmatch(
        rf"failover: warning: (\d+) of \1 spans could not be sent to {closed_port}/v1/traces: nothing answered .*", line
    )
    assert "with failover" in ran.stdout


def test_a_collector_that_refuses_costs_one_line_with_its_status(cli, moment):
    with Collector(status(404)) as collector:
        ran = cli("demo", *moment, "--otlp", collector.url)
    assert ran.returncode == 0
    (line,) = ran.stderr.splitlines()
    assert line.endswith("it answered with status 404")
