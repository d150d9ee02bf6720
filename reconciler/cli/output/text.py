"""Answers for people: one line a thing, the same order every time, colour on a terminal only."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import singledispatch
from typing import Any, Final

import click

from reconciler.cli.answer import Difference, FleetStatus, Rendering, Synced, Validation
from reconciler.cli.output import summary
from reconciler.core.model.change import Action, Change, FieldChange, HoldReason, Result
from reconciler.core.model.health import Phase
from reconciler.core.model.problem import Problem, Severity
from reconciler.core.model.review import Fate, ServiceReview
from reconciler.core.rules import masking, yamltext

_COLOURS: Final = {
    "create": "green",
    "update": "yellow",
    "replace": "magenta",
    "delete": "red",
    "held": "cyan",
    "failed": "red",
    "error": "red",
    "warning": "yellow",
    "note": "blue",
}

_FATES: Final = {Fate.ADDED: "+", Fate.REMOVED: "-", Fate.CHANGED: "~", Fate.STAYS: "="}

_LONGEST_VALUE: Final = 160
"""Characters of one value in a line; longer ones are cut in the middle of nowhere useful."""


def render(value: Any) -> str:
    """Return the answer as text that ends with a newline, or is empty."""
    return "".join(f"{line}\n" for line in _lines(value))


def aside(value: Any) -> str:
    """Return what is said beside the result, on stderr: the problems, where the result itself is something else."""
    if isinstance(value, (Rendering, Synced, Difference)):
        return "".join(f"{_problem(problem)}\n" for problem in value.problems)
    return ""


@singledispatch
def _lines(value: Any) -> Iterator[str]:
    raise TypeError(f"{type(value).__name__} has no text")


@_lines.register
def _validation(value: Validation) -> Iterator[str]:
    yield from map(_problem, value.problems)
    found = Counter(problem.severity for problem in value.problems)
    verdict = "invalid" if found[Severity.ERROR] else "valid"
    held = (
        f"{_many(value.files, 'file')}, {_many(value.models, 'model')}, {_many(value.services, 'service')} to serve: "
        f"{verdict}, {_many(found[Severity.ERROR], 'error')}, {_many(found[Severity.WARNING], 'warning')}"
    )
    yield click.style(held, bold=True)


@_lines.register
def _rendering(value: Rendering) -> Iterator[str]:
    if not value.written_to:
        yield from yamltext.dump(value.manifests).splitlines()
        return
    yield f"{_many(len(value.manifests), 'manifest')} written below {value.written_to}"


@_lines.register
def _difference(value: Difference) -> Iterator[str]:
    shown = [change for change in value.changes if change.action is not Action.KEEP or change.hold]
    if value.review.services:
        yield from _review(value)
        yield ""
    for change in shown:
        yield from _change(change)
    yield from _foreign(value.changes)
    yield from (f"note      {note}" for note in value.notes)
    yield summary.plan(value)
    counts = _counts(shown)
    yield click.style(f"{value.before} -> {value.after}: {counts or 'no differences'}", bold=True)
    if value.live is not None:
        yield ""
        yield from _difference(value.live)


def _review(value: Difference) -> Iterator[str]:
    yield click.style(summary.headline(value), bold=True)
    for service in summary.ordered(value.review):
        yield from _service(service)
    for line in summary.totals(value.review):
        yield f"  {line}"


def _service(service: ServiceReview) -> Iterator[str]:
    asks = summary.asks(service)
    placed = summary.places(service)
    said = "; ".join(part for part in (summary.effect(service), asks, placed) if part)
    yield f"{_FATES[service.fate]} {service.id}  {said}"
    for replaced in service.replaced:
        yield f"    {click.style('replaced', fg='magenta')}  {replaced}"
    for message, held in _by_message(service):
        yield f"    {click.style('held', fg='cyan')}  {', '.join(held)}  {message}"


def _by_message(service: ServiceReview) -> Iterator[tuple[str, list[str]]]:
    found: dict[str, list[str]] = {}
    for held in service.held:
        found.setdefault(f"({held.hold.reason}) {_printable(held.hold.message)}", []).append(
            f"{held.action} {held.key.kind}"
        )
    yield from found.items()


@_lines.register
def _synced(value: Synced) -> Iterator[str]:
    done = {id(result.change): result for result in value.results}
    for change in value.changes:
        result = done.get(id(change))
        if result is not None:
            yield from _result(result)
        elif change.hold is not None:
            yield from _change(change)
    yield from _foreign(value.changes)
    yield click.style(_sync_summary(value), bold=True)
    if value.report_error:
        yield click.style(f"the report could not be written: {value.report_error}", fg="red")


@_lines.register
def _fleet(value: FleetStatus) -> Iterator[str]:
    rows = [("SERVICE", "PHASE", "REPLICAS", "GPUS", "SPEC", "WHY")]
    for service in value.status.services:
        gpus = f"{service.gpus} x {service.resource}" if service.gpus else "-"
        replicas = "-" if service.phase is Phase.RENDERED else f"{service.ready}/{service.desired}"
        why = "" if service.phase in {Phase.READY, Phase.RENDERED} else service.message or service.cause
        rows.append((str(service.id), service.phase.value, replicas, gpus, service.spec, why))
    yield from _table(rows)
    if value.observed:
        yield f"{value.branch}@{value.head[:8]} is observed by cluster {value.status.cluster}"
    else:
        yield click.style(
            f"{value.branch}@{value.head[:8]} is not observed yet: cluster {value.status.cluster} last reported"
            f" {value.status.revision[:8] or 'nothing'}",
            fg="yellow",
        )


def _table(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _result(result: Result) -> Iterator[str]:
    if result.error:
        yield f"{_word('failed')}  {result.change.key}  {result.change.action}: {result.error}"
    else:
        yield from _change(result.change)


def _change(change: Change) -> Iterator[str]:
    """Return one line for a change of one field, else a heading and a line for each field."""
    word = "held" if change.hold else change.action.value
    head = f"{_word(word)}  {change.key}"
    if change.hold is not None:
        if change.hold.reason is HoldReason.RETAINED:
            yield f"{_word('kept')}  {change.key}  {_printable(change.hold.message)}"
            return
        verb = "" if change.action is Action.KEEP else f"{change.action}: "
        head = f"{head}  {verb}{_printable(change.hold.message)}"
    fields = [field_line(field) for field in change.fields]
    restart = "  (pods restart)" if change.rolls else ""
    if len(fields) == 1 and change.hold is None and not change.takeovers:
        yield f"{head}  {fields[0]}{restart}"
        return
    yield f"{head}{restart}"
    for field in fields:
        yield f"           {field}"
    for taken in change.takeovers:
        yield f"           taken back: {taken}"


def field_line(field: FieldChange) -> str:
    """Return one field's change in a line, without secrets and without what a terminal would obey."""
    old, new = (_value(masking.value(field.path, side)) for side in (field.old, field.new))
    if field.kind == "add":
        return f"{field.path}: + {new}"
    if field.kind == "remove":
        return f"{field.path}: - {old}"
    if field.old is None and field.new is None:
        return f"{field.path} (immutable)"
    return f"{field.path} {old} -> {new}"


def _value(value: object) -> str:
    text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False, sort_keys=True)
    text = _printable(text)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"


def _printable(text: str) -> str:
    """Return text that a terminal only shows: what it would obey is a space."""
    return "".join(char if char.isprintable() else " " for char in text)


def _foreign(changes: Iterable[Change]) -> Iterator[str]:
    for change in changes:
        for field in change.foreign:
            yield f"foreign   {change.key}  {field} stays beside our fields"


def _sync_summary(value: Synced) -> str:
    done = Counter(result.change.action.value for result in value.results if not result.error)
    parts = [f"{count} {_past(action)}" for action, count in sorted(done.items())]
    held = sum(1 for change in value.changes if change.hold and change.hold.reason is not HoldReason.RETAINED)
    failed = sum(1 for result in value.results if result.error)
    errors = sum(1 for problem in value.problems if problem.severity is Severity.ERROR)
    parts += [f"{held} held"] if held else []
    parts += [f"{failed} failed"] if failed else []
    parts += [_many(errors, "error") + " in specs"] if errors else []
    if value.interrupted:
        parts.append("stopped before the end")
    said = ", ".join(parts) or "nothing to do"
    report = f", report {value.report[:8]}" if value.report else ""
    return f"{value.cluster}: {value.branch}@{value.revision[:8]}: {said}{report}"


def _counts(changes: Iterable[Change]) -> str:
    counted = Counter("held" if change.hold else change.action.value for change in changes)
    return ", ".join(f"{count} to {word}" if word != "held" else f"{count} held" for word, count in counted.items())


def _past(action: str) -> str:
    return f"{action}d" if action.endswith("e") else f"{action}ed"


def _problem(problem: Problem) -> str:
    return str(problem).replace(
        f" {problem.severity}: ", f" {click.style(problem.severity.value, fg=_COLOURS[problem.severity])}: ", 1
    )


def _word(word: str) -> str:
    return click.style(word.ljust(8), fg=_COLOURS.get(word))


def _many(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"
