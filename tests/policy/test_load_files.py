"""Reading a policy file: nothing that is named as one can hang the program, fill its memory or end in a traceback."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from types import SimpleNamespace

import pytest

from failover.errors import PolicyError
from failover.policy import files, load_policy, parse_policy

HEAD = "version: 1\nname: x\n"


def _fails(path) -> str:
    with pytest.raises(PolicyError) as caught:
        load_policy(path)
    (problem,) = caught.value.problems
    assert problem.startswith(files.printable(os.fsdecode(path)))
    return problem


@pytest.mark.parametrize("kind", [str, Path])
def test_a_policy_is_read_from_a_file(tmp_path, kind):
    path = tmp_path / "p.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + HEAD.encode())
    assert load_policy(kind(path)) == parse_policy(HEAD)


def test_the_errors_of_a_file_begin_with_its_name(tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text(HEAD + "x: 1\n")
    assert _fails(path).startswith(f"{path}:3:1: x: unknown key")


def test_a_missing_file_is_told_with_files_of_a_like_name(tmp_path):
    (tmp_path / "default.yaml").touch()
    (tmp_path / "unlike").touch()
    assert _fails(tmp_path / "defualt.yaml").endswith(f"there is no such file; near it: {tmp_path / 'default.yaml'}")
    assert _fails(tmp_path / "zzzzz").endswith("there is no such file")


def test_a_missing_folder_is_told(tmp_path):
    assert _fails(tmp_path / "no" / "p.yaml").endswith(f"there is no such file, and no folder {tmp_path / 'no'}")


def test_a_folder_is_no_policy(tmp_path):
    assert "this is a folder" in _fails(tmp_path)


def test_a_path_through_a_file_is_told(tmp_path):
    (tmp_path / "p.yaml").touch()
    assert "Not a directory" in _fails(tmp_path / "p.yaml" / "q.yaml")


def test_a_pipe_and_a_device_are_refused_unread(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert "this is a pipe, a socket or a device" in _fails(tmp_path / "pipe")
    assert "this is a pipe, a socket or a device" in _fails("/dev/zero")


def test_a_huge_file_is_refused_by_its_size_unread(tmp_path, monkeypatch):
    path = tmp_path / "p.yaml"
    with path.open("wb") as file:
        file.truncate(50_000_000)
    monkeypatch.setattr(Path, "open", lambda *_: pytest.fail("was read"))
    assert "larger than 1,048,576 bytes" in _fails(path)


def test_a_file_that_hides_its_size_is_read_to_the_limit_only(tmp_path, monkeypatch):
    path = tmp_path / "p.yaml"
    path.write_bytes(b"#" * (files.MAX_BYTES + 2))
    monkeypatch.setattr(Path, "stat", lambda _: SimpleNamespace(st_mode=stat.S_IFREG, st_size=0))
    assert "larger than 1,048,576 bytes" in _fails(path)


def test_a_file_of_the_largest_size_is_read(tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text(HEAD + "#" * (files.MAX_BYTES - len(HEAD)))
    assert load_policy(path).name == "x"


def test_a_missing_permission_is_told(tmp_path, monkeypatch):
    path = tmp_path / "p.yaml"
    path.write_text(HEAD)

    def refuse(*_):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)
    assert _fails(path).endswith("permission to read this file is missing")


@pytest.mark.parametrize("name", ["a\0b", "a" * 5_000, "a\nb", "a\udc80b"])
def test_a_name_that_no_file_can_have_is_told_on_one_line(name):
    assert "\n" not in _fails(name)
    _fails(name).encode()


def test_a_byte_that_is_not_utf8_is_told_with_its_place(tmp_path):
    path = tmp_path / "p.yaml"
    path.write_bytes("name: é\nx: é".encode() + b"\xff")
    assert _fails(path).endswith(":2:5: byte 14 (0xff) is not UTF-8: save the file as UTF-8")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_another_encoding_is_named(tmp_path, encoding):
    path = tmp_path / "p.yaml"
    path.write_bytes(HEAD.encode(encoding))
    assert _fails(path).endswith(f"this is {encoding.upper()}: save the file as UTF-8")
