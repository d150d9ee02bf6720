"""The effect of a proposal as one hash: what a reviewer approves, and what `sync --expect-plan` holds it to.

The hash covers every change that is not a plain keep: which object, what is done to it or why it waits, what git asks
for, and each field with its old and new value. So it changes when git changes, when what is live changes under it, and
when a guard or a pause starts or ends. It does not cover what is as it should be, nor whose inventory it is: the diff
of two revisions has the hash of the diff against a folder of manifests which stands as the first of them says.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final

from reconciler.core.model.change import Action, Change, Hold, HoldReason
from reconciler.core.model.objects import JsonObject
from reconciler.core.rules import vocabulary

_OTHER: Final = "the effect is no longer the approved one: "

SHORTEST: Final = 12
"""Hexadecimal digits that a person must give at least."""


def digest(changes: Iterable[Change]) -> str:
    """Return the hash of the effect, 64 hexadecimal digits; of no effect too."""
    shapes = sorted(json.dumps(_shape(change), sort_keys=True, separators=(",", ":")) for change in due(changes))
    return hashlib.sha256("\n".join(shapes).encode()).hexdigest()


def due(changes: Iterable[Change]) -> tuple[Change, ...]:
    """Return the changes that are an effect: a cache that is kept on purpose, and what is as it should be, are none."""
    return tuple(
        change
        for change in changes
        if change.action is not Action.KEEP
        or (change.hold is not None and change.hold.reason is not HoldReason.RETAINED)
    )


def confirm(changes: tuple[Change, ...], approved: str | JsonObject) -> tuple[Change, ...]:
    """Return the changes, all of them held when their effect is not the approved one.

    `approved` is the hash, maybe abbreviated, or the JSON of the diff: then each change is told how it differs.
    """
    found = digest(changes)
    if isinstance(approved, str):
        if found.startswith(approved.lower()):
            return changes
        words = f"approved {approved[:SHORTEST]}, now {found[:SHORTEST]}; `llmkube diff` shows what it is now"
        return _hold_all(changes, lambda _change: words)
    if str(approved.get("planHash")) == found:
        return changes
    said = {_name_in(change): change for change in approved.get("changes") or () if _is_due(change)}
    missing = sorted(set(said) - {str(change.key) for change in due(changes)})
    gone = f"; no longer due: {', '.join(missing)}" if missing else ""
    return _hold_all(changes, lambda change: f"{_difference(change, said)}{gone}")


def _is_due(change: JsonObject) -> bool:
    return change.get("action") != "keep" or bool(change.get("hold"))


def _hold_all(changes: tuple[Change, ...], message: Callable[[Change], str]) -> tuple[Change, ...]:
    return tuple(
        replace(change, hold=Hold(HoldReason.UNCONFIRMED, _OTHER + message(change))) if change.writes else change
        for change in changes
    )


def _shape(change: Change) -> object:
    return [
        change.key.group,
        str(change.key),
        change.action.value,
        change.hold.reason.value if change.hold else "",
        _anonymous(change.desired) if change.desired is not None else None,
        [
            [found.path, found.kind, found.old, found.new]
            for found in change.fields
            if vocabulary.APPLYSET_PART_OF not in found.path
        ],
    ]


def _anonymous(manifest: JsonObject) -> JsonObject:
    labels = manifest["metadata"].get("labels") or {}
    kept = {name: value for name, value in labels.items() if name != vocabulary.APPLYSET_PART_OF}
    return {**manifest, "metadata": {**manifest["metadata"], "labels": kept}}


def _name_in(change: JsonObject) -> str:
    said = change.get("object") or {}
    return "/".join(str(said.get(part)) for part in ("kind", "namespace", "name") if said.get(part))


def _difference(change: Change, approved: Mapping[str, JsonObject]) -> str:
    before = approved.get(str(change.key))
    if before is None:
        return f"to {change.action} it was not in it"
    if before.get("action") != change.action.value:
        return f"approved was to {before.get('action')} it, now it is to {change.action} it"
    if before.get("hold"):
        return "it was held when that was approved, and is no longer"
    then = {str(found.get("path")) for found in before.get("fields") or ()}
    now = {found.path for found in change.fields}
    if then != now:
        return f"other fields differ: {', '.join(sorted(then ^ now))}"
    return "its values differ, or another object's do"
