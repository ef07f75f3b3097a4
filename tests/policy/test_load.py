"""Reading a policy: every mistake at once, each in one sentence at its line and column, and never a traceback."""

from __future__ import annotations

import json
import tracemalloc
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from policy_mistakes import ACROSS, CHARACTERS, HEAD, NAMES, STRUCTURE, VALUES, WHOLE

from failover.document import compose, files
from failover.errors import PolicyError
from failover.policy import Ladder, Policy, Rung, default_policy, parse_policy

LOADERS = (yaml.SafeLoader, getattr(yaml, "CSafeLoader", yaml.SafeLoader))


@contextmanager
def _loader(loader):
    before, compose.LOADER = compose.LOADER, loader
    try:
        yield
    finally:
        compose.LOADER = before


@pytest.fixture(params=LOADERS, ids=["python", "c"])
def any_loader(request):
    with _loader(request.param):
        yield


def problems_of(text: str) -> tuple[str, ...]:
    with pytest.raises(PolicyError) as caught:
        parse_policy(text, "p.yaml")
    assert str(caught.value) == "\n".join(caught.value.problems)
    return caught.value.problems


# What is allowed


def test_what_is_left_out_has_its_default():
    assert parse_policy(HEAD) == Policy(version=1, name="x")


def test_the_default_policy_is_made_once():
    assert default_policy() is default_policy()


@pytest.mark.parametrize(
    "text",
    [
        HEAD.replace("\n", "\r\n"),
        "\ufeff" + HEAD,
        "---\n" + HEAD,
        HEAD + "...\n",
        "%YAML 1.2\n---\n" + HEAD,
        "# c\n" + HEAD,
    ],
    ids=["CRLF", "byte order mark", "start marker", "end marker", "directive", "comment"],
)
def test_spellings_of_the_same_policy_are_equal(any_loader, text):
    assert parse_policy(text) == parse_policy(HEAD)


def test_rungs_are_read_in_short_and_in_long_form():
    policy = parse_policy(
        HEAD + "ladders:\n- match: a*\n  rungs: [b, {model: b, set: {max_tokens: 5, thinking: null, stop: [off]}}]\n"
    )
    patched = Rung(model="b", set={"max_tokens": 5, "thinking": None, "stop": ["off"]})
    assert policy.ladders == (Ladder(match="a*", rungs=(Rung(model="b"), patched)),)


@pytest.mark.parametrize("key", ["529", '"529"', "'529'"])
def test_a_status_may_be_written_as_a_number_or_as_text(key):
    assert list(parse_policy(f"{HEAD}errors: {{{key}: {{do: next}}}}").errors) == ["529"]


def test_quotes_make_text_of_anything(any_loader):
    assert parse_policy("version: 1\nname: 'true'\ndescription: \"5\"\n").description == "5"


# What is refused

FOLLOWING = [(HEAD + text, expected) for table in (STRUCTURE, CHARACTERS, VALUES, ACROSS) for text, expected in table]


@pytest.mark.parametrize(
    ("text", "expected"), [pytest.param(*row, id=row[1][:60]) for row in (*WHOLE, *NAMES, *FOLLOWING)]
)
def test_a_mistake_is_told_where_it_stands_and_what_to_do(any_loader, text, expected):
    begins, _, says = expected.partition(" ... ")
    problems = problems_of(text)
    found = [problem for problem in problems if problem.startswith(f"p.yaml:{begins}")]
    assert len(found) == 1, problems
    assert says in found[0]


@pytest.mark.parametrize(("text", "expected"), [pytest.param(*row, id=row[1][:60]) for row in (*VALUES, *ACROSS)])
def test_one_mistake_makes_one_problem(text, expected):
    assert len(problems_of(HEAD + text)) == 1, expected


def test_all_problems_are_told_at_once_in_the_order_of_the_file(any_loader):
    problems = problems_of(
        "verion: 1\n"
        "name: &n x\n"
        "ladders:\n"
        "  - {match: 'a*', rungs: [b, b]}\n"
        "  - {match: 'a*', rungs: ['']}\n"
        "retry: {tries: 0, tries: 1, deadline: soon}\n"
        "errors: {529: {do: go}}\n"
    )
    assert [problem.split(": ")[0].removeprefix("p.yaml:") + " " + problem.split(": ")[1] for problem in problems] == [
        "1:1 version",
        "1:1 verion",
        "2:7 name",
        "4:30 ladders[0].rungs[1]",
        "5:27 ladders[1].rungs[0]",
        "6:16 retry.tries",
        "6:19 retry.tries",
        "6:39 retry.deadline",
        "7:20 errors.529.do",
    ]


def test_of_very_many_problems_the_first_hundred_are_told_and_the_rest_counted():
    problems = problems_of(HEAD + "".join(f"k{n}: 1\n" for n in range(1_234)))
    assert len(problems) == 101
    assert problems[-1] == "p.yaml: 1,134 more problems"


def test_several_contradictions_of_one_part_are_all_told():
    problems = problems_of(HEAD + "ladders: [{match: '*', rungs: []}, {match: a, rungs: []}, {match: b, rungs: []}]")
    assert [problem.split(": ")[1] for problem in problems] == ["ladders[1].match", "ladders[2].match"]


@pytest.mark.parametrize("loader", LOADERS)
def test_a_yaml_bomb_is_refused_before_it_unfolds(loader):
    levels = ["a: &a [x,x,x,x,x,x,x,x,x,x]"]
    levels += [f"{new}: &{new} [{','.join([f'*{old}'] * 10)}]" for old, new in zip("abcdefgh", "bcdefghi", strict=True)]
    tracemalloc.start()
    try:
        with _loader(loader):
            problems = problems_of("\n".join(levels))
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()
    assert sum("is an anchor" in problem for problem in problems) == 9
    assert sum("is an alias" in problem for problem in problems) == 80


def test_a_text_beyond_the_limit_is_refused_unread():
    (problem,) = problems_of("#" * (files.MAX_BYTES + 1))
    assert problem == "p.yaml: longer than 1,048,576 characters, and no policy is"


def test_a_key_that_would_fill_the_screen_is_cut():
    assert all(len(problem) < 300 for problem in problems_of(HEAD + '"' + "k" * 5_000 + '": 1\n'))


# For any text

WORDS = st.sampled_from(
    [
        *(
            "version: 1\n",
            "name: x\n",
            "ladders:\n",
            "retry:",
            "breaker: {trip: ",
            "errors:\n",
            "set: ",
            "match: ",
            "rungs: ",
        ),
        *(
            "  - ",
            "- ",
            "{",
            "}",
            "[",
            "]",
            ", ",
            ": ",
            "\n",
            "\n  ",
            "? ",
            "&a ",
            "*a",
            "<<: ",
            "!x ",
            "|\n",
            ">",
            '"',
            "'",
        ),
        *(
            "\t",
            "#",
            "off",
            "true",
            "~",
            "5s",
            "20%",
            "1e9",
            ".nan",
            "0x1",
            "529",
            "\\x07",
            "\\U00110000",
            "\ufeff",
            "---\n",
            "%YAML 1.1\n",
        ),
    ]
)
DEFAULT = (Path(__file__).parents[2] / "policies" / "default.yaml").read_text()


def _loads_or_tells(text):
    for loader in LOADERS:
        with _loader(loader):
            try:
                parse_policy(text)
            except PolicyError as error:
                problems = error.problems
            else:
                continue
        assert problems
        assert all(problem and "\n" not in problem for problem in problems)


@settings(deadline=None)
@given(st.one_of(st.text(), st.lists(WORDS, max_size=40).map("".join)))
@example('"\\U00110000"')
@example("x: !<%ff> 1")
def test_no_text_raises_anything_but_a_policy_error(text):
    _loads_or_tells(text)


@settings(deadline=None)
@given(st.data())
def test_no_slip_of_the_keyboard_raises_anything_but_a_policy_error(data):
    at = data.draw(st.integers(0, len(DEFAULT)))
    until = data.draw(st.integers(at, min(at + 30, len(DEFAULT))))
    _loads_or_tells(DEFAULT[:at] + data.draw(st.one_of(WORDS, st.text(max_size=3))) + DEFAULT[until:])


@settings(deadline=None)
@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(
                st.sampled_from([*Policy.model_fields, "trip", "wait", "first", "match", "rungs", "set", "model"]),
                inner,
                max_size=4,
            ),
        ),
    )
)
def test_no_values_raise_anything_but_a_policy_error(value):
    _loads_or_tells(json.dumps(value, ensure_ascii=False))
