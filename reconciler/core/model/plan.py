"""The desired state as one value."""

from dataclasses import dataclass

from reconciler.core.model.objects import JsonObject, Key, ServiceId
from reconciler.core.model.source import Snapshot
from reconciler.core.model.spec import Parsed


@dataclass(frozen=True, slots=True)
class Ownership:
    """Whose objects these are. `applyset` is the id that the inventory label of every member carries.

    `namespace` and `name` are the parent ConfigMap's; `repository` and `path` are what it must name.
    """

    cluster: str
    namespace: str
    name: str
    applyset: str
    repository: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class Planned:
    """One object to be, and the service it belongs to."""

    key: Key
    manifest: JsonObject
    service: ServiceId


@dataclass(frozen=True, slots=True)
class Plan:
    """All objects to be, in apply order. Only a complete plan deletes.

    `hash` is of the objects alone: equal hashes mean equal effects on an equal cluster.
    """

    parsed: Parsed
    snapshot: Snapshot
    ownership: Ownership | None
    objects: tuple[Planned, ...]
    hash: str

    @property
    def complete(self) -> bool:
        """Whether everything that the repository wants is in `objects`."""
        return self.parsed.complete
