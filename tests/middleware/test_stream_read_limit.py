"""One read's time, set on a connection that others will use: whose it is, and that nothing of it stays behind."""

from __future__ import annotations

import httpx2
import pytest

from failover.read_limit import ReadLimit

URL = "http://test/v1/messages"
OWN = 600.0
"""What the client itself would wait."""
SENT_WITH = {"connect": 5.0, "read": 1.0, "write": 5.0, "pool": 5.0}
"""The time-outs of a request that had to be answered soon."""


class Connection:
    """A connection as the transport has it: it notes how long each read might take."""

    def __init__(self):
        self.waits = []

    def read(self, max_bytes, timeout=None):
        self.waits.append(timeout)
        return b"x" * max_bytes

    def wait_of_a_read(self, timeout=OWN):
        """How long a read may take that the transport gives so much time."""
        assert self.read(3, timeout) == b"xxx"
        return self.waits[-1]


class Somebody:
    """Says who runs: a thread or a task."""

    def __init__(self):
        self.who = "the reader"

    def __call__(self):
        return self.who


@pytest.fixture
def connection():
    return Connection()


@pytest.fixture
def somebody():
    return Somebody()


@pytest.fixture
def limit(connection, somebody):
    """Makes limits of responses that come over one connection, one after the other."""

    def limit(seconds=None):
        made = ReadLimit(response_over(connection), OWN, somebody)
        if seconds is not None:
            made.next_read(seconds)
        return made

    return limit


def response_over(connection, version=b"HTTP/1.1"):
    known = {} if version is None else {"http_version": version}
    request = httpx2.Request("POST", URL, extensions={"timeout": dict(SENT_WITH)})
    return httpx2.Response(200, request=request, extensions={"network_stream": connection, **known})


def time_outs(response):
    return response.request.extensions["timeout"]


class TestOverHTTP1:
    def test_a_read_may_take_as_long_as_was_said_last(self, limit, connection):
        one = limit()
        waits = []
        for seconds in (0.3, 20.0, None):
            one.next_read(seconds)
            waits.append(connection.wait_of_a_read())
        assert waits == [0.3, 20.0, None]

    def test_before_anything_is_said_it_is_the_transports(self, limit, connection):
        limit()
        assert connection.wait_of_a_read(7) == 7

    def test_the_requests_time_outs_are_the_clients_own_again(self, connection, somebody):
        response = response_over(connection)
        ReadLimit(response, OWN, somebody).next_read(0.3)
        assert time_outs(response) == {**SENT_WITH, "read": OWN}

    def test_whoever_does_not_read_this_body_gets_the_time_that_it_gave(self, limit, connection, somebody):
        limit(0.3)
        somebody.who = "another"
        assert connection.wait_of_a_read(7) == 7
        assert connection.wait_of_a_read(None) is None
        somebody.who = "the reader"
        assert connection.wait_of_a_read(7) == 0.3

    def test_a_body_may_change_hands(self, limit, connection, somebody):
        one = limit(0.3)
        somebody.who = "another"
        one.next_read(0.5)
        assert connection.wait_of_a_read() == 0.5
        somebody.who = "the reader"
        assert connection.wait_of_a_read() == OWN

    @pytest.mark.parametrize("times", [1, 2])
    def test_released_it_leaves_the_connection_as_it_was(self, limit, connection, times):
        before = dict(vars(connection))
        one = limit(0.3)
        for _ in range(times):
            one.release()
        assert vars(connection) == before
        assert connection.wait_of_a_read() == OWN

    def test_what_is_said_after_the_release_goes_nowhere(self, limit, connection, somebody):
        response = response_over(connection)
        one = ReadLimit(response, OWN, somebody)
        one.release()
        one.next_read(0.3)
        assert connection.wait_of_a_read() == OWN
        assert time_outs(response)["read"] == OWN


class TestTwoOnOneConnection:
    """A body's end gives its connection to the next request before its limit is released."""

    def test_each_goes_by_its_own_time(self, limit, connection):
        limit(1.0)
        limit(0.3)
        assert connection.wait_of_a_read() == 0.3

    def test_the_next_ones_limit_stays_when_the_one_before_is_released(self, limit, connection):
        one, other = limit(1.0), limit(0.3)
        one.release()
        assert connection.wait_of_a_read() == 0.3
        other.next_read(0.5)
        assert connection.wait_of_a_read() == 0.5

    @pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 1, 0), (1, 0, 1)])
    def test_nothing_of_either_is_left_after_both_in_any_order(self, limit, connection, order):
        limits = limit(1.0), limit(0.3)
        for index in order:
            limits[index].release()
        assert "read" not in vars(connection)
        assert connection.wait_of_a_read() == OWN

    def test_many_one_after_the_other_do_not_pile_up(self, limit, connection):
        before = None
        for _ in range(2000):  # more than Python calls within each other
            one = limit(0.3)
            if before is not None:
                before.release()
            before = one
        assert connection.wait_of_a_read() == 0.3


class TestBesideAnInstrumentation:
    """Others set a `read` on a connection too."""

    @pytest.fixture
    def theirs(self, connection):
        """A `read` that somebody has set: its waits are in a list of its own."""
        seen, own = [], connection.read

        def read(max_bytes, timeout=None):
            seen.append(timeout)
            return own(max_bytes, timeout)

        read.seen = seen
        return read

    def test_what_was_set_before_reads_and_is_put_back(self, limit, connection, theirs):
        connection.read = theirs
        one = limit(0.3)
        assert connection.wait_of_a_read() == 0.3
        assert theirs.seen == [0.3]
        one.release()
        assert connection.read is theirs

    @pytest.mark.parametrize("order", [(0, 1), (1, 0)])
    def test_it_is_put_back_after_two_of_ours_in_any_order(self, limit, connection, theirs, order):
        connection.read = theirs
        limits = limit(1.0), limit(0.3)
        assert connection.wait_of_a_read() == 0.3
        assert theirs.seen == [0.3]
        for index in order:
            limits[index].release()
        assert connection.read is theirs

    def test_what_is_set_after_ours_stays_and_ours_means_nothing_in_it_once_released(self, limit, connection):
        one = limit(0.3)
        ours = connection.read
        later = connection.read = lambda max_bytes, timeout=None: ours(max_bytes, timeout)
        assert connection.wait_of_a_read() == 0.3
        one.release()
        assert connection.read is later
        assert connection.wait_of_a_read(7) == 7


class Slotted:
    """A connection on which nothing can be set."""

    __slots__ = ()

    def read(self, max_bytes, timeout=None):
        return b""


class TestWhereNoReadCanBeSet:
    @pytest.mark.parametrize("seconds", [0.3, 20.0, None])
    def test_over_http_2_the_clients_own_time_outs_are_put_back(self, connection, somebody, seconds):
        """Its connection serves other streams too."""
        response = response_over(connection, b"HTTP/2")
        limit = ReadLimit(response, OWN, somebody)
        limit.next_read(seconds)
        assert time_outs(response) == {**SENT_WITH, "read": OWN}
        assert "read" not in vars(connection)
        assert connection.wait_of_a_read(7) == 7
        limit.release()
        assert time_outs(response) == {**SENT_WITH, "read": OWN}

    @pytest.mark.parametrize("connection", [Slotted(), object(), None], ids=["slots", "no read", "none"])
    def test_on_a_connection_of_another_make_too(self, connection, somebody):
        response = response_over(connection)
        limit = ReadLimit(response, OWN, somebody)
        limit.next_read(0.3)
        limit.release()
        assert time_outs(response) == {**SENT_WITH, "read": OWN}

    def test_a_transport_of_another_make_keeps_to_those_of_the_request_until_it_looks_anew(self, connection, somebody):
        response = response_over(connection, None)
        limit = ReadLimit(response, OWN, somebody)
        assert time_outs(response) == SENT_WITH
        limit.next_read(20.0)
        assert time_outs(response) == {**SENT_WITH, "read": 20.0}
        assert "read" not in vars(connection)
        limit.release()
        assert connection.wait_of_a_read(7) == 7

    @pytest.mark.parametrize("version", [b"HTTP/1.1", b"HTTP/2", None])
    @pytest.mark.parametrize("extensions", [{}, {"timeout": None}, {"timeout": 5}])
    def test_a_request_without_time_outs_is_left_alone(self, somebody, extensions, version):
        response = response_over(None, version)
        response.request.extensions = dict(extensions)
        limit = ReadLimit(response, OWN, somebody)
        limit.next_read(0.3)
        limit.release()
        assert response.request.extensions == extensions
