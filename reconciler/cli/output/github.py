"""Workflow commands of GitHub Actions: annotations at the lines of specs for problems and for what is held back.

Source: https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions
"""

from collections.abc import Iterator
from functools import singledispatch
from typing import Any, Final

from reconciler.cli.answer import Difference, Validation
from reconciler.cli.output import summary
from reconciler.core.model.change import Action, Change
from reconciler.core.model.problem import Problem, Severity
from reconciler.core.rules import ownership, vocabulary

_COMMANDS: Final = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


@singledispatch
def render(value: Any) -> str:
    """Return the answer as workflow commands, one a line."""
    raise TypeError(f"{type(value).__name__} has no annotations")


@render.register
def _validation(value: Validation) -> str:
    return "".join(f"{_problem(problem)}\n" for problem in value.problems)


@render.register
def _difference(value: Difference) -> str:
    return "".join(f"{line}\n" for line in _annotations(value))


def _annotations(value: Difference) -> Iterator[str]:
    yield from (_problem(problem) for problem in value.problems)
    said: set[tuple[str, str]] = set()
    for change in value.changes:
        if change.hold is not None and change.action is not Action.KEEP:
            message = (str(change.service), change.hold.message)
            if message not in said:
                yield _held(change)
            said.add(message)
    for service in value.review.services:
        if service.fit is not None and not service.fit.pools:
            yield _command("warning", f"{service.id} cannot run: {service.fit.reason}", title="llmkube: no place")
    yield _command("notice", summary.headline(value), title=f"llmkube plan {value.plan_hash[:12]}")
    if value.live is not None:
        yield from _annotations(value.live)


def _problem(problem: Problem) -> str:
    place = {"file": problem.path}
    if problem.line:
        place |= {"line": str(problem.line), "col": str(problem.column)}
    pointer = f" ({problem.pointer})" if problem.pointer else ""
    return _command(_COMMANDS[problem.severity], f"{problem.message}{pointer}", **place, title=problem.code)


def _held(change: Change) -> str:
    manifest = change.desired or change.live
    source = ownership.annotations_of(manifest).get(vocabulary.SOURCE, "") if manifest else ""
    place = {"file": source} if source else {}
    assert change.hold is not None  # noqa: S101  # the caller asked
    message = f"{change.action} {change.key} is held back: {change.hold.message}"
    return _command("warning", message, **place, title=f"llmkube: held ({change.hold.reason})")


def _command(name: str, message: str, **properties: str) -> str:
    listed = ",".join(f"{key}={_property(value)}" for key, value in properties.items() if value)
    return f"::{name} {listed}::{_data(message)}" if listed else f"::{name}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
