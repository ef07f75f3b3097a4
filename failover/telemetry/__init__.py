"""What an operator sees: events become spans, measurements and log lines here, and a listener's fault stays here.

This is the only folder that knows OpenTelemetry.
"""

from __future__ import annotations

from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import TracerProvider

from .hub import Hub, Listener
from .log import LogListener
from .metrics import MetricListener
from .spans import SpanListener

__all__ = ["Hub", "Listener", "LogListener", "MeterProvider", "MetricListener", "SpanListener", "TracerProvider"]
