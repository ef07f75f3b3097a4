"""An upstream that fails as told: the Messages API on a loopback port, for tests of programs that call Claude."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typing_extensions import Self

from failover.clock import Clock, SystemClock
from failover.errors import MissingExtra

from .fault import Fault
from .scenario import Scenario
from .scenario_file import check_rule, load_scenario
from .upstream import ReceivedRequest, Upstream

if TYPE_CHECKING:
    from .server import ServerThread

__all__ = ["FakeClaude"]


class FakeClaude:
    """A real HTTP server on 127.0.0.1 that speaks the Messages API, and fails as a scenario or a test says.

        with FakeClaude() as fake, Anthropic(base_url=fake.url, api_key="test") as client:
            fake.fail("claude-opus-5-5", status=529, times=2)
            ...
            assert fake.count("claude-opus-5-5") == 3

    It answers `POST /v1/messages` (whole or streamed, tools, thinking, structured output), `POST /v1/messages/count_tokens`,
    `GET /v1/models` and `GET /v1/models/{id}`. It reads no prompt: a message names the model it was asked of, a
    request with tools gets a tool call until a tool's result comes back, and one with a schema gets JSON that fits.
    Before that comes a thinking block, if the request's `thinking` is `enabled` or `adaptive`; it is empty but for
    its signature with `display: omitted`.

    What a model cannot take is refused as by the API, with the same status and, where they are known, the same words:
    kinds of thinking, effort levels, lengths, prefill, forced tools, versions of tools, retired models, conversations
    whose tool calls and results do not match, thinking blocks that no longer stand behind what they were made behind,
    message threads that cannot be continued. That comes before any fault: a wrong request is wrong in whatever state
    the API is. Of models with names that the API does not know nothing is refused but what no model takes.

    Args:
        scenario: what goes wrong by itself: a `Scenario`, or the path of a file with one; `None`: nothing.
        clock: what scenario time and slowness (`delay`, `first_token`, `token_every`, `stall`, `ping_every`) are
            measured on; `None`: real time. On a `FakeClock` a slow answer comes at once and moves the clock. A `hang` lasts
            real time on any clock, because it is the client's real time-out that ends it.
        speed: how many scenario seconds pass in one second of the clock. It shortens every time of a scenario,
            the `retry-after` it sends included.
        validate: `False`: take every request that has the fields that a request must have.

    Raises:
        ScenarioError: the scenario cannot be used.
        MissingExtra: the extra `testing` is not installed.
        ValueError: `speed` is not above zero.
    """

    def __init__(
        self,
        scenario: Scenario | str | Path | None = None,
        *,
        clock: Clock | None = None,
        speed: float = 1.0,
        validate: bool = True,
    ) -> None:
        if not 0 < speed < float("inf"):
            raise ValueError(f"speed must be a number above 0, not {speed!r}")
        if isinstance(scenario, (str, Path)):
            scenario = load_scenario(scenario)
        self._server_thread = _server_thread()
        self._upstream = Upstream(scenario, clock or SystemClock(), speed, validate=validate)
        self._running: ServerThread | None = None

    def start(self) -> Self:
        """Listen on a free port, and begin the scenario. Starting twice changes nothing."""
        if self._running is None:
            self._running = self._server_thread(self._upstream)
            self._upstream.restart()
        return self

    def stop(self) -> None:
        """Break all connections and stop listening; what was received can still be read."""
        if self._running is not None:
            self._running.stop()
            self._running = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """What to give to a client as its `base_url`.

        Raises:
            RuntimeError: the server is not running.
        """
        if self._running is None:
            raise RuntimeError("FakeClaude is not running: use it in a `with` statement, or call `start()` first")
        return f"http://127.0.0.1:{self._running.port}"

    def now(self) -> float:
        """Scenario seconds since the start."""
        return self._upstream.now()

    @property
    def requests(self) -> list[ReceivedRequest]:
        """Every request so far in the order of arrival, of any endpoint, refused ones included; a copy.

        They are kept whole, prompts and all, until `clear`.
        """
        return self._upstream.received()

    def count(self, model: str | None = None, path: str = "/v1/messages") -> int:
        """How many requests came for a model (`None`: any) and a path; both may be patterns such as `claude-opus-*`."""
        return sum(
            fnmatch.fnmatchcase(request.path, path) and (model is None or fnmatch.fnmatchcase(request.model, model))
            for request in self.requests
        )

    def fail(self, model: str = "*", status: int | None = None, **rule: Any) -> None:
        """Let requests fail from now on; the newest such rule goes before older ones and before the scenario.

        Args:
            model: the models it is about; a pattern such as `claude-opus-*`.
            status: the error status; or one of the other faults.
            **rule: all else that a rule of a scenario may say, by the same names: `error_type`, `retry_after`,
                `times`, `probability`, `stream`, `path`, `hang`, `drop`, `cut`, `error_event`, ... (see `Rule`). One
                that only says how to answer (`say`, `encoding`, `buffered`) lets nothing fail.

        Raises:
            ScenarioError: the rule makes no sense.
        """
        said = {"model": model, **({} if status is None else {"status": status}), **rule}
        self._upstream.fail(check_rule(said, "fail()"))

    def heal(self, model: str | None = None) -> None:
        """Answer well from now on, whatever was scripted or stands in the scenario: one model, or all."""
        self._upstream.heal(model)

    def script(self, model: str, faults: Iterable[Fault | None]) -> None:
        """Say what the next requests to a model get, one entry each; `None` is a good answer.

        This goes before all rules. A fault that only a stream can have leaves a plain request well.
        """
        self._upstream.script(model, faults)

    def describe(self, model: str, **fields: Any) -> None:
        """Let `GET /v1/models` say something else of a model, or tell of one that is not known.

        It changes what is said and not what is refused. Fields that are objects, such as `capabilities`, are laid over
        what is said already, key by key:

            fake.describe("claude-opus-5-5", capabilities={"thinking": {"types": {"disabled": {"supported": True}}}})
        """
        self._upstream.describe(model, fields)

    def clear(self) -> None:
        """Be as just started: the scenario from its beginning, nothing scripted, failed, described or received."""
        self._upstream.restart()


def _server_thread() -> type[ServerThread]:
    try:
        from .server import ServerThread  # noqa: PLC0415 - the rest of the package works without a web server
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"FakeClaude needs {error.name}: pip install 'anthropic-failover[testing]'", name=error.name
        ) from error
    return ServerThread
