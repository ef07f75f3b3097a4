"""One line of a journal, and the table that it is kept in.

All entries are in one table, so that their order is that of the file, and what follows a journal reads one thing.
Every column is plain, for whoever reads the file with SQL.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, TypeAlias

__all__ = ["APPLICATION_ID", "COLUMNS", "SCHEMA", "VERSION", "Entry", "Kind"]

Kind: TypeAlias = Literal["attempt", "switch", "transition", "call", "served", "incident", "probe", "status", "lost"]
"""`attempt`: a request that failed. `switch`: a call moved to another model. `transition`: a circuit changed its state.
`call`: a call that was not simply answered by the model it asked for, as it ended. `served`: how many attempts of a
model were answered well in a minute. `incident`: one began or ended. `probe`: a tiny request asked whether an incident is
over. `status`: what the status page said. `lost`: entries that could not be written."""


@dataclass(slots=True)  # not frozen, only because that takes ten times as long to make, and a report makes 100,000
class Entry:
    """What happened, and when. What a kind does not have is `None`. It is never changed."""

    at: float
    """Seconds since 1970, UTC; of `served` the beginning of its minute."""
    kind: Kind
    process: str
    """Which process wrote it; a name that is unique among all that share a journal."""
    policy: str | None = None
    call: int | None = None
    """A number that all entries of one call share within its process."""
    trace_id: str | None = None
    """32 hexadecimal digits; `None` if there was no sampled trace."""
    client: str | None = None
    """`default` is the caller's own."""
    model: str | None = None
    """That was sent to, or switched to, or that served; of a `call` the one that was asked for."""
    circuit: str | None = None
    """A model's id, or `client/model`."""
    number: int | None = None
    """Of an attempt within its call, from 1."""
    reason: str | None = None
    """Why an attempt was sent, a circuit moved, a model was left (an `error_type`, or why it was skipped), an incident
    began, or entries were lost."""
    outcome: str | None = None
    """Of an attempt its verdict, of a call its outcome, of a transition the new state, of an incident `started` or `ended`,
    of a probe `answered` or `failed`, of the status page its indicator."""
    status: int | None = None
    """The HTTP status."""
    error_type: str | None = None
    request_id: str | None = None
    seconds: float | None = None
    """That an attempt, a call or a probe took, all `served` together, an incident lasted, a circuit will stay open."""
    input_tokens: int | None = None
    """That an attempt was abandoned with."""
    output_tokens: int | None = None
    count: int | None = None
    """Attempts of a call, answers of `served`, failures in a row at a transition, failures before an incident, calls that
    one kept back, entries that were lost."""
    detail: Mapping[str, Any] = field(default_factory=dict)
    """What else is known, as JSON: of a switch `from`, a circuit; of a transition `from`, a state; of an attempt `stream`,
    `retry_after`; of a call `served`, `waited`, `skipped`, `request_ids`; of an incident `models`, `error_types`,
    `request_ids`, `probes`; of the status page `incidents`. What is nothing (0, no models) is left out."""


COLUMNS = tuple(column.name for column in fields(Entry))

APPLICATION_ID = 0x666F7672
"""What a journal says in its header that it is: https://www.sqlite.org/pragma.html#pragma_application_id."""

VERSION = 1

_TYPES = {"str": "TEXT", "int": "INTEGER", "float": "REAL", "Kind": "TEXT", "Mapping[str, Any]": "TEXT"}


def _column(name: str, annotation: str) -> str:
    kind = _TYPES[annotation.removesuffix(" | None")]
    return f"{name} {kind}" if annotation.endswith("None") else f"{name} {kind} NOT NULL"


SCHEMA = (
    "CREATE TABLE entries (id INTEGER PRIMARY KEY AUTOINCREMENT, "
    + ", ".join(_column(column.name, str(column.type)) for column in fields(Entry))
    + ")",
    "CREATE INDEX entries_at ON entries (at)",
)
"""What makes an empty file a journal. `id` is the order of writing; none is used twice, so that a reader can go on after
the last that it has seen."""
