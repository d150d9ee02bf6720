"""What to do about every object, planned or live. The same comparison for a folder, a cluster and two revisions."""

from dataclasses import replace
from typing import Any, Final

from reconciler.core.model.change import Action, Change, FieldChange, Hold, HoldReason
from reconciler.core.model.objects import JsonObject, Key
from reconciler.core.model.observed import Observed, Refusal, RefusalReason
from reconciler.core.model.plan import Ownership, Plan, Planned
from reconciler.core.rules import adoption, fields, immutable, ownership, quantities, vocabulary

_CONTROLLERS: Final = frozenset({"kube-controller-manager", "kube-scheduler", "kubelet"})
"""Their fields beside ours are Kubernetes at work, and nobody's hand."""

_CLAIM: Final = "PersistentVolumeClaim"

_OWNERS: Final = "metadata.managedFields"


def compare(plan: Plan, observed: Observed) -> tuple[Change, ...]:
    """Decide what to do about every object.

    Planned objects come first, in the plan's order; orphans after them, by key in reverse, so that what serves goes
    before what it stands on. Only a complete plan deletes.
    """
    planned = tuple(_planned(wanted, observed, plan.ownership) for wanted in plan.objects)
    wanted_keys = {wanted.key for wanted in plan.objects}
    orphans = (
        key for key, live in observed.live.items() if key not in wanted_keys and ownership.is_ours(live, plan.ownership)
    )
    return (*planned, *(_orphan(key, observed.live[key], plan) for key in sorted(orphans, reverse=True)))


def _planned(wanted: Planned, observed: Observed, owner: Ownership | None) -> Change:
    live = observed.live.get(wanted.key)
    refusal = observed.refusals.get(wanted.key)
    if live is None:
        hold = _refused(refusal) if refusal else None
        return Change(wanted.key, Action.CREATE, wanted.service, wanted.manifest, hold=hold)
    merged = observed.merged.get(wanted.key, wanted.manifest)
    found = _compared(wanted, live, merged)
    if not ownership.is_ours(live, owner) and not ownership.handed_over(live, owner):
        # nothing of it is ours, so nothing is beside
        theirs = replace(found, takeovers=(), foreign=())
        return _held(theirs, HoldReason.FOREIGN, _foreign_message(wanted.key, owner))
    if refusal is not None:
        return _answered(found, refusal)
    if found.action is Action.REPLACE and wanted.key.kind == _CLAIM:
        return _held(found, HoldReason.REFUSED, "a cache claim is never replaced; name another cache")
    if found.action is Action.UPDATE and wanted.key.kind == _CLAIM and _shrinks(live, wanted.manifest):
        return _held(found, HoldReason.REFUSED, "a claim cannot shrink; raise the size again, or name another cache")
    return found


def _compared(wanted: Planned, live: JsonObject, merged: JsonObject) -> Change:
    """Return keep, update or (in a field known to be immutable) replace."""
    changed = tuple(fields.differences(fields.comparable(live), fields.comparable(merged))) or _claimed(live, merged)
    action = Action.UPDATE if changed else Action.KEEP
    if immutable.touched(wanted.key.kind, (change.path for change in changed)):
        action = Action.REPLACE
    taken, beside = _other_hands(live, wanted.manifest, changed)
    return Change(
        wanted.key,
        action,
        wanted.service,
        wanted.manifest,
        live,
        merged,
        changed,
        rolls=_rolls(wanted.key, changed, action),
        takeovers=taken,
        foreign=beside,
    )


def _claimed(live: JsonObject, merged: JsonObject) -> tuple[FieldChange, ...]:
    """Return which fields would become ours, or cease to be, where no value changes.

    Somebody mends a field by hand and git follows: unless it is ours then, it stays live when it leaves git again.
    """
    before, after = adoption.ours(live), adoption.ours(merged)
    gained = (FieldChange(_OWNERS, "add", None, sorted(after - before)),) if after - before else ()
    lost = (FieldChange(_OWNERS, "remove", sorted(before - after)),) if before - after else ()
    return (*gained, *lost)


def _answered(found: Change, refusal: Refusal) -> Change:
    """Return the change that the server's no leaves: only a named immutable field is replaced, and never a claim."""
    if refusal.reason is not RefusalReason.IMMUTABLE:
        return _with_hold(found, _refused(refusal))
    if found.key.kind == _CLAIM:
        return _held(found, HoldReason.REFUSED, f"a cache claim is never replaced: {refusal.message}")
    if not refusal.recreatable:
        message = f"{refusal.message}; a replacement would be refused as well, so nothing is deleted"
        return _held(found, HoldReason.REFUSED, message)
    named = tuple(FieldChange(path, "change") for path in refusal.paths) or found.fields
    return replace(found, action=Action.REPLACE, fields=named, rolls=found.key.kind == "Deployment")


def _orphan(key: Key, live: JsonObject, plan: Plan) -> Change:
    service = ownership.service_of(key, live)
    if key.kind == _CLAIM and ownership.annotations_of(live).get(vocabulary.PRUNE) != "delete":
        kept = Hold(HoldReason.RETAINED, f"kept with its models; kubectl delete pvc -n {key.namespace} {key.name}")
        return Change(key, Action.KEEP, service, live=live, hold=kept)
    blocked = plan.parsed.blocked_by
    if blocked is not None:
        message = f"it stays as it is, since the fleet has errors: {blocked.path}:{blocked.line}"
        return Change(key, Action.KEEP, service, live=live, hold=Hold(HoldReason.INVALID, message))
    wrong = next((invalid for invalid in plan.parsed.invalid if invalid.id == service), None)
    if wrong is not None:
        message = f"it stays as it is, since its spec has errors: {wrong.origin.path}:{wrong.origin.line}"
        return Change(key, Action.KEEP, service, live=live, hold=Hold(HoldReason.INVALID, message))
    if live["metadata"].get("deletionTimestamp"):
        return Change(key, Action.KEEP, service, live=live)
    hold = None if plan.complete else Hold(HoldReason.INCOMPLETE, _incomplete_message(plan))
    return Change(key, Action.DELETE, service, live=live, hold=hold)


def _incomplete_message(plan: Plan) -> str:
    return f"nothing is deleted while not all specs can be read: {plan.parsed.incomplete_reason}"


def _foreign_message(key: Key, owner: Ownership | None) -> str:
    cluster = owner.cluster if owner else "true"
    target = f"-n {key.namespace} {key.kind.lower()} {key.name}" if key.namespace else f"{key.kind.lower()} {key.name}"
    return f"it is there and not ours; to hand it over: kubectl annotate {target} {vocabulary.ADOPT}={cluster}"


def _refused(refusal: Refusal) -> Hold:
    return Hold(HoldReason.REFUSED, f"the API server refuses it ({refusal.reason}): {refusal.message}")


def _held(change: Change, reason: HoldReason, message: str) -> Change:
    return _with_hold(change, Hold(reason, message))


def _with_hold(change: Change, hold: Hold) -> Change:
    action = Action.UPDATE if change.action is Action.KEEP else change.action
    return replace(change, action=action, hold=hold)


def _rolls(key: Key, changed: tuple[FieldChange, ...], action: Action) -> bool:
    if key.kind != "Deployment":
        return False
    return action is Action.REPLACE or any(fields.covers("spec.template", change.path) for change in changed)


def _shrinks(live: JsonObject, desired: JsonObject) -> bool:
    sizes = (_size(live), _size(desired))
    return None not in sizes and sizes[0] > sizes[1]


def _size(claim: JsonObject) -> Any:
    return quantities.parse(claim["spec"].get("resources", {}).get("requests", {}).get("storage", ""))


def _other_hands(
    live: JsonObject, desired: JsonObject, changed: tuple[FieldChange, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the fields that we take from other managers, and those of theirs that stay beside ours."""
    managed = live["metadata"].get("managedFields") or ()
    ours = tuple(fields.leaves(desired)) if managed else ()
    taken: set[str] = set()
    beside: set[str] = set()
    for entry in managed:
        manager = entry.get("manager", "unknown")
        ours_too = manager == vocabulary.MANAGER or manager.startswith(f"{vocabulary.MANAGER}-")
        if ours_too or manager in _CONTROLLERS or entry.get("subresource") == "status":
            continue
        comes_along = adoption.joins(live) and adoption.comes_along(entry)
        for path in fields.owned(entry):
            if any(fields.covers(path, change.path) for change in changed):
                taken.add(f"{path} ({manager})")
            elif not comes_along and not _expected(path) and not any(fields.covers(path, leaf) for leaf in ours):
                beside.add(f"{path} ({manager})")
    return tuple(sorted(taken)), tuple(sorted(beside))


def _expected(path: str) -> bool:
    """Tell whether others are meant to write the field: an autoscaler its replicas, people our own annotations."""
    return path in {"spec.replicas", "status"} or path.startswith(
        (
            "status.",
            "metadata.finalizers",
            "metadata.ownerReferences",
            f"metadata.annotations.{vocabulary.ADOPT}",
            f"metadata.annotations.{vocabulary.PAUSED_UNTIL}",
            "metadata.annotations.kubectl.kubernetes.io/last-applied-configuration",
            "metadata.annotations.kubectl.kubernetes.io/restartedAt",
            "spec.template.metadata.annotations.kubectl.kubernetes.io/restartedAt",
        )
    )
