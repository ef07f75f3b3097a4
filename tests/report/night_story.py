"""A night as programs would write it down: a small model of processes, circuits and failing models, with a fixed chance."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from report_lab import EVENING, HOUR, MINUTE, OLDER, OPUS, SONNET, in_order

from failover.journal.entry import Entry

LADDER = (OPUS, OLDER, SONNET)


class Fault(NamedTuple):
    """From when to when a model fails, with which share of its requests, and how."""

    model: str
    start: float
    end: float
    share: float
    status: int | None
    error_type: str


NIGHT = (
    Fault(OPUS, EVENING + 1.2 * HOUR, EVENING + 1.75 * HOUR, 1.0, 529, "overloaded_error"),
    Fault(SONNET, EVENING + 2.6 * HOUR, EVENING + 3.0 * HOUR, 0.85, 500, "api_error"),
    *(
        Fault(model, EVENING + 4.5 * HOUR, EVENING + 4.95 * HOUR, 1.0, status, kind)
        for model, status, kind in (
            (OPUS, 529, "overloaded_error"),
            (OLDER, 500, "api_error"),
            (SONNET, None, "connection_error"),
        )
    ),
    *(Fault(model, EVENING, EVENING + 8 * HOUR, 0.0015, 500, "api_error") for model in LADDER),
)
"""Two outages of one model each, then a platform incident, and a few failures here and there all night."""


class Circuit:
    """A breaker as simple as can be: five failures open it, and two probes close it."""

    def __init__(self) -> None:
        self.state, self.failures, self.successes, self.until, self.open_for = "closed", 0, 0, 0.0, 15.0


class Program:
    """One process that calls models all night, and what it writes down."""

    def __init__(self, name: str, faults: Iterable[Fault], *, rate: float, seed: int) -> None:
        self.name = name
        self.entries: list[Entry] = []
        self._faults = tuple(faults)
        self._rate = rate
        self._random = random.Random(seed)
        self._circuits = {model: Circuit() for model in LADDER}
        self._served: Counter[tuple[float, str]] = Counter()
        self._failing_since: float | None = None
        self._failures = 0
        self._incident: float | None = None
        self._kept_back = self._probes = self._good_probes = 0
        self._next_probe = 0.0
        self._call = 0

    def run(self, start: float, end: float) -> list[Entry]:
        now = start
        while (now := now + self._random.expovariate(self._rate)) < end - 10:
            self._one_call(now)
        for (minute, model), count in sorted(self._served.items()):
            self._write(
                minute, "served", model=model, client="default", circuit=model, count=count, seconds=count * 2.4
            )
        return self.entries

    def _write(self, at: float, kind: str, **values) -> None:
        self.entries.append(Entry(round(at, 3), kind, self.name, "default", **values))

    def _one_call(self, now: float) -> None:
        self._call += 1
        if self._incident is not None and not self._probed(now):
            self._kept_back += 1
            detail = {"served": None, "waited": 0.0, "skipped": list(LADDER)}
            self._finish(now, "refused", 0, 0.01, detail, error_type="circuit_open")
            return
        began, number, skipped, ids = now, 0, [], []
        left = None
        for model in self._ladder(now):
            if not self._admits(model, now):
                skipped.append(model)
                left = left or (model, "open", None, None, None)
                continue
            number += 1
            if left is not None:
                detail = {"from": left[0]}
                values = {"reason": left[1], "error_type": left[2], "status": left[3], "request_id": left[4]}
                self._write(now, "switch", call=self._call, model=model, circuit=model, detail=detail, **values)
            fault = self._fault(model, now)
            now += self._random.uniform(0.2, 1.4)
            if fault is None:
                self._answered(model, now)
                if number > 1 or skipped:
                    outcome = "primary" if model == OPUS else "fallback"
                    detail = {"served": model, "waited": 0.5 * (number - 1), "skipped": skipped, "request_ids": ids}
                    self._finish(now, outcome, number, now - began, detail)
                return
            ids.append(self._failed(model, now, fault, number))
            left = model, "failed", fault.error_type, fault.status, ids[-1]
        detail = {"served": None, "waited": 2.5 if number else 0.0, "skipped": skipped, "request_ids": ids}
        now += detail["waited"]
        outcome = "exhausted" if number else "refused"
        self._finish(now, outcome, number, now - began, detail, error_type="overloaded_error")

    def _ladder(self, now: float) -> tuple[str, ...]:
        """One call in four asks for Sonnet, and twice at first, as a retry in place."""
        return (SONNET, OLDER) if self._call % 4 == 0 else LADDER

    def _finish(self, at: float, outcome: str, attempts: int, seconds: float, detail, **values) -> None:
        asked = SONNET if self._call % 4 == 0 else OPUS
        self._write(
            at,
            "call",
            call=self._call,
            model=asked,
            outcome=outcome,
            count=attempts,
            seconds=round(seconds, 3),
            detail=detail,
            **values,
        )

    def _fault(self, model: str, now: float) -> Fault | None:
        for fault in self._faults:
            if fault.model == model and fault.start <= now < fault.end and self._random.random() < fault.share:
                return fault
        return None

    def _admits(self, model: str, now: float) -> bool:
        circuit = self._circuits[model]
        if circuit.state == "open" and now >= circuit.until:
            self._move(model, "half_open", now, "open_time_over")
        return circuit.state != "open"

    def _answered(self, model: str, now: float) -> None:
        circuit = self._circuits[model]
        self._served[now // MINUTE * MINUTE, model] += 1
        circuit.failures = 0
        self._failing_since, self._failures = None, 0
        if circuit.state == "half_open":
            circuit.successes += 1
            if circuit.successes >= 2:
                circuit.open_for = 15.0
                self._move(model, "closed", now, "probe_succeeded")

    def _failed(self, model: str, now: float, fault: Fault, number: int) -> str | None:
        circuit = self._circuits[model]
        circuit.failures += 1
        self._failures += 1
        self._failing_since = now if self._failing_since is None else self._failing_since
        request_id = None if fault.status is None else f"req_011CV{self._random.getrandbits(72):018x}"
        abandoned = fault.status == 529 and self._random.random() < 0.1
        self._write(
            now,
            "attempt",
            call=self._call,
            trace_id=f"{self._random.getrandbits(128):032x}",
            client="default",
            model=model,
            circuit=model,
            number=number,
            reason="primary" if number == 1 else "fallback",
            outcome="failure",
            status=fault.status,
            error_type=fault.error_type,
            request_id=request_id,
            seconds=round(self._random.uniform(0.2, 1.4), 3),
            input_tokens=2400 if abandoned else None,
            output_tokens=self._random.randrange(20, 600) if abandoned else None,
        )
        if circuit.state == "half_open" or (circuit.state == "closed" and circuit.failures >= 5):
            reason = "probe_failed" if circuit.state == "half_open" else "consecutive_failures"
            circuit.until = now + circuit.open_for
            circuit.open_for = min(2 * circuit.open_for, 300.0)
            self._move(model, "open", now, reason, request_id=request_id, error_type=fault.error_type)
        if self._incident is None and self._failures > 8 and now - self._failing_since > 60:
            self._start(now)
        return request_id

    def _move(self, model: str, to: str, now: float, reason: str, **values) -> None:
        circuit = self._circuits[model]
        before, circuit.state, circuit.successes = circuit.state, to, 0
        self._write(
            now,
            "transition",
            circuit=model,
            reason=reason,
            outcome=to,
            count=circuit.failures,
            seconds=round(circuit.until - now, 3) if to == "open" else None,
            detail={"from": before},
            **values,
        )

    def _start(self, now: float) -> None:
        self._incident, self._next_probe = self._failing_since, now + 30
        self._kept_back = self._probes = self._good_probes = 0
        detail = {"models": list(LADDER), "error_types": ["overloaded_error", "api_error", "connection_error"]}
        seconds = round(now - (self._failing_since or now), 3)
        self._write(
            now,
            "incident",
            client="default",
            outcome="started",
            reason="after",
            seconds=seconds,
            count=self._failures,
            detail=detail,
        )
        self._write(now + 200, "status", outcome="major", detail={"incidents": ["Elevated errors on several models"]})

    def _probed(self, now: float) -> bool:
        """Ask now and then whether it is over; whether it is."""
        if now < self._next_probe:
            return False
        self._next_probe = now + 30
        self._probes += 1
        fault = self._fault(OPUS, now)
        self._good_probes = 0 if fault else self._good_probes + 1
        request_id = f"req_011CP{self._random.getrandbits(72):018x}"
        self._write(
            now,
            "probe",
            call=self._call,
            client="default",
            model=OPUS,
            outcome="failed" if fault else "answered",
            status=fault.status if fault else 200,
            error_type=fault.error_type if fault else None,
            request_id=request_id,
            seconds=0.3,
        )
        if self._good_probes < 2:
            return False
        seconds = round(now - (self._incident or now), 3)
        detail = {"models": list(LADDER), "probes": self._probes}
        self._write(
            now, "incident", client="default", outcome="ended", seconds=seconds, count=self._kept_back, detail=detail
        )
        self._write(now + 400, "status", outcome="none", detail={"incidents": []})
        self._incident, self._failing_since, self._failures = None, None, 0
        return True


def night(
    programs: int = 2, *, rate: float = 0.35, hours: float = 8.0, faults: Iterable[Fault] = NIGHT, seed: int = 2
) -> list[Entry]:
    """The entries of several programs, mixed as they would be in one file."""
    ran = (
        Program(f"web-{number + 1}:{4000 + number}", faults, rate=rate, seed=seed + number)
        for number in range(programs)
    )
    entries = [entry for program in ran for entry in program.run(EVENING, EVENING + hours * HOUR)]
    return in_order(entries)
