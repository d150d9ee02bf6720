"""One state a service, out of everything a tick knows: rules are asked in order, the first that can tell decides."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import urlsplit

from reconciler.core.model.change import Action, HoldReason
from reconciler.core.model.health import Phase
from reconciler.core.model.outcome import Outcome
from reconciler.core.model.report import ServiceState
from reconciler.core.model.spec import Fetch, Gpu, ModelSource, Service
from reconciler.core.report import advice, cases, table
from reconciler.core.report.cases import Case
from reconciler.core.rules import names

_WAITS: Final[Mapping[Phase, str]] = {
    Phase.DOWNLOADING: "The model is being downloaded.",
    Phase.LOADING: "The model is being loaded.",
}
"""Said instead of health's own message, which may hold progress; a report holds none."""


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
    found = cases.of(outcome)
    held = _count_holds(found)
    scene = _Scene(outcome.observed.runs, ownership.cluster if ownership else "", held)
    return tuple(_state(case, scene) for case in found)


def _count_holds(found: Iterable[Case]) -> Mapping[HoldReason, int]:
    return Counter(reason for case in found for reason in {hold.reason for _, hold in cases.holds(case.changes)})


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
        origin=case.origin,
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
    stays = _stays(scene)
    if not case.live:
        stays = "Nothing of it runs." if scene.runs else "Nothing of it is rendered."
    if case.problem is None:
        return Verdict(Phase.INVALID, "", f"Its spec has errors. {stays}", "Mend the problems listed below, and push.")
    action = advice.of_problem(case.problem)
    return Verdict(Phase.INVALID, case.problem.code, _sentence(f"{_ended(case.problem.message)} {stays}"), action)


def _stays(scene: _Scene) -> str:
    return "It keeps running as it was." if scene.runs else "Its manifests stay as they were."


def _failed(case: Case, _: _Scene) -> Verdict | None:
    if not case.errors:
        return None
    change, error = case.errors[0]
    return Verdict(Phase.FAILED, f"{change.action} {change.key.kind} failed", _sentence(error), advice.of_error())


def _held(case: Case, scene: _Scene) -> Verdict | None:
    waiting = cases.holds(case.changes)
    if not waiting:
        return None
    change, hold = next((found for found in waiting if found[0].key.kind in cases.WORKLOADS), waiting[0])
    if hold.reason is HoldReason.INCOMPLETE and case.spec is None and case.problem is not None:
        message = f"Its file cannot be read: {_ended(case.problem.message)} {_stays(scene)}"
        return Verdict(Phase.HELD, hold.reason.value, message, advice.of_problem(case.problem))
    action = advice.of_hold(hold.reason, services=scene.held.get(hold.reason, 1), cluster=scene.cluster)
    what = "" if change.key.kind in cases.WORKLOADS else f"{change.key.kind} {change.key.name}: "
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
    ended = _ended(text)
    return ended[:1].upper() + ended[1:]


def _ended(text: str) -> str:
    """Return the text on one line with a full stop, except behind a command or path, which people copy."""
    line = " ".join(text.split())
    if not line or line[-1] in ".?!:;" or {"=", "/"} & set(line.rpartition(" ")[2]):
        return line
    return f"{line}."


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
