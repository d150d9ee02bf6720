"""What a target showed: live objects, the server's dry-run answers, and the nodes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from reconciler.core.model.objects import JsonObject, Key


class RefusalReason(StrEnum):
    """Why the server would not take an object."""

    IMMUTABLE = "immutable"
    INVALID = "invalid"
    FORBIDDEN = "forbidden"
    CONFLICT = "conflict"
    MISSING = "missing"
    """The namespace, or the kind itself, is not there."""
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Refusal:
    """The server's no to a dry-run apply. `paths` are the fields it named, dotted, as it wrote them.

    `recreatable` is True when a dry-run create of the object under another name was accepted, so that a replacement
    would not end with nothing.
    """

    reason: RefusalReason
    message: str
    paths: tuple[str, ...] = ()
    recreatable: bool = False


@dataclass(frozen=True, slots=True)
class Inventory:
    """The parent object as it was found: what the set says of itself.

    `group_kinds` are `Kind.group` (`Kind` for the core group), `namespaces` are where members may be; both may name
    more than there is, never less.
    """

    applyset: str
    tooling: str
    repository: str
    path: str
    group_kinds: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Node:
    """One node. `allocatable` maps a resource to its quantity as written; `requested` likewise, by pods bound to it."""

    name: str
    labels: Mapping[str, str]
    taints: tuple[JsonObject, ...]
    allocatable: Mapping[str, str]
    schedulable: bool = True
    ready: bool = True


@dataclass(frozen=True, slots=True)
class Observed:
    """Everything a tick knows of a target.

    `live` holds planned objects that exist and all members of the inventory. `merged` holds the dry-run answer for each
    planned object, where one was asked for; `refusals` the noes. `runs` is False where nothing runs (a folder).
    `pods` are those of our services, `events` the warnings about them, as JSON.
    """

    live: Mapping[Key, JsonObject]
    merged: Mapping[Key, JsonObject] = field(default_factory=dict)
    refusals: Mapping[Key, Refusal] = field(default_factory=dict)
    inventory: Inventory | None = None
    nodes: tuple[Node, ...] = ()
    pods: tuple[JsonObject, ...] = ()
    events: tuple[JsonObject, ...] = ()
    runs: bool = True
