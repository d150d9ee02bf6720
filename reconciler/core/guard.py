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
from reconciler.core.rules import vocabulary

TRAILER: Final = "Llmkube-Allow"

_ALLOW: Final = re.compile(r"(delete|rollout)=([0-9]{1,6})")

CONTEST_WINDOW: Final = timedelta(minutes=10)
CONTEST_LIMIT: Final = 3
"""A field that is retaken so often has another master; two controllers must not fight for ever."""

MAX_DELETIONS: Final = 2
MAX_ROLLOUTS: Final = 10
"""Where neither the command line nor the fleet sets a limit."""

_ROLLING: Final = frozenset({Phase.PENDING, Phase.DOWNLOADING, Phase.LOADING, Phase.DEGRADED, Phase.WAITING_FOR_GPU})


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
    changes = _successors(changes, proposal)
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
        if theirs != ours:
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
        message = f"its annotation {vocabulary.PAUSED_UNTIL} is no time: {said!r}; write 2030-01-31T18:00:00Z"
        return Hold(HoldReason.PAUSED, message)
    if until.tzinfo is None or until <= now:
        return None
    return Hold(HoldReason.PAUSED, f"paused until {said} by its annotation {vocabulary.PAUSED_UNTIL}")


def _emptied(changes: tuple[Change, ...], proposal: Proposal, allowed: Allowance) -> tuple[Change, ...]:
    """Let an approved deletion of the last services go on; a repository that cannot be read stays incomplete."""
    parsed = proposal.plan.parsed
    gone = _deleted(changes)
    if not gone or parsed.services or not parsed.empty or not _within(len(gone), allowed.deletions):
        return changes
    return tuple(
        replace(change, hold=None) if change.hold and change.hold.reason is HoldReason.INCOMPLETE else change
        for change in changes
    )


def _deletions(changes: tuple[Change, ...], proposal: Proposal, policy: Policy) -> tuple[Change, ...]:
    gone = {service for service in _deleted(changes) if service not in _wanted(proposal)}
    running = {change.service for change in changes if change.live is not None and _is_workload(change)}
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


def _successors(changes: tuple[Change, ...], proposal: Proposal) -> tuple[Change, ...]:
    """Keep a removed service until a new one of the same Model serves; where nothing runs there is nothing to bridge.

    A successor that waits for a GPU may wait for the very one that the old service holds: then the old goes first.
    """
    if not proposal.observed.runs:
        return changes
    phases = {service: health.phase for service, health in proposal.health.services.items()}
    heirs = {
        (service.id.namespace, service.model.id.name): service.id
        for service in proposal.plan.parsed.services
        if not service.suspend and phases.get(service.id) not in {Phase.READY, Phase.WAITING_FOR_GPU, Phase.STOPPED}
    }
    wanted = _wanted(proposal)

    def waits(change: Change) -> ServiceId | None:
        if change.action is not Action.DELETE or change.service in wanted or change.live is None:
            return None
        labels = change.live["metadata"].get("labels") or {}
        return heirs.get((change.service.namespace, labels.get(vocabulary.MODEL, "")))

    return tuple(
        _hold(change, Hold(HoldReason.SUCCESSOR, f"goes when {heir}, which serves the same model, is Ready"))
        if (heir := waits(change))
        else change
        for change in changes
    )


def _rollouts(changes: tuple[Change, ...], proposal: Proposal, policy: Policy) -> tuple[Change, ...]:
    """Let only so many services roll at once, in the plan's order; all objects of a service wait together."""
    rolling = [change.service for change in changes if change.rolls and change.writes]
    in_flight = sum(1 for found in proposal.health.services.values() if found.phase in _ROLLING)
    limit = _limit(policy.max_rollouts, proposal.plan.parsed.fleet.guards.max_rollouts, MAX_ROLLOUTS)
    limit = max(limit, policy.allowance.rollouts or 0)
    room = max(0, limit - in_flight)
    late = set(list(dict.fromkeys(rolling))[room:])
    if not late:
        return changes
    message = (
        f"{len(set(rolling))} services would roll, {in_flight} are on their way, {limit} may at once;"
        f" it follows as they become Ready, or with `{TRAILER}: rollout={len(set(rolling)) + in_flight}`"
    )
    return _hold_where(changes, Hold(HoldReason.ROLLOUTS, message), lambda change: change.service in late)


def _deleted(changes: tuple[Change, ...]) -> set[ServiceId]:
    return {change.service for change in changes if change.action is Action.DELETE and _is_workload(change)}


def _wanted(proposal: Proposal) -> set[ServiceId]:
    return {planned.service for planned in proposal.plan.objects}


def _is_workload(change: Change) -> bool:
    return change.key.kind == "Deployment"


def _limit(*said: int | None) -> int:
    return next(limit for limit in said if limit is not None)


def _within(count: int, allowed: int | None) -> bool:
    return allowed is not None and count <= allowed


def _hold_where(changes: tuple[Change, ...], hold: Hold, applies: Callable[[Change], bool]) -> tuple[Change, ...]:
    return tuple(_hold(change, hold) if applies(change) else change for change in changes)


def _hold(change: Change, hold: Hold) -> Change:
    return change if change.hold is not None or change.action is Action.KEEP else replace(change, hold=hold)
