"""How fields change hands: from kubectl to us at an adoption, from us to an autoscaler."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from reconciler.core.model.objects import JsonObject
from reconciler.core.rules import fields, vocabulary

_KEPT: Final = frozenset({"kubectl-annotate", "kubectl-label", "kubectl-rollout"})
"""What people put on objects by hand on purpose, beside what they applied."""


def moved(live: JsonObject) -> list[JsonObject] | None:
    """Return managedFields with kubectl's entries as ours, so that the next apply removes what git does not name.

    None when kubectl owns nothing. Source: client-go's csaupgrade, which does this for one manager.
    """
    entries = live["metadata"].get("managedFields") or ()
    theirs = [entry for entry in entries if comes_along(entry)]
    if not theirs:
        return None
    merged: dict[str, Any] = {}
    for entry in (*(entry for entry in entries if _is_ours(entry)), *theirs):
        merged = _union(merged, entry.get("fieldsV1") or {})
    ours = {
        "apiVersion": theirs[0]["apiVersion"],
        "fieldsType": "FieldsV1",
        "fieldsV1": merged,
        "manager": vocabulary.MANAGER,
        "operation": "Apply",
    }
    rest = [entry for entry in entries if not comes_along(entry) and not _is_ours(entry)]
    return [ours, *rest]


def ours(live: JsonObject) -> frozenset[str]:
    """Return the paths that we own by server-side apply."""
    entries = live["metadata"].get("managedFields") or ()
    return frozenset(path for entry in entries if _is_ours(entry) for path in fields.owned(entry))


def joins(live: JsonObject) -> bool:
    """Tell whether the object is a member of no inventory yet, so that kubectl's fields come with it."""
    return vocabulary.APPLYSET_PART_OF not in (live["metadata"].get("labels") or {})


def comes_along(entry: JsonObject) -> bool:
    """Tell whether an entry of managedFields is kubectl's, and becomes ours at an adoption."""
    manager = str(entry.get("manager", ""))
    return manager.startswith("kubectl") and manager not in _KEPT and not entry.get("subresource")


def remaining(merged: JsonObject, fresh: JsonObject, live: JsonObject) -> JsonObject:
    """Return the dry-run answer without the fields of kubectl's that git does not name: they go with the adoption.

    `fresh` is the object as the server would make it of our manifest alone: what it fills in by itself is no loss.
    """
    entries = live["metadata"].get("managedFields") or ()
    theirs = frozenset(path for entry in entries if comes_along(entry) for path in fields.owned(entry))
    found: JsonObject = _remaining(merged, fresh, theirs, "")
    return found


def _remaining(merged: Any, fresh: Any, theirs: frozenset[str], path: str) -> Any:
    if isinstance(merged, Mapping) and isinstance(fresh, Mapping):
        kept = _kept(merged, fresh, theirs, f"{path}.{{}}" if path else "{}")
        return dict(kept)
    if isinstance(merged, list) and isinstance(fresh, list):
        items, others = fields.by_merge_key(merged, path), fields.by_merge_key(fresh, path)
        if items is not None and others is not None:
            return [item for _, item in _kept(items, others, theirs, f"{path}[{{}}]")]
    return merged


def _kept(
    merged: Mapping[str, Any], fresh: Mapping[str, Any], theirs: frozenset[str], place: str
) -> Iterator[tuple[str, Any]]:
    for name, value in merged.items():
        path = place.format(name)
        if name in fresh:
            yield name, _remaining(value, fresh[name], theirs, path)
        elif not any(fields.covers(own, path) for own in theirs):
            yield name, value


def leaves_replicas(live: JsonObject, desired: JsonObject) -> bool:
    """Tell whether git no longer says how many replicas, and nobody but us has said it."""
    if desired.get("kind") != "Deployment" or "replicas" in desired["spec"]:
        return False
    owners = {
        entry.get("manager")
        for entry in live["metadata"].get("managedFields") or ()
        if "spec.replicas" in fields.owned(entry)
    }
    return owners == {vocabulary.MANAGER}


def _is_ours(entry: JsonObject) -> bool:
    return entry.get("manager") == vocabulary.MANAGER and entry.get("operation") == "Apply"


def _union(one: dict[str, Any], other: JsonObject) -> dict[str, Any]:
    found = dict(one)
    for name, value in other.items():
        found[name] = _union(found[name], value) if isinstance(found.get(name), dict) else value
    return found
