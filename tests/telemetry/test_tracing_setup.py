"""`failover.tracing.setup`: what it takes from its arguments, what from OpenTelemetry's variables, and what it refuses."""

from __future__ import annotations

import os
import sys
import threading
import types

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from otlp_receiver import Collector, attributes
from setup_lab import SPAN, without_a_provider

import failover
import failover.tracing
from failover.errors import FailoverError, MissingExtra
from failover.telemetry import SpanListener, global_provider

NOBODY = "http://127.0.0.1:9"
"""An address at which nothing is tried, because nothing is sent."""


@pytest.fixture(autouse=True)
def untouched(monkeypatch):
    """No variables, no provider; and what a test sets up is taken down after it."""
    for name in os.environ:
        if name.startswith("OTEL_"):
            monkeypatch.delenv(name)
    without_a_provider(monkeypatch)
    left = []
    monkeypatch.setattr(global_provider.atexit, "register", lambda leave, *arguments: left.append((leave, arguments)))
    yield
    for leave, arguments in left:
        leave(*arguments)


@pytest.fixture
def collector():
    with Collector() as collector:
        yield collector


def span_of(provider):
    """Make a span, and send it."""
    provider.get_tracer("program").start_span(SPAN).end()
    assert provider.force_flush()


class TestWhatIsSaid:
    def test_is_where_spans_go_and_whose_they_are(self, collector):
        span_of(failover.tracing.setup(otlp=collector.url, service="my-app"))
        ((span, resource),) = collector.spans()
        assert span.name == SPAN
        assert attributes(resource)["service.name"].string_value == "my-app"
        assert collector.paths == {"/v1/traces"}

    def test_may_be_a_path_of_ones_own(self, collector):
        span_of(failover.tracing.setup(f"{collector.url}/otlp/traces"))
        assert collector.paths == {"/otlp/traces"}

    def test_goes_before_the_variables(self, collector, monkeypatch):
        monkeypatch.setenv("OTEL_SERVICE_NAME", "another")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", NOBODY)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", NOBODY)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
        monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
        span_of(failover.tracing.setup(collector.url, "my-app"))
        ((_, resource),) = collector.spans()
        assert attributes(resource)["service.name"].string_value == "my-app"

    def test_is_the_providers_of_the_whole_program_and_so_the_middlewares(self, collector, fake_claude):
        provider = failover.tracing.setup(collector.url)
        assert trace.get_tracer_provider() is provider
        assert SpanListener().active()

    @pytest.mark.parametrize("arguments", [(), (None, "my-app"), (NOBODY, None), (NOBODY, "my-app")])
    def test_may_be_said_again(self, arguments):
        assert failover.tracing.setup(*arguments) is failover.tracing.setup(*arguments)

    def test_may_be_said_by_many_threads_at_once(self):
        made = []
        threads = [threading.Thread(target=lambda: made.append(failover.tracing.setup(NOBODY))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert len(made) == 8
        assert len(set(made)) == 1


class TestAVariable:
    def test_says_where_the_collector_is(self, collector, monkeypatch):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"{collector.url}/base/")
        span_of(failover.tracing.setup())
        assert collector.paths == {"/base/v1/traces"}

    def test_of_traces_alone_is_the_whole_address_and_goes_before_the_one_of_all_signals(self, collector, monkeypatch):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", NOBODY)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"{collector.url}/all/of/it")
        span_of(failover.tracing.setup())
        assert collector.paths == {"/all/of/it"}

    def test_that_is_not_set_means_a_collector_on_this_machine(self, monkeypatch):
        made = []
        monkeypatch.setattr(
            "opentelemetry.exporter.otlp.proto.http.trace_exporter.OTLPSpanExporter.export",
            lambda exporter, _spans: made.append(exporter._endpoint),
        )
        span_of(failover.tracing.setup())
        assert made == ["http://localhost:4318/v1/traces"]

    @pytest.mark.parametrize("name", ["OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"])
    def test_has_headers_for_the_collector(self, collector, monkeypatch, name):
        monkeypatch.setenv(name, "x-team=canary%20and%20mine")
        span_of(failover.tracing.setup(collector.url))
        (headers,) = collector.headers
        assert {key.lower(): value for key, value in headers.items()}["x-team"] == "canary and mine"

    def test_compresses(self, collector, monkeypatch):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
        span_of(failover.tracing.setup(collector.url))
        assert [headers["Content-Encoding"] for headers in collector.headers] == ["gzip"]
        assert collector.names() == [SPAN]

    def test_says_how_long_a_collector_has(self, monkeypatch):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.25")
        failover.tracing.setup(NOBODY)
        assert delivery()._exporter._client._timeout == 0.25

    @pytest.mark.parametrize(
        ("variables", "name", "region"),
        [
            ({"OTEL_SERVICE_NAME": "named"}, "named", None),
            ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=of-a-resource,region=eu"}, "of-a-resource", "eu"),
            ({"OTEL_SERVICE_NAME": "named", "OTEL_RESOURCE_ATTRIBUTES": "service.name=x,region=eu"}, "named", "eu"),
        ],
    )
    def test_says_whose_the_spans_are(self, collector, monkeypatch, variables, name, region):
        for variable, value in variables.items():
            monkeypatch.setenv(variable, value)
        span_of(failover.tracing.setup(collector.url))
        ((_, resource),) = collector.spans()
        said = attributes(resource)
        assert said["service.name"].string_value == name
        assert (said["region"].string_value if "region" in said else None) == region

    @pytest.mark.parametrize(
        ("sampler", "argument", "recorded"),
        [("always_on", "", True), ("always_off", "", False), ("traceidratio", "0", False), ("traceidratio", "1", True)],
    )
    def test_says_which_traces_are_sampled(self, collector, monkeypatch, *, sampler, argument, recorded):
        monkeypatch.setenv("OTEL_TRACES_SAMPLER", sampler)
        monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", argument)
        span_of(failover.tracing.setup(collector.url))
        assert bool(collector.spans()) is recorded

    def test_says_how_soon_spans_are_sent(self, collector, monkeypatch):
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "3600000")
        monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2")
        provider = failover.tracing.setup(collector.url)
        for _ in range(5):
            provider.get_tracer("program").start_span(SPAN).end()
        provider.force_flush()
        assert all(len(request.resource_spans[0].scope_spans[0].spans) <= 2 for request in collector.requests)
        assert len(collector.spans()) == 5

    @pytest.mark.parametrize("value", ["true", "TRUE "])
    def test_switches_all_of_it_off(self, monkeypatch, value):
        monkeypatch.setenv("OTEL_SDK_DISABLED", value)
        monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
        before = threading.active_count()
        provider = failover.tracing.setup(NOBODY)
        assert threading.active_count() == before
        assert not provider.get_tracer("program").start_span(SPAN).is_recording()
        assert not SpanListener().active()

    def test_may_say_that_nothing_is_sent(self, monkeypatch):
        monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
        before = threading.active_count()
        span_of(failover.tracing.setup())
        assert threading.active_count() == before

    @pytest.mark.parametrize("empty", ["", "  "])
    def test_that_is_empty_is_as_good_as_not_set(self, collector, monkeypatch, empty):
        for name in ("OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"):
            monkeypatch.setenv(name, empty)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        span_of(failover.tracing.setup())
        assert collector.names() == [SPAN]


class TestGrpc:
    @pytest.fixture(params=["OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"])
    def wanted(self, monkeypatch, request):
        monkeypatch.setenv(request.param, "grpc")

    def test_needs_a_package_that_the_error_names(self, wanted):
        with pytest.raises(MissingExtra, match="pip install opentelemetry-exporter-otlp-proto-grpc"):
            failover.tracing.setup()

    def test_is_used_if_it_is_there(self, wanted, monkeypatch):
        made = []

        class Exporter:
            def __init__(self, **options):
                made.append(options)

            def shutdown(self):
                pass

        for name in ("", ".trace_exporter"):
            module = types.ModuleType(f"opentelemetry.exporter.otlp.proto.grpc{name}")
            module.OTLPSpanExporter = Exporter
            monkeypatch.setitem(sys.modules, module.__name__, module)
        failover.tracing.setup()
        assert made == [{"timeout": None}]


class TestARefusal:
    @pytest.mark.parametrize(
        "url", ["", "localhost:4318", "collector", "ftp://a", "http://", "http://a:b", "http://a:0"]
    )
    def test_of_an_address_names_it_and_shows_a_good_one(self, url):
        with pytest.raises(FailoverError, match=r"^otlp: '.*' is no address .* http://localhost:4318$"):
            failover.tracing.setup(url)

    @pytest.mark.parametrize("name", ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"])
    def test_of_an_address_in_a_variable_names_the_variable(self, monkeypatch, name):
        monkeypatch.setenv(name, "localhost:4318")
        with pytest.raises(FailoverError, match=f"^{name}: 'localhost:4318' is no address"):
            failover.tracing.setup()

    def test_shows_no_password(self):
        with pytest.raises(FailoverError) as raised:
            failover.tracing.setup("http://me:canary@collector:port")
        assert "canary" not in str(raised.value)
        assert "***@collector:port" in str(raised.value)
        failover.tracing.setup("http://me:canary@127.0.0.1:9")
        with pytest.raises(FailoverError, match=r"already, with otlp='http://\*\*\*@127.0.0.1:9'"):
            failover.tracing.setup()

    @pytest.mark.parametrize(
        ("name", "value", "known"),
        [
            ("OTEL_TRACES_EXPORTER", "zipkin", "otlp, console and none"),
            ("OTEL_TRACES_EXPORTER", "otlp,jaeger", "otlp, console and none"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json", "http/protobuf and grpc"),
            ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "carrier pigeon", "http/protobuf and grpc"),
        ],
    )
    def test_of_what_is_not_known_says_what_is(self, monkeypatch, name, value, known):
        monkeypatch.setenv(name, value)
        with pytest.raises(FailoverError, match=f"^{name}: '.*' is not known here: {known} are$"):
            failover.tracing.setup()

    @pytest.mark.parametrize(
        ("variables", "said"),
        [
            ({"OTEL_BSP_MAX_QUEUE_SIZE": "5", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "6"}, "max_export_batch_size must be"),
            ({"OTEL_BSP_SCHEDULE_DELAY": "0"}, "schedule_delay_millis must be positive"),
            ({"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "many"}, "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT must be"),
        ],
    )
    def test_of_numbers_that_opentelemetry_refuses_says_why(self, monkeypatch, variables, said):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        before = threading.active_count()
        with pytest.raises(FailoverError, match=f"^OpenTelemetry cannot use its variables: {said}"):
            failover.tracing.setup(NOBODY)
        assert threading.active_count() == before

    @pytest.mark.parametrize("service", ["", " "])
    def test_of_an_empty_name(self, service):
        with pytest.raises(FailoverError, match="service is empty"):
            failover.tracing.setup(NOBODY, service)

    def test_without_the_extra_names_it(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
        with pytest.raises(MissingExtra, match=r"pip install 'anthropic-failover\[otlp\]'"):
            failover.tracing.setup(NOBODY)

    def test_leaves_nothing_set_up_so_that_a_better_call_can_follow(self, collector):
        with pytest.raises(FailoverError):
            failover.tracing.setup("nonsense")
        span_of(failover.tracing.setup(collector.url))
        assert collector.names() == [SPAN]

    @pytest.mark.parametrize("again", [(None, None), (NOBODY, "another"), ("http://127.0.0.1:10", "my-app")])
    def test_of_a_second_opinion_says_what_the_first_was(self, again):
        failover.tracing.setup(NOBODY, "my-app")
        with pytest.raises(FailoverError, match=f"already, with otlp='{NOBODY}' and service='my-app'"):
            failover.tracing.setup(*again)

    def test_to_replace_a_provider_of_the_programs_own_says_how_to_add_a_collector_to_it(self):
        own = TracerProvider(shutdown_on_exit=False)
        trace.set_tracer_provider(own)
        with pytest.raises(FailoverError, match=r"uses it as it is.*add_span_processor\(BatchSpanProcessor\("):
            failover.tracing.setup(NOBODY)
        assert trace.get_tracer_provider() is own

    def test_to_replace_one_that_was_set_meanwhile(self, monkeypatch):
        own = TracerProvider(shutdown_on_exit=False)
        set_provider = trace.set_tracer_provider
        monkeypatch.setattr(trace, "set_tracer_provider", lambda _: set_provider(own))
        before = threading.active_count()
        with pytest.raises(FailoverError, match="has a tracer provider already"):
            failover.tracing.setup(NOBODY)
        assert trace.get_tracer_provider() is own
        assert threading.active_count() == before


def delivery():
    (processor,) = trace.get_tracer_provider()._active_span_processor._span_processors
    return processor.span_exporter
