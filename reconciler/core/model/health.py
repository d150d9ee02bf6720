"""How live things are: kstatus's words for an object, the product's phases for a service."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from reconciler.core.model.objects import Key, ServiceId


class Status(StrEnum):
    """kstatus's closed set, of one object."""

    CURRENT = "Current"
    IN_PROGRESS = "InProgress"
    FAILED = "Failed"
    TERMINATING = "Terminating"
    NOT_FOUND = "NotFound"
    UNKNOWN = "Unknown"


class Phase(StrEnum):
    """The closed set of what a service can be; the order is that of urgency in a report."""

    INVALID = "Invalid"
    FAILED = "Failed"
    HELD = "Held"
    DEGRADED = "Degraded"
    WAITING_FOR_GPU = "WaitingForGPU"
    PENDING = "Pending"
    DOWNLOADING = "Downloading"
    LOADING = "Loading"
    SUSPENDED = "Suspended"
    STOPPED = "Stopped"
    RENDERED = "Rendered"
    READY = "Ready"


@dataclass(frozen=True, slots=True)
class ObjectHealth:
    """One object: its status, a machine's reason (`TooFewReady`), a person's message (`Ready: 1/3`)."""

    status: Status
    reason: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class ServiceHealth:
    """One service as it runs. `cause` names what is wrong (`Insufficient nvidia.com/gpu`), "" when nothing is.

    `ready` and `desired` count replicas. `nodes` are where its pods are bound, one entry a pod, sorted.
    """

    phase: Phase
    cause: str = ""
    message: str = ""
    ready: int = 0
    desired: int = 0
    nodes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Health:
    """All that is live, judged. A service that has no live Deployment is not in `services`."""

    objects: Mapping[Key, ObjectHealth] = field(default_factory=dict)
    services: Mapping[ServiceId, ServiceHealth] = field(default_factory=dict)
