"""What belongs to a model, a workspace or a platform does not go to another without a word."""

from __future__ import annotations

import pytest
from conversing import tool_result
from fit_lab import ASK, RETIRED, fit, known, sent

ASKED, TO = "claude-opus-4-8", "claude-opus-4-7"
ELSEWHERE = ("bedrock", "vertex", "google_cloud", "foundry")
API = ("anthropic", "aws")
CONTINUED = {"type": "continue", "previous_message_id": "msg_1"}


def on(platform, **fields):
    """Fit fields for another client of a platform."""
    return fit(sent(ASKED, **fields), TO, platform=platform, other_client=True)


@pytest.mark.parametrize("model", RETIRED, ids=lambda model: model.id)
def test_nothing_is_sent_to_a_retired_model_of_anthropics(model):
    for platform in ("anthropic", "aws", "foundry"):
        assert fit(sent(ASKED), model, platform=platform).why == "model: it is retired"
    for platform in ("bedrock", "vertex", "google_cloud", None):
        assert fit(sent(ASKED), model, platform=platform).misfit is None


def test_a_deprecated_model_is_still_asked():
    assert fit(sent(ASKED), "claude-sonnet-4-5").misfit is None


@pytest.mark.parametrize("threads", [False, True])
@pytest.mark.parametrize("to", [TO, "claude-unheard-of"])
def test_a_thread_is_not_continued_by_another_model(to, threads):
    done = fit(sent(ASKED, thread=CONTINUED), to, threads=threads)
    assert done.why == "thread: its history is with the requested model"
    assert done.misfit.rethread is threads


@pytest.mark.parametrize("to", [TO, "claude-unheard-of"])
def test_a_thread_is_begun_by_the_requested_model_alone(to):
    done = fit(sent(ASKED, thread={"type": "create"}), to)
    assert "thread" not in done.body
    assert done.changes == ("thread: dropped, only the requested model keeps one",)


@pytest.mark.parametrize("thread", [None, {}, "continue", ["continue"], {"type": None}])
def test_a_thread_of_a_strange_form_stays(thread):
    assert fit(sent(ASKED, thread=thread), TO).changes == ()


@pytest.mark.parametrize(
    ("container", "goes"),
    [
        ("container_1", False),
        ({"id": "container_1"}, False),
        ({"id": None, "skills": [{"type": "custom", "skill_id": "skill_1"}]}, False),
        ({"skills": [{"type": "anthropic", "skill_id": "pdf"}, {"type": "custom", "skill_id": "skill_1"}]}, False),
        ({"skills": [{"type": "anthropic", "skill_id": "pdf"}]}, True),
        (None, True),
        ("", True),
    ],
)
def test_a_container_stays_in_its_workspace(container, goes):
    assert on("anthropic", container=container).why == (None if goes else "container: another client does not have it")
    assert fit(sent(ASKED, container=container), TO).changes == ()
    assert (on("bedrock", container=container).misfit is None) == (not container)
    patched = fit(sent(ASKED, container=container), TO, other_client=True, patch={"container": None})
    assert patched.misfit is None


@pytest.mark.parametrize(
    "block",
    [
        {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
        {"type": "document", "source": {"type": "file", "file_id": "file_1"}},
        {"type": "container_upload", "file_id": "file_1"},
        tool_result("toolu_1", [{"type": "image", "source": {"type": "file", "file_id": "file_1"}}]),
    ],
)
def test_a_file_stays_in_its_workspace(block):
    body = sent(ASKED, [{"role": "user", "content": [block]}])
    assert fit(body, TO, other_client=True).why == "file_id: another client does not have the file"
    assert (fit(body, TO).misfit, fit(body, TO).changes) == (None, ())


@pytest.mark.parametrize("platform", ELSEWHERE)
def test_a_promise_of_a_place_is_kept_or_not_made(platform):
    assert on(platform, inference_geo="us").why == "inference_geo: not to be had there"
    assert "inference_geo" not in on(platform, inference_geo="global").body
    assert on(platform, inference_geo=None).changes == ()
    patched = fit(
        sent(ASKED, inference_geo="us"), TO, platform=platform, other_client=True, patch={"inference_geo": "us"}
    )
    assert patched.misfit is None


@pytest.mark.parametrize("platform", [*ELSEWHERE, *API, None])
def test_what_the_callers_own_platform_gives_to_one_model_it_gives_to_another(platform):
    fields = {
        "inference_geo": "us",
        "service_tier": "auto",
        "speed": "standard",
        "mcp_servers": [{"type": "url", "name": "files", "url": "https://example.com"}],
        "tools": [{"type": "web_fetch_20260318", "name": "web_fetch"}],
        "diagnostics": {"previous_message_id": "msg_1"},
        "container": "container_1",
    }
    betas = ("mcp-client-2025-11-20", "fast-mode-2026-02-01", "code-execution-2025-05-22")
    done = fit(sent(ASKED, **fields), TO, platform=platform, betas=betas)
    assert (done.misfit, done.changes, done.betas) == (None, (), betas)


@pytest.mark.parametrize("platform", [*API, None])
@pytest.mark.parametrize("name", ["inference_geo", "service_tier"])
def test_a_client_of_the_api_has_what_the_api_has(platform, name):
    assert on(platform, **{name: "us"}).changes == ()


@pytest.mark.parametrize(
    ("to", "fast"),
    [
        ("claude-opus-5-5", True),
        ("claude-opus-5", True),
        ("claude-opus-4-7", False),
        ("claude-opus-4-6", False),
        ("claude-fable-5-2", False),
        ("claude-unheard-of", True),
    ],
)
def test_speed_is_asked_of_models_that_have_it(to, fast):
    done = fit(sent(ASKED, speed="fast", output_config={"effort": "low"}), to)
    assert ("speed" in done.body) == fast
    assert done.changes == (() if fast else ("speed: dropped, fast is not taken",))


@pytest.mark.parametrize(("platform", "kept"), [("anthropic", "fast"), (None, "fast"), ("aws", "standard")])
def test_speed_is_asked_of_platforms_that_have_it(platform, kept):
    for wished in ("fast", "standard"):
        body = sent(ASKED, speed=wished, output_config={"effort": "low"})
        done = fit(body, "claude-opus-5", platform=platform, other_client=True)
        assert ("speed" in done.body) == (wished in (kept, "standard"))


@pytest.mark.parametrize("platform", ELSEWHERE)
@pytest.mark.parametrize("name", ["speed", "service_tier"])
def test_what_another_platform_does_not_sell_is_not_asked_of_it(platform, name):
    assert name not in on(platform, **{name: "standard"}).body
    assert on(platform, **{name: "standard"}).changes == (f"{name}: dropped, not to be had there",)
    body = sent(ASKED, **{name: "standard"})
    assert fit(body, TO, platform=platform, other_client=True, patch={name: "auto"}).body[name] == "auto"


def test_another_client_is_not_asked_to_compare_with_a_request_that_it_has_not_seen():
    said = {"previous_message_id": "msg_1"}
    assert "diagnostics" not in on("anthropic", diagnostics=said).body
    assert fit(sent(ASKED, diagnostics=said), TO).body["diagnostics"] is said


@pytest.mark.parametrize("fallbacks", ["default", [{"model": TO}]])
def test_the_apis_own_fallbacks_are_the_requested_models(fallbacks):
    betas = ("server-side-fallback-2026-07-01",)
    done = fit(sent(ASKED, fallbacks=fallbacks), TO, betas=betas)
    assert "fallbacks" not in done.body
    assert done.betas == betas  # a history may hold blocks of that beta
    assert fit(sent(ASKED, fallbacks=fallbacks), TO, patch={"fallbacks": "default"}).body["fallbacks"] == "default"


def test_a_token_for_a_retry_goes_to_nobody_else_and_no_longer_excuses_a_beginning():
    begun = [ASK, {"role": "assistant", "content": "It is"}]
    assert "fallback_credit_token" not in fit(sent(ASKED, fallback_credit_token="fct_1"), TO).body
    assert fit(sent(ASKED, begun, fallback_credit_token="fct_1"), TO).why is not None


BETAS = (
    "compact-2026-01-12",
    "context-management-2025-06-27",
    "fast-mode-2026-02-01",
    "fallback-credit-2026-07-01",
    "message-threads-2026-08-12",
    "server-side-fallback-2026-07-01",
    "thinking-binding-controls-2026-08-01",
    "mcp-client-2025-11-20",
    "files-api-2025-04-14",
    "something-new-2027-01-01",
)


@pytest.mark.parametrize(
    ("platform", "kept"),
    [
        ("anthropic", BETAS),
        ("aws", BETAS),
        (None, BETAS),
        ("foundry", (*BETAS[:2], *BETAS[7:])),
        ("bedrock", (*BETAS[:2], BETAS[9])),
        ("vertex", (*BETAS[:2], BETAS[9])),
        ("google_cloud", (*BETAS[:2], BETAS[9])),
    ],
)
def test_betas_that_another_platform_may_refuse_are_not_named_to_it(platform, kept):
    done = fit(sent(ASKED), TO, betas=BETAS, platform=platform, other_client=True)
    assert done.betas == kept
    gone = len(BETAS) - len(kept)
    assert done.changes == ((f"betas: {gone} dropped, not to be had there",) if gone else ())


@pytest.mark.parametrize("platform", ELSEWHERE)
def test_with_a_beta_goes_what_it_is_for(platform):
    binding = {"prefix_mismatch_behavior": "drop_block"}
    betas = ("thinking-binding-controls-2026-08-01",)
    body = sent(ASKED, thinking={"type": "adaptive", "block_binding": binding})
    done = fit(body, TO, betas=betas, platform=platform, other_client=True)
    assert (done.body["thinking"], done.betas) == ({"type": "adaptive"}, ())
    assert fit(body, TO, betas=betas).body["thinking"]["block_binding"] is binding


def test_a_model_that_nobody_knows_is_sent_all_but_what_is_anothers():
    fields = {
        "thinking": {"type": "enabled", "budget_tokens": 9_000_000},
        "output_config": {"effort": "max", "format": {"type": "json_schema"}},
        "max_tokens": 10**9,
        "speed": "fast",
        "temperature": 0.1,
        "tool_choice": {"type": "any"},
        "tools": [{"type": "computer_20251124", "name": "computer"}],
        "context_management": {"edits": [{"type": "clear_thinking_20251015"}]},
    }
    body = sent(ASKED, [ASK, {"role": "assistant", "content": "It is"}], **fields)
    for adapt in (False, True):
        done = fit(body, "claude-unheard-of", adapt=adapt)
        assert done.body == {**body, "model": "claude-unheard-of"}
        assert (done.misfit, done.changes) == (None, ())


def test_bedrocks_names_are_those_of_the_same_models():
    body = sent("anthropic.claude-opus-5", thinking={"type": "disabled"})
    done = fit(body, "us.anthropic.claude-opus-5-5", platform="bedrock")
    assert "thinking" not in done.body
    assert fit(body, known("claude-opus-5-5"), platform="bedrock").changes == done.changes
