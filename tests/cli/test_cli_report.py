"""`failover report`: formats, moments, files, and one sentence for whatever is wrong."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cli_lab import command, environment, run, run_python
from report_lab import EVENING, HOUR, OLDER, OPUS, attempt, call, incident, moved, one_night, served, write_journal

from failover.cli import moments
from failover.errors import FailoverError

GOLDEN = Path(__file__).parent.parent / "report" / "one_night.md"


@pytest.fixture
def journal(tmp_path):
    return str(write_journal(tmp_path / "night.db", one_night()))


def test_it_prints_markdown(cli, journal):
    ran = cli("report", journal)
    assert ran.returncode == 0
    assert ran.stdout.startswith("# What happened\n\n1 platform incident and 1 outage of one circuit: ")
    assert ran.stderr == ""


def test_it_prints_json(cli, journal):
    ran = cli("report", journal, "--format", "json")
    told = json.loads(ran.stdout)
    assert (told["version"], len(told["incidents"]), told["total"]["attempts"]) == (1, 1, 15)


def test_it_writes_a_page(cli, journal, tmp_path):
    output = tmp_path / "night.html"
    ran = cli("report", journal, "--format", "html", "--output", str(output))
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    assert output.read_text().startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("name", "options", "beginning"),
    [
        ("a.html", [], "<!doctype html>"),
        ("a.HTM", [], "<!doctype html>"),
        ("a.json", [], "{"),
        ("a.md", [], "# What happened"),
        ("a.txt", [], "# What happened"),
        ("a.html", ["--format", "md"], "# What happened"),
    ],
)
def test_the_name_of_the_file_says_how_it_is_written_unless_an_option_does(cli, journal, name, options, beginning):
    output = Path(journal).with_name(name)
    assert cli("report", journal, "--output", str(output), *options).returncode == 0
    assert output.read_text().startswith(beginning)


@pytest.mark.parametrize(
    ("options", "incidents", "outages"),
    [
        ([], 1, 2),
        (["--since", "2026-11-22T01:00Z"], 1, 1),
        (["--since", "2026-11-22"], 1, 1),
        (["--until", "2026-11-22T01:00Z"], 0, 1),
        (["--since", "2026-11-21T23:45", "--until", "2026-11-22 02:45+01:00"], 0, 0),
        (["--since", "2026-11-22T05:00+03:00"], 1, 1),
    ],
)
def test_only_the_time_that_was_asked_for_is_told(cli, journal, options, incidents, outages):
    told = json.loads(cli("report", journal, "--format", "json", *options).stdout)
    assert (len(told["incidents"]), len(told["outages"])) == (incidents, outages)


def test_a_time_in_which_nothing_happened_is_told_as_such(cli, journal):
    ran = cli("report", journal, "--since", "2026-11-22T05:00Z", "--until", "2026-11-22T06:00Z")
    assert "\nNothing went wrong; 20 requests were answered.\n" in ran.stdout
    ran = cli("report", journal, "--since", "2026-11-23", "--until", "2026-11-24")
    assert "\nNothing is in the journal between 2026-11-23 00:00:00 and 2026-11-24 00:00:00 UTC.\n" in ran.stdout


NOW = EVENING + 10 * HOUR


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("24h", NOW - 24 * HOUR),
        (" 90m ", NOW - 1.5 * HOUR),
        ("0.5d", NOW - 12 * HOUR),
        ("0s", NOW),
        ("2026-11-21T22:00Z", EVENING),
        ("2026-11-21T22:00:00z", EVENING),
        ("2026-11-21 22:00", EVENING),
        ("2026-11-21T23:00+01:00", EVENING),
        ("2026-11-21", EVENING - 22 * HOUR),
    ],
)
def test_a_moment_is_how_long_ago_or_a_time_in_utc(text, at):
    assert moments.moment("--since", text, NOW) == at


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("yesterday", "--since 'yesterday' is no moment: write how long ago (90m, 24h, 7d) or a time in UTC"),
        ("", "is no moment"),
        ("24", "is no moment"),
        ("-24h", "is no moment"),
        ("22:00", "is no moment"),
        ("2026-13-01", "is no moment"),
        ("0001-01-01", "is no moment"),
        ("9999-12-31T23:59-23:00", "is no moment"),
        ("999d", "--since: '999d' is too long: a duration is at most 365d"),
        ("1.2.3h", "is not a duration"),
    ],
)
def test_what_is_no_moment_is_one_sentence(text, words):
    with pytest.raises(FailoverError) as raised:
        moments.moment("--since", text, NOW)
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--since", "yesterday"], "--since 'yesterday' is no moment"),
        (["--until", "soon"], "--until 'soon' is no moment"),
        (["--since", "2026-11-22", "--until", "2026-11-21"], "--since 2026-11-22 is not before --until 2026-11-21"),
        (["--since", "1h", "--until", "1h"], "there is no time between them"),
        (["--output", "{journal}"], "is the journal itself: name another file"),
        (["--output", "{folder}"], "cannot be written: Is a directory"),
        (["--output", "{folder}/nosuch/report.md"], "cannot be written: No such file or directory"),
        (["--format", "pdf"], "'pdf' is not one of"),
    ],
)
def test_wrong_use_is_one_sentence_and_exit_code_2(cli, journal, tmp_path, options, words):
    before = tmp_path.joinpath("night.db").read_bytes()
    ran = cli("report", journal, *(option.format(journal=journal, folder=tmp_path) for option in options))
    assert ran.returncode == 2
    assert words in ran.stderr
    assert "Traceback" not in ran.stderr
    assert ran.stdout == ""
    assert tmp_path.joinpath("night.db").read_bytes() == before


def test_a_file_that_is_no_journal_is_one_sentence(cli, tmp_path):
    (tmp_path / "text.db").write_text("no journal at all\n" * 100)
    with sqlite3.connect(tmp_path / "other.db") as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    for name, words in (
        ("nosuch.db", "there is no such file"),
        ("text.db", "it is no SQLite database"),
        ("other.db", "it is the database of another program"),
        (".", "it is a directory"),
    ):
        ran = cli("report", str(tmp_path / name))
        assert ran.returncode == 2
        (line,) = ran.stderr.splitlines()
        assert line.startswith("failover: ")
        assert words in line


def test_a_journal_that_was_just_made_is_an_empty_one(cli, tmp_path):
    empty = write_journal(tmp_path / "empty.db", [])
    for options in ([], ["--format", "json"], ["--format", "html"]):
        ran = cli("report", str(empty), *options)
        assert ran.returncode == 0
        assert "Nothing is in the journal." in ran.stdout


def test_a_page_is_not_for_a_terminal(cli, journal, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    ran = cli("report", journal, "--format", "html")
    assert ran.returncode == 2
    assert "add --output report.html" in ran.stderr


def test_a_terminal_that_can_show_little_gets_what_it_can_show(tmp_path):
    file = write_journal(tmp_path / "j.db", [attempt(EVENING, "modèle")])
    ran = run("report", str(file), PYTHONIOENCODING="ascii")
    assert ran.returncode == 0
    assert r"mod\xe8le" in ran.stdout


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kolkata", "UTC"])
def test_where_on_earth_it_is_run_makes_no_difference(journal, zone):
    ran = run("report", journal, "--since", "2026-11-21T22:00", TZ=zone)
    assert ran.stdout == GOLDEN.read_text()


@pytest.mark.parametrize("module", ["matplotlib", "jinja2"])
def test_a_missing_extra_is_one_line_and_markdown_needs_none(journal, module):
    code = (
        f"import sys; sys.modules[{module!r}] = None; sys.argv[0] = 'failover'; from failover.cli import main; main()"
    )
    ran = run_python(code, "report", journal, "--format", "html")
    assert (ran.returncode, ran.stdout) == (2, "")
    (line,) = ran.stderr.splitlines()
    assert line.endswith("pip install 'anthropic-failover[report]'")
    assert run_python(code, "report", journal).stdout == GOLDEN.read_text()


@pytest.fixture(scope="module")
def hundred_thousand(tmp_path_factory):
    """Rows of a day in which a circuit opened 5,000 times."""
    entries = []
    for n in range(5_000):
        at = EVENING + n * 17.0
        entries += [
            *(attempt(at + k, call=10 * n + k, trace_id=f"{n:032x}") for k in range(8)),
            moved(at + 8, "open", "closed", count=8),
            *(
                call(at + k, "fallback", call=10 * n + k, count=2, detail={"served": OLDER, "skipped": [OPUS]})
                for k in range(8)
            ),
            moved(at + 12, "half_open", "open"),
            moved(at + 14, "closed", "half_open"),
            served(at, 40, OLDER),
        ]
    return write_journal(tmp_path_factory.mktemp("big") / "big.db", entries), len(entries)


@pytest.mark.parametrize("form", ["md", "json", "html"])
def test_a_hundred_thousand_rows_are_reported_in_a_moment(hundred_thousand, tmp_path, form):
    """Beyond the time that any command takes to start. The limit is a wide one: tests share their machine."""
    file, rows = hundred_thousand
    assert rows == 100_000
    seconds = []
    for arguments in (["--version"], ["report", str(file), "--format", form, "--output", str(tmp_path / "out")]):
        began = time.monotonic()
        subprocess.run(command(*arguments), check=True, capture_output=True, env=environment())
        seconds.append(time.monotonic() - began)
    assert seconds[1] - seconds[0] < 6
    written = (tmp_path / "out").read_text()
    assert len(written) < 12_000_000
    assert "40,000" in written or '"attempts": 40000' in written


def test_an_incident_that_began_before_the_period_and_goes_on_is_told(cli, tmp_path):
    """`--since 1h`, two hours after it began: nothing was sent, so nothing opened or failed within that hour."""
    began, now = EVENING, EVENING + 2 * HOUR
    kept_back = [call(began + 60.0 * minute, "refused", detail={"skipped": [OPUS]}) for minute in range(1, 120)]
    entries = [moved(began - 1, "open", "closed"), incident(began, "started", reason="models"), *kept_back]
    journal = write_journal(tmp_path / "night.db", entries)
    hour = [f"--since={moment_of(now - HOUR)}", f"--until={moment_of(now)}"]
    told = json.loads(cli("report", str(journal), *hour, "--format", "json").stdout)
    (found,) = told["incidents"]
    assert (found["began"], found["ended"], found["ending"]) == (moment_of(began), None, "going_on")
    assert found["cost"]["lost"] == told["total"]["lost"] == 60


def moment_of(at):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
