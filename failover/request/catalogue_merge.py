"""One catalogue over another, field by field; and what of a file can make no sense there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from failover.document import Found
from failover.document.words import Path, did_you_mean, listed, shown

from .catalogue_file import CatalogueFile, Entry, Facts, Model

__all__ = ["merged", "names_of", "wrong"]

_NOT_COPIED = frozenset({"id", "aliases", "ids", "sources"})
"""What `like` leaves out: names belong to one model only."""

_SOURCED = ("id", *Facts.model_fields)
"""What has a source."""


def names_of(model: Model) -> Iterator[str]:
    """Every name by which a model can be found."""
    yield model.id
    yield from model.aliases
    for names in model.ids.values():
        yield from names


def merged(file: CatalogueFile, below: Iterable[Model], usual: Mapping[str, str]) -> Iterator[Model]:
    """The models below with what a file says of them, then those that only the file has, in its order.

    `usual` is where a field's value is from if its entry does not say. The file's `like` must lead somewhere.
    """
    known = {model.id: model for model in below}
    done: dict[str, Model] = {}

    def of(name: str) -> Model:
        if name not in done:
            entry = file.models.get(name)
            copied = {} if entry is None or entry.like is None else _to_copy(of(entry.like))
            done[name] = _model(name, entry or Entry(), copied, known.get(name), usual)
        return done[name]

    return map(of, dict.fromkeys((*known, *file.models)))


def _to_copy(like: Model) -> dict[str, Any]:
    values = _said(like)
    return {field: value for field, value in values.items() if field not in _NOT_COPIED} | {"sources": like.sources}


def _said(part: Facts) -> dict[str, Any]:
    return {field: getattr(part, field) for field in Facts.model_fields if field in part.model_fields_set}


def _model(name: str, entry: Entry, copied: Mapping[str, Any], below: Model | None, usual: Mapping[str, str]) -> Model:
    """What an entry says, over what is known of the model, over what it copies from another."""
    said, known = _said(entry), {} if below is None else _said(below)
    sources = {
        **copied.get("sources", {}),
        **({} if below is None else below.sources),
        **{field: entry.sources.get(field) or usual.get(field, "") for field in (*said, *(() if below else ("id",)))},
    }
    values = {**copied, **known, **said, "id": name}
    sources = {field: key for field, key in sources.items() if key and values.get(field) is not None}
    return Model.model_construct(**{**values, "sources": sources})


def wrong(file: CatalogueFile, below: Iterable[Model], sources: Mapping[str, object]) -> Found:
    """What cannot hold together, of a file that stands over models and sources which hold together."""
    below = tuple(below)
    yield from _wrong_sources(file, {**sources, **file.sources})
    dead_ends = tuple(_dead_ends(file, {model.id for model in below}))
    yield from dead_ends
    if not dead_ends:
        models = tuple(merged(file, below, {}))
        yield from _shared_names(file, models)
        for model in models:
            if model.id in file.models:
                yield from _contradictions(model)


def _wrong_sources(file: CatalogueFile, known: Mapping[str, object]) -> Found:
    said: list[tuple[Path, Mapping[str, str]]] = [(("fields",), file.fields)]
    said += [(("models", name, "sources"), entry.sources) for name, entry in file.models.items()]
    for path, sources in said:
        for field, key in sources.items():
            if field not in _SOURCED:
                near = did_you_mean(field, _SOURCED)
                yield (*path, field), f"{shown(field)} is no field of a model{near}"
            if key not in known:
                near = did_you_mean(key, known)
                yield (*path, field), f"no source is called {shown(key)}{near}; write it under `sources`, with its url"


def _dead_ends(file: CatalogueFile, below: set[str]) -> Found:
    """Each `like` that leads to no model, and the first of those that lead back to themselves."""
    likes = {name: entry.like for name, entry in file.models.items() if entry.like is not None}
    known = {*below, *file.models}
    in_circles: set[str] = set()
    for name, like in likes.items():
        if like not in known:
            yield ("models", name, "like"), f"no model has the id {shown(like)}{did_you_mean(like, known)}"
        path = [name]
        while path[-1] in likes and path[-1] not in path[:-1]:
            path.append(likes[path[-1]])
        if path[-1] == name and len(path) > 1 and name not in in_circles:
            in_circles.update(path)
            yield ("models", name, "like"), f"this goes in a circle: {' is like '.join(path)}"


def _shared_names(file: CatalogueFile, models: Iterable[Model]) -> Found:
    """Each name that two models have, where the file gives it to the second."""
    owners: dict[str, str] = {}
    for model in sorted(models, key=lambda model: model.id in file.models):
        for name in dict.fromkeys(names_of(model)):
            owner = owners.setdefault(name, model.id)
            if owner != model.id:
                message = f"{shown(name)} is a name of {owner} already: a name belongs to one model"
                if name == model.id:
                    message += f"; write {owner} here to say something of that model"
                yield ("models", model.id), message


def _contradictions(model: Model) -> Found:
    at = ("models", model.id)
    for field in ("effort_default", "thinking_off_up_to"):
        level = getattr(model, field)
        if model.effort is not None and level is not None and level not in model.effort:
            yield (*at, field), f"{level} is not among the levels of `effort`, which are {_levels(model.effort)}"
    default = model.thinking_default
    if model.thinking is not None and default not in (None, "off", *model.thinking):
        yield (
            (*at, "thinking_default"),
            f"{default} is not among the kinds of `thinking`, which are {_levels(model.thinking)}",
        )


def _levels(words: tuple[str, ...]) -> str:
    return listed(words, "and") if words else "none"
