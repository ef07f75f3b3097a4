"""`failover models --refresh`: what the Models API says, what of it differs from the catalogue, and a file with that."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeGuard

import typer

from failover.document import replace_file, written
from failover.document.files import printable
from failover.document.words import shown
from failover.request.catalogue import Catalogue, Model, load_catalogue, load_entries, parse_catalogue, shipped
from failover.request.catalogue_file import CatalogueFile

from .models_api import facts_of, listed_models
from .models_show import spelled

__all__ = ["refresh"]

_PAGE = "https://platform.claude.com/docs/en/api/models/list"
_MOST = 5
"""How much of what is left out is named."""

Differences = dict[str, dict[str, Any]]
"""Model to field to what the API says."""


def refresh(file: Path) -> bool:
    """Ask, print what differs from the catalogue, and write it to a file, over what it says already.

    Returns:
        Whether the API answered and the file is written.

    Raises:
        FailoverError: there is no key, or the file that is there is no catalogue.
    """
    exists = file.exists() or file.is_symlink()
    catalogue = load_catalogue(file) if exists else shipped()
    answer = listed_models()
    if isinstance(answer, str):
        typer.echo(f"failover: {answer}", err=True)
        return False
    models, left_out = _usable(answer)
    if left_out:
        typer.echo(f"failover: left out, as the catalogue cannot hold it: {_first(left_out)}", err=True)
    differences = _differences(models, catalogue)
    if not differences:
        which = "could be read" if left_out else "the API lists"
        typer.echo(f"The catalogue says the same as the API of all {len(models)} models that {which}.")
        return True
    for line in _shown(differences, catalogue):
        typer.echo(line)
    entries = load_entries(file) if exists else {}
    text = written(_merged(entries, differences, dt.datetime.now(dt.timezone.utc).date()))
    parse_catalogue(text, str(file))  # what could not be read again is not written
    try:
        replace_file(file, text)
    except OSError as error:
        typer.echo(f"failover: {printable(str(file))}: this file cannot be written: {error.strerror}", err=True)
        return False
    count = "1 model differs" if len(differences) == 1 else f"{len(differences)} models differ"
    name = printable(str(file))
    typer.echo(f"\n{count}; written to {name}. Use it with `export FAILOVER_MODELS={name}` or")
    typer.echo(f'`wrap(client, models="{name}")`.')
    return True


def _usable(entries: list[object]) -> tuple[list[tuple[str, dict[str, Any]]], list[str]]:
    """Model and facts of every entry that is one of a model; and in words, what nothing can be made of."""
    models: list[tuple[str, dict[str, Any]]] = []
    left_out: list[str] = []
    for entry in entries:
        info = entry if isinstance(entry, Mapping) else {}
        name = info.get("id")
        if not _is_name(name):
            left_out.append(f"the entry with the id {shown(name)}")
            continue
        said = facts_of(info)
        models.append((printable(name), said.facts))
        if said.unusable:
            left_out.append(f"{printable(name)} ({', '.join(said.unusable)})")
    return models, left_out


def _is_name(name: object) -> TypeGuard[str]:
    """Whether a catalogue can have a model of that name."""
    try:
        CatalogueFile.model_validate({"models": {name: {}}} if isinstance(name, str) else None)
    except ValueError:
        return False
    return True


def _first(words: list[str]) -> str:
    more = [f"and {len(words) - _MOST} more"] if len(words) > _MOST else []
    return ", ".join([*words[:_MOST], *more])


def _differences(models: list[tuple[str, dict[str, Any]]], catalogue: Catalogue) -> Differences:
    """What the API says otherwise than the catalogue; where it says nothing, nothing differs."""
    found: Differences = {}
    for name, facts in models:
        known = catalogue.find(name)
        said = {field: value for field, value in facts.items() if _differs(value, known, field)}
        said |= {} if known is None else _unsaid(said, known)
        if said or known is None:
            found[name if known is None else known.id] = said
    return found


def _differs(value: object, known: Model | None, field: str) -> bool:
    ours = None if known is None else getattr(known, field)
    if isinstance(value, tuple) and isinstance(ours, tuple):
        return set(value) != set(ours)
    return bool(value != ours)


def _unsaid(said: Mapping[str, Any], known: Model) -> dict[str, None]:
    """What the API does not say and what cannot be so any more, by what it says: it is not known from then on."""
    doubtful = {
        field: (getattr(known, field), said[among])
        for field, among in (
            ("thinking_default", "thinking"),
            ("thinking_off_up_to", "effort"),
            ("effort_default", "effort"),
        )
        if among in said
    }
    return {field: None for field, (value, allowed) in doubtful.items() if value not in {None, "off", *allowed}}


def _shown(differences: Differences, catalogue: Catalogue) -> Iterator[str]:
    for name, said in differences.items():
        known = catalogue.find(name)
        yield name if known else f"{name}: not in the catalogue"
        for field, value in said.items():
            was = f"{spelled(getattr(known, field))} -> " if known else ""
            yield f"  {field}: {was}{spelled(value)}"


def _merged(entries: dict[str, Any], differences: Differences, today: dt.date) -> dict[str, Any]:
    """What the file says, with what the API says over it, and from where that is."""
    key = f"models-api-{today}"
    models = {name: dict(entry) for name, entry in entries.get("models", {}).items()}
    for name, said in differences.items():
        entry = models.setdefault(name, {})
        entry |= {field: _plain(field, value) for field, value in said.items()}
        if said:
            sources = {field: key for field, value in said.items() if value is not None}
            entry["sources"] = entry.pop("sources", {}) | sources
    sources = entries.get("sources", {}) | {key: {"url": _PAGE, "read": str(today)}}
    return {**entries, "sources": sources, "models": models}


def _plain(field: str, value: object) -> object:
    if isinstance(value, tuple):
        return list(value)
    if field in {"context_window", "max_output"}:
        return spelled(value)
    return str(value) if isinstance(value, dt.date) else value
