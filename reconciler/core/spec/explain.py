"""Why a document does not keep its schema, in words that say what would be right."""

import difflib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from reconciler.core.model.objects import JsonObject
from reconciler.core.spec.drafts import Finding, Path
from reconciler.core.spec.schemas import resolve

_WORDS: Final = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "object": "a mapping",
    "array": "a list",
    "null": "nothing",
}
_BOOLEANS: Final = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}
_LONGEST: Final = 80


def explain(schema: JsonObject, document: object, limit: int) -> tuple[Finding, ...]:
    """Return the ways in which the document does not keep the schema, at most `limit`; empty when it does.

    An error of the oracle has validator, instance, absolute_path and schema, but its types are loose.
    """
    # The oracle imports jsonschema, which takes 100 ms, and most runs find nothing to explain.
    from reconciler.core.spec import oracle  # noqa: PLC0415  # lazily, as said above

    findings = (finding for error in oracle.errors(schema, document) for finding in _explain(error, schema))
    return tuple(dict.fromkeys(itertools.islice(findings, limit)))


def nearest(word: str, words: Sequence[str]) -> str:
    """Return the word that was probably meant, "" when none is near."""
    folded = {candidate.lower(): candidate for candidate in words}
    found = difflib.get_close_matches(word.lower(), folded, 1, 0.6)
    return folded[found[0]] if found else ""


def shown(value: object) -> str:
    """Return a value as its author would write it, cut short."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    text = str(value).replace("\n", "\\n")
    return f"`{text if len(text) <= _LONGEST else text[:_LONGEST] + '…'}`"


def _explain(error: Any, root: JsonObject) -> Iterator[Finding]:
    path: Path = tuple(error.absolute_path)
    schema = resolve(error.schema, root) if isinstance(error.schema, Mapping) else {}
    match error.validator:
        case "additionalProperties":
            yield from _unknown_fields(path, error.instance, schema)
        case "required":
            for name in schema.get("required", ()):
                if name not in error.instance:
                    yield Finding((*path, name), "missing-field", f"`{name}` is missing{_here(path)}")
        case "not":
            yield Finding(path, "refused-field", f"`{path[-1]}` is not served: {schema['x-refused']}", at_key=True)
        case "enum":
            yield _enum(path, error.instance, schema)
        case "const":
            yield Finding(path, "refused-value", f"{shown(error.instance)} is not served: {schema.get('x-const', '')}")
        case "type":
            yield Finding(path, "wrong-type", _wrong_type(error.instance, schema))
        case _:
            yield _about_value(path, error, schema)


def _here(path: Path) -> str:
    return f" in `{path[-1]}`" if path and isinstance(path[-1], str) else ""


def _unknown_fields(path: Path, instance: Mapping[str, Any], schema: JsonObject) -> Iterator[Finding]:
    known = schema.get("properties", {})
    patterns = schema.get("x-refused-patterns", {})
    for name in instance:
        if name in known:
            continue
        reason = next((why for prefix, why in patterns.items() if name.startswith(prefix)), "")
        if reason:
            yield Finding((*path, name), "refused-field", f"`{name}` is not served: {reason}", at_key=True)
            continue
        near = nearest(name, list(known))
        hint = f"; did you mean `{near}`?" if near else f"; known here: {', '.join(known)}" if len(known) < 9 else ""  # noqa: PLR2004  # more than one line is no help
        yield Finding((*path, name), "unknown-field", f"unknown field `{name}`{hint}", at_key=True)


def _enum(path: Path, value: object, schema: JsonObject) -> Finding:
    refused = schema.get("x-refused-values", {})
    if not isinstance(value, str):
        return Finding(path, "wrong-type", _wrong_type(value, {"type": "string"}))
    if value in refused:
        return Finding(path, "refused-value", f"{shown(value)} is not served: {refused[value]}")
    values = [str(item) for item in schema["enum"]]
    near = schema.get("x-nearest", {}).get(value) or nearest(value, values)
    hint = f"; did you mean `{near}`?" if near else ""
    return Finding(path, "bad-value", f"{shown(value)} is none of {', '.join(values)}{hint}")


def _wrong_type(value: object, schema: JsonObject) -> str:
    wanted = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    subject = "this" if isinstance(value, dict | list) else shown(value)
    message = f"{subject} is {_name(value)}, where {' or '.join(_WORDS[word] for word in wanted)} is wanted"
    if "string" in wanted and isinstance(value, bool | int | float):
        return f"{message}; quote it"
    if "boolean" in wanted and isinstance(value, str) and value.lower() in _BOOLEANS:
        return f"{message}; write {_BOOLEANS[value.lower()]}"
    if wanted == ["array"]:
        return f"{message}; put `- ` before it"
    return message


def _name(value: object) -> str:
    if isinstance(value, bool):
        return "a boolean"
    names: tuple[tuple[type, str], ...] = ((str, "text"), (int, "a number"), (float, "a number"), (list, "a list"))
    return next((name for kind, name in names if isinstance(value, kind)), "a mapping")


def _about_value(path: Path, error: Any, schema: JsonObject) -> Finding:
    value, limit = error.instance, error.validator_value
    messages = {
        "pattern": ("bad-value", f"{shown(value)} is not {schema.get('x-what', f'of the form {limit}')}"),
        "minimum": ("out-of-range", f"{value} is less than the minimum of {limit}"),
        "exclusiveMinimum": ("out-of-range", f"{value} is not greater than {limit}"),
        "maximum": ("out-of-range", schema.get("x-maximum", f"{value} is greater than the maximum of {limit}")),
        "minLength": ("bad-value", "this must not be empty"),
        "minItems": ("bad-value", "this must not be empty"),
        "maxLength": ("out-of-range", f"this is longer than {limit}"),
        "maxItems": ("out-of-range", f"this is longer than {limit}"),
    }
    code, message = messages.get(error.validator, ("bad-value", error.message))
    return Finding(path, code, message)
