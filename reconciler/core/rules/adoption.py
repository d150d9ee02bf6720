"""How fields change hands: from kubectl to us at an adoption, from us to an autoscaler."""

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
    theirs = [entry for entry in entries if _is_kubectls(entry)]
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
    rest = [entry for entry in entries if not _is_kubectls(entry) and not _is_ours(entry)]
    return [ours, *rest]


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


def _is_kubectls(entry: JsonObject) -> bool:
    manager = str(entry.get("manager", ""))
    return manager.startswith("kubectl") and manager not in _KEPT and not entry.get("subresource")


def _is_ours(entry: JsonObject) -> bool:
    return entry.get("manager") == vocabulary.MANAGER and entry.get("operation") == "Apply"


def _union(one: dict[str, Any], other: JsonObject) -> dict[str, Any]:
    found = dict(one)
    for name, value in other.items():
        found[name] = _union(found[name], value) if isinstance(found.get(name), dict) else value
    return found
