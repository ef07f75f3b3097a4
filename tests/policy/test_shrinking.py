"""When a prompt is shrunk and how: what a policy may say about it, and what it may not."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from failover.errors import PolicyError
from failover.policy import ERROR_TYPES, Policy, Rung, parse_policy
from failover.policy.shrinking import ClearToolResults, DropImages, DropOptionalSystem, DropTurns, Shrink, Step

WHOLE = """\
shrink:
  when: [timeout_error, client_timeout_error, prompt_too_long, 413]
  after_tries: 2
  to: 40%
  steps:
    - clear_tool_results: {keep: 5}
    - drop_images: {keep: 0}
    - drop_optional_system
    - drop_turns: {keep_first: false, keep_last: 2}
    - cap_max_tokens: 4096
"""


def _read(text):
    return parse_policy(f"version: 1\nname: x\n{text}").shrink


def test_every_word_of_it_is_read():
    assert _read(WHOLE) == Shrink(
        when=("timeout_error", "client_timeout_error", "prompt_too_long", "413"),
        after_tries=2,
        to=0.4,
        steps=(
            Step(clear_tool_results=ClearToolResults(keep=5)),
            Step(drop_images=DropImages(keep=0)),
            Step(drop_optional_system=DropOptionalSystem()),
            Step(drop_turns=DropTurns(keep_first=False, keep_last=2)),
            Step(cap_max_tokens=4096),
        ),
    )


def test_what_is_left_out_is_the_default():
    shrink = _read("shrink: {when: [timeout_error], steps: [clear_tool_results, drop_images, drop_turns]}")
    assert (shrink.after_tries, shrink.to) == (1, 0.5)
    assert shrink.steps == (
        Step(clear_tool_results=ClearToolResults(keep=3)),
        Step(drop_images=DropImages(keep=1)),
        Step(drop_turns=DropTurns(keep_first=True, keep_last=4)),
    )


@pytest.mark.parametrize(
    "text",
    [
        "shrink: {when: [prompt_too_long, timeout_error], after_tries: 2, steps: [drop_turns]}",
        "shrink: {when: [prompt_too_long], steps: [drop_turns]}\nerrors: {prompt_too_long: {do: raise}}",
        "shrink: {when: [timeout_error], steps: [drop_turns]}\nerrors: {timeout_error: {do: next}}",
        "shrink: {when: [timeout_error], steps: [drop_turns]}\nerrors: {529: {do: raise}}",
    ],
)
def test_a_rule_that_can_fire_is_allowed(text):
    assert _read(text).steps == (Step(drop_turns=DropTurns()),)


@pytest.mark.parametrize("text", ["shrink: off", ""])
def test_nothing_is_shrunk_unless_the_policy_says_so(text):
    assert _read(text) is None


def test_a_step_knows_its_name():
    assert [step.kind for step in _read(WHOLE).steps] == [
        "clear_tool_results",
        "drop_images",
        "drop_optional_system",
        "drop_turns",
        "cap_max_tokens",
    ]


def test_it_can_be_a_key_of_a_mapping():
    assert {_read(WHOLE): 1}[_read(WHOLE)] == 1


MISTAKES = [
    ("{}", "3:9: shrink.when: this key is missing: write `when: [timeout_error, prompt_too_long]`"),
    ("{}", "3:9: shrink.steps: this key is missing: write `steps: [clear_tool_results, drop_turns]`"),
    ("5", "3:9: shrink: must be a mapping of when, after_tries, to and steps, or `off`, not 5"),
    ("{when: [], steps: [drop_images]}", "3:16: shrink.when: an empty list never shrinks anything"),
    ("{when: timeout_error, steps: [drop_images]}", "3:16: shrink.when: must be a list, not 'timeout_error'"),
    (
        "{when: [api_error, tmeout_error], steps: [drop_images]}",
        "3:28: shrink.when[1]: no error is called 'tmeout_error'; did you mean `timeout_error`?",
    ),
    ("{when: [200], steps: [drop_images]}", "3:17: shrink.when[0]: 200 is not the HTTP status of an error"),
    ("{when: [529, 529], steps: [drop_images]}", "3:22: shrink.when[1]: `529` stands twice: remove one"),
    ("{when: [api_error], steps: []}", "3:36: shrink.steps: an empty list never shrinks anything"),
    ("{when: [api_error], steps: drop_images}", "3:36: shrink.steps: must be a list, not 'drop_images'"),
    (
        "{when: [api_error], steps: [drop_image]}",
        "3:37: shrink.steps[0]: no step is called 'drop_image'; did you mean `drop_images`? Known are clear_tool_results",
    ),
    (
        "{when: [api_error], steps: [{drop_imges: {}}]}",
        "3:38: shrink.steps[0].drop_imges: unknown key; did you mean `drop_images`?",
    ),
    ("{when: [api_error], steps: [7]}", "3:37: shrink.steps[0]: a step is a name or a mapping like"),
    ("{when: [api_error], steps: [{}]}", "3:37: shrink.steps[0]: a step is exactly one of clear_tool_results,"),
    (
        "{when: [api_error], steps: [{drop_images: {}, drop_turns: {}}]}",
        "and this says drop_images and drop_turns: give each a line of its own",
    ),
    (
        "{when: [api_error], steps: [drop_images, {drop_images: {keep: 2}}]}",
        "3:50: shrink.steps[1]: step `drop_images` stands twice",
    ),
    (
        "{when: [api_error], steps: [cap_max_tokens]}",
        "3:37: shrink.steps[0]: `cap_max_tokens` needs a number: write `cap_max_tokens: 4096`",
    ),
    (
        "{when: [api_error], steps: [{cap_max_tokens: 0}]}",
        "3:54: shrink.steps[0].cap_max_tokens: must be at least 1, not 0",
    ),
    (
        "{when: [api_error], steps: [{drop_turns: {keep_last: 0}}]}",
        "3:62: shrink.steps[0].drop_turns.keep_last: must be at least 1, not 0",
    ),
    (
        "{when: [api_error], steps: [{drop_turns: {keep_first: 1}}]}",
        "3:63: shrink.steps[0].drop_turns.keep_first: must be",
    ),
    (
        "{when: [api_error], steps: [{drop_images: {keep: -1}}]}",
        "3:58: shrink.steps[0].drop_images.keep: must be at least 0, not -1",
    ),
    (
        "{when: [api_error], to: 100%, steps: [drop_images]}",
        "3:33: shrink.to: a prompt at 100% of its size is no smaller",
    ),
    ("{when: [api_error], to: 1, steps: [drop_images]}", "3:33: shrink.to: a prompt at 100% of its size is no smaller"),
    ("{when: [api_error], to: 0, steps: [drop_images]}", "3:33: shrink.to: must be more than 0, not 0"),
    (
        "{when: [api_error], after_tries: 0, steps: [drop_images]}",
        "3:42: shrink.after_tries: must be at least 1, not 0",
    ),
]


@pytest.mark.parametrize(("written", "says"), MISTAKES)
def test_a_mistake_is_pointed_at_and_explained(written, says):
    with pytest.raises(PolicyError) as refused:
        _read(f"shrink: {written}")
    assert says in str(refused.value)


NO_MATTER_OF_SIZE = {
    *("authentication_error", "billing_error", "spend_limit", "permission_error", "not_found_error"),
    *("model_unavailable", "conflict_error", "401", "402", "403", "404", "409"),
}


@pytest.mark.parametrize("name", [*ERROR_TYPES, "400", "401", "402", "403", "404", "408", "409", "413", "429", "529"])
def test_only_errors_that_a_smaller_prompt_may_not_meet_can_shrink_one(name):
    built = {"when": (name,), "steps": ("drop_images",)}
    if name in NO_MATTER_OF_SIZE:
        with pytest.raises(
            ValidationError, match=f"`{name}` means that .*, and a smaller prompt would meet that again"
        ):
            Shrink(**built)
    else:
        assert Shrink(**built).when == (name,)


def test_mistakes_are_found_in_python_too():
    with pytest.raises(ValidationError, match="a step is exactly one of"):
        Step()
    with pytest.raises(ValidationError, match="step `drop_images` stands twice"):
        Shrink(when=("api_error",), steps=("drop_images", Step(drop_images=DropImages(keep=2))))


KEEPS = st.integers(0, 100)
STEPS = {
    "clear_tool_results": st.builds(ClearToolResults, keep=KEEPS) | st.just(ClearToolResults()),
    "drop_images": st.builds(DropImages, keep=KEEPS) | st.just(DropImages()),
    "drop_optional_system": st.just(DropOptionalSystem()),
    "drop_turns": st.builds(DropTurns, keep_first=st.booleans(), keep_last=st.integers(1, 100)),
    "cap_max_tokens": st.integers(1, 128_000),
}


@st.composite
def shrinks(draw):
    kinds = draw(st.lists(st.sampled_from(sorted(STEPS)), min_size=1, unique=True))
    names = st.sampled_from(sorted({*ERROR_TYPES, "529"} - NO_MATTER_OF_SIZE))
    when = draw(st.lists(names, min_size=1, max_size=4, unique=True))
    return Shrink(
        when=tuple(dict.fromkeys((*when, "timeout_error"))),
        after_tries=draw(st.integers(1, 20)),
        to=draw(st.floats(0.001, 0.999)),
        steps=tuple(Step(**{kind: draw(STEPS[kind])}) for kind in kinds),
    )


@given(shrinks(), shrinks(), st.sampled_from(["exclude_defaults", "exclude_unset"]))
def test_what_is_dumped_and_read_again_is_the_same(one, other, how):
    ladder = {"match": "*", "rungs": (Rung(model="a", shrink=other), Rung(model="b", shrink=None))}
    policy = Policy(version=1, name="x", shrink=one, ladders=(ladder,))
    dumped = json.dumps(policy.model_dump(mode="json", by_alias=True, **{how: True}))
    again = parse_policy(dumped)
    assert again == policy
    assert again.digest == policy.digest
    assert Shrink(**one.model_dump(mode="json")) == one


def test_a_rung_can_have_its_own_or_none():
    policy = parse_policy(
        "version: 1\nname: x\nladders:\n- match: '*'\n  rungs:\n"
        "  - {model: a, shrink: {when: [413], steps: [drop_images]}}\n  - {model: b, shrink: off}\n"
    )
    assert [rung.shrink for rung in policy.ladders[0].rungs] == [
        Shrink(when=("413",), steps=(Step(drop_images=DropImages()),)),
        None,
    ]
