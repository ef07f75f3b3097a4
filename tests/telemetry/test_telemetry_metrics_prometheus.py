"""What Prometheus scrapes: names, types and labels as dashboards and alerts are written with, over real HTTP."""

from __future__ import annotations

import contextlib
import urllib.request

import anthropic
import pytest
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import start_http_server
from prometheus_client.parser import text_string_to_metric_families

from failover import Failover, Policy, wrap
from failover.testing import Fault

FIRST, SECOND = "claude-haiku-5-5", "claude-haiku-4-5"
PROMPT, KEY, TOOL_INPUT = "canary-in-the-prompt", "sk-ant-canary", "canary-in-a-tool"
POLICY = Policy(
    version=1,
    name="default",
    ladders=[{"match": FIRST, "rungs": [SECOND]}],
    retry={"tries": 1, "passes": 1},
    breaker={"trip": {"consecutive_failures": 2, "failure_rate": "off"}},
)


@pytest.fixture
def scrape():
    """Scrapes what the provider that it has measures."""
    provider = MeterProvider([PrometheusMetricReader()], shutdown_on_exit=False)
    server, thread = start_http_server(0, "127.0.0.1")

    def scrape():
        with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/metrics") as answer:
            return answer.read().decode()

    scrape.provider = provider
    yield scrape
    provider.shutdown()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def exposition(scrape, fake_claude):
    """After an outage: its first failures, its circuit opening, and calls that pass the model over."""
    fake_claude.fail(FIRST, 529)
    tool = {"name": TOOL_INPUT, "input_schema": {"type": "object"}}
    with anthropic.Anthropic(base_url=fake_claude.url, api_key=KEY) as client:
        wrapped = wrap(client, Failover(POLICY, meter_provider=scrape.provider))

        def call():
            wrapped.messages.create(
                model=FIRST, max_tokens=9, messages=[{"role": "user", "content": PROMPT}], tools=[tool]
            )

        for _ in range(5):
            call()
        fake_claude.script(SECOND, [Fault(status=400)])
        with contextlib.suppress(anthropic.APIError):
            call()
        yield scrape()


@pytest.fixture
def families(exposition):
    return {
        family.name: family
        for family in text_string_to_metric_families(exposition)
        if family.name.startswith("failover")
    }


def values(family, suffix, *labels):
    """By the values of these labels; one that is empty is as good as not there."""
    return {
        tuple(
            sample.labels.get(f"failover_{label}") or sample.labels.get(label) or None for label in labels
        ): sample.value
        for sample in family.samples
        if sample.name == family.name + suffix
    }


def test_names_and_types_are_these(families):
    assert {name: family.type for name, family in families.items()} == {
        "failover_call_duration_seconds": "histogram",
        "failover_attempt_duration_seconds": "histogram",
        "failover_breaker_transitions": "counter",
        "failover_breaker_state": "gauge",
        "failover_model_skips": "counter",
    }


def test_an_outage_can_be_read_from_them(families):
    assert values(families["failover_call_duration_seconds"], "_count", "policy_name", "outcome") == {
        ("default", "fallback"): 5,
        ("default", "exhausted"): 1,
    }
    assert values(families["failover_attempt_duration_seconds"], "_count", "model", "attempt_reason", "error_type") == {
        (FIRST, "primary", "overloaded_error"): 2,
        (SECOND, "fallback", None): 5,
        (SECOND, "fallback", "invalid_request_error"): 1,
    }
    labels = ("breaker_name", "breaker_from", "breaker_to")
    assert values(families["failover_breaker_transitions"], "_total", *labels) == {(FIRST, "closed", "open"): 1}
    states = values(families["failover_breaker_state"], "", "breaker_name", "breaker_state")
    assert {key for key, value in states.items() if value} == {(FIRST, "open"), (SECOND, "closed")}
    assert len(states) == 6
    assert values(families["failover_model_skips"], "_total", "model", "skip_reason") == {(FIRST, "open"): 4}


def test_there_is_a_bucket_for_every_length_of_call(families):
    samples = families["failover_call_duration_seconds"].samples
    bounds = {sample.labels["le"] for sample in samples if sample.name.endswith("_bucket")}
    assert bounds >= {"0.05", "0.5", "5.0", "30.0", "120.0", "600.0", "+Inf"}


def test_nothing_of_a_request_is_in_them(exposition):
    assert "failover" in exposition
    assert [canary for canary in (PROMPT, KEY, TOOL_INPUT, "canary", "req_") if canary in exposition] == []
