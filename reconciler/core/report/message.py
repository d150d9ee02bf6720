"""The commit that brings a report: what was done, what waits, what failed. Events stand here, and in no file."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from reconciler.core.model.change import Action, Change, Hold, Result
from reconciler.core.model.health import Phase
from reconciler.core.model.objects import ServiceId
from reconciler.core.model.outcome import Outcome
from reconciler.core.model.report import ServiceState, Status
from reconciler.core.report import cases, facts, markdown

_SUBJECT: Final = 71
"""Git's tools cut a subject at 72 columns."""
_BRANCH: Final = 24
_LINE: Final = 200
_SERVICES: Final = 300
"""Services that a body tells of; a first sync of a thousand is still a message that a person can scroll."""
_FIELDS: Final = 3
"""Fields that a line names of what changed; the diff has them all."""

_DONE: Final[Mapping[Action, str]] = {
    Action.CREATE: "created",
    Action.UPDATE: "updated",
    Action.REPLACE: "replaced",
    Action.DELETE: "deleted",
}


def write(outcome: Outcome, states: tuple[ServiceState, ...], last: Status | None) -> str:
    """Return the message: subject, body by service, trailers. `last` is what was reported before, None for nothing."""
    before = {state.id: state.phase for state in last.services} if last else {}
    moved = {
        state.id: (before[state.id], state.phase)
        for state in states
        if state.id in before and before[state.id] is not state.phase
    }
    paragraphs = (_subject(outcome, states, moved), _body(outcome, states, moved), _trailers(outcome))
    return "\n\n".join(part for part in paragraphs if part) + "\n"


def _subject(outcome: Outcome, states: Iterable[ServiceState], moved: Mapping[ServiceId, tuple[Phase, Phase]]) -> str:
    counts = Counter(_deeds(outcome).values())
    failed = {result.change.service for result in outcome.results if result.error}
    held = {service for service, _ in _waiting(outcome)}
    invalid = sum(1 for state in states if state.phase is Phase.INVALID)
    now = Counter(f"now {phase}" for _, phase in moved.values() if phase not in {Phase.HELD, Phase.INVALID})
    parts = [f"{counts[deed]} {deed}" for deed in _DONE.values() if counts[deed]]
    for count, word in ((len(failed), "failed"), (len(held), "held"), (invalid, "invalid")):
        parts += [f"{count} {word}"] if count else []
    parts += [f"{count} {word}" for word, count in sorted(now.items())]
    return _fitted(f"status: {_source(outcome)}", parts or ["no change", "observed"])


def _source(outcome: Outcome) -> str:
    source = outcome.plan.snapshot
    branch = markdown.line(source.branch, _BRANCH)
    if not source.revision:
        return branch or "folder"
    return f"{branch}@{facts.short(source.revision)}" if branch else facts.short(source.revision)


def _fitted(head: str, parts: Iterable[str]) -> str:
    """Return the parts that fit, and `more` in the place of those that do not."""
    subject = head
    for part in parts:
        longer = f"{subject}, {part}"
        if len(longer) + len(", more") > _SUBJECT:
            return f"{subject}, more"
        subject = longer
    return subject


def _deeds(outcome: Outcome) -> Mapping[ServiceId, str]:
    """Return what happened to each service as a whole: some objects of it created and others updated is an update."""
    actions: dict[ServiceId, set[Action]] = defaultdict(set)
    for result in outcome.results:
        if not result.error and result.change.action is not Action.KEEP:
            actions[result.change.service].add(result.change.action)
    return {service: _DONE[_deed(found)] for service, found in actions.items()}


def _deed(found: set[Action]) -> Action:
    if Action.REPLACE in found:
        return Action.REPLACE
    return next(iter(found)) if len(found) == 1 else Action.UPDATE


def _body(outcome: Outcome, states: Iterable[ServiceState], moved: Mapping[ServiceId, tuple[Phase, Phase]]) -> str:
    lines: dict[ServiceId, list[str]] = defaultdict(list)
    for result in outcome.results:
        if result.change.action is not Action.KEEP:
            lines[result.change.service].append(_tried(result))
    for (service, hold), waiting in _waiting(outcome).items():
        named = ", ".join(_named(change) for change in waiting)
        lines[service].append(f"held ({hold.reason}): {named}: {hold.message}")
    for state in states:
        if state.phase is Phase.INVALID:
            lines[state.id].append(f"invalid: {state.spec}: {state.message}")
    for service, (old, new) in moved.items():
        lines[service].append(f"now {new}, was {old}")
    told = sorted(lines)[:_SERVICES]
    body = [part for service in told for part in (markdown.line(str(service)), *map(_indented, lines[service]))]
    if len(lines) > _SERVICES:
        body.append(f"And {len(lines) - _SERVICES} more services.")
    if outcome.interrupted:
        body.append("Stopped between two effects; the next tick goes on.")
    return "\n".join(body)


def _waiting(outcome: Outcome) -> Mapping[tuple[ServiceId, Hold], Sequence[Change]]:
    """Group what waits by its service and the hold, since a guard holds all objects of a service alike.

    An invalid service is told as such: no deletion of it was asked for.
    """
    found = defaultdict(list)
    for case in cases.of(outcome):
        for change, hold in () if case.invalid else cases.holds(case.changes):
            found[case.id, hold].append(change)
    return found


def _indented(raw: str) -> str:
    return f"  {markdown.line(raw, _LINE)}"


def _tried(result: Result) -> str:
    change = result.change
    if result.error:
        return f"failed: {_named(change)}: {result.error}"
    taken = f"; taken over: {', '.join(change.takeovers)}" if change.takeovers else ""
    return f"{_named(change)}{_why(change)}{taken}"


def _named(change: Change) -> str:
    return f"{change.action} {change.key.kind} {change.key.name}"


def _why(change: Change) -> str:
    """Return the reason, by the names of fields alone: a value may be a secret."""
    if change.action is Action.DELETE:
        return ": left git"
    paths = tuple(dict.fromkeys(field.path for field in change.fields))
    if not paths:
        return ""
    rest = f" and {len(paths) - _FIELDS} more" if len(paths) > _FIELDS else ""
    immutable = "immutable " if change.action is Action.REPLACE else ""
    return f": {immutable}{', '.join(paths[:_FIELDS])}{rest}"


def _trailers(outcome: Outcome) -> str:
    values = (
        ("Observed-Commit", outcome.plan.snapshot.revision),
        ("Cluster", facts.cluster(outcome)),
        ("Plan-Hash", outcome.plan.hash),
    )
    return "\n".join(f"{token}: {markdown.line(value, _LINE)}" for token, value in values if value)
