"""A file's text, or one sentence about why there is none.

Nothing that is named as a file of ours can hang the program or fill its memory: not a pipe, not a device, not a huge file.
"""

from __future__ import annotations

import codecs
import contextlib
import difflib
import itertools
import os
import stat
from pathlib import Path
from typing import Any

from .kind import Kind
from .words import shown

__all__ = ["MAX_BYTES", "printable", "read_text"]

MAX_BYTES = 1024 * 1024
"""The size of the largest file that is read; a long one written by hand has about ten thousand bytes."""

_FOLDER_ENTRIES = 1000
_OTHER_ENCODINGS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


def read_text(path: str, kind: Kind[Any]) -> str:
    """The text of a file.

    Raises:
        Exception: `kind.error`: it cannot be read, is no regular file, is larger than `MAX_BYTES`, or is not UTF-8.
    """
    if not path:
        raise kind.error((f"the path is empty: name a {kind.noun} file",))
    if "\n" in path:
        raise kind.error((f"{shown(path)} is no path but YAML text: use `parse_{kind.noun}(text)`",))
    content = _content(path, kind)
    encoding = next((name for mark, name in _OTHER_ENCODINGS.items() if content.startswith(mark)), None)
    if encoding is not None:
        raise _unusable(kind, path, f"this is {encoding}: save the file as UTF-8")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8").splitlines() or [""]
        raise _unusable(
            kind,
            path,
            f"byte {error.start} (0x{content[error.start]:02x}) is not UTF-8: save the file as UTF-8",
            f":{len(before)}:{len(before[-1]) + 1}",
        ) from None


def printable(name: str) -> str:
    """A file name on one line, whatever is in it."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in name)


def _content(path: str, kind: Kind[Any]) -> bytes:
    try:
        status = Path(path).stat()
        if stat.S_ISDIR(status.st_mode):
            raise _unusable(kind, path, f"this is a folder: name a {kind.noun} file in it")
        if not stat.S_ISREG(status.st_mode):
            raise _unusable(kind, path, "this is a pipe, a socket or a device: name a file")
        content = b""
        if status.st_size <= MAX_BYTES:
            with Path(path).open("rb") as file:
                content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise _unusable(kind, path, f"there is no such file{_near(Path(path))}") from None
    except PermissionError:
        raise _unusable(kind, path, "permission to read this file is missing") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise _unusable(kind, path, f"this file cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if max(status.st_size, len(content)) > MAX_BYTES:
        raise _unusable(kind, path, f"larger than {MAX_BYTES:,} bytes, and no {kind.noun} is: is this the right file?")
    return content


def _unusable(kind: Kind[Any], path: str, why: str, place: str = "") -> Exception:
    return kind.error((f"{printable(path)}{place}: {why}",))


def _near(path: Path) -> str:
    """Which files beside a missing one have a name like it."""
    if not path.parent.is_dir():
        return f", and no folder {printable(str(path.parent))}"
    names: list[str] = []
    with contextlib.suppress(OSError), os.scandir(path.parent) as entries:
        names = [entry.name for entry in itertools.islice(entries, _FOLDER_ENTRIES)]
    near = difflib.get_close_matches(path.name, names, n=3)
    return f"; near it: {', '.join(printable(str(path.with_name(name))) for name in near)}" if near else ""
