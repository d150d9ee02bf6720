"""What a command returns: values to be rendered, and the exit code. A command itself prints nothing."""

from dataclasses import dataclass
from typing import Any

from reconciler.core.model.change import Change, Result
from reconciler.core.model.objects import JsonObject
from reconciler.core.model.problem import Problem
from reconciler.core.model.report import Status
from reconciler.core.model.review import Review


@dataclass(frozen=True, slots=True)
class Validation:
    """Every problem of every file, sorted by place."""

    problems: tuple[Problem, ...]
    files: int
    models: int
    services: int


@dataclass(frozen=True, slots=True)
class Rendering:
    """Manifests in their stable order, and the problems that kept others out."""

    manifests: tuple[JsonObject, ...]
    problems: tuple[Problem, ...]
    written_to: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    """What would change. `before` and `after` name the two sides for people.

    `plan_hash` is of the effect: what `sync --expect-plan` takes. Between two revisions `files` counts the spec files
    that differ and all of them; None against a target. `notes` say what this comparison cannot know. `live` is the
    second revision against the target, where that was asked for too.
    """

    before: str
    after: str
    changes: tuple[Change, ...]
    problems: tuple[Problem, ...]
    plan_hash: str
    review: Review
    files: tuple[int, int] | None = None
    notes: tuple[str, ...] = ()
    live: "Difference | None" = None


@dataclass(frozen=True, slots=True)
class Synced:
    """What one tick did. `report` is the status branch's commit, "" when there is none."""

    cluster: str
    branch: str
    revision: str
    changes: tuple[Change, ...]
    results: tuple[Result, ...]
    problems: tuple[Problem, ...]
    plan_hash: str
    report: str
    report_error: str
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class FleetStatus:
    """The last report, and the head it should have observed by now."""

    status: Status
    branch: str
    head: str

    @property
    def observed(self) -> bool:
        """Whether the report is of the branch's head."""
        return self.head == self.status.revision


@dataclass(frozen=True, slots=True)
class Answer:
    """A value of this module, and the exit code that goes with it."""

    value: Any
    exit_code: int
