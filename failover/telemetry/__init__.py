"""What an operator sees: events become spans and log lines here, and a listener's fault stays here.

This is the only folder that knows OpenTelemetry.
"""

from __future__ import annotations

from opentelemetry.trace import TracerProvider

from .hub import Hub, Listener
from .log import LogListener
from .spans import SpanListener

__all__ = ["Hub", "Listener", "LogListener", "SpanListener", "TracerProvider"]
