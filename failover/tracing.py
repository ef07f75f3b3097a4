"""Traces for a program that has no OpenTelemetry yet: one call at its start, and its guarded calls are seen in Jaeger.

    failover.tracing.setup(service="my-app")

A program with a tracer provider of its own needs nothing of this: the middleware uses whatever provider it finds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

__all__ = ["setup"]


def setup(otlp: str | None = None, service: str | None = None) -> TracerProvider:
    """Set the program's tracer provider, which sends spans to a collector in the background.

    What is not given comes from OpenTelemetry's own variables, as far as the Python SDK reads them:
    `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_TRACES_EXPORTER` (`otlp`, `console`, `none`),
    `OTEL_EXPORTER_OTLP_*` (endpoint, headers, timeout, protocol, certificates, ...), `OTEL_TRACES_SAMPLER`, `OTEL_BSP_*`;
    `OTEL_SDK_DISABLED=true` switches all of it off. See
    https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/.

    No call waits for the collector, and one that is down harms none. As the program ends, it has two seconds for each
    batch that is left (besides one that is on its way), and after the first that it does not take no other is sent.
    A process that ends without exit handlers, as the children of `multiprocessing` do, calls `force_flush()` on the
    provider before.

    Args:
        otlp: the URL of an OTLP/HTTP collector; without a path, `/v1/traces` is meant. `None`: what
            `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` or `OTEL_EXPORTER_OTLP_ENDPOINT` say, else `http://localhost:4318`.
        service: the name under which Jaeger lists the program. `None`: what `OTEL_SERVICE_NAME` says.

    Returns:
        The provider, for `force_flush()`, or for an `add_span_processor()` of the program's own. Called again with the
        same arguments, `setup` returns the same one.

    Raises:
        FailoverError: the program has another tracer provider already; or an address, an exporter or a protocol
            cannot be used.
        MissingExtra: the extra `otlp` is not installed, or the package of the gRPC exporter.
    """
    from .telemetry.global_provider import install  # noqa: PLC0415 - OpenTelemetry's SDK, for those who call this

    return install(otlp, service)
