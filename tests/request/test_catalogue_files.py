"""A user's catalogue: what differs, merged field by field over the shipped one, and every mistake with its place."""

from __future__ import annotations

import datetime as dt

import pytest

from failover.errors import CatalogueError, FailoverError
from failover.request.catalogue import load_catalogue, parse_catalogue, shipped


def problems(text):
    with pytest.raises(CatalogueError) as caught:
        parse_catalogue(text, "mine.yaml")
    return caught.value.problems


def test_only_what_it_says_differs():
    catalogue = parse_catalogue(
        "models:\n  claude-opus-5-5: {max_output: 64k, effort: [low, high], effort_default: low}\n"
    )
    ours, theirs = catalogue.find("claude-opus-5-5"), shipped().find("claude-opus-5-5")
    differ = {field for field in type(ours).model_fields if getattr(ours, field) != getattr(theirs, field)}
    assert differ == {"max_output", "effort", "effort_default", "sources"}
    assert (ours.max_output, ours.effort) == (64_000, ("low", "high"))
    assert shipped().find("claude-opus-5-5").max_output == 128_000
    others = [(a, b) for a, b in zip(catalogue.models, shipped().models, strict=True) if a.id != ours.id]
    assert all(a == b for a, b in others)


def test_null_makes_a_value_unknown():
    model = parse_catalogue("models: {claude-opus-5-5: {price: null}}\n").find("claude-opus-5-5")
    assert model.price is None
    assert "price" not in model.sources


def test_a_value_is_from_the_file_unless_the_file_says_from_where(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(
        "sources:\n"
        "  contract: {url: 'https://example.com/contract', read: 2026-11-01}\n"
        "fields: {price: contract}\n"
        "models:\n"
        "  claude-opus-5: {price: {input: 4, output: 20}, max_output: 32k, bucket: ours, sources: {bucket: contract}}\n"
    )
    catalogue = load_catalogue(file)
    model = catalogue.find("claude-opus-5")
    assert model.sources["price"] == model.sources["bucket"] == "contract"
    assert model.sources["max_output"] == str(file)
    assert model.sources["effort"] == shipped().find("claude-opus-5").sources["effort"]
    assert catalogue.sources["contract"].read == dt.date(2026, 11, 1)
    assert catalogue.sources[str(file)].url is None


def test_a_new_model_knows_what_its_entry_says():
    catalogue = parse_catalogue(
        "models:\n  house-model: {aliases: [house], max_output: 1_000, ids: {bedrock: [house.model-v1], foundry: [our-opus]}}\n"
    )
    model = catalogue.find("house")
    assert (model.id, model.max_output, model.context_window) == ("house-model", 1000, None)
    assert catalogue.find("eu.house.model-v1") is catalogue.find("our-opus") is model
    assert catalogue.models[-1] is model
    assert catalogue.find("claude-opus-5-5") is not None


def test_a_new_model_like_another_says_only_its_difference():
    catalogue = parse_catalogue(
        "models:\n  second: {like: first, max_output: 8k}\n  first: {like: claude-haiku-4-5, bucket: own}\n"
    )
    first, second, haiku = (catalogue.find(name) for name in ("first", "second", "claude-haiku-4-5"))
    assert (first.effort, first.price, first.context_window) == (haiku.effort, haiku.price, haiku.context_window)
    assert (first.bucket, second.bucket, second.max_output, first.max_output) == ("own", "own", 8000, 64_000)
    assert first.aliases == second.aliases == ()
    assert first.ids == {}
    assert catalogue.find("claude-haiku-4-5-20251001") is haiku
    assert second.sources["price"] == haiku.sources["price"]


def test_like_sees_what_the_file_says_of_the_other():
    text = "models:\n  gateway-opus: {like: claude-opus-5-5}\n  claude-opus-5-5: {max_output: 10k}\n"
    assert parse_catalogue(text).find("gateway-opus").max_output == 10_000


def test_like_does_not_take_away_what_is_known_of_a_shipped_model():
    model = parse_catalogue("models: {claude-mythos-5-2: {like: claude-mythos-5-1}}\n").find("claude-mythos-5-2")
    assert model.max_output == 128_000
    haiku = parse_catalogue("models: {claude-haiku-5-5: {like: claude-opus-5-5}}\n").find("claude-haiku-5-5")
    assert haiku.price == shipped().find("claude-haiku-5-5").price
    assert haiku.forced_tool_choice is False


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "models: {a: {like: claude-opus-5.5}}\n",
            "1:20: models.a.like: no model has the id 'claude-opus-5.5'; did you mean `claude-opus-5-5`?",
        ),
        ("models: {a: {like: a}}\n", "1:20: models.a.like: this goes in a circle: a is like a"),
        (
            "models:\n  a: {like: b}\n  b: {like: c}\n  c: {like: a}\n  d: {like: a}\n",
            "2:13: models.a.like: this goes in a circle: a is like b is like c is like a",
        ),
        (
            "models: {claude-opus-5-5: {max_outptu: 1k}}\n",
            "1:28: models.claude-opus-5-5.max_outptu: unknown key; did you mean `max_output`?",
        ),
        (
            "models: {claude-opus-5-5: {max_output: lots}}\n",
            "1:40: models.claude-opus-5-5.max_output: 'lots' is not a count of tokens",
        ),
        (
            "models: {claude-opus-5-5: {retires: soon}}\n",
            "1:37: models.claude-opus-5-5.retires: 'soon' is not a day: write year, month and day as 2026-09-22",
        ),
        (
            "models: {claude-opus-5-5: {prefill: 'no'}}\n",
            "1:37: models.claude-opus-5-5.prefill: must be true or false, not 'no'",
        ),
        (
            "models: {claude-opus-5-5: {effort: [lo]}}\n",
            "must be low, medium, high, xhigh or max, not 'lo'; did you mean `low`?",
        ),
        (
            "models: {claude-opus-5-5: {effort: [low]}}\n",
            "models.claude-opus-5-5: medium is not among the levels of `effort`, which are low",
        ),
        (
            "models: {claude-opus-5-5: {effort_default: low, effort: []}}\n",
            "1:44: models.claude-opus-5-5.effort_default: low is not among the levels of `effort`, which are none",
        ),
        (
            "models: {claude-opus-5-5: {thinking: [disabled]}}\n",
            "adaptive is not among the kinds of `thinking`, which are disabled",
        ),
        ("models: {a: {price: {input: -1, output: 5}}}\n", "1:29: models.a.price.input: must be at least 0, not -1"),
        ("models: {a: {price: {input: 1}}}\n", "models.a.price.output: this key is missing: write `output: 25`"),
        (
            "models: {a: {ids: {azure: [x]}}}\n",
            "1:20: models.a.ids.azure: must be bedrock, vertex or foundry, not 'azure'",
        ),
        ("models: {'a b': {}}\n", "is no name: a name has no spaces in it"),
        (
            "models: {claude-opus-4-5-20251101: {max_output: 1k}}\n",
            "'claude-opus-4-5-20251101' is a name of claude-opus-4-5 already: a name belongs to one model; write claude-opus-4-5 here to say something of that model",
        ),
        (
            "models: {a: {aliases: [claude-opus-5]}}\n",
            "models.a: 'claude-opus-5' is a name of claude-opus-5 already: a name belongs to one model",
        ),
        ("models: {a: {aliases: [x]}, b: {ids: {foundry: [x]}}}\n", "models.b: 'x' is a name of a already"),
        (
            "models: {a: {max_output: 1k, sources: {max_output: nosuch}}}\n",
            "models.a.sources.max_output: no source is called 'nosuch'; write it under `sources`, with its url",
        ),
        (
            "fields: {max_outptu: overview}\nmodels: {}\n",
            "1:22: fields.max_outptu: 'max_outptu' is no field of a model; did you mean `max_output`?",
        ),
        (
            "sources: {a: {url: 'ftp://x'}}\nmodels: {}\n",
            "1:20: sources.a.url: 'ftp://x' is no link: write one that begins with https://",
        ),
        ("sources: {}\n", "models: this key is missing: write `models: {claude-opus-5-5: {max_output: 64k}}`"),
        ("", "the catalogue is empty: write at least `models:` with one model under it"),
        ("models: {a: {}, a: {}}\n", "this key stands twice"),
        ("models: [claude-opus-5-5]\n", "1:9: models: must be a mapping, not a list"),
    ],
)
def test_a_mistake_is_said_with_its_place(text, problem):
    (line,) = problems(text)
    assert line.startswith("mine.yaml:")
    assert problem in line


def test_all_mistakes_are_said_at_once():
    lines = problems(
        "models:\n  a: {like: nosuch-model}\n  b: {sources: {line: nosuch}}\n  c: {sources: {color: overview}}\n"
    )
    assert [line.split(":")[1] for line in lines] == ["2", "3", "4"]


def test_a_missing_file_is_a_mistake_too(tmp_path):
    with pytest.raises(CatalogueError, match=r"nosuch\.yaml: there is no such file") as caught:
        load_catalogue(tmp_path / "nosuch.yaml")
    assert isinstance(caught.value, FailoverError)
    assert isinstance(caught.value, ValueError)
