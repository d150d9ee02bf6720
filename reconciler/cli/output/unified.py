"""A unified diff of each object's YAML, live and as it will be, for those who read `kubectl diff`."""

import difflib
from collections.abc import Iterator
from functools import singledispatch
from typing import Any

from reconciler.cli.answer import Difference
from reconciler.core.model.change import Action, Change
from reconciler.core.model.objects import JsonObject
from reconciler.core.rules import fields, masking, yamltext


@singledispatch
def render(value: Any) -> str:
    """Return the answer as a unified diff; the first line is a comment with the plan's hash."""
    raise TypeError(f"{type(value).__name__} has no unified diff")


@render.register
def _difference(value: Difference) -> str:
    lines = [f"# {value.before} -> {value.after}: plan {value.plan_hash}"]
    lines += [f"# note: {note}" for note in value.notes]
    for change in value.changes:
        lines += _object(change)
    text = "".join(f"{line}\n" for line in lines)
    return text if value.live is None else text + _difference(value.live)


def _object(change: Change) -> Iterator[str]:
    if change.action is Action.KEEP:
        return
    if change.hold is not None:
        message = " ".join(change.hold.message.split())
        yield f"# held, {change.action} {change.key}: {message}"
    old, new = _text(change.live), _text(None if change.action is Action.DELETE else change.merged or change.desired)
    name = str(change.key)
    yield from difflib.unified_diff(
        old, new, f"a/{name}" if old else "/dev/null", f"b/{name}" if new else "/dev/null", lineterm=""
    )
    if old == new and change.fields:
        yield f"# {name}: only masked values differ: {', '.join(found.path for found in change.fields)}"


def _text(manifest: JsonObject | None) -> list[str]:
    """Return the lines of an object's YAML, without what the server keeps for itself."""
    if manifest is None:
        return []
    named = {"apiVersion": manifest["apiVersion"], "kind": manifest["kind"]}
    where = {name: manifest["metadata"][name] for name in ("name", "namespace") if name in manifest["metadata"]}
    shown = fields.comparable(masking.mask(manifest))
    whole = {**named, **shown, "metadata": {**where, **shown["metadata"]}}
    return [_printable(line) for line in yamltext.dump([whole]).splitlines()]


def _printable(line: str) -> str:
    return "".join(char if char.isprintable() else " " for char in line)
