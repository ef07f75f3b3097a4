"""What the tests of the fake API share: what the bare SDK shows for an answer, and the answer's bytes themselves."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass

import anyio
import httpx2
from anthropic import Anthropic, APIStatusError, AsyncAnthropic

CALL = {"model": "claude-opus-5-5", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]}
TOOL = {"name": "weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}
IMPATIENT = 0.2
"""Seconds until the client's own time-out, where the answer is meant to come too late."""
PATIENT = 20
"""The same where it is meant to come, however busy the machine is."""


def ask(url, *, stream, asynchronous=False, patience=PATIENT, **more):
    """The message that the real SDK makes of one answer."""
    options = {"base_url": url, "api_key": "test", "max_retries": 0, "timeout": patience}

    async def ask_async():
        async with AsyncAnthropic(**options) as client:
            if not stream:
                return await client.messages.create(**{**CALL, **more})
            async with client.messages.stream(**{**CALL, **more}) as events:
                return await events.get_final_message()

    if asynchronous:
        return anyio.run(ask_async)
    with Anthropic(**options) as client:
        if not stream:
            return client.messages.create(**{**CALL, **more})
        with client.messages.stream(**{**CALL, **more}) as events:
            return events.get_final_message()


def shown(url, **how):
    """The message, or the error that the SDK raises, in a few words."""
    try:
        return said(ask(url, **how))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the result
        return raised(error)


def said(message):
    if isinstance(message, str):
        return f"text: {message[:6]}"
    return f"{message.content[0].text} ({message.stop_reason})"


def raised(error):
    error_type = f" {error.status_code} {error.type}" if isinstance(error, APIStatusError) else ""
    return f"{type(error).__module__}.{type(error).__name__}{error_type}"


def post(fake, patience=PATIENT, **more):
    return httpx2.post(
        f"{fake.url}/v1/messages", json={**CALL, **more}, headers={"x-api-key": "test"}, timeout=patience, verify=False
    )


def events_in(text):
    """The events of a stream: each one's data."""
    return [json.loads(line.removeprefix("data: ")) for line in text.splitlines() if line.startswith("data: ")]


@dataclass(frozen=True)
class Answer:
    """One answer as it came over the wire."""

    headers: dict[str, str]
    chunks: list[bytes]
    """The HTTP chunks of its body, one for each write; a body of known length is one."""
    complete: bool


def exchange(fake, accept_encoding="", path="/v1/messages", receive_buffer=None, **more):
    """Ask on a socket of our own, because HTTP clients join and decode what comes."""
    body = json.dumps({**CALL, **more}).encode()
    port = int(fake.url.rsplit(":", 1)[1])
    lines = [f"POST {path} HTTP/1.1", "host: x", "x-api-key: k", "connection: close", f"content-length: {len(body)}"]
    if accept_encoding:
        lines.append(f"accept-encoding: {accept_encoding}")
    with socket.socket() as connection:
        if receive_buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.settimeout(PATIENT)
        connection.connect(("127.0.0.1", port))
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, rest = received.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().lower().split("\r\n")[1:])
    if "content-length" in headers:
        return Answer(headers, [rest], complete=len(rest) == int(headers["content-length"]))
    chunks = []
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        if size == b"0":
            return Answer(headers, chunks, complete=True)
        chunks.append(rest[: int(size, 16)])
        rest = rest[int(size, 16) + 2 :]
    return Answer(headers, chunks, complete=False)
