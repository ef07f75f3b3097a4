"""Models as tables, as text and as JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from failover.document.units import format_tokens
from failover.request.catalogue import Model, Price, Source

__all__ = ["all_models", "as_json", "one_model", "spelled", "table"]

_UNKNOWN = "?"
_LEVELS = ("low", "medium", "high", "xhigh", "max")
_COLUMNS = (
    *("model", "line", "context", "max output", "thinking", "effort", "forced tools", "prefill", "price", "bucket"),
    "retires",
)
_WIDTH = 80
_WHOLE: Any = {"break_on_hyphens": False, "break_long_words": False}
_TOGETHER = "\u00a0"
"""Stands for a space where no line may break."""


def as_json(models: Iterable[Model], sources: Mapping[str, Source]) -> dict[str, Any]:
    """What programs read: every field of every model, `null` where it is not known."""
    shown = [model.model_dump(mode="json") for model in models]
    named = {key for model in shown for key in model["sources"].values()}
    return {
        "models": [{"id": model.pop("id"), **model} for model in shown],
        "sources": {key: source.model_dump(mode="json") for key, source in sources.items() if key in named},
    }


def table(models: Iterable[Model]) -> Table:
    """One row for each model that is not retired; the others below it."""
    models = tuple(models)
    shown = Table(box=box.SIMPLE, caption=Text(_retired(models)), caption_justify="left")
    for column in _COLUMNS:
        shown.add_column(column, no_wrap=column in {"model", "retires"})
    for model in _callable(models):
        shown.add_row(*(Text(cell) for cell in _cells(model).values()))
    return shown


def all_models(models: Iterable[Model]) -> Iterator[str]:
    """A paragraph for each model that is not retired, in lines that fit a page; then the others."""
    models = tuple(models)
    for model in _callable(models):
        yield model.id
        cells = [f"{name} {cell}".replace(" ", _TOGETHER) for name, cell in _cells(model).items() if name != "model"]
        lines = textwrap.wrap(", ".join(cells), _WIDTH, initial_indent="  ", subsequent_indent="  ", **_WHOLE)
        yield from (line.replace(_TOGETHER, " ") for line in lines)
    if retired := _retired(models):
        yield ""
        yield from textwrap.wrap(retired, _WIDTH, **_WHOLE)


def one_model(model: Model, sources: Mapping[str, Source]) -> Iterator[str]:
    """Every value with the page that it is from, and the names of those that are not known."""
    yield f"{model.id}{_from(model, 'id', sources)}"
    values = {field: getattr(model, field) for field in type(model).model_fields if field not in {"id", "sources"}}
    unknown = [field for field, value in values.items() if value is None]
    for field, value in values.items():
        if field in model.sources:
            shown = _retires(model) if field == "retires" else spelled(value)
            yield f"  {field}: {shown}{_from(model, field, sources)}"
    if unknown:
        yield from textwrap.wrap(
            f"not known: {', '.join(unknown)}", _WIDTH, initial_indent="  ", subsequent_indent="    "
        )


def spelled(value: object) -> str:
    """A value as the catalogue's file spells it."""
    if value is None or isinstance(value, bool):
        return {None: _UNKNOWN, True: "yes", False: "no"}[value]
    if isinstance(value, int):
        return format_tokens(value)
    if isinstance(value, Price):
        return _price(value)
    if isinstance(value, Mapping):
        return "; ".join(f"{key} {spelled(inner)}" for key, inner in value.items()) or "none"
    if isinstance(value, tuple):
        return ", ".join(value) or "none"
    return str(value)


def _from(model: Model, field: str, sources: Mapping[str, Source]) -> str:
    source = sources[model.sources[field]]
    day = f" ({source.read})" if source.read else ""
    return f"\n      {source.url or model.sources[field]}{day}"


def _callable(models: Iterable[Model]) -> Iterator[Model]:
    return (model for model in models if model.lifecycle != "retired")


def _retired(models: Iterable[Model]) -> str:
    days = [f"{model.id} ({spelled(model.retires)})" for model in models if model.lifecycle == "retired"]
    return f"Retired: {', '.join(days)}" if days else ""


def _cells(model: Model) -> dict[str, str]:
    cells = (
        model.id,
        spelled(model.line),
        spelled(model.context_window),
        spelled(model.max_output),
        "/".join(model.thinking) if model.thinking else spelled(model.thinking),
        _effort(model.effort),
        spelled(model.forced_tool_choice),
        spelled(model.prefill),
        spelled(model.price),
        spelled(model.bucket),
        _retires(model),
    )
    return dict(zip(_COLUMNS, cells, strict=True))


def _effort(levels: tuple[str, ...] | None) -> str:
    """Neighbouring levels as `low..max`."""
    if not levels or levels != _LEVELS[_LEVELS.index(levels[0]) :][: len(levels)] or len(levels) < 3:  # noqa: PLR2004 - two are as short
        return "/".join(levels) if levels else spelled(levels)
    return f"{levels[0]}..{levels[-1]}"


def _retires(model: Model) -> str:
    """The day, and whether it is only the first on which it may."""
    announced = model.retires is None or model.lifecycle in {"deprecated", "retired"}
    return spelled(model.retires) if announced else f"from {model.retires}"


def _price(price: Price) -> str:
    """Dollars for a million tokens of input and of output."""
    text = f"${price.input:g}/${price.output:g}"
    if price.above is not None:
        text += f" (over {format_tokens(price.above.over)}: ${price.above.input:g}/${price.above.output:g})"
    return text
