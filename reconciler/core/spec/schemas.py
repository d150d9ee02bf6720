"""The JSON Schemas as a value: one fast check a document, and the notes that the schemas carry."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import jsonschema_rs

from reconciler.core.model.objects import JsonObject

NOTED = "x-noted"
"""A property that is accepted and has no effect; the value says why."""


@dataclass(frozen=True, slots=True)
class Note:
    """A field without effect: its keys from the document's root, and why."""

    path: tuple[str, ...]
    reason: str


@dataclass(slots=True)
class _Compiled:
    validator: jsonschema_rs.Draft202012Validator
    notes: tuple[Note, ...]


@dataclass(frozen=True, slots=True)
class Schemas:
    """Schemas by name (`model`, `inferenceservice`, `fleet`). Each is compiled when it is first needed."""

    by_name: Mapping[str, JsonObject]
    _compiled: dict[str, _Compiled] = field(default_factory=dict, compare=False, repr=False)

    def accepts(self, name: str, document: object) -> bool:
        """Tell whether the document keeps the schema. Costs microseconds; says nothing about why not."""
        try:
            return self._get(name).validator.is_valid(document)
        except ValueError:  # what JSON cannot hold; the loader lets none of it through
            return False

    def notes(self, name: str) -> tuple[Note, ...]:
        """Return the fields of a kind that have no effect, in the schema's order."""
        return self._get(name).notes

    def _get(self, name: str) -> _Compiled:
        compiled = self._compiled.get(name)
        if compiled is None:
            schema = dict(self.by_name[name])
            compiled = _Compiled(jsonschema_rs.Draft202012Validator(schema), tuple(_notes(schema, schema, ())))
            self._compiled[name] = compiled
        return compiled


def resolve(schema: JsonObject, root: JsonObject) -> JsonObject:
    """Return the schema with its local reference followed, its own keywords winning."""
    reference = schema.get("$ref")
    if reference is None:
        return schema
    target: JsonObject = root["$defs"][str(reference).rpartition("/")[2]]
    return {**target, **{key: value for key, value in schema.items() if key != "$ref"}}


def _notes(schema: JsonObject, root: JsonObject, path: tuple[str, ...]) -> Iterator[Note]:
    if NOTED in schema:
        yield Note(path, schema[NOTED])
        return
    for name, child in schema.get("properties", {}).items():
        yield from _notes(resolve(child, root), root, (*path, name))
