"""Calls of a program whose policy looks for incidents; one failure opens a circuit, and every rung is asked once."""

from __future__ import annotations

import re

from call_lab import CallLab, LabCargo, judged
from call_stream_lab import StreamLab

from failover.engine import Send

__all__ = ["HOUR", "down", "in_incident", "platform", "short", "streaming_platform"]

HOUR = {"tries": 1, "passes": 1, "deadline": "1h", "reserve": 0, "budget": "off"}
"""A `retry` that asks once, and waits for long."""
_BRITTLE = {"trip": {"consecutive_failures": 1, "failure_rate": "off"}, "last_resort": "off"}
_WAITS = re.compile(r"(?<!\S)(?:\d[\d.e-]*s(?: |$))+")


def platform(models="ab", *, kind=CallLab, incident=None, calls="wait", **options):
    """A program; `incident` has more of its rules."""
    settings = {"retry": HOUR, "breaker": _BRITTLE, **options}
    return kind(models, incident={"calls": calls, **(incident or {})}, **settings)


def streaming_platform(models="ab", **options):
    return platform(models, kind=StreamLab, **options)


def down(models):
    """Answers of a platform none of whose models works."""
    return dict.fromkeys(models, "529")


def in_incident(models="ab", *, of=None, begin_with="529", **options):
    """A program that is in an incident since just now, because a call found that these models (all) are down."""
    lab = platform(models, **options)
    whole, lab.plan = lab.plan, lab.ladder(of or models)
    call = lab.begin()
    while isinstance(action := call.next(), Send):
        call.report(judged(begin_with, action.candidate.rung.model))
    call.abandon("cancelled")
    lab.plan = whole
    lab.events.clear()
    lab.cargo = LabCargo()
    assert [found.client for found in lab.incidents.now_open()]
    return lab


def short(story):
    """A story in which waits that follow one another are one, without their length: `a b wait ping:a wait a primary:3`."""
    return _WAITS.sub("wait ", story).strip()
