"""Errors between processes and in copies: a worker's error says the same to whoever reads it there."""

from __future__ import annotations

import copy
import pickle

import httpx2
import pytest

from failover.engine.route import Route
from failover.errors import AttemptFailed, BulkheadFull, CatalogueError, CircuitOpen, MissingExtra, PolicyError
from failover.policy import parse_policy
from failover.testing import ScenarioError


def _pickled(error):
    return pickle.loads(pickle.dumps(error))


@pytest.fixture(params=[copy.copy, copy.deepcopy, _pickled])
def again(request):
    return request.param


def test_a_policy_error_keeps_its_problems(again):
    with pytest.raises(PolicyError) as caught:
        parse_policy("version: 2\nnaem: x\n")
    found = again(caught.value)
    assert type(found) is PolicyError
    assert found.problems == caught.value.problems
    assert str(found) == str(caught.value)


def test_notes_stay_too(again):
    error = PolicyError(("p.yaml: no",))
    error.__notes__ = ["of the settings page"]  # what `add_note` does, from Python 3.11 on
    assert again(error).__notes__ == ["of the settings page"]


@pytest.mark.parametrize("kind", [PolicyError, CatalogueError, ScenarioError])
def test_every_error_about_a_file_keeps_one_line_for_each_problem(again, kind):
    found = again(kind(("a: 1", "b: 2")))
    assert (found.problems, str(found)) == (("a: 1", "b: 2"), "a: 1\nb: 2")


def test_a_missing_extra_still_names_it(again):
    assert str(again(MissingExtra("install the extra `otel`"))) == "install the extra `otel`"


def test_a_failed_attempt_keeps_its_fields(again):
    error = AttemptFailed("default/claude-opus-5", "overloaded_error", 529, "req_1")
    found = again(error)
    assert vars(found) == vars(error)
    assert str(found) == str(error)


def test_an_open_circuit_keeps_its_fields(again):
    response = httpx2.Response(503, request=httpx2.Request("POST", "https://api.anthropic.com/v1/messages"))
    error = CircuitOpen(
        response=response,
        retry_in=1.5,
        breakers=("default/a",),
        causes=("overloaded_error",),
        request_ids=("req_1",),
        route=Route("refused", "a", None, (), ("a",), 0.0),
    )
    found = again(error)
    kept = ("retry_in", "breakers", "causes", "request_ids", "route", "status_code", "message", "body")
    assert [getattr(found, name) for name in kept] == [getattr(error, name) for name in kept]
    assert (str(found), found.response.status_code, found.request.url) == (str(error), 503, error.request.url)


def test_a_full_bulkhead_keeps_its_fields(again):
    response = httpx2.Response(503, request=httpx2.Request("POST", "https://api.anthropic.com/v1/messages"))
    error = BulkheadFull(
        response=response, expected=4.0, bulkheads=("large", "a"), route=Route("refused", "a", None, (), ("a",), 0.0)
    )
    found = again(error)
    kept = ("expected", "bulkheads", "route", "status_code", "message", "body")
    assert type(found) is BulkheadFull
    assert [getattr(found, name) for name in kept] == [getattr(error, name) for name in kept]
    assert str(found) == str(error) == "No turn came at large, a; its turn would have come in about 4.0 s"
    assert (found.response.status_code, found.request.url) == (503, error.request.url)
