"""What sends spans to a collector: addresses, exporters, and how long a program that ends waits for them."""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from failover.errors import FailoverError, MissingExtra

__all__ = ["BRIEFLY", "Delivery", "check_address", "grpc_exporter", "http_exporter", "shown", "traces_url"]

BRIEFLY = 2.0
"""Seconds that one batch may take, repetitions included, where somebody waits for it."""

_TRACES_PATH = "/v1/traces"


def traces_url(url: str, *, said_by: str | None = None) -> str:
    """Where spans go if a collector is at this URL; without a path, `/v1/traces` is meant.

    Raises:
        FailoverError: it is no HTTP URL; the message begins with `said_by`, if given.
    """
    check_address(url, said_by=said_by)
    parts = urlsplit(url)
    return url if parts.path.strip("/") else parts._replace(path=_TRACES_PATH).geturl()


def check_address(url: str, *, said_by: str | None = None) -> None:
    """Make sure that a collector can be at this URL.

    Raises:
        FailoverError: it is no HTTP URL; the message begins with `said_by`, if given.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname if parts.port != 0 else None  # `port` raises if it is no number
    except ValueError:
        parts, host = urlsplit(""), None
    if parts.scheme not in {"http", "https"} or not host:
        whose = f"{said_by}: " if said_by else ""
        raise FailoverError(
            f"{whose}{shown(url)!r} is no address of a collector: give one such as http://localhost:4318"
        )


def shown(url: str) -> str:
    """A URL as it may be printed: without a user's name and password."""
    return re.sub(r"(?<=//)[^/]*@", "***@", url)


def http_exporter(url: str | None = None, timeout: float | None = None) -> SpanExporter:
    """An exporter for OTLP over HTTP; what is not given, headers and certificates too, is up to OpenTelemetry's variables.

    Raises:
        MissingExtra: the extra `otlp` is not installed.
    """
    kind = _exporter_in("http", "sending spans needs {missing}: pip install 'anthropic-failover[otlp]'")
    return kind(endpoint=url, timeout=timeout)


def grpc_exporter(timeout: float | None = None) -> SpanExporter:
    """An exporter for OTLP over gRPC, which is all up to OpenTelemetry's variables.

    Raises:
        MissingExtra: its package is not installed.
    """
    kind = _exporter_in(
        "grpc",
        "OTEL_EXPORTER_OTLP_PROTOCOL=grpc needs {missing}: pip install opentelemetry-exporter-otlp-proto-grpc,"
        " or set it to http/protobuf",
    )
    return kind(timeout=timeout)


def _exporter_in(protocol: str, advice: str) -> Callable[..., SpanExporter]:
    try:
        module: Any = importlib.import_module(f"opentelemetry.exporter.otlp.proto.{protocol}.trace_exporter")
    except ModuleNotFoundError as error:
        raise MissingExtra(advice.format(missing=error.name), name=error.name) from error
    exporter: Callable[..., SpanExporter] = module.OTLPSpanExporter
    return exporter


class Delivery(SpanExporter):
    """Sends batches at the exporter's own pace while a program runs, and `BRIEFLY` once it leaves.

    A collector that is down is worth some patience in a service, but nobody waits half a minute for the end of a
    script because of it. A process that was forked has a connection of its own.

    Args:
        make: makes the exporter; with seconds given, one that spends no more on a batch.
    """

    def __init__(self, make: Callable[[float | None], SpanExporter]) -> None:
        self._make = make
        self._exporter = make(None)
        self._process = os.getpid()
        self._leaving = False
        self._given_up = False
        self._closed = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send one batch. When leaving, the first that cannot be sent is the last that is tried."""
        result = SpanExportResult.FAILURE
        while not self._given_up:
            exporter = self._own_exporter()
            result = exporter.export(spans)
            if result is SpanExportResult.SUCCESS or exporter is self._exporter:  # else `leave` took it away meanwhile
                break
        if self._leaving and result is not SpanExportResult.SUCCESS:
            self._given_up = True
        return result

    def leave(self) -> None:
        """The program ends: no more waiting between repetitions, and `BRIEFLY` for each batch."""
        if not self._closed:
            old, self._exporter = self._own_exporter(), self._make(BRIEFLY)
            self._leaving = True
            old.shutdown()

    def shutdown(self) -> None:
        """Close the connection."""
        self._closed = True
        self._own_exporter().shutdown()

    def _own_exporter(self) -> SpanExporter:
        """This process's exporter: parent and child must not write to one connection."""
        if self._process != os.getpid():
            self._exporter, self._process = self._make(BRIEFLY if self._leaving else None), os.getpid()
        return self._exporter
