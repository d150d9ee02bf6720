"""What may be done now, and what waits for whom. Guards count services, since that is what people lose."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from reconciler.core.model.change import Action, Change, Hold, HoldReason
from reconciler.core.model.health import Phase
from reconciler.core.model.objects import JsonObject, Key, ServiceId
from reconciler.core.model.outcome import Proposal
from reconciler.core.model.policy import Allowance, Policy
from reconciler.core.model.source import Commit
from reconciler.core.rules import addresses, names, ownership, vocabulary

TRAILER: Final = "Llmkube-Allow"

_ALLOW: Final = re.compile(r"(delete|rollout)=([0-9]{1,6})")

_WORKLOAD: Final = "Deployment"

CONTEST_WINDOW: Final = timedelta(minutes=10)
CONTEST_LIMIT: Final = 3
"""A field that is retaken so often has another master; two controllers must not fight for ever."""

MAX_DELETIONS: Final = 2
MAX_ROLLOUTS: Final = 10
"""Where neither the command line nor the fleet sets a limit."""

_CALM: Final = frozenset({Phase.READY, Phase.STOPPED, Phase.SUSPENDED, Phase.RENDERED})
"""All others are on their way, or failed on it: the next do not follow a rollout that went wrong."""

_LACKS: Final = re.compile(r"Insufficient ([\w./-]+)")


@dataclass(frozen=True, slots=True)
class Moment:
    """What the guards know beside the proposal: the time, and when each object was last taken back from others."""

    now: datetime
    retaken: Mapping[Key, tuple[datetime, ...]] = field(default_factory=dict)


def check(proposal: Proposal, policy: Policy, moment: Moment) -> tuple[Change, ...]:
    """Return the changes in their order, each that has to wait with its reason. A change held before stays held."""
    mismatch = _inventory_mismatch(proposal)
    if mismatch is not None:
        return tuple(_hold(change, mismatch) for change in proposal.changes)
    suspension = _suspension(proposal, moment.now)
    if suspension is not None:
        return tuple(_hold(change, suspension) for change in proposal.changes)
    changes = tuple(_by_object(change, moment) for change in proposal.changes)
    changes = _emptied(changes, proposal, policy.allowance)
    changes = _deletions(changes, proposal, policy)
    changes = _successors(changes, proposal, policy)
    return _rollouts(changes, proposal, policy)


def allowance(commits: Iterable[Commit]) -> Allowance:
    """Return what the commits' trailers let through: the largest count of each, and who said so.

    A trailer reads `Llmkube-Allow: delete=N` or `rollout=N`; other values are ignored, since a guard stays on in doubt.
    """
    counts: dict[str, list[int]] = {"delete": [], "rollout": []}
    sources: list[str] = []
    for commit in commits:
        for token, value in commit.trailers:
            match = _ALLOW.fullmatch(value.strip()) if token.lower() == TRAILER.lower() else None
            if match:
                counts[match[1]].append(int(match[2]))
                sources.append(f"{value.strip()} in commit {commit.revision[:8]}")
    return Allowance(max(counts["delete"], default=None), max(counts["rollout"], default=None), tuple(sources))


def _inventory_mismatch(proposal: Proposal) -> Hold | None:
    """An inventory that another tool, repository or path wrote is not ours to change."""
    found, owner = proposal.observed.inventory, proposal.plan.ownership
    if found is None or owner is None:
        return None
    for what, theirs, ours in (
        ("set", found.applyset, owner.applyset),
        ("tool", found.tooling.partition("/")[0], vocabulary.TOOLING.partition("/")[0]),
        ("repository", found.repository, owner.repository),
        ("path", found.path, owner.path),
    ):
        same = addresses.same_repository(theirs, ours) if what == "repository" else theirs == ours
        if not same:
            message = (
                f"the inventory {owner.namespace}/{owner.name} belongs to {what} {theirs or 'none'!r}, not to {ours!r};"
                " use another --cluster-name, or delete that ConfigMap to hand its objects over"
            )
            return Hold(HoldReason.INVENTORY, message)
    return None


def _suspension(proposal: Proposal, now: datetime) -> Hold | None:
    said = proposal.plan.parsed.fleet.suspension
    if said is None or (said.until is not None and said.until <= now):
        return None
    until = f" until {said.until.isoformat()}" if said.until else ""
    return Hold(HoldReason.SUSPENDED, f"the fleet is suspended{until}: {said.reason}")


def _by_object(change: Change, moment: Moment) -> Change:
    paused = _paused(change.live, moment.now) if change.live is not None else None
    if paused is not None:
        return _hold(change, paused)
    recent = [taken for taken in moment.retaken.get(change.key, ()) if moment.now - taken <= CONTEST_WINDOW]
    if change.takeovers and change.action is Action.UPDATE and len(recent) >= CONTEST_LIMIT:
        message = f"taken back {len(recent)} times in ten minutes and changed again: {', '.join(change.takeovers)}"
        return _hold(change, Hold(HoldReason.CONTESTED, message))
    return change


def _paused(live: JsonObject, now: datetime) -> Hold | None:
    said = (live["metadata"].get("annotations") or {}).get(vocabulary.PAUSED_UNTIL)
    if not said:
        return None
    try:
        until = datetime.fromisoformat(said)
    except ValueError:
        until = None
    if until is None or until.tzinfo is None:
        message = f"its annotation {vocabulary.PAUSED_UNTIL} is no time: {said!r}; write 2030-01-31T18:00:00Z"
        return Hold(HoldReason.PAUSED, message)
    if until <= now:
        return None
    return Hold(HoldReason.PAUSED, f"paused until {said} by its annotation {vocabulary.PAUSED_UNTIL}")


def _emptied(changes: tuple[Change, ...], proposal: Proposal, allowed: Allowance) -> tuple[Change, ...]:
    """Let an approved deletion of the last services go on; a repository that cannot be read stays incomplete."""
    parsed = proposal.plan.parsed
    # what an interrupted tick left of a service counts too, or it would stay for ever
    gone = {change.service for change in changes if change.action is Action.DELETE}
    if not gone or parsed.services or not parsed.empty or not _within(len(gone), allowed.deletions):
        return changes
    return tuple(
        replace(change, hold=None) if change.hold and change.hold.reason is HoldReason.INCOMPLETE else change
        for change in changes
    )


def _deletions(changes: tuple[Change, ...], proposal: Proposal, policy: Policy) -> tuple[Change, ...]:
    gone = {service for service in _deleted(changes) if service not in _wanted(proposal)}
    running = {change.service for change in changes if _is_workload(change) and _is_live_and_ours(change)}
    limit = _limit(policy.max_deletions, proposal.plan.parsed.fleet.guards.max_deletions, MAX_DELETIONS)
    many = len(gone) > limit and 2 * len(gone) > len(running)
    last = bool(gone) and not proposal.plan.parsed.services
    if not (many or last) or _within(len(gone), policy.allowance.deletions):
        return changes
    message = (
        f"{len(gone)} of {len(running)} services would be deleted;"
        f" to let it: a commit with the trailer `{TRAILER}: delete={len(gone)}`, or --allow-delete {len(gone)}"
    )
    hold = Hold(HoldReason.DELETIONS, message)
    return _hold_where(changes, hold, lambda change: change.action is Action.DELETE and change.service in gone)


def _successors(changes: tuple[Change, ...], proposal: Proposal, policy: Policy) -> tuple[Change, ...]:
    """Keep a removed service that serves until a newer one of the same Model does.

    A successor that cannot be scheduled for want of what the old one holds never will be: then the old goes first.
    """
    wanted = _wanted(proposal)
    removed = {
        change.service: change.live
        for change in changes
        if change.action is Action.DELETE and _is_workload(change) and change.live and change.service not in wanted
    }
    if not proposal.observed.runs or _within(len(removed), policy.allowance.deletions):
        return changes
    heirs = {service: _heir(service, live, proposal) for service, live in removed.items()}

    def waits(change: Change) -> Change:
        heir = heirs.get(change.service) if change.action is Action.DELETE else None
        if heir is None:
            return change
        return _hold(change, Hold(HoldReason.SUCCESSOR, f"goes when {heir}, which serves the same model, is Ready"))

    return tuple(waits(change) for change in changes)


def _heir(service: ServiceId, live: JsonObject, proposal: Proposal) -> ServiceId | None:
    """Return a service that takes over from this one and is not up yet; None where nothing is to be waited for."""
    health = proposal.health.services
    old = health.get(service)
    if old is None or old.ready == 0:
        return None
    served = ownership.labels_of(live).get(vocabulary.MODEL, "")
    holds = _holds(live)
    for heir in proposal.plan.parsed.services:
        alike = heir.id.namespace == service.namespace and names.label_value(heir.model.id.name) == served
        if not alike or heir.suspend or not _is_newer(heir.id, live, proposal):
            continue
        found = health.get(heir.id)
        if found is None or (found.phase not in _CALM and not holds.intersection(_LACKS.findall(found.cause))):
            return heir.id
    return None


def _is_newer(service: ServiceId, old: JsonObject, proposal: Proposal) -> bool:
    """Tell whether a service came after the removed one: a sibling that is broken for long is no successor."""
    begun = (
        live["metadata"].get("creationTimestamp", "")
        for key, live in proposal.observed.live.items()
        if key.kind == _WORKLOAD and ownership.service_of(key, live) == service
    )
    since = old["metadata"].get("creationTimestamp", "")
    return all(time > since or not since for time in begun)


def _holds(live: JsonObject) -> set[str]:
    """Return the resources that the pods of a Deployment hold."""
    containers = live["spec"].get("template", {}).get("spec", {}).get("containers") or ()
    kinds = ("limits", "requests")
    return {name for found in containers for kind in kinds for name in found.get("resources", {}).get(kind) or {}}


def _rollouts(changes: tuple[Change, ...], proposal: Proposal, policy: Policy) -> tuple[Change, ...]:
    """Let only so many services roll at once, in the plan's order; all objects of a service wait together.

    A service that is not well loses nothing by a rollout, and may be mended by it: it is never made to wait.
    """
    phases = {service: health.phase for service, health in proposal.health.services.items()}
    uneasy = {service for service, phase in phases.items() if phase not in _CALM}
    rolling = tuple(dict.fromkeys(change.service for change in changes if change.rolls and change.writes))
    limit = _limit(policy.max_rollouts, proposal.plan.parsed.fleet.guards.max_rollouts, MAX_ROLLOUTS)
    limit = max(limit, policy.allowance.rollouts or 0)
    late = set([service for service in rolling if service not in uneasy][max(0, limit - len(uneasy)) :])
    if not late:
        return changes
    message = (
        f"{len(rolling)} services would roll, {len(uneasy)} are on their way or not well, {limit} may at once;"
        f" it follows as they become Ready, or with `{TRAILER}: rollout={len({*rolling, *uneasy})}`"
    )
    return _hold_where(changes, Hold(HoldReason.ROLLOUTS, message), lambda change: change.service in late)


def _deleted(changes: tuple[Change, ...]) -> set[ServiceId]:
    return {change.service for change in changes if change.action is Action.DELETE and _is_workload(change)}


def _wanted(proposal: Proposal) -> set[ServiceId]:
    return {planned.service for planned in proposal.plan.objects}


def _is_workload(change: Change) -> bool:
    return change.key.kind == _WORKLOAD


def _is_live_and_ours(change: Change) -> bool:
    return change.live is not None and not (change.hold and change.hold.reason is HoldReason.FOREIGN)


def _limit(*said: int | None) -> int:
    return next(limit for limit in said if limit is not None)


def _within(count: int, allowed: int | None) -> bool:
    return allowed is not None and count <= allowed


def _hold_where(changes: tuple[Change, ...], hold: Hold, applies: Callable[[Change], bool]) -> tuple[Change, ...]:
    return tuple(_hold(change, hold) if applies(change) else change for change in changes)


def _hold(change: Change, hold: Hold) -> Change:
    return change if change.hold is not None or change.action is Action.KEEP else replace(change, hold=hold)
