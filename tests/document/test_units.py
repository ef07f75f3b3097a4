"""The units a policy is written in."""

from __future__ import annotations

import datetime as dt
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from failover.document.units import (
    Count,
    Day,
    Factor,
    Number,
    Off,
    Seconds,
    SecondsOrNone,
    Share,
    ShareOrNone,
    Tokens,
    format_duration,
    format_tokens,
    parse_day,
    parse_duration,
    parse_share,
    parse_tokens,
)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        *[("500ms", 0.5), ("35ms", 0.035), ("15s", 15), ("5m", 300), ("2h", 7200), ("1d", 86400), ("365d", 31_536_000)],
        *[("1.5s", 1.5), (".5s", 0.5), (" 15 s ", 15), ("0s", 0), ("-5s", -5), (15, 15), (0.25, 0.25), (0, 0)],
    ],
)
def test_a_duration_is_read_as_seconds(written, seconds):
    assert parse_duration(written) == seconds
    assert isinstance(parse_duration(written), float)


@pytest.mark.parametrize(
    "written",
    [
        *(
            "",
            "s",
            "5",
            "5 sec",
            "5S",
            "1m30s",
            "1:30",
            "1e3s",
            "5.s",
            "--5s",
            "\u0665s",
            "off",
            "9" * 500 + "s",
            "366d",
            "9" * 300 + "d",
        ),
        *(True, False, None, [], {}, math.nan, math.inf, -math.inf, 10**400, 31_536_001),
    ],
)
def test_anything_else_is_no_duration(written):
    with pytest.raises(ValueError, match=r"is not a duration|is too long"):
        parse_duration(written)


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0.5, "500ms"),
        (0.035, "35ms"),
        (1, "1s"),
        (90, "90s"),
        (120, "2m"),
        (3600, "1h"),
        (172_800, "2d"),
        (0, "0s"),
        (0.0005, "0.0005s"),
    ],
)
def test_a_duration_is_written_in_the_largest_unit_that_divides_it(seconds, written):
    assert format_duration(seconds) == written


@given(st.floats(min_value=0, max_value=31_536_000))
def test_a_duration_that_is_written_and_read_again_is_the_same(seconds):
    assert parse_duration(format_duration(seconds)) == seconds


@given(st.decimals(min_value=0, max_value=365, places=3), st.sampled_from(["ms", "s", "m", "h", "d"]))
def test_a_duration_that_is_read_and_written_again_is_the_same(count, unit):
    seconds = parse_duration(f"{count}{unit}")
    assert parse_duration(format_duration(seconds)) == seconds


@pytest.mark.parametrize(
    ("written", "share"), [("20%", 0.2), ("0.1%", 0.001), ("100 %", 1), (0.5, 0.5), (1, 1), (0, 0), ("-5%", -0.05)]
)
def test_a_share_is_read_as_a_number(written, share):
    assert parse_share(written) == share


@pytest.mark.parametrize(
    "written", ["", "%", "20", "0.2", 20, 1.01, True, None, [], math.nan, math.inf, 10**400, "9" * 500 + "%"]
)
def test_anything_else_is_no_share(written):
    with pytest.raises(ValueError, match="is not a share: write 20% or a number from 0 to 1"):
        parse_share(written)


@pytest.mark.parametrize(
    ("written", "count"),
    [
        *[("50k", 50_000), ("50K", 50_000), ("1M", 1_000_000), ("1.5M", 1_500_000), (".5k", 500), ("1000M", 10**9)],
        *[("50k tokens", 50_000), (" 50 k tokens ", 50_000), ("1 token", 1), ("50ktokens", 50_000), ("50 tokens", 50)],
        *[("50_000", 50_000), ("50000", 50_000), (50_000, 50_000), (0, 0), ("0", 0), (-5, -5), ("-5k", -5000)],
    ],
)
def test_a_count_of_tokens_is_read_as_a_whole_number(written, count):
    assert parse_tokens(written) == count
    assert type(parse_tokens(written)) is int


@pytest.mark.parametrize(
    "written",
    [
        *("", "k", "tokens", "50 kB", "50m", "1G", "5_", "_5", "5__0", "5.k", "1e6", "--5", "50k words", "off", "50%"),
        *("0.0005k", "1.5", "1001M", "9" * 300, "9" * 500, "\u0665k"),
        *(True, False, None, [], {}, 1.0, 1.5, math.nan, math.inf, 10**9 + 1, 10**400),
    ],
)
def test_anything_else_is_no_count_of_tokens(written):
    with pytest.raises(ValueError, match=r"is not a count of tokens|is too many"):
        parse_tokens(written)


@pytest.mark.parametrize(
    ("count", "written"), [(1_000_000, "1M"), (200_000, "200k"), (1_500_000, "1500k"), (8192, "8192"), (0, "0")]
)
def test_a_count_of_tokens_is_written_in_the_largest_unit_that_divides_it(count, written):
    assert format_tokens(count) == written


@given(st.integers(min_value=0, max_value=10**9))
def test_a_count_of_tokens_that_is_written_and_read_again_is_the_same(count):
    assert parse_tokens(format_tokens(count)) == count


@pytest.mark.parametrize("written", ["2026-09-22", dt.date(2026, 9, 22)])
def test_a_day_is_read_as_a_date(written):
    assert parse_day(written) == dt.date(2026, 9, 22)


@pytest.mark.parametrize(
    "written",
    [
        *("", "2026-09", "2026-9-22", "20260922", "2026-02-30", "2026-13-01", "22.9.2026", "2026-09-22T00:00:00"),
        *(
            "2026-W39-2",
            "\u0662026-09-22",
            20260922,
            1.5,
            True,
            None,
            [],
            dt.datetime(2026, 9, 22, tzinfo=dt.timezone.utc),
        ),
    ],
)
def test_anything_else_is_no_day(written):
    with pytest.raises(ValueError, match="is not a day: write year, month and day as 2026-09-22"):
        parse_day(written)


@pytest.mark.parametrize(
    ("unit", "good", "bad"),
    [
        (Seconds, ["1ms", 1, "365d"], [0, "0s", "-1s", -1, "off", None]),
        (SecondsOrNone, [0, "0s", "1ms"], ["-1s", -1, None]),
        (Share, ["1%", 0.01, 1, "100%"], [0, "0%", "101%", -0.1]),
        (ShareOrNone, [0, "0%", 1], ["-1%", "101%"]),
        (Number, [0, 1.5, -2], [True, "1", math.nan]),
        (Factor, [1, 1.5, 100], [0.9, 101, True, "2", math.nan]),
        (Count, [1, 1_000_000], [0, -1, 1.0, 1.5, True, "1", 1_000_001, None]),
        (Tokens, [1, "1", "200k", "1M tokens"], [0, "0k", -1, "-1k", 1.0, True, "off", None]),
        (Day, ["2026-09-22", dt.date(2026, 9, 22)], [20260922, "2026", None]),
        (Off[Count], ["off", None, False, 1], [0, True, "on", "Off"]),
        (Off[Seconds], ["off", None, False, "1s"], [0, True, "on"]),
    ],
)
def test_each_unit_keeps_its_bounds(unit, good, bad):
    adapter = TypeAdapter(unit, config={"allow_inf_nan": False})
    for value in good:
        adapter.validate_python(value)
    for value in bad:
        with pytest.raises(ValidationError):
            adapter.validate_python(value)


def test_minus_zero_is_zero():
    assert str(parse_duration(-0.0)) == str(parse_share(-0.0)) == "0.0"
