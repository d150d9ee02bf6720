"""`status.json`: the report for programs. Written here, read here; its contract is specs-schema/status.json."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

from reconciler.core.model.health import Phase
from reconciler.core.model.objects import JsonObject
from reconciler.core.model.outcome import Outcome
from reconciler.core.model.problem import Problem, Severity
from reconciler.core.model.report import ServiceState, Status
from reconciler.core.model.source import Report
from reconciler.core.model.spec import Origin
from reconciler.core.report import facts

SCHEMA: Final = "llmkube.dev/status/v1"

_FAMILY: Final = "llmkube.dev/status/"


def to_json(outcome: Outcome, states: tuple[ServiceState, ...], previous: Status | None) -> bytes:
    """Return `status.json`: keys in a fixed order, lists sorted, one line feed at the end.

    Of the previous status it takes the commit that was last fully applied, while this one is not.
    """
    plan = outcome.plan
    counts = Counter(state.phase for state in states)
    applied = plan.snapshot.revision if facts.settled(outcome) else previous.applied if previous else ""
    document = {
        "schema": SCHEMA,
        "cluster": facts.cluster(outcome),
        "source": {
            "url": plan.snapshot.url,
            "branch": plan.snapshot.branch,
            "revision": plan.snapshot.revision,
            "applied": applied,
        },
        "plan": {
            "hash": plan.hash,
            "complete": plan.complete,
            "incompleteReason": plan.parsed.incomplete_reason,
        },
        "summary": {
            "services": len(states),
            "phases": {phase.value: counts[phase] for phase in Phase if counts[phase]},
        },
        "services": [_service(state) for state in states],
        "problems": [_problem(found) for found in sorted(plan.parsed.problems)],
        "caches": [{"namespace": key.namespace, "name": key.name} for key in facts.caches(outcome)],
        "foreign": [_fields(found) for found in facts.foreign(outcome)],
        "takeovers": [_fields(found) for found in facts.takeovers(outcome)],
        "nodes": [
            {
                "name": node.name,
                "ready": node.ready,
                "schedulable": node.schedulable,
                "gpus": [{"resource": gpu.resource, "allocatable": gpu.count} for gpu in node.gpus],
            }
            for node in facts.nodes(outcome, states)
        ],
    }
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode(errors="replace")


def read(report: Report) -> Status | None:
    """Return the status of a report that was published, None when it has none that can be read."""
    found = read_status(report.files.get("status.json", b""))
    return found if isinstance(found, Status) else None


def read_status(content: bytes) -> Status | Problem:
    """Return a `status.json` as values, or the problem that keeps it from being read.

    Fields that a later version adds are passed over. A phase that this version does not know is read as Pending, with a
    message that names it: it is not Ready, and nothing more can be said.
    """
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return _unreadable("it is not JSON; a report writes status.json whole, so this one was changed by hand")
    schema = document.get("schema") if isinstance(document, dict) else None
    if schema != SCHEMA:
        later = isinstance(schema, str) and schema.startswith(_FAMILY)
        hint = "; a later llmkube wrote it, so update this one" if later else ""
        return _unreadable(f"its schema is {schema!r}, where {SCHEMA!r} is expected{hint}")
    try:
        return _status(document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return _unreadable(f"it does not keep its schema {SCHEMA}: {type(error).__name__} {error}")


def _service(state: ServiceState) -> JsonObject:
    return {
        "namespace": state.namespace,
        "name": state.name,
        "phase": state.phase.value,
        "cause": state.cause,
        "message": state.message,
        "nextAction": state.next_action,
        "spec": None if state.origin is None else {"path": state.origin.path, "line": state.origin.line},
        "model": {"name": state.model, "source": state.source},
        "gpus": {"count": state.gpus, "resource": state.resource},
        "image": state.image,
        "build": state.build,
        "replicas": {"ready": state.ready, "desired": state.desired},
        "url": state.url,
        "nodes": list(state.nodes),
    }


def _problem(found: Problem) -> JsonObject:
    return {
        "path": found.path,
        "line": found.line,
        "column": found.column,
        "pointer": found.pointer,
        "code": found.code,
        "severity": found.severity.value,
        "message": found.message,
    }


def _fields(found: facts.Fields) -> JsonObject:
    return {
        "kind": found.key.kind,
        "namespace": found.key.namespace,
        "name": found.key.name,
        "fields": list(found.fields),
    }


def _unreadable(message: str) -> Problem:
    return Problem("status.json", 0, 0, "", "unreadable-status", message)


def _status(document: Mapping[str, Any]) -> Status:
    source, plan = document["source"], document["plan"]
    return Status(
        cluster=_text(document["cluster"]),
        url=_text(source["url"]),
        branch=_text(source["branch"]),
        revision=_text(source["revision"]),
        applied=_text(source["applied"]),
        plan_hash=_text(plan["hash"]),
        complete=plan["complete"] is True,
        incomplete_reason=_text(plan["incompleteReason"]),
        services=tuple(_read_service(found) for found in document["services"]),
        problems=_read_problems(document["problems"]),
    )


def _read_service(found: Mapping[str, Any]) -> ServiceState:
    word, spec = _text(found["phase"]), found["spec"]
    known = word in set(Phase)
    message = _text(found["message"])
    return ServiceState(
        namespace=_text(found["namespace"]),
        name=_text(found["name"]),
        phase=Phase(word) if known else Phase.PENDING,
        cause=_text(found["cause"]),
        message=message if known else f"A later llmkube reports its phase as {word}. {message}",
        next_action=_text(found["nextAction"]),
        origin=None if spec is None else Origin(_text(spec["path"]), int(spec["line"])),
        model=_text(found["model"]["name"]),
        source=_text(found["model"]["source"]),
        gpus=int(found["gpus"]["count"]),
        resource=_text(found["gpus"]["resource"]),
        image=_text(found["image"]),
        build=None if found["build"] is None else int(found["build"]),
        ready=int(found["replicas"]["ready"]),
        desired=int(found["replicas"]["desired"]),
        url=_text(found["url"]),
        nodes=tuple(_text(node) for node in found["nodes"]),
    )


def _read_problems(found: Iterable[Mapping[str, Any]]) -> tuple[Problem, ...]:
    return tuple(
        Problem(
            _text(one["path"]),
            int(one["line"]),
            int(one["column"]),
            _text(one["pointer"]),
            _text(one["code"]),
            _text(one["message"]),
            Severity(one["severity"]),
        )
        for one in found
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value
