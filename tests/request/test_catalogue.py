"""The catalogue that is shipped: what it knows, where that is from, and by which names a model is found."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
import typing

import pytest
from anthropic.types import Model as SdkModel

from failover.request.catalogue import Catalogue, Model, shipped

MODELS = shipped().models


def known(model):
    """The fields that have a value."""
    return {
        field
        for field in Model.model_fields
        if field not in {"id", "sources"} and field in model.model_fields_set and getattr(model, field) is not None
    }


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.id)
def test_every_value_has_a_source_that_is_a_public_page(model):
    assert set(model.sources) == {"id", *known(model)}
    for key in model.sources.values():
        source = shipped().sources[key]
        assert source.url.startswith("https://")
        assert dt.date(2026, 8, 1) <= source.read <= dt.date(2026, 11, 22)


def test_no_source_is_named_in_vain():
    assert {key for model in MODELS for key in model.sources.values()} == set(shipped().sources)


def test_it_holds_every_model_that_the_sdk_names():
    literals = next(part for part in typing.get_args(SdkModel) if part is not str)
    assert [name for name in typing.get_args(literals) if shipped().find(name) is None] == []


def test_what_no_page_says_is_not_known():
    (undocumented,) = (model for model in MODELS if model.id == "claude-mythos-5-2")
    assert known(undocumented) == set()
    assert undocumented.max_output is undocumented.price is undocumented.thinking is undocumented.effort is None


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        (
            "claude-opus-5-5",
            {
                "line": "opus",
                "released": dt.date(2026, 9, 22),
                "context_window": 1_000_000,
                "max_output": 128_000,
                "thinking": ("adaptive",),
                "effort_default": "medium",
                "forced_tool_choice": False,
                "prefill": False,
                "fast_mode": True,
                "refused_tools": ("computer_20251124",),
            },
        ),
        ("claude-opus-5", {"thinking": ("adaptive", "disabled"), "thinking_off_up_to": "high", "bucket": "opus-5"}),
        ("claude-sonnet-5-5", {"thinking": ("adaptive", "between_tools"), "thinking_default": "adaptive"}),
        ("claude-haiku-4-5", {"effort": (), "prefill": True, "thinking_default": "off", "max_output": 64_000}),
        ("claude-haiku-5-5", {"forced_tool_choice": None, "thinking_off_up_to": "high"}),
        ("claude-sonnet-4-5", {"lifecycle": "deprecated", "retires": dt.date(2026, 11, 30)}),
        ("claude-opus-4-1", {"lifecycle": "retired", "retires": dt.date(2026, 8, 5)}),
    ],
)
def test_it_knows_what_the_pages_say(name, facts):
    model = shipped().find(name)
    assert {field: getattr(model, field) for field in facts} == facts


def test_a_price_may_rise_with_the_length_of_the_prompt():
    price = shipped().find("claude-haiku-5-5").price
    assert (price.input, price.output) == (0.10, 0.50)
    assert (price.above.over, price.above.input, price.above.output) == (100_000, 0.50, 2.50)


def test_models_that_share_their_rate_limits_have_one_bucket():
    buckets = {}
    for model in MODELS:
        buckets.setdefault(model.bucket, []).append(model.id)
    assert buckets["opus-4"] == ["claude-opus-4-8", "claude-opus-4-7", "claude-opus-4-6", "claude-opus-4-5"]
    assert buckets["sonnet-4"] == ["claude-sonnet-4-6", "claude-sonnet-4-5"]
    assert [
        models for bucket, models in buckets.items() if bucket not in {None, "opus-4", "sonnet-4"} and models[1:]
    ] == []


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.id)
def test_a_retired_model_has_the_day_of_its_retirement(model):
    if model.lifecycle == "retired":
        assert model.retires < dt.date(2026, 11, 22)


BEDROCK_45 = "anthropic.claude-haiku-4-5-20251001-v1:0"


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("claude-opus-5-5", "claude-opus-5-5"),
        ("claude-opus-4-5-20251101", "claude-opus-4-5"),
        ("claude-haiku-4-5@20251001", "claude-haiku-4-5"),
        ("claude-sonnet-4-0", "claude-sonnet-4-20250514"),
        ("anthropic.claude-opus-5-5", "claude-opus-5-5"),
        ("anthropic.claude-opus-4-6-v1", "claude-opus-4-6"),
        (BEDROCK_45, "claude-haiku-4-5"),
        *((f"{region}.{BEDROCK_45}", "claude-haiku-4-5") for region in ("us", "eu", "apac", "jp", "au", "global")),
        ("us-gov.anthropic.claude-opus-5-5", "claude-opus-5-5"),
        (f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.{BEDROCK_45}", "claude-haiku-4-5"),
        ("arn:aws:bedrock:eu-west-1::foundation-model/anthropic.claude-opus-5-5", "claude-opus-5-5"),
        ("arn:aws-us-gov:bedrock:us-gov-west-1::foundation-model/anthropic.claude-opus-5-5", "claude-opus-5-5"),
    ],
)
def test_a_model_is_found_by_each_of_its_names(name, model):
    assert shipped().find(name).id == model


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "claude", "claude-opus", "claude-opus-5-5-foo", "claude-opus-5-5-20260922", "Claude-Opus-5-5"),
        *(" claude-opus-5-5", "claude-opus-5-5@20260922", "us.claude-opus-5-5", "mars.anthropic.claude-opus-5-5"),
        *("us.us.anthropic.claude-opus-5-5", "us.anthropic.claude-opus-5-5-v1:0", "us.", "gpt-5"),
        *("arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3", "arn:", "arn:x:bedrock:"),
        "arn:aws:s3:::bucket/anthropic.claude-opus-5-5",
        "somewhere/anthropic.claude-opus-5-5",
    ],
)
def test_a_name_that_is_only_like_one_is_no_model(name):
    assert shipped().find(name) is None


def test_no_two_models_share_a_name():
    names = [name for model in MODELS for name in {model.id, *model.aliases, *sum(model.ids.values(), ())}]
    assert len(names) == len(set(names))


def test_it_hints_at_the_nearest_name():
    assert shipped().hint("claude-opus-5.5") == "; did you mean `claude-opus-5-5`?"
    assert shipped().hint("llama") == ""


def test_it_is_read_once_and_not_before_it_is_asked_for():
    code = (
        "import sys, failover; import failover.request.catalogue as c; before = c.shipped.cache_info().currsize;"
        "print(before, c.shipped() is c.shipped(), c.shipped.cache_info().misses)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["0", "True", "1"]


def test_a_catalogue_cannot_be_changed_by_who_reads_it():
    with pytest.raises(TypeError):
        shipped().sources["mine"] = None
    with pytest.raises(ValueError, match="frozen"):
        MODELS[0].line = "opus"
    assert isinstance(shipped(), Catalogue)
