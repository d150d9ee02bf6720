"""What an outcome shows beside its services: nodes, kept caches, fields that others hold."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from reconciler.core.model.change import Action, Change, HoldReason
from reconciler.core.model.objects import Key
from reconciler.core.model.observed import Node
from reconciler.core.model.outcome import Outcome
from reconciler.core.model.report import ServiceState
from reconciler.core.rules import quantities

_WAITS_FOR_ITSELF: Final = frozenset(
    {HoldReason.FOREIGN, HoldReason.INVALID, HoldReason.REFUSED, HoldReason.CONTESTED, HoldReason.PAUSED},
)
"""Holds of one object, which may last for months; a trailer of so long ago must not still lift a guard."""


@dataclass(frozen=True, slots=True, order=True)
class Gpus:
    """How many of one resource a node offers."""

    resource: str
    count: int


@dataclass(frozen=True, slots=True)
class GpuNode:
    """A node worth telling of. `gpus` are sorted by resource, and empty for a node that only holds our pods."""

    name: str
    ready: bool
    schedulable: bool
    gpus: tuple[Gpus, ...]


@dataclass(frozen=True, slots=True)
class Fields:
    """Fields of one object, each with who holds it: `spec.replicas (kubectl-edit)`."""

    key: Key
    fields: tuple[str, ...]


def cluster(outcome: Outcome) -> str:
    """Return the cluster's name, "" where the plan has no owner."""
    return outcome.plan.ownership.cluster if outcome.plan.ownership else ""


def short(revision: str) -> str:
    """Return the commit as people write it, in eight characters."""
    return revision[:8]


def revision(outcome: Outcome) -> str:
    """Return `main@1a2b3c4d`; the branch alone, or `folder`, where there is no commit."""
    source = outcome.plan.snapshot
    if not source.revision:
        return source.branch or "folder"
    return f"{source.branch}@{short(source.revision)}" if source.branch else short(source.revision)


def settled(outcome: Outcome) -> bool:
    """Tell whether the revision is fully applied: what remains held needs no allowance of a commit's trailer.

    Source: DESIGN §9, a trailer counts in any commit between the last fully applied one and head.
    """
    if outcome.interrupted or any(result.error for result in outcome.results):
        return False
    return not any(_needs_allowance(change) for change in outcome.changes)


def _needs_allowance(change: Change) -> bool:
    if change.hold is None or change.hold.reason is HoldReason.RETAINED:
        return False
    return change.action is Action.DELETE or change.hold.reason not in _WAITS_FOR_ITSELF


def caches(outcome: Outcome) -> tuple[Key, ...]:
    """Return the cache claims that stay though their service has gone, sorted."""
    return tuple(
        sorted(
            change.key
            for change in outcome.changes
            if change.hold is not None and change.hold.reason is HoldReason.RETAINED
        )
    )


def foreign(outcome: Outcome) -> tuple[Fields, ...]:
    """Return the fields that others added beside ours and that stay, by object."""
    return _fields(outcome.changes, lambda change: change.foreign)


def takeovers(outcome: Outcome) -> tuple[Fields, ...]:
    """Return the fields of others that a held change would take. What was taken already is the commit's to tell."""
    waiting = (change for change in outcome.changes if change.hold is not None)
    return _fields(waiting, lambda change: change.takeovers)


def _fields(changes: Iterable[Change], of: Callable[[Change], tuple[str, ...]]) -> tuple[Fields, ...]:
    found = (Fields(change.key, tuple(sorted(of(change)))) for change in changes if of(change))
    return tuple(sorted(found, key=lambda one: one.key))


def nodes(outcome: Outcome, states: Iterable[ServiceState]) -> tuple[GpuNode, ...]:
    """Return the nodes that have GPUs, or that our pods are on, sorted by name."""
    states = tuple(states)
    resources = {"nvidia.com/gpu", "amd.com/gpu", *(state.resource for state in states if "/" in state.resource)}
    ours = {name for state in states for name in state.nodes}
    found = (_node(node, resources) for node in outcome.observed.nodes)
    return tuple(sorted((node for node in found if node.gpus or node.name in ours), key=lambda node: node.name))


def _node(node: Node, resources: set[str]) -> GpuNode:
    counts = ((name, quantities.parse(node.allocatable.get(name, "0")) or 0) for name in sorted(resources))
    gpus = tuple(Gpus(name, int(count)) for name, count in counts if count >= 1)
    return GpuNode(node.name, node.ready, node.schedulable, gpus)
