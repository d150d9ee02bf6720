"""Answers for machines. Every shape names its schema, which stands in specs-schema/."""

import json
from collections.abc import Iterable
from functools import singledispatch
from typing import Any

from reconciler.cli.answer import Difference, FleetStatus, Rendering, Synced, Validation
from reconciler.cli.output import summary
from reconciler.core.model.change import Change, Result
from reconciler.core.model.problem import Problem, Severity
from reconciler.core.model.review import Demand, ServiceReview
from reconciler.core.rules import masking


def render(value: Any) -> str:
    """Return the answer as indented JSON with a stable order."""
    return json.dumps(_shape(value), indent=2, ensure_ascii=False) + "\n"


@singledispatch
def _shape(value: Any) -> Any:
    raise TypeError(f"{type(value).__name__} has no JSON shape")


@_shape.register
def _validation(value: Validation) -> Any:
    return {
        "schema": "llmkube.dev/validate/v1",
        "files": value.files,
        "models": value.models,
        "services": value.services,
        "errors": _count(value.problems, Severity.ERROR),
        "warnings": _count(value.problems, Severity.WARNING),
        "problems": [_problem(problem) for problem in value.problems],
    }


@_shape.register
def _rendering(value: Rendering) -> Any:
    return {
        "schema": "llmkube.dev/render/v1",
        "manifests": list(value.manifests),
        "problems": [_problem(problem) for problem in value.problems],
    }


@_shape.register
def _difference(value: Difference) -> Any:
    return {
        "schema": "llmkube.dev/diff/v1",
        "from": value.before,
        "to": value.after,
        "planHash": value.plan_hash,
        "review": _review(value),
        "notes": list(value.notes),
        "changes": [_change(change) for change in value.changes],
        "problems": [_problem(problem) for problem in value.problems],
        **({"live": _difference(value.live)} if value.live is not None else {}),
    }


def _review(value: Difference) -> Any:
    review = value.review
    return {
        "summary": summary.headline(value),
        "unchanged": review.unchanged,
        "files": None if value.files is None else {"changed": value.files[0], "total": value.files[1]},
        "places": review.places,
        "services": [_service(service) for service in review.services],
        "devices": [
            {"resource": total.resource, "before": list(total.before), "after": list(total.after)}
            for total in review.gpus
        ],
        "costs": [
            {
                "basis": total.basis,
                "currency": total.currency,
                "before": [str(bound) for bound in total.before],
                "after": [str(bound) for bound in total.after],
            }
            for total in review.costs
        ],
        "unpriced": [{"namespace": name.namespace, "name": name.name} for name in review.unpriced],
    }


def _service(service: ServiceReview) -> Any:
    return {
        "namespace": service.id.namespace,
        "name": service.id.name,
        "fate": service.fate.value,
        "restarts": service.restarts,
        "reasons": list(service.reasons),
        "replaced": list(service.replaced),
        "removed": list(service.removed),
        "held": [
            {
                "object": str(held.key),
                "action": held.action.value,
                "reason": held.hold.reason.value,
                "message": held.hold.message,
            }
            for held in service.held
        ],
        "before": _demand(service.before),
        "after": _demand(service.after),
        "pools": None if service.fit is None else list(service.fit.pools),
        "noPlace": "" if service.fit is None else service.fit.reason,
    }


def _demand(demand: Demand | None) -> Any:
    if demand is None:
        return None
    return {"devices": dict(demand.devices), "replicas": [demand.least, demand.most]}


@_shape.register
def _synced(value: Synced) -> Any:
    return {
        "schema": "llmkube.dev/sync/v1",
        "cluster": value.cluster,
        "branch": value.branch,
        "revision": value.revision,
        "planHash": value.plan_hash,
        "interrupted": value.interrupted,
        "report": value.report,
        "reportError": value.report_error,
        "changes": [_change(change, value.results) for change in value.changes],
        "problems": [_problem(problem) for problem in value.problems],
    }


@_shape.register
def _fleet(value: FleetStatus) -> Any:
    return {
        "schema": "llmkube.dev/fleet-status/v1",
        "branch": value.branch,
        "head": value.head,
        "observed": value.observed,
        "observedCommit": value.status.revision,
        "cluster": value.status.cluster,
        "services": [
            {
                "namespace": service.namespace,
                "name": service.name,
                "phase": service.phase.value,
                "cause": service.cause,
                "message": service.message,
                "nextAction": service.next_action,
                "spec": {"path": service.origin.path, "line": service.origin.line} if service.origin else None,
            }
            for service in value.status.services
        ],
    }


def _count(problems: Iterable[Problem], severity: Severity) -> int:
    return sum(1 for problem in problems if problem.severity is severity)


def _problem(problem: Problem) -> Any:
    return {
        "path": problem.path,
        "line": problem.line,
        "column": problem.column,
        "pointer": problem.pointer,
        "code": problem.code,
        "severity": problem.severity.value,
        "message": problem.message,
    }


def _change(change: Change, results: Iterable[Result] = ()) -> Any:
    result = next((found for found in results if found.change is change), None)
    return {
        "object": {
            "group": change.key.group,
            "kind": change.key.kind,
            "namespace": change.key.namespace,
            "name": change.key.name,
        },
        "service": {"namespace": change.service.namespace, "name": change.service.name},
        "action": change.action.value,
        "hold": {"reason": change.hold.reason.value, "message": change.hold.message} if change.hold else None,
        "restarts": change.rolls,
        "fields": [
            {
                "path": field.path,
                "kind": field.kind,
                "old": masking.value(field.path, field.old),
                "new": masking.value(field.path, field.new),
            }
            for field in change.fields
        ],
        "takeovers": list(change.takeovers),
        "foreign": list(change.foreign),
        "done": result is not None and not result.error,
        "error": result.error if result else "",
    }
