"""The page in a real browser: what it shows is really visible, and it asks nobody for anything.

Runs wherever a Chromium is on the path (Debian: `apt-get install chromium`) and says so where none is.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from night_story import night
from report_lab import EVENING, HOUR, OLDER, OPUS, attempt, in_order, moved, outage
from test_report_html import EVIL, Seen, page

from failover.report.svg import COLOURS

pytestmark = pytest.mark.browser

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"),
    *("--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-features=OptimizationHints,MediaRouter", "--enable-logging=stderr", "--force-device-scale-factor=1"),
)
DARK = ("--blink-settings=preferredColorScheme=0",)
DARK_COLOURS = {"page": "#151b23", "answer": "#4aa8e0", "open": "#e0582a", "half": "#f0c04a"}
LEAST = 400
"""Pixels of exactly one colour: fewer could be a square of the legend."""


class Shown(NamedTuple):
    """What a browser made of a page."""

    dom: str
    complaints: list[str]
    """Lines of its console."""
    asked: list[bytes]
    """What it wanted to fetch, by the first line of each request."""


class Browser:
    """A Chromium that can reach nothing but a proxy which writes down what it is asked for."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program = program
        self._folder = folder
        self._asked: list[bytes] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._write_down, daemon=True).start()

    def close(self) -> None:
        self._server.close()

    def show(self, text: str, *flags: str) -> Shown:
        ran = self._run(text, "--dump-dom", *flags)
        complaints = [line for line in ran.stderr.splitlines() if "CONSOLE" in line]
        return Shown(ran.stdout, complaints, [line for line in self._asked if b"failover-report" in line])

    def look(self, text: str, *flags: str, width: int = 1240, height: int = 1400):
        """The pixels, as rows of columns of three numbers from 0 to 255."""
        from matplotlib.image import imread  # noqa: PLC0415 - slow, and only this needs it

        picture = self._folder / "picture.png"
        self._run(text, f"--screenshot={picture}", f"--window-size={width},{height}", *flags)
        return (imread(picture)[:, :, :3] * 255).round().astype(int)

    def _run(self, text: str, *flags: str) -> subprocess.CompletedProcess[str]:
        file = self._folder / "page.html"
        file.write_text(text)
        address = "{}:{}".format(*self._server.getsockname())
        return subprocess.run(
            [
                *(self._program, *FLAGS, f"--user-data-dir={self._folder / 'profile'}"),
                *(f"--proxy-server=http://{address}", "--proxy-bypass-list=<-loopback>", *flags, file.as_uri()),
            ],
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )

    def _write_down(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return  # closed
            with connection:
                connection.settimeout(10)
                try:
                    self._asked.append(connection.recv(4096).partition(b"\r\n")[0])
                    connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                except OSError:
                    continue


@pytest.fixture(scope="module")
def browser(tmp_path_factory) -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip(f"no browser on the path: none of {', '.join(NAMES)}")
    browser = Browser(program, tmp_path_factory.mktemp("browser"))
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def a_night() -> str:
    """With an hour in which a circuit is half open."""
    one = {"process": "web-1:4000", "circuit": OLDER}
    late = EVENING + 6 * HOUR
    slow = [
        moved(late, "open", "closed", **one),
        moved(late + 60, "half_open", "open", **one),
        moved(late + HOUR, "closed", "half_open", **one),
    ]
    return page(in_order([*night(), *slow]))


def pixels(picture, colour: str) -> int:
    """How many are of exactly this colour."""
    red, green, blue = (int(colour[index : index + 2], 16) for index in (1, 3, 5))
    return int(((picture[:, :, 0] == red) & (picture[:, :, 1] == green) & (picture[:, :, 2] == blue)).sum())


def test_the_timeline_is_in_the_page_and_nobody_is_asked_for_anything(browser, a_night):
    shown = browser.show(a_night)
    assert shown.complaints == []
    assert shown.asked == []
    seen = Seen(shown.dom)
    assert seen.tags.count("svg") == 1
    assert {"claude-opus-5-5", "claude-sonnet-5-5", "outage 1", "incident 1"} <= set(
        map(str.strip, seen.text.split("\n"))
    )


def test_all_kinds_of_bars_and_bands_are_visible(browser, a_night):
    picture = browser.look(a_night)
    found = {name: pixels(picture, COLOURS[name]) for name in ("answer", "failure", "open", "half", "closed", "page")}
    assert {name: number for name, number in found.items() if number < LEAST} == {}
    assert found["answer"] > found["failure"]


def test_what_is_not_in_a_journal_is_not_in_its_picture(browser):
    """But for the legend, whose squares are small."""
    quiet = browser.look(page([attempt(EVENING)]))
    stormy = browser.look(page([attempt(EVENING), *outage(EVENING, EVENING + 60)]))
    assert pixels(quiet, COLOURS["open"]) < LEAST < pixels(stormy, COLOURS["open"])


def test_in_the_dark_the_page_is_dark_and_the_bands_are_bright(browser, a_night):
    picture = browser.look(a_night, *DARK)
    assert {name for name, colour in DARK_COLOURS.items() if pixels(picture, colour) < LEAST} == set()
    assert pixels(picture, COLOURS["page"]) < LEAST


def test_on_a_narrow_screen_nothing_is_wider_than_the_screen_but_the_timeline_in_its_box(browser, a_night):
    picture = browser.look(a_night, width=500, height=2000)
    assert pixels(picture, COLOURS["answer"]) > LEAST
    assert (picture[:, -2] == picture[0, -2]).all()  # the margin is empty from top to bottom


def test_names_that_are_html_do_nothing(browser):
    evil = EVIL.replace("src=x", "src=http://failover-report.invalid/")
    shown = browser.show(page([attempt(EVENING, evil), *outage(EVENING, EVENING + 60, evil)]))
    assert shown.complaints == []
    assert shown.asked == []
    assert set(Seen(shown.dom).tags) == set(Seen(page([attempt(EVENING), *outage(EVENING, EVENING + 60)])).tags)
    assert OPUS not in shown.dom


def test_this_browser_would_tell_of_a_request_and_of_an_error(browser):
    text = "<img src='http://failover-report.invalid/x.png'><script>console.error('noticed')</script>"
    shown = browser.show(f"<!doctype html><body>{text}")
    assert len(shown.asked) == 1
    assert any("noticed" in line for line in shown.complaints)


def test_even_if_something_were_in_the_page_its_own_policy_would_stop_it(browser, a_night):
    before = len(browser.show("<!doctype html>").asked)
    image = "<img src='http://failover-report.invalid/y.png'><script>document.title = 'ran'</script>"
    shown = browser.show(a_night.replace("<header>", f"<header>{image}"))
    assert len(shown.asked) == before
    assert "<title>ran" not in shown.dom
    assert any("Content Security Policy" in line for line in shown.complaints)
