"""What is written is read back as the same, and a file is never half written."""

from __future__ import annotations

import os
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import RootModel

from failover.document import Kind, load_placed, parse_document, replace_file, written
from failover.errors import PolicyError

ANYTHING = Kind("thing", example="something", model=RootModel[dict], error=PolicyError)

TEXT = st.text(
    st.characters(categories=["L", "N", "P", "S", "Zs"], exclude_characters="\u2028\u2029\ufeff"), max_size=40
)
SCALARS = TEXT | st.integers(-(10**12), 10**12) | st.booleans() | st.none()
KEYS = TEXT.filter(lambda text: text != "")
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3))


def read(text):
    return parse_document(text, "x", ANYTHING).root


@given(st.dictionaries(KEYS, VALUES, min_size=1, max_size=4))
def test_whatever_is_written_is_read_as_the_same(value):
    assert read(written(value)) == value


@pytest.mark.parametrize(
    "text",
    [
        *(
            "off",
            "yes",
            "null",
            "~",
            "",
            "1e3",
            "0o17",
            "0x1f",
            "1_000",
            "010",
            "2026-09-22",
            ".5",
            ".inf",
            ".NaN",
            "12",
        ),
        *("*", "&a", "!t", "- a", "a: b", "# x", " a ", "a\nb", "9" * 400, "<<", "=", "1:30", "'", '"', "200k"),
    ],
)
def test_text_that_looks_like_something_else_stays_text(text):
    assert read(written({"a": text, "b": [text]})) == {"a": text, "b": [text]}


def test_a_value_that_stands_twice_is_written_twice():
    shared = {"url": "https://example.com", "read": "2026-11-22"}
    assert read(written({"a": shared, "b": shared})) == {"a": shared, "b": shared}


def test_the_keys_keep_their_order():
    assert list(read(written({"b": 1, "a": 2}))) == ["b", "a"]


def test_a_file_is_replaced_and_keeps_its_permissions(tmp_path):
    file = tmp_path / "x.yaml"
    file.write_text("old")
    file.chmod(0o640)
    replace_file(file, "new: ü\n")
    assert file.read_bytes() == "new: ü\n".encode()
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert list(tmp_path.iterdir()) == [file]


def test_a_new_file_has_the_usual_permissions(tmp_path):
    usual = tmp_path / "usual"
    usual.touch()
    replace_file(tmp_path / "x.yaml", "a: 1\n")
    assert (tmp_path / "x.yaml").stat().st_mode == usual.stat().st_mode


def test_a_link_stays_a_link(tmp_path):
    file, link = tmp_path / "x.yaml", tmp_path / "link.yaml"
    file.write_text("old")
    link.symlink_to(file)
    replace_file(link, "new")
    assert link.is_symlink()
    assert file.read_text() == "new"


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failure_leaves_the_file_as_it_was(tmp_path, monkeypatch, step):
    file = tmp_path / "x.yaml"
    file.write_text("old")

    def fail(*_):
        raise OSError("no space")

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match="no space"):
        replace_file(file, "new")
    monkeypatch.undo()
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("path", "place"),
    [
        (("a", "b"), "2:6: a.b"),
        (("c", 1), "3:8: c[1]"),
        (("c", 1, "model"), "3:8: c[1]"),
        (("nosuch",), "1:1"),
        ((), "1:1"),
    ],
)
def test_a_remark_on_a_value_has_its_place(tmp_path, path, place):
    file = tmp_path / "x.yaml"
    file.write_text("a:\n  b: 1\nc: [x, y]\n")
    placed = load_placed(file, ANYTHING)
    assert placed.value.root == {"a": {"b": 1}, "c": ["x", "y"]}
    assert placed.line(path, "a remark") == f"{file}:{place}: a remark"
