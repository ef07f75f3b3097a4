"""`failover tail`: each entry once, as it comes, whatever becomes of the file."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import threading

import pytest
from cli_lab import command, environment, run
from report_lab import EVENING, attempt, moved, write_journal

from failover.cli.tail import follow
from failover.journal import JournalError
from failover.journal.entry import Entry
from failover.report.line import line

T = EVENING


class Over(Exception):
    """The story has been told."""


def followed(path, *steps, since=None) -> tuple[list[str], list[str]]:
    """What is shown and told while these steps are taken, one between two looks."""
    left = [*steps, None, None]
    shown, told = [], []

    def pause():
        step = left.pop(0)
        if not left:
            raise Over
        if step is not None:
            step()

    with pytest.raises(Over):
        follow(path, since, show=lambda one: shown.append(one.text), tell=told.append, pause=pause)
    return shown, told


def texts(entries) -> list[str]:
    return [line(entry).text for entry in entries]


def some(count, start=0, **changes) -> list[Entry]:
    return [attempt(T + start + n, number=start + n, **changes) for n in range(count)]


def test_each_entry_is_shown_once_as_it_comes(tmp_path):
    file = write_journal(tmp_path / "j.db", some(3))
    shown, told = followed(
        file,
        lambda: write_journal(file, some(2, 3)),
        lambda: None,
        lambda: write_journal(file, some(1, 5)),
    )
    assert shown == texts(some(6))
    assert told == []


def test_at_first_the_last_ten_are_shown(tmp_path):
    file = write_journal(tmp_path / "j.db", some(25))
    shown, _ = followed(file, lambda: write_journal(file, some(20, 25)))
    assert shown == texts(some(30, 15))


def test_or_those_since_a_moment(tmp_path):
    file = write_journal(tmp_path / "j.db", some(25))
    shown, _ = followed(file, lambda: write_journal(file, some(1, 25)), since=T + 5)
    assert shown == texts(some(21, 5))


def test_a_clock_that_was_set_back_hides_nothing(tmp_path):
    file = write_journal(tmp_path / "j.db", some(2, 1000))
    shown, _ = followed(file, lambda: write_journal(file, some(2, 0)), since=T + 1000)
    assert shown == texts(some(2, 1000) + some(2, 0))


def test_a_file_that_is_not_there_yet_is_waited_for(tmp_path):
    file = tmp_path / "j.db"
    shown, told = followed(file, lambda: None, lambda: write_journal(file, some(12)))
    assert shown == texts(some(12))
    assert told == [f"{file} is not there yet: waiting for it"]


def test_one_that_is_made_and_empty_is_waited_for(tmp_path):
    file = tmp_path / "j.db"
    file.touch()
    shown, told = followed(file, lambda: write_journal(file, some(2)))
    assert shown == texts(some(2))
    assert told == []


def test_one_that_is_deleted_and_made_anew_is_followed_on(tmp_path):
    file = write_journal(tmp_path / "j.db", some(3))
    shown, told = followed(file, file.unlink, lambda: None, lambda: write_journal(file, some(3, 50)))
    assert shown == texts(some(3) + some(3, 50))
    assert told == [f"{file} is gone: waiting for a new one"]


@pytest.mark.parametrize("count", [1, 3, 9])
def test_one_that_is_replaced_between_two_looks_is_followed_on(tmp_path, count):
    """However many entries the new one has, and although their numbers are the same."""
    file = write_journal(tmp_path / "j.db", some(3))
    other = write_journal(tmp_path / "other.db", some(count, 50))
    shown, told = followed(file, lambda: other.rename(file))
    assert shown == texts(some(3) + some(count, 50))
    assert told == []


def delete(file, condition) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute(f"DELETE FROM entries WHERE {condition}")
    connection.close()


def test_pruning_hides_nothing_and_repeats_nothing(tmp_path):
    file = write_journal(tmp_path / "j.db", some(6))
    shown, _ = followed(
        file,
        lambda: delete(file, "id < 4"),
        lambda: write_journal(file, some(2, 6)),
        lambda: delete(file, "true"),
        lambda: None,
        lambda: write_journal(file, some(3, 8)),
    )
    assert shown == texts(some(11))


def test_pruning_all_at_once_with_new_entries_hides_none(tmp_path):
    file = write_journal(tmp_path / "j.db", some(6))

    def prune_and_write():
        delete(file, "true")
        write_journal(file, some(9, 6))

    assert followed(file, prune_and_write)[0] == texts(some(15))


def test_what_is_no_journal_from_the_start_is_an_error(tmp_path):
    (tmp_path / "j.db").write_text("no journal\n" * 100)
    with pytest.raises(JournalError):
        followed(tmp_path / "j.db")


def test_what_becomes_no_journal_is_told_once_and_tried_again(tmp_path):
    file = write_journal(tmp_path / "j.db", some(3))
    shown, told = followed(
        file,
        lambda: file.write_text("no journal\n" * 100),
        lambda: None,
        lambda: (file.unlink(), write_journal(file, some(2, 7))),
    )
    assert shown == texts(some(3) + some(2, 7))
    assert told == [f"{file}: it is no SQLite database, and was left as it is; name another file; trying again"]


# --- the command -------------------------------------------------------------------------------------------------


def test_it_follows_a_file_while_it_is_written_until_ctrl_c(tmp_path):
    file = tmp_path / "j.db"
    with subprocess.Popen(
        command("tail", str(file)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    ) as tail:
        watchdog = threading.Timer(60, tail.kill)
        watchdog.start()
        assert tail.stderr.readline() == f"failover: {file} is not there yet: waiting for it\n"
        for n in range(3):
            write_journal(file, some(1, n))
            assert tail.stdout.readline() == f"{line(some(1, n)[0])}\n"
        tail.send_signal(signal.SIGINT)
        output, errors = tail.communicate(timeout=30)
        watchdog.cancel()
    assert (tail.returncode, output, errors) == (130, "", "")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--since", "yesterday", "j.db"], "--since 'yesterday' is no moment"),
        (["nosuch-folder/j.db"], "its folder does not exist"),
        (["."], "it is a directory"),
        ([], "JOURNAL"),
    ],
)
def test_wrong_use_is_one_sentence_and_exit_code_2(arguments, words):
    ran = run("tail", *arguments)
    assert ran.returncode == 2
    assert words in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_reader_that_goes_away_is_met_with_silence(tmp_path):
    file = write_journal(tmp_path / "j.db", some(3))
    with subprocess.Popen(
        command("tail", str(file)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    ) as tail:
        watchdog = threading.Timer(60, tail.kill)
        watchdog.start()
        tail.stdout.readline()
        tail.stdout.close()
        tail.stdout = None
        write_journal(file, some(2000, 3))
        _, errors = tail.communicate(timeout=30)
        watchdog.cancel()
    assert (tail.returncode, errors) == (1, "")


def test_on_a_terminal_lines_are_coloured_and_never_broken(monkeypatch, tmp_path):
    pty = pytest.importorskip("pty")
    import os  # noqa: PLC0415

    file = write_journal(tmp_path / "j.db", [moved(T, "open", "closed", circuit="m" * 200)])
    leader, follower = pty.openpty()
    with subprocess.Popen(
        command("tail", str(file)), stdout=follower, stderr=subprocess.PIPE, env=environment(COLUMNS="60")
    ) as tail:
        os.close(follower)
        watchdog = threading.Timer(60, tail.kill)
        watchdog.start()
        seen = b""
        while b"[p]" not in seen:
            seen += os.read(leader, 4096)
        tail.send_signal(signal.SIGINT)
        assert tail.wait(30) == 130
        watchdog.cancel()
    os.close(leader)
    assert b"m" * 200 in seen
    assert b"\x1b[1;31m" in seen


def test_help_says_what_it_does():
    ran = run("tail", "--help")
    assert "until Ctrl-C" in ran.stdout
