"""Meter providers of the tests' own, and what they have measured: the global one is never touched."""

from __future__ import annotations

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from failover.telemetry.metrics import MetricListener

CALLS = "failover.call.duration"
ATTEMPTS = "failover.attempt.duration"
TRANSITIONS = "failover.breaker.transitions"
STATE = "failover.breaker.state"
SKIPS = "failover.model.skips"


class Meters:
    """A provider and all that it measures; of a histogram the counts."""

    def __init__(self, **options):
        self.reader = InMemoryMetricReader()
        self.provider = MeterProvider([self.reader], shutdown_on_exit=False, **options)

    def listener(self, policy="default"):
        """One that is listening already, as after the start of a first call."""
        listener = MetricListener(policy, self.provider)
        assert listener.active()
        return listener

    def collected(self):
        """Each metric that has any points, by its name."""
        data = self.reader.get_metrics_data()
        resources = [] if data is None else data.resource_metrics
        scopes = [scope for resource in resources for scope in resource.scope_metrics]
        return {metric.name: metric for scope in scopes for metric in scope.metrics}

    def points(self, name):
        metric = self.collected().get(name)
        return [] if metric is None else list(metric.data.data_points)

    def by(self, name, *keys):
        """For each series, by the values of these attributes: the sum, the last value, or how many there were."""
        found = {}
        for point in self.points(name):
            value = point.count if hasattr(point, "count") else point.value
            key = tuple(point.attributes.get(f"failover.{key}", point.attributes.get(key)) for key in keys)
            assert key not in found, "these attributes do not tell the series apart"
            found[key] = value
        return found

    def standing(self, *keys):
        """The states that circuits are in, by the values of these attributes."""
        return {key for key, value in self.by(STATE, *keys, "breaker.state").items() if value == 1}


class FakeBoard:
    """A board of circuits that stand as they are told."""

    def __init__(self, **states):
        self.states = states

    def breakers(self):
        return tuple(FakeBreaker(name, state) for name, state in self.states.items())


class FakeBreaker:
    def __init__(self, name, state):
        self.name = name
        self.state = state
