"""Reading a file, whatever kind it is: nothing that is named as one can hang the program, fill its memory or end in
a traceback.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import pytest

from failover.document import files
from failover.errors import PolicyError
from failover.policy import load_policy, parse_policy
from failover.testing import ScenarioError, load_scenario, parse_scenario


class Reader(NamedTuple):
    noun: str
    head: str
    load: object
    parse: object
    error: type

    def fails(self, path) -> str:
        with pytest.raises(self.error) as caught:
            self.load(path)
        (problem,) = caught.value.problems
        assert str(caught.value) == problem
        assert problem.startswith(files.printable(os.fsdecode(path)))
        return problem


READERS = (
    Reader("policy", "version: 1\nname: x\n", load_policy, parse_policy, PolicyError),
    Reader("scenario", "seed: 1\nname: x\n", load_scenario, parse_scenario, ScenarioError),
)


@pytest.fixture(params=READERS, ids=lambda reader: reader.noun)
def reader(request):
    return request.param


@pytest.mark.parametrize("spelled", [str, Path])
def test_a_document_is_read_from_a_file(reader, tmp_path, spelled):
    path = tmp_path / "p.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + reader.head.encode())
    assert reader.load(spelled(path)) == reader.parse(reader.head)


def test_the_errors_of_a_file_begin_with_its_name(reader, tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text(reader.head + "x: 1\n")
    assert reader.fails(path).startswith(f"{path}:3:1: x: unknown key")


def test_a_missing_file_is_told_with_files_of_a_like_name(reader, tmp_path):
    (tmp_path / "default.yaml").touch()
    (tmp_path / "unlike").touch()
    assert reader.fails(tmp_path / "defualt.yaml").endswith(
        f"there is no such file; near it: {tmp_path / 'default.yaml'}"
    )
    assert reader.fails(tmp_path / "zzzzz").endswith("there is no such file")


def test_a_missing_folder_is_told(reader, tmp_path):
    assert reader.fails(tmp_path / "no" / "p.yaml").endswith(f"there is no such file, and no folder {tmp_path / 'no'}")


def test_a_folder_is_no_document(reader, tmp_path):
    assert f"this is a folder: name a {reader.noun} file in it" in reader.fails(tmp_path)


def test_a_path_through_a_file_is_told(reader, tmp_path):
    (tmp_path / "p.yaml").touch()
    assert "Not a directory" in reader.fails(tmp_path / "p.yaml" / "q.yaml")


def test_a_pipe_and_a_device_are_refused_unread(reader, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert "this is a pipe, a socket or a device" in reader.fails(tmp_path / "pipe")
    assert "this is a pipe, a socket or a device" in reader.fails("/dev/zero")


def test_a_huge_file_is_refused_by_its_size_unread(reader, tmp_path, monkeypatch):
    path = tmp_path / "p.yaml"
    with path.open("wb") as file:
        file.truncate(50_000_000)
    monkeypatch.setattr(Path, "open", lambda *_: pytest.fail("was read"))
    assert f"larger than 1,048,576 bytes, and no {reader.noun} is" in reader.fails(path)


def test_a_file_that_hides_its_size_is_read_to_the_limit_only(reader, tmp_path, monkeypatch):
    path = tmp_path / "p.yaml"
    path.write_bytes(b"#" * (files.MAX_BYTES + 2))
    monkeypatch.setattr(Path, "stat", lambda _: SimpleNamespace(st_mode=stat.S_IFREG, st_size=0))
    assert f"larger than 1,048,576 bytes, and no {reader.noun} is" in reader.fails(path)


def test_a_file_of_the_largest_size_is_read(reader, tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text(reader.head + "#" * (files.MAX_BYTES - len(reader.head)))
    assert reader.load(path).name == "x"


def test_a_missing_permission_is_told(reader, tmp_path, monkeypatch):
    path = tmp_path / "p.yaml"
    path.write_text(reader.head)

    def refuse(*_):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)
    assert reader.fails(path).endswith("permission to read this file is missing")


@pytest.mark.parametrize("name", ["a\0b", "a" * 5_000, "a\rb", "a\udc80b"])
def test_a_name_that_no_file_can_have_is_told_on_one_line(reader, name):
    assert "\n" not in reader.fails(name)
    reader.fails(name).encode()


def test_an_empty_path_is_told(reader):
    assert reader.fails("") == f"the path is empty: name a {reader.noun} file"


def test_yaml_text_in_place_of_a_path_is_told_where_it_belongs(reader):
    with pytest.raises(reader.error) as caught:
        reader.load(reader.head * 1_000)
    (problem,) = caught.value.problems
    assert problem.endswith(f"is no path but YAML text: use `parse_{reader.noun}(text)`")
    assert len(problem) < 150


def test_a_byte_that_is_not_utf8_is_told_with_its_place(reader, tmp_path):
    path = tmp_path / "p.yaml"
    path.write_bytes("name: é\nx: é".encode() + b"\xff")
    assert reader.fails(path).endswith(":2:5: byte 14 (0xff) is not UTF-8: save the file as UTF-8")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_another_encoding_is_named(reader, tmp_path, encoding):
    path = tmp_path / "p.yaml"
    path.write_bytes(reader.head.encode(encoding))
    assert reader.fails(path).endswith(f"this is {encoding.upper()}: save the file as UTF-8")
