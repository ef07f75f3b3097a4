"""What becomes of the spans of a program that set tracing up, and of the program when nobody takes them."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import anthropic
import pytest
from opentelemetry.sdk.trace.export import SpanExportResult
from otlp_receiver import Collector, garbage, silence, status
from setup_lab import SPAN, run_program, without_a_provider

import failover
import failover.tracing
from failover.telemetry import global_provider
from failover.telemetry.otlp import BRIEFLY, Delivery
from failover.testing import FakeClaude

SUCCESS, FAILURE = SpanExportResult.SUCCESS, SpanExportResult.FAILURE
CALL = {"model": "claude-opus-5-5", "max_tokens": 9, "messages": [{"role": "user", "content": "Hello"}]}
BAD = {"says nothing": silence, "talks nonsense": garbage, "fails": status(500), "is overloaded": status(503)}
"""Collectors that take no spans; one more is not there at all."""
LONG = 20.0
"""Seconds after which something is taken to hang."""


@pytest.fixture(params=[*BAD, "is not there"])
def bad_collector(request):
    """The URL of a collector that takes no spans."""
    with Collector(BAD.get(request.param)) as collector:
        if request.param in BAD:
            yield collector.url
            return
    yield collector.url


@pytest.fixture
def collector():
    with Collector() as collector:
        yield collector


class TestAProgram:
    def test_that_ends_at_once_has_its_spans_delivered(self, collector):
        done = run_program("failover.tracing.setup(sys.argv[1]); span()", collector.url)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert collector.names() == [SPAN]

    @pytest.mark.parametrize(("ends", "code"), [("sys.exit(3)", 3), ("raise LookupError", 1)])
    def test_that_ends_in_another_way_has_too(self, collector, ends, code):
        done = run_program(f"failover.tracing.setup(sys.argv[1]); span(); {ends}", collector.url)
        assert done.returncode == code
        assert collector.names() == [SPAN]

    def test_has_the_spans_of_its_exit_handlers_delivered(self, collector):
        program = "import atexit; failover.tracing.setup(sys.argv[1]); atexit.register(span, 'at exit'); span()"
        assert run_program(program, collector.url).stderr == ""
        assert collector.names() == [SPAN, "at exit"]

    def test_has_the_whole_trace_of_its_calls_delivered(self, collector):
        program = """
            import anthropic, failover
            failover.tracing.setup(service="my-app")
            client = failover.wrap(anthropic.Anthropic(base_url=sys.argv[1], api_key="canary-key"))
            client.messages.create(model="claude-opus-5-5", max_tokens=9, messages=[{"role": "user", "content": "canary"}])
        """
        with FakeClaude() as fake:
            done = run_program(program, fake.url, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert collector.names() == ["try claude-opus-5-5", "failover default", "anthropic.messages.create"]
        assert len({span.trace_id for span, _ in collector.spans()}) == 1
        assert not [request for request in collector.requests if b"canary" in request.SerializeToString()]

    def test_may_have_them_on_the_screen_besides(self, collector):
        done = run_program(
            "failover.tracing.setup(); span()",
            OTEL_TRACES_EXPORTER="console, otlp",
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
        )
        assert f'"name": "{SPAN}"' in done.stdout
        assert collector.names() == [SPAN]

    def test_that_shut_the_provider_down_itself_is_told_nothing_more(self, collector):
        done = run_program("failover.tracing.setup(sys.argv[1]).shutdown()", collector.url)
        assert (done.returncode, done.stderr) == (0, "")

    def test_that_only_imports_it_has_nothing_of_opentelemetrys_sdk(self):
        done = run_program("print([name for name in sys.modules if name.startswith(('opentelemetry.sdk', 'google'))])")
        assert done.stdout == "[]\n"

    def test_ends_soon_and_quietly_though_its_collector_takes_no_spans(self, bad_collector):
        """A hundred batches, each of which could be waited for: the first is, and briefly."""
        program = "failover.tracing.setup(sys.argv[1])\nfor _ in range(100): span()\nprint('done')"
        variables = {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "1", "OTEL_EXPORTER_OTLP_TIMEOUT": "2"}
        done = run_program(program, bad_collector, timeout=LONG, **variables)
        assert (done.returncode, done.stdout) == (0, "done\n")
        assert "Traceback" not in done.stderr
        assert "Warning" not in done.stderr

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="only POSIX forks")
    def test_that_forks_has_the_spans_of_both_each_over_a_connection_of_its_own(self):
        program = """
            import warnings
            warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
            warnings.simplefilter("ignore", ResourceWarning)  # the exporter's HTTP client lets the garbage collector close
            provider = failover.tracing.setup(sys.argv[1])
            span("before"); provider.force_flush()
            child = os.fork()
            if child:
                os.waitpid(child, 0)
            span("parent" if child else "child")
        """
        with Collector(keep_alive=True) as collector:
            done = run_program(program, collector.url)
        assert (done.returncode, done.stderr) == (0, "")
        assert collector.names() == ["before", "child", "parent"]
        before, child, _ = collector.connections
        assert child != before


class TestACall:
    @pytest.fixture(autouse=True)
    def soon(self, monkeypatch):
        """Each span is sent at once."""
        without_a_provider(monkeypatch)
        monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", str(BRIEFLY))
        left = []
        monkeypatch.setattr(
            global_provider.atexit, "register", lambda leave, *arguments: left.append((leave, arguments))
        )
        yield
        for leave, arguments in left:
            leave(*arguments)

    def test_sends_nothing_itself_whatever_the_collector_does(self, monkeypatch, fake_claude, bad_collector):
        senders = set()
        export = Delivery.export

        def noted(delivery, spans):
            senders.add(threading.current_thread())
            return export(delivery, spans)

        monkeypatch.setattr(Delivery, "export", noted)
        provider = failover.tracing.setup(bad_collector)
        with anthropic.Anthropic(base_url=fake_claude.url, api_key="test") as client:
            for _ in range(20):
                failover.wrap(client).messages.create(**CALL)
        (processor,) = provider._active_span_processor._span_processors
        assert senders <= {processor._batch_processor._worker_thread}

    def test_does_not_wait_for_a_collector_that_does_not_answer(self, fake_claude):
        with Collector(silence) as collector:
            failover.tracing.setup(collector.url)
            with anthropic.Anthropic(base_url=fake_claude.url, api_key="test") as client, ThreadPoolExecutor(1) as pool:
                calls = pool.submit(lambda: [failover.wrap(client).messages.create(**CALL).model for _ in range(20)])
                assert calls.result(LONG) == ["claude-opus-5-5"] * 20
            assert len(collector.spans()) < 3 * 20  # the others are still in the queue


class Exporter:
    """Takes what it is told to take."""

    def __init__(self, seconds, results):
        self.seconds = seconds
        self.closed = threading.Event()
        self._results = results

    def export(self, spans):
        result = self._results.pop(0)
        return result(self) if callable(result) else result

    def shutdown(self):
        self.closed.set()


class TestADelivery:
    @pytest.fixture
    def deliver(self):
        """Makes a delivery that gets these results, and the list of the exporters that it made."""

        def deliver(*results):
            made, left = [], list(results)

            def make(seconds):
                made.append(Exporter(seconds, left))
                return made[-1]

            return Delivery(make), made

        return deliver

    def test_tries_each_batch_anew_while_the_program_runs(self, deliver):
        delivery, made = deliver(FAILURE, FAILURE, SUCCESS)
        assert [delivery.export(()) for _ in range(3)] == [FAILURE, FAILURE, SUCCESS]
        assert [exporter.seconds for exporter in made] == [None]

    def test_tries_none_after_the_first_that_fails_as_the_program_ends(self, deliver):
        delivery, made = deliver(SUCCESS, FAILURE)
        delivery.leave()
        assert [delivery.export(()) for _ in range(4)] == [SUCCESS, FAILURE, FAILURE, FAILURE]
        assert [exporter.seconds for exporter in made] == [None, BRIEFLY]

    def test_ends_a_wait_as_the_program_ends_and_tries_that_batch_briefly_once_more(self, deliver):
        waits = threading.Event()

        def wait(exporter):
            waits.set()
            assert exporter.closed.wait(LONG)
            return FAILURE

        delivery, made = deliver(wait, SUCCESS)
        with ThreadPoolExecutor(1) as pool:
            result = pool.submit(delivery.export, ())
            assert waits.wait(LONG)
            delivery.leave()
            assert result.result(LONG) is SUCCESS
        assert [exporter.closed.is_set() for exporter in made] == [True, False]

    def test_that_is_over_leaves_nothing_more(self, deliver):
        delivery, made = deliver()
        delivery.shutdown()
        delivery.leave()
        assert [exporter.closed.is_set() for exporter in made] == [True]

    @pytest.mark.parametrize("leaving", [False, True])
    def test_has_an_exporter_for_each_process(self, deliver, monkeypatch, leaving):
        delivery, made = deliver(SUCCESS)
        if leaving:
            delivery.leave()
        mine = made[-1]
        monkeypatch.setattr(os, "getpid", lambda: -1)
        assert delivery.export(()) is SUCCESS
        assert made[-1] is not mine
        assert made[-1].seconds == mine.seconds
