"""The decision core: what to send, when to wait, when to stop. It does no I/O and knows no SDK."""

from .actions import Action, Begun, Finish, Send, Services, Wait
from .budget import Budget
from .call import Call
from .outcome import Outcome, judge_failure, judge_malformed, judge_response, judge_stream, status_of, success
from .plan import Candidate, Circuit, Gate, Permit, Plan, Refusal
from .route import Attempt, Route

__all__ = [
    "Action",
    "Attempt",
    "Begun",
    "Budget",
    "Call",
    "Candidate",
    "Circuit",
    "Finish",
    "Gate",
    "Outcome",
    "Permit",
    "Plan",
    "Refusal",
    "Route",
    "Send",
    "Services",
    "Wait",
    "judge_failure",
    "judge_malformed",
    "judge_response",
    "judge_stream",
    "status_of",
    "success",
]
