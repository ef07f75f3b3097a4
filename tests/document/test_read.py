"""Reading a document of any kind: every mistake at its line and column, in the words of its own kind.

What a policy may not say is told in `tests/policy`, and what a scenario may not in `tests/testing`.
"""

from __future__ import annotations

from typing import Annotated

import pytest
from annotated_types import Ge
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, model_validator

from failover.document import Kind, check_value, load_document, parse_document, refuse
from failover.document.units import Off, Seconds


class Step(BaseModel):
    model_config = ConfigDict(extra="forbid")

    do: str = Field(examples=["stir"])
    lasts: Off[Seconds] = None
    again: Annotated[StrictInt, Ge(1)] | None = None
    covered: StrictBool = False


class Recipe(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(examples=["soup"])
    steps: tuple[Step, ...] = ()
    labels: dict[str, str] = {}

    @model_validator(mode="after")
    def _steps_differ(self):
        steps = [step.do for step in self.steps]
        refuse((("steps", at, "do"), f"`{do}` is done already") for at, do in enumerate(steps) if do in steps[:at])
        return self


class Unusable(Exception):
    pass


RECIPE = Kind("recipe", example="`name: soup`", model=Recipe, error=Unusable)


def problems_of(text: str) -> tuple[str, ...]:
    with pytest.raises(Unusable) as caught:
        parse_document(text, "r.yaml", RECIPE)
    return caught.value.args[0]


def test_a_document_becomes_a_value_of_its_kind(tmp_path):
    text = "name: soup\nsteps: [{do: stir, lasts: 5m}, {do: taste, covered: true}]\n"
    recipe = Recipe(name="soup", steps=(Step(do="stir", lasts=300), Step(do="taste", covered=True)))
    (tmp_path / "r.yaml").write_text(text)
    assert parse_document(text, "r.yaml", RECIPE) == load_document(tmp_path / "r.yaml", RECIPE) == recipe


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "1:1: the recipe is empty: write at least `name: soup`"),
        ("- a", "1:1: must be a mapping of name, steps and labels, not a list"),
        ("steps: []", "1:1: name: this key is missing: write `name: soup`"),
        ("name: x\n---\nname: y", "2:1: a second document starts here: a recipe is one document; remove this line and what follows"),
        ("name: *x", "1:7: name: `*x` is an alias, and a recipe has none: write the value out, or put quotes around a pattern"),
        ("*x", "1:1: `*x` is an alias, and a recipe has none: write the value out, or put quotes around a pattern"),
        ("name: &a x", "1:7: name: `&a` is an anchor, and a recipe has none: remove it, and write the value out where it is needed"),
        ("name: !a x", "1:7: name: '!a' is a tag, and a recipe has none: remove it; quotes make text of anything"),
        ("name: x\n<<: {}", "2:1: `<<` merges another mapping, and a recipe has no merges: write the keys out"),
        ("name: x\n# \x07", "2:3: character U+0007 is invisible and not allowed in a recipe: remove it"),
        ("[" * 50, "1:42: nested deeper than 40 levels: no recipe needs that"),
        ("#" * 1_048_577, " longer than 1,048,576 characters, and no recipe is"),
        ("name: 5", "1:7: name: must be text, not 5: put it in quotes"),
        ("{name: x, steps: [{do: y, covered: yes}]}", "1:36: steps[0].covered: must be true or false, not 'yes'"),
        ("{name: x, steps: [{do: y, lasts: 0}]}", "1:34: steps[0].lasts: must be more than 0, or `off`, not 0"),
        ("{name: x, steps: [{do: y, again: 0}]}", "1:34: steps[0].again: must be at least 1, not 0"),
        ("{name: x, steps: [{do: y, agian: 0}]}", "1:27: steps[0].agian: unknown key; did you mean `again`? Allowed here are do, lasts, again and covered"),
        ("{name: x, covered: 5s}", "1:11: covered: unknown key; `steps.covered` would be a place for it, so mind the indentation; allowed here are name, steps and labels"),
        ("{name: x, labels: {a: 1}}", "1:23: labels.a: must be text, not 1: put it in quotes"),
        ("{name: x, steps: [{do: y}, {do: y}]}", "1:33: steps[1].do: `y` is done already"),
    ],
    ids=lambda text: text[:30],
)  # fmt: skip
def test_a_mistake_is_told_in_the_words_of_the_kind(text, problem):
    assert problems_of(text) == (f"r.yaml:{problem}",)


def test_the_problems_of_the_text_and_of_its_values_are_told_together_in_the_order_of_the_file():
    assert [problem.split(": ")[0] for problem in problems_of("name: 5\nlabels: &a {}\nsteps: [{do: 6}, {}]")] == [
        "r.yaml:1:7",
        "r.yaml:2:9",
        "r.yaml:3:14",
        "r.yaml:3:18",
    ]


def test_what_is_said_in_python_is_checked_in_the_same_words_without_lines():
    with pytest.raises(Unusable) as caught:
        check_value({"name": 5, "labels": {7: "x"}, "steps": [{}, {"do": "y", "lasts": 0}]}, "cook()", RECIPE)
    assert caught.value.args[0] == (
        "cook(): name: must be text, not 5: put it in quotes",
        "cook(): steps[0].do: this key is missing: write `do: stir`",
        "cook(): steps[1].lasts: must be more than 0, or `off`, not 0",
        "cook(): labels[7]: must be text, not 7: put it in quotes",
    )
    with pytest.raises(Unusable, match="is done already") as caught:
        check_value({"name": "x", "steps": [{"do": "y"}] * 2}, "cook()", RECIPE)
    assert caught.value.args[0] == ("cook(): steps[1].do: `y` is done already",)


def test_what_is_right_in_python_is_a_value_of_its_kind():
    assert check_value({"name": "x"}, "cook()", RECIPE) == Recipe(name="x")
