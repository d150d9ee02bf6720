"""The reference validator, which tells every error and is slow. Import it only where something is to be explained."""

import re
from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend

from reconciler.core.model.objects import JsonObject


def _pattern(_validator: object, pattern: str, instance: object, _schema: object) -> Iterator[ValidationError]:
    """Match as JSON Schema says: `$` is the end, where Python's also is the place before a last newline."""
    if isinstance(instance, str):
        ending = pattern[:-1] + r"\Z" if pattern.endswith("$") else pattern
        if not re.search(ending, instance):
            yield ValidationError(f"{instance!r} does not match {pattern!r}")


_Validator: Any = extend(Draft202012Validator, {"pattern": _pattern})  # type: ignore[no-untyped-call]  # not typed


def errors(schema: JsonObject, document: object) -> Iterator[ValidationError]:
    """Yield every error of the document, in no particular order."""
    yield from _Validator(schema).iter_errors(document)
