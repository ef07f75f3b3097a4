"""A real Jaeger that keeps traces in memory, on loopback alone: for tests on free ports, for `make jaeger` on its own.

`python jaeger_server.py .jaeger/jaeger` runs one in the foreground.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

__all__ = ["Jaeger", "JaegerDied", "Ports", "running"]

PATIENCE = 60.0
"""Seconds that it has to start."""
TRIES = 3
"""How often free ports are looked for: somebody else may take one before Jaeger does."""


class JaegerDied(Exception):
    """It ended before it was ready; the message is what it said last."""


class Ports(NamedTuple):
    """Where Jaeger listens; by default where everybody expects it."""

    query: int = 16686
    query_grpc: int = 16685
    otlp: int = 4318
    otlp_grpc: int = 4317

    @staticmethod
    def free() -> Ports:
        """Ports that nobody has at the moment."""
        with contextlib.ExitStack() as stack:
            taken = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in Ports._fields]
            return Ports(*[taker.getsockname()[1] for taker in taken])


class Jaeger(NamedTuple):
    """One that is ready."""

    process: subprocess.Popen[bytes]
    ports: Ports

    @property
    def url(self) -> str:
        """Where it is asked."""
        return f"http://127.0.0.1:{self.ports.query}"

    @property
    def otlp(self) -> str:
        """Where spans are sent to."""
        return f"http://127.0.0.1:{self.ports.otlp}"


@contextlib.contextmanager
def running(binary: Path, ports: Ports | None = None) -> Iterator[Jaeger]:
    """Start one, wait until it is ready, and stop it at the end, whatever that is.

    Args:
        binary: what `jaeger_build.py` built.
        ports: where it listens; free ones if absent.

    Raises:
        JaegerDied: it did not start.
    """
    if ports is not None:
        _make_sure_of(ports)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        for tries_left in reversed(range(TRIES if ports is None else 1)):
            try:
                jaeger = stack.enter_context(_started(binary, ports or Ports.free(), Path(folder)))
                break
            except JaegerDied:
                if not tries_left:
                    raise
        yield jaeger


def _make_sure_of(ports: Ports) -> None:
    """Else the Jaeger that is there already would look like ours."""
    taken = [port for port in ports if not _is_free(port)]
    if taken:
        listed = ", ".join(map(str, taken))
        raise JaegerDied(f"Jaeger did not start: something listens on {listed} already, perhaps another Jaeger")


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


@contextlib.contextmanager
def _started(binary: Path, ports: Ports, folder: Path) -> Iterator[Jaeger]:
    config, log = folder / "config.json", folder / "jaeger.log"
    config.write_text(json.dumps(_config(ports)))  # which is YAML, too
    with log.open("wb") as output:
        process = subprocess.Popen([binary, "--config", config], stdout=output, stderr=subprocess.STDOUT)
    jaeger = Jaeger(process, ports)
    try:
        end = time.monotonic() + PATIENCE
        while not _ready(jaeger):
            if process.poll() is not None or time.monotonic() > end:
                raise JaegerDied(f"Jaeger did not start: {_last_words(log)}")
            time.sleep(0.05)
        yield jaeger
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _config(ports: Ports) -> Mapping[str, object]:
    """Jaeger's own all-in-one, cut down to what is asked here.

    Its original listens on all interfaces for queries, and on a dozen ports more.
    """

    def at(port: int) -> Mapping[str, str]:
        return {"endpoint": f"127.0.0.1:{port}"}

    return {
        "service": {
            "extensions": ["jaeger_storage", "jaeger_query"],
            "pipelines": {
                "traces": {"receivers": ["otlp"], "processors": ["batch"], "exporters": ["jaeger_storage_exporter"]}
            },
            "telemetry": {"metrics": {"level": "none"}, "logs": {"level": "error"}},
        },
        "extensions": {
            "jaeger_storage": {"backends": {"traces": {"memory": {"max_traces": 100_000}}}},
            "jaeger_query": {
                "storage": {"traces": "traces"},
                "http": at(ports.query),
                "grpc": at(ports.query_grpc),
                "enable_tracing": False,  # of itself
            },
        },
        "receivers": {"otlp": {"protocols": {"http": at(ports.otlp), "grpc": at(ports.otlp_grpc)}}},
        "processors": {"batch": {}},
        "exporters": {"jaeger_storage_exporter": {"trace_storage": "traces"}},
    }


def _ready(jaeger: Jaeger) -> bool:
    """Whether it takes spans and answers questions."""
    nothing = urllib.request.Request(
        f"{jaeger.otlp}/v1/traces", data=b"", headers={"content-type": "application/x-protobuf"}
    )
    try:
        for request in (f"{jaeger.url}/api/v3/services", nothing):
            urllib.request.urlopen(request, timeout=5).close()
    except (urllib.error.URLError, OSError):
        return False
    return True


def _last_words(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return "\n".join(lines[-5:]) or "it said nothing"


def main() -> str | None:
    """Run one until it is interrupted."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("binary", type=Path)
    parser.add_argument("--ports", default=",".join(map(str, Ports())), help=f"{', '.join(Ports._fields)}: %(default)s")
    options = parser.parse_args()
    ports = Ports(*map(int, options.ports.split(",")))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        with running(options.binary, ports) as jaeger:
            print(  # noqa: T201 - a command prints
                f"Jaeger is ready, and keeps traces until Ctrl-C:\n"
                f"  send them to  {jaeger.otlp} (HTTP) or localhost:{jaeger.ports.otlp_grpc} (gRPC),"
                f" for example: failover demo --otlp {jaeger.otlp}\n"
                f"  ask it at     {jaeger.url}/api/v3/services\n"
                f"  its pages at  {jaeger.url} are a placeholder: Jaeger's Go module has none, its container has",
                flush=True,
            )
            jaeger.process.wait()
    except KeyboardInterrupt:
        return None
    except JaegerDied as error:
        return str(error)
    return "Jaeger ended by itself"


if __name__ == "__main__":
    sys.exit(main())
