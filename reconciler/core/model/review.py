"""A proposal in the reader's language: services, pods that restart, GPUs, places, prices."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from reconciler.core.model.change import Action, Hold
from reconciler.core.model.objects import JsonObject, Key, ServiceId


class Fate(StrEnum):
    """What becomes of a service."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    STAYS = "stays"
    """Something about it is held back or kept, and nothing else changes."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What a service's pods ask for. `devices` maps an extended resource to its count in one pod.

    `least` and `most` are replicas: equal where the number is fixed, the bounds where an autoscaler owns it.
    """

    devices: Mapping[str, int] = field(default_factory=dict)
    least: int = 0
    most: int = 0
    pod: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Place:
    """Where pods could run: a live node, or a pool that the fleet declares.

    `offers` maps resources to what one node has. `whole` is True where these labels are all of the node's; a pool
    declares only some of its own.
    """

    name: str
    labels: Mapping[str, str]
    taints: tuple[JsonObject, ...]
    offers: Mapping[str, Decimal]
    whole: bool


@dataclass(frozen=True, slots=True)
class Fit:
    """Which pools can take a service's pod, by name; with none of them, why not."""

    pools: tuple[str, ...]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class HeldObject:
    """One object whose change waits."""

    key: Key
    action: Action
    hold: Hold


@dataclass(frozen=True, slots=True)
class ServiceReview:
    """One service that is touched. `reasons` say in words which fields change, those that restart pods first.

    `restarts` is True when pods that run now restart. `replaced` and `removed` name objects; `replaced` with the
    immutable field. `before` and `after` are None where there is no such Deployment. `fit` is None where nothing is
    known of nodes or pools, or no pod will be.
    """

    id: ServiceId
    fate: Fate
    restarts: bool = False
    reasons: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    held: tuple[HeldObject, ...] = ()
    before: Demand | None = None
    after: Demand | None = None
    fit: Fit | None = None


@dataclass(frozen=True, slots=True)
class GpuTotal:
    """One device resource over all touched services, least and most replicas: `(4, 8)`."""

    resource: str
    before: tuple[int, int]
    after: tuple[int, int]


@dataclass(frozen=True, slots=True)
class CostTotal:
    """A price of an hour over the touched services, by their share of a node's devices; `basis` as in `on demand`.

    `before` and `after` are at least and at most so many replicas.
    """

    basis: str
    currency: str
    before: tuple[Decimal, Decimal]
    after: tuple[Decimal, Decimal]


@dataclass(frozen=True, slots=True)
class Review:
    """What a reviewer wants to know first. `services` are those that are touched, by id.

    `unchanged` counts the other services that were read: all of them, or between revisions those of files that differ.
    `places` is what services were fitted to: `nodes`, `pools`, or "" when nothing is known of either. `unpriced` are
    services whose price is not known although others' is: no one pool takes them, or its price is not said.
    """

    services: tuple[ServiceReview, ...]
    unchanged: int
    places: str = ""
    gpus: tuple[GpuTotal, ...] = ()
    costs: tuple[CostTotal, ...] = ()
    unpriced: tuple[ServiceId, ...] = ()
