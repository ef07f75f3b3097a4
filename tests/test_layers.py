"""Imports point one way: from what a program touches down to what decides, and never back up."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import failover

ROOT = Path(failover.__file__).parent
LAYERS = (
    ("errors", "events", "clock", "document"),
    ("policy", "switches"),
    ("engine",),
    (
        "bulkheads",
        "circuits",
        "journal",
        "read_limit",
        "recording",
        "sdk",
        "status_page",
        "stream",
        "telemetry",
        "time_outs",
        "holding",
    ),
    ("edge", "opened", "partial", "request", "tracing"),
    ("discarded", "judging", "named"),
    ("ladders",),
    ("exchange",),
    ("sending", "tail"),
    ("body", "pinging", "telling"),
    ("middleware",),
    ("__init__",),
    ("testing",),
    ("report",),
    ("cli",),
)
"""From the lowest to the highest: a part may import from lower layers and from itself, not from its own layer."""

RANKS = {part: rank for rank, layer in enumerate(LAYERS) for part in layer}
HOMES = {"pybreaker": {"circuits", "errors"}, "opentelemetry": {"telemetry"}, "yaml": {"document"}}
"""The only parts that may import these libraries."""

NOT_FOR_THE_ENGINE = frozenset(
    {"anthropic", "anyio", "asyncio", "httpx2", "opentelemetry", "pybreaker", "random", "socket", "time", "yaml"}
)
FILES = sorted(ROOT.rglob("*.py"))


def part_of(path: Path) -> str:
    """The folder, or the file, directly below the package that a file belongs to."""
    return path.relative_to(ROOT).with_suffix("").parts[0]


def imports(path: Path, *, for_types: bool) -> Iterator[str]:
    """The full names of all modules that a file imports; those for type checkers only if asked for."""
    package = ("failover", *path.relative_to(ROOT).parent.parts)
    nodes: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join((*above, *([node.module] if node.module else [])))
            yield from (f"{base}.{alias.name}" for alias in node.names) if base == "failover" else (base,)
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING" and not for_types:
            nodes.extend(node.orelse)
        else:
            nodes.extend(ast.iter_child_nodes(node))


def parts_imported(path: Path) -> set[str]:
    """The parts of the package that a file imports when it runs."""
    own = [name.split(".") for name in imports(path, for_types=False) if name.split(".")[0] == "failover"]
    return {names[1] if len(names) > 1 and names[1] in RANKS else "__init__" for names in own}


def libraries_imported(path: Path, *, for_types: bool) -> set[str]:
    """The top-level names of everything else that a file imports."""
    return {name.split(".")[0] for name in imports(path, for_types=for_types)} - {"failover"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_imports_only_from_below(path):
    part = part_of(path)
    above = {other for other in parts_imported(path) - {part} if RANKS[other] >= RANKS[part]}
    assert above == set()


@pytest.mark.parametrize("library", HOMES)
def test_a_library_has_one_home(library):
    homes = {part_of(path) for path in FILES if library in libraries_imported(path, for_types=False)}
    assert homes == HOMES[library]


def test_the_engine_knows_no_sdk_no_clock_and_no_chance_not_even_as_a_type():
    engine = [path for path in FILES if part_of(path) == "engine"]
    assert engine
    for path in engine:
        assert libraries_imported(path, for_types=True) & NOT_FOR_THE_ENGINE == set()


def test_every_part_has_its_layer():
    assert {part_of(path) for path in FILES} == set(RANKS)


def test_this_test_sees_imports_of_every_kind(tmp_path, monkeypatch):
    module = tmp_path / "failover" / "engine" / "wrong.py"
    module.parent.mkdir(parents=True)
    module.write_text(
        "from __future__ import annotations\n"
        "from typing import TYPE_CHECKING\n"
        "from .. import middleware\n"
        "from ..circuits.board import Board\n"
        "from . import plan\n"
        "if TYPE_CHECKING:\n    import random\n"
        "def later():\n    import failover.cli\n    import time as t\n"
    )
    monkeypatch.setitem(globals(), "ROOT", tmp_path / "failover")
    assert parts_imported(module) == {"middleware", "circuits", "engine", "cli"}
    assert libraries_imported(module, for_types=False) == {"__future__", "typing", "time"}
    assert libraries_imported(module, for_types=True) == {"__future__", "typing", "time", "random"}
