"""What is to be done, object by object, and what came of it."""

from dataclasses import dataclass, field
from enum import StrEnum

from reconciler.core.model.objects import JsonObject, Key, ServiceId


class Action(StrEnum):
    """What a change does to one object."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    """Delete, wait until it is gone, create: an immutable field changes."""
    DELETE = "delete"
    KEEP = "keep"


class HoldReason(StrEnum):
    """Why a change is not carried out now."""

    INVALID = "invalid"
    """Its spec has errors: it stays as it is."""
    INCOMPLETE = "incomplete"
    """Some specs could not be read: nothing is deleted."""
    DELETIONS = "deletions"
    ROLLOUTS = "rollouts"
    FOREIGN = "foreign"
    """The object exists and is somebody else's."""
    REFUSED = "refused"
    """The server would refuse it."""
    CONTESTED = "contested"
    PAUSED = "paused"
    SUSPENDED = "suspended"
    INVENTORY = "inventory"
    """The inventory in the cluster belongs to another repository, path or tool."""
    SUCCESSOR = "successor"
    """A renamed service goes after its successor is healthy."""
    RETAINED = "retained"
    """A cache claim stays until someone deletes it."""
    UNCONFIRMED = "unconfirmed"
    """The effect is no longer the one that was approved."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Why a change waits, and in words what lets it go on."""

    reason: HoldReason
    message: str


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field of an object. `path` is dotted, list items by name or index: `spec.template.spec.containers[x].image`.

    `kind` is `add`, `remove` or `change`; `old` and `new` are JSON values, None where the kind says there is none.
    """

    path: str
    kind: str
    old: object = None
    new: object = None


@dataclass(frozen=True, slots=True)
class Change:
    """One decision. `action` is what git wants; with `hold` it is not done now.

    `live`, `merged` and `desired` are None where there is no such object. `rolls` is True when pods restart.
    `takeovers` name fields that another manager holds and we take: `spec.replicas (kubectl-edit)`. `foreign` names
    fields that others added beside ours, which stay.
    """

    key: Key
    action: Action
    service: ServiceId
    desired: JsonObject | None = None
    live: JsonObject | None = None
    merged: JsonObject | None = None
    fields: tuple[FieldChange, ...] = ()
    hold: Hold | None = None
    rolls: bool = False
    takeovers: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()

    @property
    def writes(self) -> bool:
        """Whether carrying it out writes anything."""
        return self.hold is None and self.action is not Action.KEEP


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a change. `error` is "" when it was done; `live` is the object after it, None when deleted."""

    change: Change
    error: str = ""
    live: JsonObject | None = field(default=None)
