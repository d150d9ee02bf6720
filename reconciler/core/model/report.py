"""What a report says: services as people see them, and a report branch read back."""

from dataclasses import dataclass

from reconciler.core.model.health import Phase
from reconciler.core.model.objects import ServiceId
from reconciler.core.model.problem import Problem
from reconciler.core.model.spec import Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceState:
    """One service after a tick. It holds state alone: no clock, no progress, nothing of what was done.

    `cause` names what is wrong in a few words, "" when nothing is; `message` is a sentence, `next_action` what a
    person does about it, "" when there is nothing to do. `origin` is None when no spec is known, and its line is 0
    for a service that left git. `gpus` counts those of one pod, `resource` is what they are asked for as.
    `image`, `url` and the model are "" where the spec cannot be read; `build` is None where the image's tag does not
    tell. `nodes` has one entry a pod, sorted.
    """

    namespace: str
    name: str
    phase: Phase
    cause: str = ""
    message: str = ""
    next_action: str = ""
    origin: Origin | None = None
    model: str = ""
    source: str = ""
    gpus: int = 0
    resource: str = ""
    image: str = ""
    build: int | None = None
    ready: int = 0
    desired: int = 0
    url: str = ""
    nodes: tuple[str, ...] = ()

    @property
    def id(self) -> ServiceId:
        """The service's name in its namespace."""
        return ServiceId(self.namespace, self.name)

    @property
    def spec(self) -> str:
        """Where its spec stands, `path:line`; the path alone without a line, "" without an origin."""
        if self.origin is None:
            return ""
        return f"{self.origin.path}:{self.origin.line}" if self.origin.line else self.origin.path


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A report branch's `status.json`, read back. `revision` is the observed commit, "" for a plain folder.

    `applied` is the last commit that was fully applied, "" before the first: guards read trailers from there on.
    `complete` is False when not all specs could be read; `incomplete_reason` then says why.
    """

    cluster: str
    url: str
    branch: str
    revision: str
    applied: str
    plan_hash: str
    complete: bool
    incomplete_reason: str
    services: tuple[ServiceState, ...]
    problems: tuple[Problem, ...]
