"""The incidents of one program, with circuits that are set by hand, a clock to move, and everything that was told.

What happens to a client is a line of text: `x` a failure, `o` a good answer, a number the seconds that pass.
"""

from __future__ import annotations

from failover.circuits import Incidents
from failover.engine import judge_response
from failover.events import IncidentEnded, IncidentStarted
from failover.policy import Policy
from failover.testing.clock import FakeClock

__all__ = ["HandCircuit", "IncidentLab"]


class HandCircuit:
    """A circuit whose state somebody sets."""

    def __init__(self, name, state="open"):
        self.name = name
        self.state = state
        self.held = None
        self.woken = 0

    def wake(self):
        self.woken += 1


class IncidentLab:
    """Incidents with rules as a policy spells them: `IncidentLab(after="10m", models=3)`."""

    def __init__(self, *, tell=None, **rules):
        self.clock = FakeClock()
        self.events = []
        self.rules = Policy.model_validate({"version": 1, "name": "test", "incident": rules}).incident
        self.incidents = Incidents(self.rules, now=self.clock.now, emit=tell or self.events.append)
        self.circuits = {}
        self.failures = 0
        self.turns = {}
        """The number of the last turn that each model was given."""

    def circuit(self, model, client="default"):
        name = model if client == "default" else f"{client}/{model}"
        return self.circuits.setdefault(name, HandCircuit(name))

    def fail(self, models="a", client="default", *, status=529, request_id=None):
        """Each of these models fails once."""
        for model in models:
            self.failures += 1
            headers = {"request-id": f"req_{self.failures}" if request_id is None else request_id}
            outcome = judge_response(status, headers if request_id != "" else {}, b"", model=model, rules={})
            self.incidents.failed(client, model, self.circuit(model, client), outcome)

    def nobody(self, models="ab", client="default"):
        """A call found that none of these answers."""
        self.incidents.found_nobody(client, [self.circuit(model, client) for model in models])

    def begin(self, models="ab", client="default"):
        """An incident; the clock stands at its beginning."""
        self.fail(models, client)
        self.nobody(models, client)
        assert self.found(client) is not None
        return self.found(client)

    def answer(self, model="a", client="default"):
        """A model answers a call."""
        self.incidents.answered(client, self.circuit(model, client))

    def live(self, history, models="a"):
        """Let a line of text happen."""
        for word in history.split():
            if word == "x":
                self.fail(models)
            elif word == "o":
                self.answer()
            else:
                self.clock.advance(float(word))

    def turn(self, models="ab", client="default"):
        """The model that a call with this ladder is to probe now; `None` if it is not its turn."""
        turn = self.incidents.take_turn(client, [self.circuit(model, client) for model in models])
        if turn is None:
            return None
        model = models[turn.which]
        self.turns[client, model] = turn.number
        return model

    def probed(self, model, client="default", *, answered, number=None):
        """What came of the last turn that this model was given, or of another one."""
        number = self.turns.get((client, model), 0) if number is None else number
        self.incidents.probed(client, number, self.circuit(model, client), answered=answered)

    def ask(self, models="ab", client="default", *, answered):
        """A whole probe, now; the model that was asked."""
        model = self.turn(models, client)
        if model is not None:
            self.probed(model, client, answered=answered)
        return model

    def end(self, models="ab", client="default"):
        """Bring an incident to its end."""
        self.clock.advance(self.rules.probe.every)
        while self.open(client) is not None:
            assert self.ask(models, client, answered=True)

    def keeps_back(self, model, client="default"):
        """Whether calls to a model are kept back."""
        return self.incidents.of(client, self.circuit(model, client)) is not None

    def open(self, client="default"):
        """What began the incident that a client is in; `None` if it is in none."""
        found = self.found(client)
        return None if found is None else found.cause

    def found(self, client="default"):
        """The incident that a client is in."""
        return next((found for found in self.incidents.now_open() if found.client == client), None)

    def starts(self):
        return [event for event in self.events if isinstance(event, IncidentStarted)]

    def ends(self):
        return [event for event in self.events if isinstance(event, IncidentEnded)]
