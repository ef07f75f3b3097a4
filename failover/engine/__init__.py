"""The decision core: what to send, when to wait, when to stop. It does no I/O and knows no SDK."""

from .actions import Action, Begun, Finish, Measure, Ping, Queue, Send, Services, Wait
from .budget import Budget
from .call import Call
from .outcome import Outcome, judge_failure, judge_malformed, judge_response, judge_stream, status_of, success
from .plan import (
    Candidate,
    Cargo,
    Circuit,
    Gate,
    Load,
    Misfit,
    Permit,
    Place,
    Plan,
    Refusal,
    SizeClass,
    Ticket,
    Unmeasured,
)
from .platform import Incident
from .route import Attempt, Route

__all__ = [
    "Action",
    "Attempt",
    "Begun",
    "Budget",
    "Call",
    "Candidate",
    "Cargo",
    "Circuit",
    "Finish",
    "Gate",
    "Incident",
    "Load",
    "Measure",
    "Misfit",
    "Outcome",
    "Permit",
    "Ping",
    "Place",
    "Plan",
    "Queue",
    "Refusal",
    "Route",
    "Send",
    "Services",
    "SizeClass",
    "Ticket",
    "Unmeasured",
    "Wait",
    "judge_failure",
    "judge_malformed",
    "judge_response",
    "judge_stream",
    "status_of",
    "success",
]
