"""How large a prompt is, roughly and at once."""

from __future__ import annotations

import sys
import time

import pytest
from bodies import FEATURES, body_with, conversations
from conversing import DOCUMENT, IMAGE, TOOLS, text, tool_result, tool_use
from hypothesis import HealthCheck, given, settings

from failover.request.size import tokens_of, tokens_of_block, tokens_of_content, tokens_of_text
from failover.testing.rules import prompt_tokens


@pytest.mark.parametrize(
    ("words", "least", "most"),
    [
        ("", 0, 1),
        ("The quick brown fox jumps over the lazy dog. " * 100, 900, 1_400),
        ("It\u2019s a \u201cquoted\u201d word in English prose, a long one. " * 100, 1_000, 1_700),
        ("Съешь же ещё этих мягких французских булок. " * 100, 1_200, 2_500),
        ("数据分析" * 100, 250, 600),
        ('{"key": [1, 2, 3]} ' * 100, 400, 1_000),
        ("\ud800" * 70, 40, 70),
    ],
)
def test_a_text_has_about_as_many_tokens_as_its_script_makes(words, least, most):
    assert least <= tokens_of_text(words) <= most


def test_one_sign_beyond_ascii_makes_a_text_no_longer():
    words = "The quick brown fox jumps over the lazy dog. " * 10_000
    assert tokens_of_text(f"{words}\u2014") == pytest.approx(tokens_of_text(words), rel=0.01)


@pytest.mark.parametrize(
    ("part", "least", "most"),
    [
        (text("word " * 100), 100, 200),
        (tool_result("toolu_1", "word " * 100), 100, 200),
        (tool_result("toolu_1", [text("word " * 100), IMAGE]), 1_500, 2_000),
        (tool_use("toolu_1", query="word " * 100), 100, 250),
        (IMAGE, 1_000, 2_000),
        (DOCUMENT, 1_000, 2_000),
        ({"type": "document", "source": {"type": "url", "url": "https://example.com"}}, 5_000, 50_000),
        ({"type": "document", "source": {"type": "text", "data": "word " * 100}}, 100, 200),
        ({"type": "document", "source": {"type": "content", "content": [text("word " * 100)]}}, 100, 200),
    ],
)
def test_a_block_counts_by_what_it_is(part, least, most):
    assert least <= tokens_of_block(part) <= most


def test_system_prompt_tools_and_messages_count_together():
    body = {"model": "m", "messages": [{"role": "user", "content": "word " * 100}]}
    alone = tokens_of(body)
    assert tokens_of({**body, "system": "word " * 100}) > alone + 100
    assert tokens_of({**body, "tools": TOOLS}) > alone + 10
    assert tokens_of({**body, "max_tokens": 10**6, "metadata": {"user_id": "word " * 100}}) == alone


@pytest.mark.parametrize(
    "value", [None, 5, True, "", [], {}, [None, 5, {}], [{"type": "text", "text": 5}], [{"type": "document", "source": 5}],
              [{"type": "document", "source": {"type": "base64", "data": 5}}], b"bytes", object()],
)  # fmt: skip
def test_what_has_a_strange_form_has_some_size(value):
    assert tokens_of_content(value) >= 0
    assert tokens_of({"messages": value, "system": value, "tools": value}) >= 0
    assert tokens_of({"messages": [{"role": "user", "content": value}]}) >= 0


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(conversations())
def test_two_estimates_made_apart_are_near_each_other(body):
    counted = prompt_tokens(body)
    if counted > 5_000:
        assert counted / 3 < tokens_of(body) < counted * 3


@pytest.mark.parametrize("name", FEATURES)
def test_a_feature_has_some_size(name):
    assert tokens_of(body_with("claude-opus-5", name).body) > 0


@pytest.mark.parametrize("word", ["word ", "数据 "])
def test_a_long_text_is_measured_as_quickly_as_a_short_one(word):
    def fastest(words):
        times = []
        for _ in range(50):
            began = time.perf_counter()
            tokens_of_text(words)
            times.append(time.perf_counter() - began)
        return min(times)

    long = word * 1_000_000
    assert sys.getsizeof(long) > 2_900_000
    assert fastest(long) < 50 * fastest(word * 400)
