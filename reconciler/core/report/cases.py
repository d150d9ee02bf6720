"""Everything a tick knows, sorted by service: the evidence that the rules judge."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from reconciler.core.model.change import Action, Change, Hold, HoldReason
from reconciler.core.model.health import ServiceHealth
from reconciler.core.model.objects import JsonObject, Key, ServiceId
from reconciler.core.model.outcome import Outcome
from reconciler.core.model.problem import Problem, Severity
from reconciler.core.model.spec import Invalid, Origin, Parsed, Service
from reconciler.core.rules import names, vocabulary

WORKLOADS: Final = frozenset({"Deployment", "LeaderWorkerSet"})
"""Kinds that stand for their service: what holds one of these holds the service."""


@dataclass(frozen=True, slots=True)
class Case:
    """One service. `spec` and `invalid` are None when git does not hold such a document.

    `origin` is where the spec stands; for a service that left git the file that its objects came from, at line 0, or at
    the error that keeps the file from being read. None when even that is not known. `errors` are of changes that were
    tried, `live` tells whether any object of it exists, `problem` is the first error of its document.
    """

    id: ServiceId
    spec: Service | None
    invalid: Invalid | None
    origin: Origin | None
    health: ServiceHealth | None
    changes: tuple[Change, ...]
    errors: tuple[tuple[Change, str], ...]
    live: bool
    problem: Problem | None


@dataclass(frozen=True, slots=True)
class _Places:
    """Where documents begin, and the errors, each by path and in order of their lines."""

    begins: Mapping[str, Sequence[int]]
    errors: Mapping[str, Sequence[Problem]]


def of(outcome: Outcome) -> tuple[Case, ...]:
    """Return one case for each service that is in git or still live, sorted. A kept cache alone makes no service."""
    parsed = outcome.plan.parsed
    specs = {spec.id: spec for spec in parsed.services}
    invalid = {found.id: found for found in (*parsed.invalid, *_blocked(outcome)) if found.id not in specs}
    changes = _by_service(outcome.changes, frozenset({*specs, *invalid}))
    errors = {result.change.key: result.error for result in outcome.results if result.error}
    live = _live_services(outcome.observed.live)
    places = _places(parsed)
    remaining = _remaining(outcome)

    def case(service: ServiceId) -> Case:
        label = ServiceId(service.namespace, names.label_value(service.name))
        own, health = changes.get(service, ()), outcome.health.services
        spec, broken = specs.get(service), invalid.get(service)
        origin = spec.origin if spec else broken.origin if broken else _lost(own)
        problem = None if spec or origin is None else _problem(origin, places)
        if spec is None and broken is None and origin is not None and problem is not None:
            origin = Origin(origin.path, problem.line)
        tried = tuple((change, errors[change.key]) for change in own if change.key in errors)
        alive = label in live or any(change.live is not None for change in own)
        return Case(service, spec, broken, origin, health.get(service, health.get(label)), own, tried, alive, problem)

    left = {service for service, own in changes.items() if any(change.key in remaining for change in own)}
    return tuple(case(service) for service in sorted({*specs, *invalid, *left}))


def _blocked(outcome: Outcome) -> Iterator[Invalid]:
    """Yield every live service while the Fleet has errors: no spec is linked then, and each is invalid with it."""
    origin = outcome.plan.parsed.blocked_by
    if origin is not None:
        yield from (Invalid(change.service, origin) for change in outcome.changes if change.key.kind == "Deployment")


def holds(changes: Iterable[Change]) -> tuple[tuple[Change, Hold], ...]:
    """Return the changes that wait, with their holds; a kept cache is not waiting, nor is an invalid service."""
    return tuple(
        (change, change.hold)
        for change in changes
        if change.hold is not None and change.hold.reason not in {HoldReason.INVALID, HoldReason.RETAINED}
    )


def _by_service(changes: Iterable[Change], known: frozenset[ServiceId]) -> Mapping[ServiceId, tuple[Change, ...]]:
    """Group the changes. A live object names its service by a label, which is cut: it is led back to the full name."""
    full = {ServiceId(service.namespace, names.label_value(service.name)): service for service in known}
    found = defaultdict(list)
    for change in changes:
        service = change.service if change.service in known else full.get(change.service, change.service)
        found[service].append(change)
    return {service: tuple(own) for service, own in found.items()}


def _live_services(live: Mapping[Key, JsonObject]) -> frozenset[ServiceId]:
    labels = ((key.namespace, (found.get("metadata") or {}).get("labels") or {}) for key, found in live.items())
    return frozenset(
        ServiceId(namespace, own[vocabulary.SERVICE_NAME])
        for namespace, own in labels
        if vocabulary.SERVICE_NAME in own
    )


def _remaining(outcome: Outcome) -> frozenset[Key]:
    """Return the objects that something was to be done to, and was not."""
    done = {result.change.key for result in outcome.results if not result.error}
    return frozenset(
        change.key for change in outcome.changes if change.action is not Action.KEEP and change.key not in done
    )


def _lost(changes: Iterable[Change]) -> Origin | None:
    """Return the file that the objects of a service say they came from; the line is not told."""
    annotations = (((change.live or {}).get("metadata") or {}).get("annotations") or {} for change in changes)
    paths = (str(found[vocabulary.SOURCE]) for found in annotations if vocabulary.SOURCE in found)
    return next((Origin(path, 0) for path in paths), None)


def _places(parsed: Parsed) -> _Places:
    begins = defaultdict(set)
    for origin in (
        *(spec.origin for spec in parsed.services),
        *(model.origin for model in parsed.models),
        *(broken.origin for broken in parsed.invalid),
    ):
        begins[origin.path].add(origin.line)
    errors = defaultdict(list)
    for found in sorted(parsed.problems):
        if found.severity is Severity.ERROR:
            errors[found.path].append(found)
    return _Places({path: sorted(lines) for path, lines in begins.items()}, errors)


def _problem(origin: Origin, places: _Places) -> Problem | None:
    """Return the first error in the document that begins there, else in its file, None when there is none.

    Errors that only follow from another in the same file are no place to begin.
    """
    all_errors = places.errors.get(origin.path, ())
    errors = [found for found in all_errors if found.code != "model-held-back"] or all_errors
    ends = next((line for line in places.begins.get(origin.path, ()) if line > origin.line), None)
    own = (found for found in errors if found.line >= origin.line and (ends is None or found.line < ends))
    return next(own, errors[0] if errors else None)
