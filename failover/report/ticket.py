"""A text that can be pasted into a support ticket: when, which models, which errors, which request ids, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from failover.document.files import printable

from .model import Ending, Evidence, Incident, Outage, Report
from .sorted_entries import DEFAULT_CLIENT
from .tally import own_fault
from .words import count, duration, error, iso, named, request

__all__ = ["ticket"]

_MOST = 10
"""Problems; a ticket about more is read by nobody."""

_MOST_ERRORS = 8
_IDS = 10
"""Request ids at each end of what is shown, over all problems."""

_LEAST_IDS = 2


class _Problem(NamedTuple):
    title: str
    start: float
    end: float | None
    ending: Ending
    client: str
    failures: int
    evidence: Evidence
    more: tuple[str, ...] = ()


def ticket(report: Report) -> str | None:
    """The text; `None` if nothing failed that support could look into."""
    problems = [problem for problem in _problems(report) if _concerns_support(problem.evidence)]
    single = _single_failures(report)
    if not problems and single is None:
        return None
    worst = sorted(problems, key=lambda problem: -problem.failures)[:_MOST]
    shown = sorted(worst, key=lambda problem: problem.start) or [one for one in (single,) if one is not None]
    ongoing = any(problem.ending == "going_on" for problem in shown)
    lines = list(_opening(shown, ongoing=ongoing))
    each = max(_LEAST_IDS, _IDS // len(shown))
    for number, problem in enumerate(shown, 1):
        lines += ["", *_told(number, problem, each)]
    if len(problems) > len(shown):
        lines += ["", f"There were {len(problems) - len(shown):,} more such times, with fewer failures."]
    if problems and single is not None:
        lines += ["", f"Besides, outside of these times: {_errors(single.evidence)}."]
    return "\n".join([*lines, "", _QUESTION_ONGOING if ongoing else _QUESTION])


def _opening(shown: Sequence[_Problem], *, ongoing: bool) -> Iterator[str]:
    first, last = min(problem.start for problem in shown), max(problem.end or problem.start for problem in shown)
    yield f"Subject: Failing requests to the Claude API, {f'since {iso(first)}' if ongoing else f'{iso(first)} to {iso(last)}'}"
    yield ""
    yield "Requests that we sent to the Claude API failed as told below. All times are UTC. Beside each request id stands the"
    yield "time at which its request had failed. This text holds nothing of our prompts."


_QUESTION = "Please tell us whether these failures had their cause on your side, which, and whether it is removed."
_QUESTION_ONGOING = "It was not over when this record ended. Please tell us whether its cause is on your side, and when you expect it to end."


def _problems(report: Report) -> Iterator[_Problem]:
    for incident in report.incidents:
        yield _of_incident(incident)
    for outage in report.outages:
        if outage.incident is None:
            yield _of_outage(outage)


def _single_failures(report: Report) -> _Problem | None:
    """Those outside of all incidents and outages."""
    evidence = report.outside.evidence
    if not evidence.first:
        return None
    start, end = evidence.first[0].at, (evidence.last or evidence.first)[-1].at
    title = "Single failures, without an outage"
    return _Problem(title, start, end, "over", DEFAULT_CLIENT, report.outside.cost.attempts, evidence)


def _of_incident(incident: Incident) -> _Problem:
    said = [
        f"{iso(one.at)} {printable(one.indicator or 'unknown')} {named(one.incidents)}".strip() for one in incident.said
    ]
    more = [f"Models: {named(incident.models, most=_MOST)}"] if incident.models and not incident.evidence.places else []
    if incident.probes:
        more.append(
            f"Probes: {incident.probes:,} tiny requests while it lasted, {incident.probes_answered:,} of them answered"
        )
    if said:
        more.append(f"Your status page: {'; '.join(said[-3:])}")
    failures = incident.cost.attempts or incident.failures
    return _Problem(
        "No model answered, or several failed at once",
        *(incident.began, incident.ended, incident.ending, incident.client),
        *(failures, incident.evidence, tuple(more)),
    )


def _of_outage(outage: Outage) -> _Problem:
    first = outage.evidence.first
    start = min(outage.opened, first[0].at) if first else outage.opened
    title = f"One model failed: {printable(outage.circuit)}"
    return _Problem(title, start, outage.closed, outage.ending, outage.client, outage.cost.attempts, outage.evidence)


def _concerns_support(evidence: Evidence) -> bool:
    return bool(evidence.first) or any(not own_fault(one.status, neutral=one.neutral) for one in evidence.errors)


def _told(number: int, problem: _Problem, ids: int) -> Iterator[str]:
    evidence = problem.evidence
    yield f"{number}. {problem.title}"
    yield f"   Time: {_time(problem)}"
    if problem.client != DEFAULT_CLIENT:
        yield f"   Sent by our client: {printable(problem.client)}"
    if evidence.places:
        failed = [f"{place} ({count(times, 'failed request')})" for place, times in evidence.places.items()]
        yield f"   Models: {named(failed, most=_MOST)}"
    yield from (f"   {line}" for line in problem.more)
    if errors := _errors(evidence):
        yield f"   Errors: {errors}"
    yield from _request_ids(evidence, ids)


def _errors(evidence: Evidence) -> str:
    errors = [one for one in evidence.errors if not own_fault(one.status, neutral=one.neutral)]
    return named((f"{one.count:,} x {error(one)}" for one in errors), most=_MOST_ERRORS)


def _time(problem: _Problem) -> str:
    if problem.end is None:
        how = "not over yet" if problem.ending == "going_on" else "its end is not known"
        return f"from {iso(problem.start)}; {how}"
    return f"{iso(problem.start)} to {iso(problem.end)} ({duration(problem.end - problem.start)})"


def _request_ids(evidence: Evidence, most: int) -> Iterator[str]:
    """The first and the last of them, so many of each."""
    known = [request(one) for one in (*evidence.first, *evidence.last)]
    if not known:
        yield "   Request ids: none, for no response came"
        return
    first, last = (known, []) if evidence.request_ids <= 2 * most else (known[:most], known[-most:])
    between = evidence.request_ids - len(first) - len(last)
    which = f"the first {most} and the last {most} of {evidence.request_ids:,}" if between else str(len(first))
    yield f"   Request ids ({which}):"
    yield from (f"     {line}" for line in first)
    if between:
        yield f"     ... {between:,} more ..."
    yield from (f"     {line}" for line in last)
