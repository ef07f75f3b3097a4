"""What is known of each model, so that a request for one of them can be made to fit another.

`models.yaml` beside this file holds it, each value with the public page that it is from. What is not known stays
unknown: nothing is guessed from a model's name, and a name that is not in the catalogue is no model of it. A file of
the user's says what differs.
"""

from __future__ import annotations

import functools
import importlib.resources
import os
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from pydantic import model_validator
from typing_extensions import Self

from failover.document import Kind, load_document, load_placed, parse_document, refuse
from failover.document.files import printable
from failover.document.words import did_you_mean
from failover.errors import CatalogueError

from .catalogue_file import CatalogueFile, LongPrice, Model, Price, Source
from .catalogue_merge import merged, names_of, wrong

__all__ = [
    "Catalogue",
    "LongPrice",
    "Model",
    "Price",
    "Source",
    "load_catalogue",
    "load_entries",
    "parse_catalogue",
    "shipped",
]

_FILE = "models.yaml"

_BEDROCK_REGIONS = frozenset({"us", "eu", "apac", "jp", "au", "us-gov", "global"})
"""What stands before a model's id in the inference profiles of Bedrock that serve it from more than one region."""


class Catalogue:
    """Models by all of their names."""

    models: tuple[Model, ...]
    sources: Mapping[str, Source]
    """Where the values are from, by the keys that `Model.sources` has."""

    def __init__(self, models: Iterable[Model], sources: Mapping[str, Source]) -> None:
        self.models = tuple(models)
        self.sources = MappingProxyType(dict(sources))
        self._by_name = {name: model for model in self.models for name in names_of(model)}
        self._on_bedrock = {name: model for model in self.models for name in model.ids.get("bedrock", ())}

    def find(self, name: str) -> Model | None:
        """The model of that name: an id, an alias, or what another platform calls it; never one of a similar name.

        Bedrock's names are also known with the region before them, and at the end of an ARN.
        """
        found = self._by_name.get(name)
        if found is not None:
            return found
        if name.startswith("arn:") and ":bedrock:" in name:
            name = name.rpartition("/")[2]
        region, _, rest = name.partition(".")
        return self._on_bedrock.get(rest if region in _BEDROCK_REGIONS else name)

    def hint(self, name: str) -> str:
        """``; did you mean `x`?`` for the nearest name, or nothing when none is near."""
        return did_you_mean(name, self._by_name)


class _ShippedFile(CatalogueFile):
    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        refuse(wrong(self, (), {}))
        return self


class _UsersFile(CatalogueFile):
    @model_validator(mode="after")
    def _fits_over_the_shipped_one(self) -> Self:
        refuse(wrong(self, shipped().models, shipped().sources))
        return self


_EXAMPLE = "`models:` with one model under it, as `claude-opus-5-5: {max_output: 64k}`"
_SHIPPED_KIND = Kind("catalogue", example=_EXAMPLE, model=_ShippedFile, error=CatalogueError)
_USERS_KIND = Kind("catalogue", example=_EXAMPLE, model=_UsersFile, error=CatalogueError)


@functools.cache
def shipped() -> Catalogue:
    """The catalogue of this package, read once, when it is first asked for."""
    text = (importlib.resources.files(__package__) / _FILE).read_text(encoding="utf-8")
    file = parse_document(text, _FILE, _SHIPPED_KIND)
    return Catalogue(merged(file, (), file.fields), file.sources)


def load_catalogue(path: str | os.PathLike[str]) -> Catalogue:
    """The shipped catalogue with what a user's file says instead, and with the models that it adds.

    Raises:
        CatalogueError: the file cannot be read, or says something that is not allowed; with every problem of it, each
            as `file:line:column: path: what is wrong, and what is allowed`.
    """
    return _over(shipped(), load_document(path, _USERS_KIND), printable(os.fsdecode(path)))


def parse_catalogue(text: str, name: str = "<catalogue>") -> Catalogue:
    """As `load_catalogue`, from YAML text; `name` stands in the errors, and among the sources, for the file.

    Raises:
        CatalogueError: as `load_catalogue`.
    """
    return _over(shipped(), parse_document(text, name, _USERS_KIND), printable(name))


def load_entries(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What a user's file says, as plain values; only if `load_catalogue` would read it.

    Raises:
        CatalogueError: as `load_catalogue`.
    """
    plain: dict[str, Any] = load_placed(path, _USERS_KIND).root.plain()
    return plain


def _over(below: Catalogue, file: CatalogueFile, name: str) -> Catalogue:
    """A catalogue with a file's values over it; where the file names no source of a value, it is the source itself."""
    usual = {field: file.fields.get(field, name) for field in Model.model_fields}
    return Catalogue(merged(file, below.models, usual), {**below.sources, name: Source(), **file.sources})
