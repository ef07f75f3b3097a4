"""From every model to every other, with every feature: a hop is never refused for what it asks."""

from __future__ import annotations

import pytest
from bodies import FEATURES, NEED_A_SERVER, body_with
from fit_lab import CURRENT, RETIRED, fit

from failover.testing.model_rules import violations

OLD_VERSION = {"temperature": "2023-06-01"}
"""The version of the API under which a feature is taken at all."""
OF_A_PLACE = {"thread_continue"}
"""State of another place: no other model can take it, whatever it takes besides."""


def valid_pairs():
    for model in CURRENT:
        for name in FEATURES.keys() - NEED_A_SERVER:
            given = body_with(model.id, name)
            if not refused(given.body, given.betas, name):
                yield model, name, given


def refused(body, betas, name):
    return violations(body, betas, version=OLD_VERSION[name]) if name in OLD_VERSION else violations(body, betas)


VALID = list(valid_pairs())


def not_known(model, violation):
    """What the catalogue does not know, it leaves alone; the API may know better."""
    facts = {"prefill": model.prefill, "effort": model.effort, "thinking": model.thinking, "sampling": model.sampling}
    words = {"prefill": "prefill", "effort": "effort level", "thinking": "thinking", "sampling": "temperature"}
    return any(fact is None and words[name] in violation.message for name, fact in facts.items())


@pytest.mark.parametrize("to", CURRENT, ids=lambda model: model.id)
@pytest.mark.parametrize("adapt", [False, True], ids=["strict", "adapt"])
def test_what_one_model_takes_another_takes_once_it_is_fitted_or_it_is_not_sent(to, adapt):
    for asked, name, given in VALID:
        if asked.id == to.id:
            continue
        done = fit(given.body, to, adapt=adapt, betas=given.betas)
        if done.misfit is None:
            found = [item for item in refused(done.body, done.betas, name) if not not_known(to, item)]
            assert not found, (asked.id, name, found)
        else:
            assert done.why, (asked.id, name)
            as_it_is = {**given.body, "model": to.id}
            assert refused(as_it_is, given.betas, name), (asked.id, name, done.why)


@pytest.mark.parametrize("to", CURRENT, ids=lambda model: model.id)
def test_whatever_adapt_sends_strict_sends_the_same_or_nothing(to):
    for asked, name, given in VALID:
        strict, adapted = (fit(given.body, to, adapt=adapt, betas=given.betas) for adapt in (False, True))
        if strict.misfit is None:
            assert strict == adapted, (asked.id, name)


def test_only_the_adapting_fit_rewrites_what_carries_meaning():
    rewritten = {
        name
        for asked, name, given in VALID
        for to in CURRENT
        if any("instruction" in change for change in fit(given.body, to, adapt=True, betas=given.betas).changes)
    }
    assert rewritten == {"prefill", "tool_choice_any", "tool_choice_tool"}


@pytest.mark.parametrize("name", NEED_A_SERVER)
def test_state_of_another_place_goes_nowhere(name):
    assert name in OF_A_PLACE
    for to in CURRENT:
        assert fit(body_with("claude-opus-5-5", name).body, to).misfit is not None


@pytest.mark.parametrize("to", RETIRED, ids=lambda model: model.id)
def test_nothing_goes_to_a_retired_model(to):
    for _, name, given in VALID:
        assert fit(given.body, to, betas=given.betas).why == "model: it is retired", name


def test_the_matrix_is_not_empty():
    assert len(VALID) > 500
    assert len(CURRENT) > 15
