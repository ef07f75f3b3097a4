"""One call between the SDK and the engine: decisions become requests, answers become outcomes. No I/O.

The sync and the async driver both hand everything to this and only send, read, close and sleep themselves.
"""

from __future__ import annotations

import contextvars
import json
from collections.abc import Callable
from typing import Any, TypeAlias, cast

import anthropic
import httpx2
from anthropic import APIRequest, APIResponse, AsyncAPIResponse, Middleware

from .discarded import discarded
from .edge import raise_if_given_up
from .engine import Action, Call, Candidate, Finish, Outcome, Ping, Send, Services, judge_malformed, success
from .engine.route import Route
from .holding import hold_until_closed
from .judging import circuit_open, failure_of, judge_answer, judge_opened, thread_lost
from .ladders import Prepared
from .named import NamedClient
from .opened import Opened
from .recording import EXTENSION, attach, record
from .request.body import cleaned, with_betas
from .request.cargo import Cargo, Fitted, sent_by_a_thread
from .request.threads import Mark, Replay, marked
from .sdk import (
    NO_RETRY_HEADER,
    UNREAD_HEADER,
    as_plain,
    base_url_of,
    client_of,
    forget_token,
    is_outermost,
    read_timeout,
    reads_events,
    restore_timeouts,
    with_options,
)
from .stream.listening import Listening, Patience
from .stream.message import Collected, collect
from .stream.resume import continuation
from .time_outs import least_of, least_seconds, no_longer

__all__ = ["Answer", "Exchange"]

Answer: TypeAlias = Any
"""What came back: an `APIResponse`, an error, or whatever an inner middleware chose to return instead."""

_OK = 200
_UNAUTHORIZED = 401
_BINARY = "vnd.amazon.eventstream"
_FOREVER = float("inf")
_ANSWERED = frozenset({"primary", "fallback"})


class Exchange:
    """What one call sent and got back."""

    __slots__ = (
        "_answers",
        "_call_next",
        "_collects_if_it_can",
        "_destinations",
        "_left_thread",
        "_named",
        "_now",
        "_own_timeout",
        "_plan",
        "_sent_at",
        "_threaded",
        "_until",
        "body",
        "call",
        "cargo",
        "client",
        "collects",
        "context",
        "given_up",
        "opened",
        "request",
        "rules",
        "sent_model",
        "takes_over",
    )

    def __init__(
        self,
        prepared: Prepared,
        services: Services,
        request: APIRequest,
        body: dict[str, Any],
        call_next: Callable[..., Any],
        *,
        until: float | None = None,
    ) -> None:
        plan = prepared.plan
        rules = plan.policy.stream
        self._plan = plan
        self._destinations = prepared.fitting.destinations
        self._named = prepared.named
        self.request = request
        self.rules = rules
        self.body = body if rules.on_interrupt == "raise" else cleaned(body)
        self._call_next = call_next
        self._now = services.now
        self._answers: list[Answer] = []
        self._own_timeout: httpx2.Timeout | None = None
        self.sent_model = plan.model
        """The model that was asked last."""
        self.opened: Opened | None = None
        """The stream that is answering the caller."""
        self.takes_over: Collected | None = None
        """What the caller has been given, if what is sent now is to continue it."""
        self.given_up = False
        """Whether the caller has closed a stream that another attempt is about to take over."""
        self.context: contextvars.Context | None = None
        """Where the call was made, once its answer is read elsewhere."""
        self.client: NamedClient | None = None
        """The client that sends now; `None`: the caller's own."""
        self._threaded = "thread" in body and sent_by_a_thread(request)
        self._left_thread = False
        """Whether what was sent last is a threaded turn that its thread will not hold."""
        self._collects_if_it_can = rules.collect_over is not None and self._is_to_be_collected(rules.collect_over)
        self.collects = self._collects_if_it_can
        """Whether a stream is read to its end here, for a caller who asked for none."""
        self.cargo = Cargo(self.body, request, prepared.fitting, call_next)
        """The request, as it can be sent to others."""
        self.call = Call(
            plan,
            services,
            self.cargo,
            least=0.0 if request.stream or self.collects else least_seconds(body),
            sdk_retries_taken=request.retries_taken,
            until=until,
        )

    def next(self) -> Action:
        """What to do now."""
        return self.call.next() if self.context is None else self.context.run(self._next_of_takeover)

    def _next_of_takeover(self) -> Action:
        if self.given_up and self.opened is None:
            self.call.abandon("cancelled")
        return self.call.next()

    def prepare(self, send: Send) -> APIRequest:
        """The request to send: as it is to the requested model, else as it fits the rung."""
        candidate = send.candidate
        self.sent_model = candidate.rung.model
        self.client = self._named.get(candidate.client)
        load = cast("Fitted | None", send.load)
        body = self.body if load is None else load.body
        self._left_thread = self._threaded and candidate.index > 0
        if self.takes_over is not None:
            model = self._destinations[candidate.index].model
            takes_a_beginning = model is not None and bool(model.prefill)
            body = continuation(body, self.takes_over, takes_a_beginning=takes_a_beginning)
        self.collects = self._collects_if_it_can and (self.client is None or reads_events(self.client.client))
        if self.collects:
            body = {**body, "stream": True}
        changes: dict[str, Any] = {} if body is self.request.json else {"json_data": body}
        if load is not None and load.betas is not None:
            changes["headers"] = with_betas(self.request.options.headers, load.betas)
        seconds = send.timeout
        if self.collects or self.request.stream:
            self._sent_at = self._now()
            self._until = _FOREVER if seconds is None else self._sent_at + seconds
            seconds = least_of(seconds, self.rules.first_event)
        timeout = None if seconds is None and self.client is None else self._limited(seconds)
        if timeout is not None:
            changes["timeout"] = timeout
        if not changes:
            return self.request
        return with_options(self.request, changes, stream=True if self.collects else None)

    def counting(self, candidate: Candidate) -> Any:
        """The client that is to count the prompt for a rung; `None` if it cannot be told."""
        named = self._named.get(candidate.client)
        return client_of(self._call_next) if named is None else named.client

    def pinging(self, ping: Ping) -> APIRequest:
        """A tiny request that asks whether a model answers: nothing of the caller's but its headers."""
        self.client = self._named.get(ping.candidate.client)
        body = {"model": ping.candidate.rung.model, "max_tokens": 1, "messages": [{"role": "user", "content": "ping"}]}
        own = self._timeout_of_whoever_sends()
        timeout = httpx2.Timeout(ping.seconds) if own is None else no_longer(own, ping.seconds)
        headers = {**dict(self.request.options.headers or {}), **UNREAD_HEADER}
        changes: dict[str, Any] = {"json_data": body, "timeout": timeout, "headers": headers}
        return with_options(self.request, changes, stream=False)

    def over_in(self, seconds: float) -> Callable[[], bool]:
        """What tells whether so many seconds from now are over."""
        now, until = self._now, self._now() + seconds
        return lambda: now() > until

    def pinged(self, ping: Ping, answer: Answer) -> None:
        """What came of it."""
        self.call.pinged(ping, judge_answer(answer, ping.candidate.rung.model, self._plan.policy.errors))

    def listen(self, http: httpx2.Response) -> Listening | None:
        """How to listen to a streamed answer; `None` if it is not of server-sent events, as from Bedrock."""
        if _BINARY in http.headers.get("content-type", ""):
            return None
        patience = Patience(
            self.rules,
            self._now,
            sent_at=self._sent_at,
            until=self._until,
            longest_read=read_timeout(http) if self._own_timeout is None else self._own_timeout.read,
            to_the_end=self.collects and self._plan.policy.retry.long_answers == "cut",
        )
        return Listening(patience)

    def take(self, answer: Answer) -> None:
        """Tell the call what came back."""
        if self.context is None:
            self._take(answer)
        else:
            self.context.run(self._take, answer)

    def _take(self, answer: Answer) -> None:
        if isinstance(answer, Opened):
            if not self.collects and answer.listening.begun:
                self.opened = answer
                self._answers.append(None)
                self.call.begin(success(answer.http.status_code, answer.http.headers))
                return
            answer, outcome = self._ended_unseen(answer)
        else:
            outcome = judge_answer(answer, self.sent_model, self._plan.policy.errors)
            if outcome.status == _UNAUTHORIZED:
                forget_token(client_of(self._call_next) if self.client is None else self.client.client)
            if outcome.then == "return" and self.context is not None:  # no end for a stream that the caller is reading
                outcome = judge_malformed(_OK, {}, self._plan.policy.errors)
            elif outcome.then == "return" and isinstance(answer, (APIResponse, AsyncAPIResponse)):
                outcome = self._left_to_the_caller(answer.http_response, outcome)
        if outcome.then == "return" and self._left_thread:
            answer = self._marked(answer)
        self._answers.append(answer)
        self.call.report(outcome)

    def mark(self) -> Mark | None:
        """What marks the stream that is answering, if its thread will not hold it."""
        return Mark(self.sent_model, elsewhere=self.client is not None) if self._left_thread else None

    def _marked(self, answer: Answer) -> Answer:
        """An answer that has been read, marked for the SDK as one that its thread does not hold."""
        if not isinstance(answer, (APIResponse, AsyncAPIResponse)) or not answer.http_response.is_stream_consumed:
            return answer
        try:
            message = answer.http_response.json()
            message = {**message, "usage": marked(message["usage"], self.sent_model)}
            if self.client is not None and "container" in message:
                message["container"] = None  # of that client's workspace, which the thread goes on without
        except (ValueError, KeyError, TypeError, AttributeError):
            return answer
        return as_plain(answer, self.request, json.dumps(message).encode())

    def _left_to_the_caller(self, http: httpx2.Response, outcome: Outcome) -> Outcome:
        """An answer that nobody here reads to its end."""
        if self._own_timeout is not None and not http.is_stream_consumed:
            restore_timeouts(http, self._own_timeout)  # ours were for the answer to begin
        ticket = None if http.is_stream_consumed else self.call.hold_turn()
        if ticket is not None:
            hold_until_closed(http, ticket)
        return outcome._replace(stream="not_judged") if self.request.stream else outcome

    def judge(self, opened: Opened, given: bytes | bytearray | None = None) -> Outcome:
        """What the end of a stream meant, of which these events came."""
        outcome = judge_opened(opened, self.sent_model, self._plan.policy.errors)
        if outcome.then == "return":
            return outcome
        spent = discarded(opened.listening.start, given or opened.collected or b"")
        return outcome._replace(input_tokens=spent.input_tokens, output_tokens=spent.output_tokens)

    def _ended_unseen(self, opened: Opened) -> tuple[Answer, Outcome]:
        """A stream of which the caller has seen nothing is over: it failed, or it was collected for the caller."""
        outcome = self.judge(opened)
        if outcome.then == "return":
            try:
                message = collect(opened.collected or b"").message
                return as_plain(opened.take_response(), self.request, json.dumps(message).encode()), outcome
            except ValueError:
                opened.listening.end = "malformed"
                outcome = self.judge(opened)
        error = failure_of(opened)
        if isinstance(error, anthropic.APIStatusError):  # whoever stands outwards of us expects a refusal as a response
            response = opened.take_response()
            response.http_response = error.response
            return response, outcome
        return error, outcome

    def as_asked(self, response: Answer) -> Answer:
        """The answer of a gateway that was asked for a stream to be collected, and has sent the message itself."""
        return as_plain(response, self.request, response.http_response.content)

    def note_first_content(self) -> None:
        """Content has begun to come that is collected here."""
        self.call.begin(success(_OK, {}), given=False)

    def _is_to_be_collected(self, over: int) -> bool:
        """Whether a call without streaming is to be sent as a stream, for the length that its answer may have."""
        tokens = self.body.get("max_tokens")
        if not isinstance(tokens, int) or tokens <= over:
            return False
        if self.request.stream or self.request.cast_to is httpx2.Response:  # that one the SDK hands out as it came
            return False
        return reads_events(client_of(self._call_next))

    def deliver(self, finish: Finish, owner: Middleware) -> Answer:
        """The answer for whoever is next outwards from `owner`; an error that has no response is raised.

        Raises:
            CircuitOpen: circuits are open, and nobody else could take the request.
            anthropic.APIConnectionError: the first real cause, when it was no response.
            anthropic.APIStatusError: the first real cause, when nobody stands between `owner` and the SDK's own code.
        """
        route = self.recorded()
        if finish.outcome == "rethreaded":
            Replay.expect(self._plan.model, self.call.deadline)
            raise thread_lost(client_of(self._call_next), base_url_of(self._call_next), route) from None
        if finish.attempt is None:
            raise circuit_open(finish, route, base_url_of(self._call_next)) from None
        answer = self._answers[finish.attempt - 1]
        if isinstance(answer, (APIResponse, AsyncAPIResponse)):
            http = answer.http_response
            http.extensions[EXTENSION] = route
            if finish.outcome not in _ANSWERED:
                http.headers.update(NO_RETRY_HEADER)
                if is_outermost(owner, self._call_next):
                    raise_if_given_up(answer)
        elif isinstance(answer, Exception):
            attach(answer, route)
            raise answer
        return answer

    def abandon(self, error: BaseException) -> None:
        """An error ended the call that is no answer of an upstream: cancellation, Ctrl-C, a bug in a middleware."""
        if self.call.route is None:
            self.call.abandon("failed" if isinstance(error, Exception) else "cancelled")
            attach(error, self.recorded())

    def recorded(self) -> Route:
        """The route of the call, which is over; it is noted for whoever records."""
        route = self.call.route
        if route is None:
            raise RuntimeError("a call that is not over has no route")
        record(route)
        return route

    def _timeout_of_whoever_sends(self) -> httpx2.Timeout | None:
        """The request's own time-outs, or those of the client that sends it; `None` when they are not known."""
        given: Any = self.request.options.timeout
        if isinstance(given, anthropic.NotGiven) or (self.client is not None and given == anthropic.DEFAULT_TIMEOUT):
            # The SDK's own is in a request for which nobody chose any: then the client that sends it has the word.
            client = client_of(self._call_next) if self.client is None else self.client.client
            if client is None:
                return None
            given = client.timeout
        return given if isinstance(given, httpx2.Timeout) else httpx2.Timeout(given)

    def _limited(self, seconds: float | None) -> httpx2.Timeout | None:
        """The request's own time-outs, none longer than `seconds`; `None` when they are not known, or stay as they are."""
        own = self._timeout_of_whoever_sends()
        if own is None:
            return None
        self._own_timeout = own
        limited = own if seconds is None else no_longer(own, seconds)
        return None if limited == (own if self.client is None else self.request.options.timeout) else limited
