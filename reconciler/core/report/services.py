"""One state a service, out of everything a tick knows: rules are asked in order, the first that can tell decides."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import urlsplit

from reconciler.core.model.change import Action, Change, Hold, HoldReason
from reconciler.core.model.health import Phase, ServiceHealth
from reconciler.core.model.objects import JsonObject, Key, ServiceId
from reconciler.core.model.outcome import Outcome
from reconciler.core.model.problem import Problem, Severity
from reconciler.core.model.report import ServiceState
from reconciler.core.model.spec import Fetch, Gpu, Invalid, ModelSource, Origin, Service
from reconciler.core.report import advice, table
from reconciler.core.rules import names, vocabulary

_WAITS: Final[Mapping[Phase, str]] = {
    Phase.DOWNLOADING: "The model is being downloaded.",
    Phase.LOADING: "The model is being loaded.",
}
"""Said instead of health's own message, which may hold progress; a report holds none."""


_WORKLOADS: Final = frozenset({"Deployment", "LeaderWorkerSet"})
"""Kinds that stand for their service: what holds one of these holds the service."""

_DONE: Final[Mapping[Action, str]] = {
    Action.CREATE: "created",
    Action.UPDATE: "updated",
    Action.REPLACE: "replaced",
    Action.DELETE: "deleted",
    Action.KEEP: "changed",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The part of a state that a rule decides."""

    phase: Phase
    cause: str = ""
    message: str = ""
    next_action: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """Everything known of one service. `spec` and `invalid` are None when git does not hold such a document.

    `errors` are of changes that were tried, `live` tells whether any object of it exists, `problem` is the first error
    in its document.
    """

    id: ServiceId
    spec: Service | None
    invalid: Invalid | None
    health: ServiceHealth | None
    changes: tuple[Change, ...]
    errors: tuple[tuple[Change, str], ...]
    live: bool
    problem: Problem | None


@dataclass(frozen=True, slots=True)
class _Scene:
    """What the cases share. `held` counts services by the reason that holds them."""

    runs: bool
    cluster: str
    held: Mapping[HoldReason, int] = field(default_factory=dict)


def fleet(outcome: Outcome) -> tuple[ServiceState, ...]:
    """Return the state of every service that is in git or still live, sorted by namespace and name.

    A service that left git is told while it is held or could not be deleted, and no longer once it is gone.
    """
    ownership = outcome.plan.ownership
    found = cases(outcome)
    held = _count_holds(found)
    scene = _Scene(outcome.observed.runs, ownership.cluster if ownership else "", held)
    return tuple(_state(case, scene) for case in found)


def cases(outcome: Outcome) -> tuple[Case, ...]:
    """Return everything known of each service to be told, sorted."""
    parsed = outcome.plan.parsed
    specs = {spec.id: spec for spec in parsed.services}
    invalid = {found.id: found for found in parsed.invalid if found.id not in specs}
    changes = _by_service(outcome, {**dict.fromkeys(specs), **dict.fromkeys(invalid)})
    errors = _errors(outcome)
    live = _live_services(outcome.observed.live)
    places = _places(outcome)
    done = {result.change.key for result in outcome.results}
    cases_: list[Case] = []
    for service in sorted({*specs, *invalid, *changes}):
        own = changes.get(service, ())
        if service not in specs and service not in invalid and not _remains(own, errors, done):
            continue
        label = ServiceId(service.namespace, names.label_value(service.name))
        health = outcome.health.services
        broken = invalid.get(service)
        cases_.append(
            Case(
                service,
                specs.get(service),
                broken,
                health.get(service, health.get(label)),
                own,
                tuple((change, errors[change.key]) for change in own if change.key in errors),
                label in live or any(change.live is not None for change in own),
                _problem(broken, parsed.problems, places) if broken else None,
            )
        )
    return tuple(cases_)


def _by_service(outcome: Outcome, known: Mapping[ServiceId, None]) -> Mapping[ServiceId, tuple[Change, ...]]:
    """Group the changes. A live object names its service by a label, which is cut: it is led back to the full name."""
    full = {ServiceId(service.namespace, names.label_value(service.name)): service for service in known}
    found: dict[ServiceId, list[Change]] = defaultdict(list)
    for change in outcome.changes:
        service = change.service if change.service in known else full.get(change.service, change.service)
        found[service].append(change)
    return {service: tuple(own) for service, own in found.items()}


def _errors(outcome: Outcome) -> Mapping[Key, str]:
    return {result.change.key: result.error for result in outcome.results if result.error}


def _live_services(live: Mapping[Key, JsonObject]) -> frozenset[ServiceId]:
    labels = ((key.namespace, (found.get("metadata") or {}).get("labels") or {}) for key, found in live.items())
    return frozenset(
        ServiceId(namespace, own[vocabulary.SERVICE_NAME])
        for namespace, own in labels
        if vocabulary.SERVICE_NAME in own
    )


def _remains(changes: Iterable[Change], errors: Mapping[Key, str], done: set[Key]) -> bool:
    """Tell whether a service that left git is still there, and not only its kept cache."""
    return any(
        change.action is not Action.KEEP and (change.hold is not None or change.key in errors or change.key not in done)
        for change in changes
    )


def _places(outcome: Outcome) -> Mapping[str, tuple[int, ...]]:
    """Return path -> the lines where its documents begin."""
    parsed = outcome.plan.parsed
    found: dict[str, set[int]] = defaultdict(set)
    for origin in (
        *(spec.origin for spec in parsed.services),
        *(model.origin for model in parsed.models),
        *(broken.origin for broken in parsed.invalid),
    ):
        found[origin.path].add(origin.line)
    return {path: tuple(sorted(lines)) for path, lines in found.items()}


def _problem(broken: Invalid, problems: Iterable[Problem], places: Mapping[str, tuple[int, ...]]) -> Problem | None:
    """Return the first error in the service's own document, else in its file, None when there is none."""
    errors = [found for found in problems if found.path == broken.origin.path and found.severity is Severity.ERROR]
    begins = broken.origin.line
    ends = min((line for line in places.get(broken.origin.path, ()) if line > begins), default=None)
    own = [found for found in errors if found.line >= begins and (ends is None or found.line < ends)]
    return min(own or errors, default=None)


def holds(changes: Iterable[Change]) -> tuple[tuple[Change, Hold], ...]:
    """Return the changes that wait, with their holds; a kept cache is not waiting."""
    return tuple(
        (change, change.hold)
        for change in changes
        if change.hold is not None and change.hold.reason is not HoldReason.RETAINED
    )


def _count_holds(found: Iterable[Case]) -> Mapping[HoldReason, int]:
    counts: dict[HoldReason, int] = defaultdict(int)
    for case in found:
        for reason in {hold.reason for _, hold in holds(case.changes)}:
            counts[reason] += 1
    return counts


def _state(case: Case, scene: _Scene) -> ServiceState:
    spec, health = case.spec, case.health
    verdict = _verdict(case, scene)
    common = ServiceState(
        namespace=case.id.namespace,
        name=case.id.name,
        phase=verdict.phase,
        cause=verdict.cause,
        message=verdict.message,
        next_action=verdict.next_action,
        origin=_origin(case),
        ready=health.ready if health else 0,
        desired=health.desired if health else _wanted_replicas(spec),
        nodes=tuple(sorted(health.nodes)) if health else (),
    )
    return _with_spec(common, spec) if spec else common


def _with_spec(state: ServiceState, spec: Service) -> ServiceState:
    count, resource = _gpus(spec.gpu)
    host = f"{names.dns_label(spec.id.name)}.{spec.id.namespace}.svc"
    return replace(
        state,
        model=spec.model.id.name,
        source=_source(spec.model.source),
        gpus=count,
        resource=resource,
        image=spec.image,
        build=spec.build,
        url=f"http://{host}:{spec.endpoint.port}{spec.endpoint.path}",
    )


def _verdict(case: Case, scene: _Scene) -> Verdict:
    """Ask the rules in order. An error comes before a hold, since it would be hidden behind it."""
    rules = (_invalid, _failed, _held, _interrupted, _suspended, _rendered, _running)
    answers = (rule(case, scene) for rule in rules)
    return next((found for found in answers if found), Verdict(Phase.PENDING, message="Its pods are not there yet."))


def _invalid(case: Case, scene: _Scene) -> Verdict | None:
    if case.invalid is None:
        return None
    stays = "It keeps running as it was." if scene.runs else "Its manifests stay as they were."
    if not case.live:
        stays = "Nothing of it runs." if scene.runs else "Nothing of it is rendered."
    if case.problem is None:
        return Verdict(Phase.INVALID, "", f"Its spec has errors. {stays}", "Mend the problems listed below, and push.")
    found = case.problem
    place = f"{found.path}:{found.line}" if found.line else found.path
    return Verdict(Phase.INVALID, found.code, f"{_sentence(found.message)} {stays}", f"Mend {place}, and push.")


def _failed(case: Case, _: _Scene) -> Verdict | None:
    if not case.errors:
        return None
    change, error = case.errors[0]
    return Verdict(Phase.FAILED, f"{change.action} {change.key.kind} failed", _sentence(error), advice.of_error())


def _held(case: Case, scene: _Scene) -> Verdict | None:
    waiting = holds(case.changes)
    if not waiting:
        return None
    change, hold = next((found for found in waiting if found[0].key.kind in _WORKLOADS), waiting[0])
    action = advice.of_hold(hold.reason, services=scene.held.get(hold.reason, 1), cluster=scene.cluster)
    what = "" if change.key.kind in _WORKLOADS else f"{change.key.kind} {change.key.name}: "
    message = f"{what}Not {_DONE[change.action]}. {_sentence(hold.message)}"
    return Verdict(Phase.HELD, hold.reason.value, message, action)


def _interrupted(case: Case, _: _Scene) -> Verdict | None:
    if case.spec is not None:
        return None
    return Verdict(
        Phase.PENDING, message="It left git, and was not deleted yet.", next_action="None. The next tick does."
    )


def _suspended(case: Case, _: _Scene) -> Verdict | None:
    if case.spec is None or not case.spec.suspend:
        return None
    action = advice.of_health(Phase.SUSPENDED, "", gpus="")
    return Verdict(Phase.SUSPENDED, message="Its spec asks for no replicas.", next_action=action)


def _rendered(_: Case, scene: _Scene) -> Verdict | None:
    return (
        None if scene.runs else Verdict(Phase.RENDERED, message="Its manifests are written. Nothing runs in a folder.")
    )


def _running(case: Case, _: _Scene) -> Verdict | None:
    health = case.health
    if health is None:
        return None
    count, resource = _gpus(case.spec.gpu if case.spec else None)
    action = advice.of_health(health.phase, health.cause, gpus=table.of(count, resource))
    message = _WAITS.get(health.phase) or _sentence(health.message)
    return Verdict(health.phase, health.cause, message, action)


def _sentence(text: str) -> str:
    """Return the text with a capital and a full stop, on one line."""
    line = " ".join(text.split())
    if not line:
        return ""
    ended = line if line[-1] in ".?!:;" else f"{line}."
    return ended[0].upper() + ended[1:]


def _origin(case: Case) -> Origin | None:
    """Return where the spec stands; for a service that left git, the file that its objects say they came from."""
    if case.spec is not None:
        return case.spec.origin
    if case.invalid is not None:
        return case.invalid.origin
    for change in case.changes:
        annotations = ((change.live or {}).get("metadata") or {}).get("annotations") or {}
        if vocabulary.SOURCE in annotations:
            return Origin(annotations[vocabulary.SOURCE], 0)
    return None


def _wanted_replicas(spec: Service | None) -> int:
    return 0 if spec is None or spec.suspend else spec.replicas


def _gpus(gpu: Gpu | None) -> tuple[int, str]:
    if gpu is None:
        return 0, ""
    return (gpu.count, gpu.resource) if gpu.count else (len(gpu.claims), "resource claim")


def _source(source: ModelSource) -> str:
    """Return where the model comes from, without what could be a secret: user, password, query and fragment."""
    path = source.files[0].url if source.files else ""
    if source.fetch is Fetch.CLAIM:
        return f"claim {source.claim}: {path}"
    try:
        parts = urlsplit(path)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
