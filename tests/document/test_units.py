"""The units a policy is written in."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from failover.document.units import (
    Count,
    Factor,
    Number,
    Off,
    Seconds,
    SecondsOrNone,
    Share,
    ShareOrNone,
    format_duration,
    parse_duration,
    parse_share,
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
    ("unit", "good", "bad"),
    [
        (Seconds, ["1ms", 1, "365d"], [0, "0s", "-1s", -1, "off", None]),
        (SecondsOrNone, [0, "0s", "1ms"], ["-1s", -1, None]),
        (Share, ["1%", 0.01, 1, "100%"], [0, "0%", "101%", -0.1]),
        (ShareOrNone, [0, "0%", 1], ["-1%", "101%"]),
        (Number, [0, 1.5, -2], [True, "1", math.nan]),
        (Factor, [1, 1.5, 100], [0.9, 101, True, "2", math.nan]),
        (Count, [1, 1_000_000], [0, -1, 1.0, 1.5, True, "1", 1_000_001, None]),
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
