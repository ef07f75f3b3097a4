"""What holds for a fit of any request that a model takes."""

from __future__ import annotations

import copy

from bodies import valid_bodies
from fit_lab import CURRENT, fit
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_fit_matrix import not_known

from failover.testing.model_rules import violations

OF_ITS_PLACE = {"fallbacks", "fallback_credit_token", "thread"}

models = st.sampled_from(CURRENT)
always = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@st.composite
def hops(draw):
    """A model, a request that it takes, and another model or the same."""
    asked = draw(models)
    return asked, draw(valid_bodies(asked.id)), draw(models)


@always
@given(hops(), st.booleans())
def test_a_request_that_was_fitted_is_taken(hop, adapt):
    _, sent, to = hop
    done = fit(sent.body, to, adapt=adapt, betas=sent.betas)
    if done.misfit is None:
        assert [item for item in violations(done.body, done.betas) if not not_known(to, item)] == []
    else:
        assert done.why


@always
@given(hops(), st.booleans())
def test_a_fit_of_a_fit_changes_nothing(hop, adapt):
    _, sent, to = hop
    once = fit(sent.body, to, adapt=adapt, betas=sent.betas)
    if once.misfit is None:
        twice = fit(once.body, to, adapt=adapt, betas=once.betas)
        assert (twice.body, twice.betas, twice.changes, twice.misfit) == (once.body, once.betas, (), None)


@always
@given(hops(), st.booleans(), st.sampled_from(["anthropic", "bedrock", "vertex", "foundry", None]))
def test_a_fit_touches_nothing_of_the_callers(hop, adapt, platform):
    _, sent, to = hop
    before = copy.deepcopy(sent.body)
    fit(sent.body, to, adapt=adapt, betas=sent.betas, platform=platform, other_client=True)
    assert sent.body == before


@always
@given(hops(), st.booleans())
def test_a_fit_to_its_own_model_changes_only_what_is_of_its_place(hop, adapt):
    asked, sent, _ = hop
    done = fit(sent.body, asked, adapt=adapt, betas=sent.betas)
    kept = {name: value for name, value in sent.body.items() if name not in OF_ITS_PLACE}
    if "fallback_credit_token" in sent.body and done.misfit is not None:
        assert done.why.startswith("prefill")  # it was the token that allowed it
    else:
        assert (done.misfit, done.body, done.betas) == (None, kept, sent.betas)
        assert len(done.changes) == len(OF_ITS_PLACE & sent.body.keys())
