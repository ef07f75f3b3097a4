"""What a rule may say of how to answer, alone and beside a fault, and one clear line for what it may not."""

from __future__ import annotations

import pathlib
import re

import pytest

from failover.testing import Rule, ScenarioError, parse_scenario


@pytest.mark.parametrize(
    ("rule", "what"),
    [
        ("{malformed: html, first_token: 2s}", "32: faults[0].first_token: `first_token` slows an answer, and `malformed: html` gives none: remove one (`delay` slows errors)"),
        ("{say: ''}", "7: faults[0].say: must not be empty"),
        ("{say: 5}", "7: faults[0].say: must be text, not 5: put it in quotes"),
        ("{status: 500, say: Yes}", "20: faults[0].say: `say` is part of an answer, and `status` gives none: remove one"),
        ("{malformed: html, say: Yes}", "24: faults[0].say: `say` is part of an answer, and `malformed: html` gives none: remove one"),
        ("{encoding: br}", "12: faults[0].encoding: must be gzip or deflate, not 'br'"),
        ("{hang: 2s, encoding: gzip}", "22: faults[0].encoding: `encoding` packs a body, and `hang` sends none: remove one"),
        ("{drop: true, encoding: gzip}", "24: faults[0].encoding: `encoding` packs a body, and `drop` sends none: remove one"),
        ("{buffered: yes}", "12: faults[0].buffered: must be true or false, not 'yes'"),
        ("{drop: true, buffered: true}", "24: faults[0].buffered: `buffered` holds an answer back, and `drop` gives none: remove one"),
        ("{buffered: true, stream: false}", "12: faults[0].buffered: `buffered` is for streams, and `stream: false` leaves them out: remove one"),
        ("{ping_every: 5s}", "1: faults[0]: nothing goes wrong: set one of status,"),
        ("{cut: true, ping_every: 5s}", "25: faults[0].ping_every: `ping_every` goes with `first_token`, `token_every` or `stall`: add it, or remove `ping_every`"),
        ("{delay: 9s, ping_every: 5s}", "25: faults[0].ping_every: `ping_every` goes with `first_token`, `token_every` or `stall`: add it"),
        ("{stall: 9s, ping_every: 0}", "25: faults[0].ping_every: must be more than 0, not 0"),
        ("{stall: 5s, ping_every: 5s}", "25: faults[0].ping_every: `ping_every` (5s) is as long as every silence: no ping comes; make it shorter"),
        ("{stall: 9s, ping_every: 5s, stream: false}", "25: faults[0].ping_every: `ping_every` is for streams, and `stream: false` leaves them out: remove one"),
        ("{status: 500, headers: {Content-Encoding: gzip}}", "43: faults[0].headers.Content-Encoding: header `Content-Encoding` is not for `headers`"),
    ],
)  # fmt: skip
def test_a_rule_that_makes_no_sense_is_refused_with_a_sentence_at_its_place(rule, what):
    column, _, says = what.partition(": ")
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(f"name: x\nfaults:\n- {rule}\n", "s.yaml")
    (problem,) = caught.value.problems
    assert problem.startswith(f"s.yaml:3:{int(column) + 2}: {says}")


@pytest.mark.parametrize(
    "rule",
    [
        {"say": "Let me look."},
        {"encoding": "gzip"},
        {"encoding": "deflate", "status": 500},
        {"encoding": "gzip", "malformed": "html"},
        {"buffered": True},
        {"buffered": True, "stream": True, "cut": True, "after_events": 2, "say": "Yes.", "encoding": "gzip"},
        {"ping_every": 5, "first_token": 6},
        {"ping_every": 5, "token_every": 3, "stall": 3},
        {"ping_every": 5, "first_token": 20, "buffered": True, "error_event": "api_error"},
    ],
    ids=str,
)
def test_a_way_of_answering_stands_alone_or_beside_what_still_gives_an_answer(rule):
    assert Rule(**rule).model_dump(exclude_unset=True) == rule


def test_the_readme_names_every_key_of_a_rule():
    readme = (pathlib.Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    table = readme.split("| Keys | What they say |")[1].split("\n\n")[0]
    named = {name for row in table.splitlines() for name in re.findall(r"`(\w+)`", "".join(row.split("|")[1:2]))}
    assert named == {field.alias or name for name, field in Rule.model_fields.items()}
