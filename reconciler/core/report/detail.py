"""The files of one service: its state object by object, and what was rendered for it when it was last healthy."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from reconciler.core.model.change import Action, Change, HoldReason
from reconciler.core.model.health import Phase, Status
from reconciler.core.model.objects import JsonObject, Key, ServiceId
from reconciler.core.model.outcome import Outcome
from reconciler.core.model.report import ServiceState
from reconciler.core.model.source import Report
from reconciler.core.report import cases, document
from reconciler.core.rules import masking, yamltext


def service_files(outcome: Outcome, states: tuple[ServiceState, ...]) -> dict[str, bytes]:
    """Return `services/<namespace>/<name>.yaml` for each service."""
    found = {case.id: case for case in cases.of(outcome)}
    done = {result.change.key for result in outcome.results if not result.error}
    return {
        document.path_of("services", state.id): document.dump([_service(state, found[state.id], outcome, done)])
        for state in states
    }


def manifest_files(outcome: Outcome, states: tuple[ServiceState, ...], previous: Report | None) -> dict[str, bytes]:
    """Return `manifests/<namespace>/<name>.yaml` for each service that was healthy once.

    A healthy service's file is what is desired now, secrets masked; another keeps the file of the previous report.
    """
    planned = _planned(outcome)
    tried = {result.change.key for result in outcome.results}
    unsettled = {change.service for change in outcome.changes if change.writes and change.key not in tried}
    before: Mapping[str, bytes] = previous.files if previous else {}
    files: dict[str, bytes] = {}
    for state in states:
        path = document.path_of("manifests", state.id)
        healthy = state.phase in {Phase.READY, Phase.RENDERED} and state.id not in unsettled
        if healthy and state.id in planned:
            masked = (masking.mask(manifest) for manifest in planned[state.id])
            files[path] = "---\n".join(map(yamltext.dump_object, masked)).encode()
        elif path in before:
            files[path] = before[path]
    return files


def _planned(outcome: Outcome) -> Mapping[ServiceId, Sequence[JsonObject]]:
    found = defaultdict(list)
    for wanted in outcome.plan.objects:
        found[wanted.service].append(wanted.manifest)
    return found


def _service(state: ServiceState, case: cases.Case, outcome: Outcome, done: set[Key]) -> dict[str, Any]:
    changes = sorted(case.changes, key=lambda change: change.key)
    found: dict[str, Any] = {
        "service": str(state.id),
        "phase": state.phase.value,
        "cause": state.cause,
        "message": state.message,
        "nextAction": state.next_action,
        "spec": state.spec,
        "model": {"name": state.model, "source": state.source} if state.model else None,
        "gpus": {"count": state.gpus, "resource": state.resource} if state.gpus else None,
        "replicas": {"ready": state.ready, "desired": state.desired},
        "image": state.image,
        "build": state.build,
        "url": state.url,
        "nodes": list(state.nodes),
    }
    said = {name: value for name, value in found.items() if value not in ("", None, [])}
    gone = (Action.DELETE,)
    objects = [_object(one, case, outcome) for one in changes if not (one.action in gone and one.key in done)]
    return {**said, "objects": objects}


def _object(change: Change, case: cases.Case, outcome: Outcome) -> dict[str, Any]:
    """Return an object's state. Its health's reason is told for a failure alone, since others are progress."""
    errors = {tried.key: error for tried, error in case.errors}
    found: dict[str, Any] = {"kind": change.key.kind, "name": change.key.name}
    health = outcome.health.objects.get(change.key)
    if health is not None:
        found["health"] = health.status.value
        if health.status is Status.FAILED:
            found["reason"] = f"{health.reason}: {health.message}" if health.message else health.reason
    if change.hold is not None and not _kept_by_error(change, case):
        found["held"] = {
            "action": change.action.value,
            "reason": change.hold.reason.value,
            "message": change.hold.message,
        }
    if change.key in errors:
        found["error"] = errors[change.key]
    if change.foreign:
        found["foreign"] = sorted(change.foreign)
    return found


def _kept_by_error(change: Change, case: cases.Case) -> bool:
    """Tell whether the object stays for its spec's errors alone, which the service's phase tells already."""
    reasons = {HoldReason.INCOMPLETE, HoldReason.INVALID}
    return case.invalid is not None and change.hold is not None and change.hold.reason in reasons
