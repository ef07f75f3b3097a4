"""While an incident lasts, the provider's status page is asked what it knows; whatever it answers, no call is touched."""

from __future__ import annotations

import gc
import http.server
import json
import threading
import weakref

import pytest
from incident_places import until

from failover.events import IncidentEnded, IncidentStarted, StatusSeen
from failover.policy.incident import StatusPage
from failover.status_page import StatusWatch

STARTED = IncidentStarted("default", "models", 9.0, 12, ("a", "b"), ("overloaded_error",), ("req_1",))
ENDED = IncidentEnded("default", 60.0, ("a", "b"), 3, 1)
DOWN = {
    "status": {"indicator": "major", "description": "Major outage"},
    "incidents": [{"name": "Errors on  Opus\n5.5"}],
}
SEEN = StatusSeen("major", ("Errors on Opus 5.5",))


class Page:
    """A web server on loopback that says what it is told."""

    def __init__(self):
        self.answer = (200, json.dumps(DOWN).encode())
        self.asked = threading.Semaphore(0)
        page = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                status, body = page.answer
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                page.asked.release()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/summary.json"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def page():
    page = Page()
    yield page
    page.close()


def watching(page, every=600.0):
    """A watch of this page, and what it tells."""
    told = []
    return StatusWatch(StatusPage.model_construct(url=page.url, every=every), told.append), told


def askers():
    return [thread for thread in threading.enumerate() if thread.name == "failover-status-page"]


def test_it_is_asked_as_an_incident_begins_and_tells_what_it_says(page):
    watch, told = watching(page)
    watch(STARTED)
    until(lambda: told)
    assert told == [SEEN]
    watch(ENDED)
    until(lambda: not askers())


def test_it_is_asked_again_and_told_only_when_it_says_something_else(page):
    watch, told = watching(page, every=0.01)
    watch(STARTED)
    for _ in range(3):
        assert page.asked.acquire(timeout=10)
    page.answer = (200, json.dumps({"status": {"indicator": "none"}}).encode())
    until(lambda: len(told) == 2)
    watch(ENDED)
    until(lambda: not askers())
    assert told == [SEEN, StatusSeen("none", ())]


def test_one_thread_asks_for_all_clients_until_the_last_incident_is_over(page):
    watch, told = watching(page)
    watch(STARTED)
    watch(IncidentStarted("bedrock", "after", 900.0, 7, ("a",), (), ()))
    assert len(askers()) == 1
    watch(ENDED)
    assert len(askers()) == 1
    watch(IncidentEnded("bedrock", 60.0, ("a",), 3, 1))
    until(lambda: not askers())
    watch(STARTED)  # the next one begins anew, and is told what was told before
    until(lambda: len(told) == 2)
    watch(ENDED)
    until(lambda: not askers())


@pytest.mark.parametrize(
    "answer",
    [
        (405, b"not for programs"),
        (500, b""),
        (200, b""),
        (200, b"<html>are you human?</html>"),
        (200, b"[]"),
        (200, b"{}"),
        (200, b'{"status": null}'),
        (200, b'{"status": {"indicator": "rm -rf"}}'),
        (200, b'{"status": {"indicator": ["major"]}}'),
        (200, b'{"status": {"indicator": "major"}, "incidents": 7}'),
        (200, b'{"status": {"indicator": "major"}, "incidents": [7]}'),
        (200, b'{"status": {"indicator": "major"}, "incidents": {"name": "x"}}'),
        (200, b"[" * 100_000),
        (200, b'{"status": {"indicator": "major"}}' + b" " * 1024 * 1024),
        (200, b"\xff\xfe\x00"),
    ],
    ids=lambda answer: f"{answer[0]} {answer[1][:40]!r}",
)
def test_what_makes_no_sense_says_nothing(page, answer):
    page.answer = answer
    watch, told = watching(page)
    watch.ask()
    assert told == []


def test_a_page_that_is_not_there_says_nothing(page):
    watch, told = watching(page)
    page.close()
    watch.ask()
    assert told == []


def test_names_are_cut_short_and_printed_in_one_line(page):
    names = [{"name": f"{number}\x1b[31m\n" + "x" * 500} for number in range(20)]
    page.answer = (200, json.dumps({"status": {"indicator": "minor"}, "incidents": names}).encode())
    watch, told = watching(page)
    watch.ask()
    (seen,) = told
    assert len(seen.incidents) == 5
    assert all(name.isprintable() and len(name) <= 120 for name in seen.incidents)


def test_it_keeps_nothing_alive(page):
    watch, _ = watching(page, every=0.01)
    watch(STARTED)
    assert page.asked.acquire(timeout=10)
    gone = weakref.ref(watch)
    del watch
    until(lambda: gc.collect() is not None and gone() is None)
    until(lambda: not askers())
