"""What holds of every prompt that is made smaller, whatever it was: it is valid, smaller, and says nothing of itself."""

from __future__ import annotations

import copy
import json

from conversing import conversations
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from failover.policy.shrinking import Step
from failover.request.shrink import optional, shrunk
from failover.request.size import tokens_of
from failover.testing.model_rules import violations
from failover.testing.rules.binding import signature

BINDING = "claude-opus-5-5"
"""A model that checks what its thinking was made behind."""

STEPS = {
    "clear_tool_results": st.builds(dict, keep=st.integers(0, 3)),
    "drop_images": st.builds(dict, keep=st.integers(0, 2)),
    "drop_optional_system": st.just({}),
    "drop_turns": st.builds(dict, keep_first=st.booleans(), keep_last=st.integers(1, 3)),
    "cap_max_tokens": st.sampled_from([512, 1_100, 4_096]),
}


@st.composite
def steps(draw):
    kinds = draw(st.lists(st.sampled_from(sorted(STEPS)), min_size=1, unique=True))
    return [Step(**{kind: draw(STEPS[kind])}) for kind in kinds]


def _signed(body):
    """The same, with thinking as the model would have signed it where it stands."""
    messages = []
    for index, message in enumerate(body["messages"]):
        content = message["content"]
        for at, block in enumerate(content if isinstance(content, list) else ()):
            if block["type"] == "thinking":
                so_far = {**body, "messages": [*messages, {**message, "content": content[:at]}]}
                made = signature(so_far, BINDING, block["thinking"], f"{index}.{at}")
                content = [*content[:at], {**block, "signature": made}, *content[at + 1 :]]
        messages.append({**message, "content": content})
    return {**body, "messages": messages}


@st.composite
def bodies(draw):
    """Signed, with and without what says how to think."""
    body = _signed(draw(conversations(mark=optional, model=BINDING)))
    return {**body, **draw(st.sampled_from([{}, {"thinking": {"type": "adaptive"}}, {"max_tokens": 9_000}]))}


def _shares():
    return st.sampled_from([0, 0.1, 0.5, 0.9, 0.99])


always = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@always
@given(bodies())
def test_what_these_tests_begin_with_is_valid(body):
    assert violations(body) == ()


@always
@given(bodies(), steps(), _shares())
def test_a_smaller_prompt_is_valid_smaller_and_made_of_the_same_parts(body, steps, share):
    copied = copy.deepcopy(body)
    done = shrunk(body, steps, to_tokens=int(tokens_of(body) * share))
    assert body == copied
    if done is None:
        return
    assert violations(done.body) == ()
    assert (done.tokens_before, done.tokens_after) == (tokens_of(body), tokens_of(done.body))
    assert done.tokens_after < done.tokens_before or done.body["max_tokens"] < body["max_tokens"]
    assert str(done.body).count("cache_control") <= str(body).count("cache_control")
    originals = {id(message) for message in body["messages"]} | {id(block) for block in _blocks(body)}
    for message in done.body["messages"]:
        if id(message) not in originals:
            assert any(id(block) in originals for block in message["content"]) or _is_noted(message)


@always
@given(bodies(), steps(), _shares())
def test_it_is_small_enough_or_no_step_finds_anything_more(body, steps, share):
    enough = int(tokens_of(body) * share)
    done = shrunk(body, steps, to_tokens=enough)
    left = body if done is None else done.body
    if tokens_of(left) <= enough:
        assert shrunk(left, steps, to_tokens=enough) is None  # nor is anything more taken away
    else:
        for _ in steps:  # what a step left may be what made another possible
            again = shrunk(left, steps, to_tokens=enough)
            left = left if again is None else again.body
        assert shrunk(left, steps, to_tokens=enough) is None


@always
@given(bodies(), steps())
def test_what_was_done_is_said_without_a_word_of_the_prompt(body, steps):
    canary = json.loads(json.dumps(body).replace("hello", "canary").replace("search", "canary"))
    done = shrunk(canary, steps, to_tokens=0)
    assert all("canary" not in line and line.isascii() for line in (done.done if done else ()))


@always
@given(conversations(mark=optional, model="claude-opus-4-5"), steps(), _shares())
def test_with_manual_thinking_an_open_turn_still_begins_with_it(body, steps, share):
    body = {**body, "max_tokens": 9_000, "thinking": {"type": "enabled", "budget_tokens": 4_000}}
    assume(violations(body) == ())
    done = shrunk(body, steps, to_tokens=int(tokens_of(body) * share))
    if done is not None:
        assert violations(done.body) == ()
        latest = [message["content"] for message in body["messages"] if message["role"] == "assistant"][-1:]
        if latest and latest[0] != "" and isinstance(body["messages"][-1]["content"], list):
            answers_calls = any(block["type"] == "tool_result" for block in body["messages"][-1]["content"])
            kept = [message["content"] for message in done.body["messages"] if message["role"] == "assistant"][-1:]
            assert not answers_calls or kept == latest


def _blocks(body):
    for message in body["messages"]:
        for block in message["content"] if isinstance(message["content"], list) else ():
            yield block
            yield from block["content"] if isinstance(block.get("content"), list) else ()


def _is_noted(message):
    return all(
        "removed to make the prompt smaller" in str(block.get("text", block.get("content")))
        for block in message["content"]
    )
