"""The tracer provider of a whole program, made from OpenTelemetry's own variables: `failover.tracing.setup`."""

from __future__ import annotations

import atexit
import functools
import os
import threading
from collections.abc import Callable
from typing import NamedTuple

from opentelemetry import trace
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter

from failover.errors import FailoverError

from .otlp import Delivery, check_address, grpc_exporter, http_exporter, shown, traces_url

__all__ = ["install"]


class _Installed(NamedTuple):
    otlp: str | None
    service: str | None
    provider: TracerProvider


_lock = threading.Lock()
_installed: _Installed | None = None


def install(otlp: str | None, service: str | None) -> TracerProvider:
    """Make the program's tracer provider, once; see `failover.tracing.setup`."""
    global _installed  # noqa: PLW0603 - OpenTelemetry, too, has one provider for each process
    with _lock:
        if _installed is not None and _installed.provider is trace.get_tracer_provider():
            if (otlp, service) == _installed[:2]:
                return _installed.provider
            raise _said_before(_installed)
        if not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):  # it stands for "there is none yet"
            raise _anothers()
        try:
            provider = _provider(otlp, service)
        except ValueError as error:
            raise FailoverError(f"OpenTelemetry cannot use its variables: {error}") from error
        trace.set_tracer_provider(provider)
        if trace.get_tracer_provider() is not provider:  # somebody was quicker
            provider.shutdown()
            raise _anothers()
        _installed = _Installed(otlp, service, provider)
    return provider


def _said_before(installed: _Installed) -> FailoverError:
    otlp = installed.otlp and shown(installed.otlp)
    return FailoverError(
        f"tracing is set up already, with otlp={otlp!r} and service={installed.service!r}:"
        " call setup() once, where the program starts"
    )


def _anothers() -> FailoverError:
    return FailoverError(
        "the program has a tracer provider already, and failover uses it as it is: leave setup() out."
        " To send its spans to a collector, too:"
        " provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint='http://localhost:4318/v1/traces')))"
    )


def _provider(otlp: str | None, service: str | None) -> TracerProvider:
    if service is not None and not service.strip():
        raise FailoverError("service is empty: give the name under which Jaeger is to list the program, or None")
    deliveries = [] if _disabled() else [Delivery(make) for make in _exporters(otlp)]
    # Its sampler and its limits are read from the variables by itself.
    provider = TracerProvider(
        resource=Resource.create({} if service is None else {SERVICE_NAME: service}), shutdown_on_exit=False
    )
    for delivery in deliveries:
        provider.add_span_processor(BatchSpanProcessor(delivery))
    atexit.register(_leave, provider, deliveries)
    return provider


def _disabled() -> bool:
    return os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"


def _exporters(otlp: str | None) -> list[Callable[[float | None], SpanExporter]]:
    if otlp is not None:
        return [functools.partial(http_exporter, traces_url(otlp, said_by="otlp"))]
    names = _variable("OTEL_TRACES_EXPORTER", "otlp").split(",")
    return [make for name in names if (make := _exporter(name.strip())) is not None]


def _exporter(name: str) -> Callable[[float | None], SpanExporter] | None:
    if name == "otlp":
        return _otlp_exporter()
    if name == "console":
        return lambda _: ConsoleSpanExporter()
    if name == "none":
        return None
    raise FailoverError(f"OTEL_TRACES_EXPORTER: {name!r} is not known here: otlp, console and none are")


def _otlp_exporter() -> Callable[[float | None], SpanExporter]:
    variable = _first_set("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
    protocol = _variable(variable, "http/protobuf")
    if protocol == "grpc":
        return grpc_exporter
    if protocol != "http/protobuf":
        raise FailoverError(f"{variable}: {protocol!r} is not known here: http/protobuf and grpc are")
    variable = _first_set("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    check_address(_variable(variable, "http://localhost:4318"), said_by=variable)
    return functools.partial(http_exporter, None)


def _first_set(*names: str) -> str:
    """The variable that counts: the first that is set, else the last."""
    return next((name for name in names if _variable(name)), names[-1])


def _variable(name: str, default: str = "") -> str:
    """A variable's value; empty is as good as not set: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/."""
    return os.environ.get(name, "").strip() or default


def _leave(provider: TracerProvider, deliveries: list[Delivery]) -> None:
    """Send what is left as the program ends."""
    for delivery in deliveries:
        delivery.leave()
    provider.shutdown()
