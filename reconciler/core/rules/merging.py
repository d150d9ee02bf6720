"""What a server-side apply of ours would leave, told from managedFields alone. Less exact than to ask the server.

Not known are: the defaults of new fields, what webhooks add, and what the server would refuse.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from reconciler.core.model.objects import JsonObject
from reconciler.core.rules import fields, quantities, vocabulary

_QUANTITIES: Final = frozenset({"limits", "requests", "storage", "sizeLimit", "averageValue", "value"})
"""Fields below which two spellings of one quantity are the same."""

_ABSENT: Final = object()


def applied(live: JsonObject, desired: JsonObject) -> JsonObject:
    """Return the live object with the desired fields, and without those that we own and no longer want."""
    kept = live
    for entry in live["metadata"].get("managedFields") or ():
        if entry.get("manager") == vocabulary.MANAGER and entry.get("operation") == "Apply":
            kept = _without(kept, entry.get("fieldsV1") or {}, desired)
    merged: JsonObject = _over(kept, desired, "")
    return merged


def _without(live: Any, owned: Mapping[str, Any], desired: Any) -> Any:
    """Return the value without what is owned and not desired; what holds others' fields too stays for these."""
    if isinstance(live, Mapping):
        return _fields_without(live, owned, desired)
    if isinstance(live, list):
        return _items_without(live, owned, desired)
    return live


def _fields_without(live: Mapping[str, Any], owned: Mapping[str, Any], desired: Any) -> dict[str, Any]:
    found = dict(live)
    for name, below in owned.items():
        kind, _, field = name.partition(":")
        if kind != "f" or field not in found:
            continue
        wanted = desired.get(field, _ABSENT) if isinstance(desired, Mapping) else _ABSENT
        left = _without(found[field], below, wanted) if below else found[field]
        if wanted is _ABSENT and (not below or not left):
            del found[field]
        else:
            found[field] = left
    return found


def _items_without(live: list[Any], owned: Mapping[str, Any], desired: Any) -> list[Any]:
    found = list(live)
    for name, below in owned.items():
        kind, _, text = name.partition(":")
        if kind != "k":
            continue
        keys = json.loads(text)
        at = _index(found, keys)
        if at is None:
            continue
        wanted_at = _index(desired, keys) if isinstance(desired, list) else None
        wanted = desired[wanted_at] if wanted_at is not None else _ABSENT
        left = _without(found[at], below, wanted)
        if wanted is _ABSENT and set(left) <= set(keys):
            del found[at]
        else:
            found[at] = left
    return found


def _index(items: Any, keys: Mapping[str, Any]) -> int | None:
    for at, item in enumerate(items if isinstance(items, list) else ()):
        # a port's protocol is defaulted, and may not be written
        if isinstance(item, Mapping) and all(item.get(key, value) == value for key, value in keys.items()):
            return at
    return None


def _over(live: Any, desired: Any, path: str) -> Any:
    if isinstance(live, Mapping) and isinstance(desired, Mapping):
        found = dict(live)
        for name, wanted in desired.items():
            below = f"{path}.{name}" if path else name
            found[name] = _over(found[name], wanted, below) if name in found else wanted
        return found
    if isinstance(live, Sequence) and isinstance(desired, Sequence) and not isinstance(desired, str):
        return _items_over(live, desired, path)
    return live if _same(live, desired, path) else desired


def _items_over(live: Sequence[Any], desired: Sequence[Any], path: str) -> Any:
    ours, theirs = fields.by_merge_key(desired, path), fields.by_merge_key(live, path)
    if ours is None or theirs is None:
        same = len(live) == len(desired)
        # a list that is taken whole: its items' defaults are the server's, as far as they are the same items
        pairs = zip(live, desired, strict=True) if same else ()
        return [_over(one, other, path) for one, other in pairs] if same else list(desired)
    merged = [_over(item, ours[name], path) if name in ours else item for name, item in theirs.items()]
    return [*merged, *(item for name, item in ours.items() if name not in theirs)]


def _same(live: Any, desired: Any, path: str) -> bool:
    if live == desired:
        return True
    if not _QUANTITIES & set(path.split(".")) or not isinstance(live, str | int | float):
        return False
    one = quantities.parse(live)
    return one is not None and isinstance(desired, str | int | float) and one == quantities.parse(desired)
