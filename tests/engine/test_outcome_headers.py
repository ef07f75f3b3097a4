"""What a response's headers add: how long to wait, whether to try again at all, and the id that support asks for."""

from __future__ import annotations

import pytest

from failover.engine import judge_response

DATE = "Sun, 22 Nov 2026 10:00:00 GMT"


def judge(headers, status=429):
    return judge_response(status, headers, b"", model="claude-a", rules={})


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "30"}, 30.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "1500", "retry-after": "2"}, 1.5),  # the finer one wins
        ({"retry-after-ms": "soon", "retry-after": "2"}, 2.0),
        ({"retry-after-ms": "274579000"}, 274_579.0),
        ({"retry-after": "Sun, 22 Nov 2026 10:02:00 GMT", "date": DATE}, 120.0),
        ({"retry-after": "Sun, 22 Nov 2026 11:02:00 +0100", "date": DATE}, 120.0),
        ({"retry-after": "Sun, 22 Nov 2026 09:00:00 GMT", "date": DATE}, 0.0),
        ({"retry-after": "Sun, 22 Nov 2026 10:02:00 GMT"}, None),  # from when? our own clock may be wrong
        ({"retry-after": "Sun, 22 Nov 2026 10:02:00 GMT", "date": "today"}, None),
        ({"retry-after": "Sun, 22 Nov 2026 10:02:00 -0000", "date": DATE}, None),
        ({"retry-after": "soon", "date": DATE}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "1e999"}, None),
    ],
)
def test_how_long_the_server_asks_to_wait(headers, seconds):
    assert judge(headers).retry_after == seconds


@pytest.mark.parametrize("status", [500, 503, 529, 429])
@pytest.mark.parametrize("header", ["false", "true", "maybe"])
def test_a_server_that_asks_not_to_try_again_is_not_asked_again_in_place(status, header):
    plain, asked = judge({}, status), judge({"x-should-retry": header}, status)
    assert asked.then == ("next" if header == "false" else plain.then)
    assert (asked.counts, asked.scope) == (plain.counts, plain.scope)


@pytest.mark.parametrize("status", [400, 401, 413])
def test_no_header_makes_a_wrong_request_right(status):
    plain = judge({}, status)
    assert judge({"x-should-retry": "true"}, status) == plain
    assert judge({"x-should-retry": "false"}, status) == plain


@pytest.mark.parametrize(
    ("headers", "request_id"),
    [
        ({"request-id": "req_1"}, "req_1"),
        ({"x-amzn-requestid": "amzn-1"}, "amzn-1"),
        ({"request-id": "req_1", "x-amzn-requestid": "amzn-1"}, "req_1"),
        ({}, None),
    ],
)
def test_the_id_that_support_asks_for(headers, request_id):
    assert judge(headers).request_id == request_id
