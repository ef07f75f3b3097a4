"""`failover demo --live`: one real call through a wrapped client, and the route that it took."""

from __future__ import annotations

import os

import anthropic
from rich.console import Console

import failover
from failover import Failover, FailoverError, Policy, Route
from failover.telemetry import TracerProvider

__all__ = ["make_one_call"]

_KEY = "ANTHROPIC_API_KEY"
_PROMPT = "Say hello in five words."


def make_one_call(console: Console, policy: Policy, model: str, tracer_provider: TracerProvider) -> bool:
    """Ask the real API once; print the route, and the answer or the error. Returns whether it was answered.

    Raises:
        FailoverError: there is no API key.
    """
    if not os.environ.get(_KEY):
        raise FailoverError(
            f"--live makes one real call and needs {_KEY} in the environment; without --live no key is needed"
        )
    guard = Failover(policy, tracer_provider=tracer_provider)
    with anthropic.Anthropic(open_telemetry={"tracer_provider": tracer_provider}) as unwrapped:
        client = failover.wrap(unwrapped, guard)
        console.print(f"One call for {model} to {client.base_url}, policy {policy.name} ...")
        with failover.recording() as routes:
            try:
                message = client.messages.create(
                    model=model, max_tokens=64, messages=[{"role": "user", "content": _PROMPT}]
                )
            except anthropic.APIError as error:
                _print_routes(console, routes)
                console.print(f"No answer: {_in_plain_words(error, str(client.base_url))}")
                return False
    _print_routes(console, routes)
    text = "".join(block.text for block in message.content if block.type == "text")
    console.print(f"{message.model} answered: {text}")
    return True


def _print_routes(console: Console, routes: list[Route]) -> None:
    for route in routes:
        console.print(f"Route: {route.outcome}")
        for number, attempt in enumerate(route.attempts, 1):
            console.print(f"  {number:2}. {attempt}")
        for model in route.skipped:
            console.print(f"      {model}: skipped at least once")


def _in_plain_words(error: anthropic.APIError, url: str) -> str:
    name = type(error).__name__
    if isinstance(error, anthropic.APITimeoutError):
        return f"{url} did not answer in time ({name})"
    if isinstance(error, anthropic.APIConnectionError):
        return f"there is no connection to {url}: check the network, the proxy and ANTHROPIC_BASE_URL ({name})"
    if isinstance(error, anthropic.AuthenticationError):
        return f"the API does not accept the key in {_KEY} ({name})"
    return f"{error.message} ({name})"
