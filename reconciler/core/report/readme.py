"""README.md: the fleet as people read it, what needs somebody first."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from reconciler.core.model.health import Phase
from reconciler.core.model.outcome import Outcome
from reconciler.core.model.problem import Problem, Severity
from reconciler.core.model.report import ServiceState
from reconciler.core.report import advice, facts, markdown, table

_ITEMS: Final = 50
"""Of each list; people mend the first few, and programs read status.json."""
_ROWS: Final = 1_000
"""Of the fleet's table: about 200 kB, which GitHub still shows (it stops at 512 kB)."""
_NAMED: Final = 20
"""Services that one item names, when the same holds for many."""

_URGENT: Final = frozenset({Phase.INVALID, Phase.FAILED, Phase.HELD, Phase.DEGRADED, Phase.WAITING_FOR_GPU})

_SEVERITIES: Final = tuple(Severity)

_FOOTER: Final = (
    "## How to read this",
    "",
    "- This page holds state. What was done, and when, is in the commits of this branch: `git log`.",
    "- GPUs are those of one pod. Replicas are ready/desired. Spec is the file and line that asks for the service.",
    "- `status.json` is this page for programs. `services/` has one file a service, object by object.",
    "- `manifests/` holds what was rendered when a service was last healthy, secrets masked.",
)


def render(outcome: Outcome, states: tuple[ServiceState, ...]) -> bytes:
    """Return README.md. A section without content is left out."""
    sections = (
        _head(outcome, states),
        _needs_you(states),
        _goes_on(states),
        _fleet(states),
        _problems(outcome.plan.parsed.problems),
        _caches(outcome),
        _others(outcome),
        _FOOTER,
    )
    text = "\n\n".join("\n".join(section) for section in sections if section)
    return f"{text}\n".encode()


def _head(outcome: Outcome, states: tuple[ServiceState, ...]) -> list[str]:
    cluster = facts.cluster(outcome)
    parsed, source = outcome.plan.parsed, outcome.plan.snapshot
    title = f"# LLM services of {markdown.text(cluster, markdown.NAME)}" if cluster else "# LLM services"
    place = f"Cluster {markdown.code(cluster)}, s" if cluster else "S"
    origin = f" of {markdown.code(source.url)}" if source.url else ""
    lines = [
        title,
        "",
        f"**{table.headline(states)}.**",
        f"{place}ource {markdown.code(facts.revision(outcome))}{origin}.",
    ]
    if not parsed.complete:
        reason = markdown.prose(parsed.incomplete_reason) or "some specs could not be read"
        lines += ["", f"> Nothing is deleted, since the specs are not complete: {reason.rstrip('.')}."]
    return lines


def _needs_you(states: Iterable[ServiceState]) -> list[str]:
    return _items("## What needs you", [state for state in states if _needs_somebody(state)])


def _goes_on(states: Iterable[ServiceState]) -> list[str]:
    waiting = [state for state in states if advice.goes_on_by_itself(state.phase, state.cause)]
    return _items("## What waits, and goes on by itself", waiting)


def _needs_somebody(state: ServiceState) -> bool:
    if advice.goes_on_by_itself(state.phase, state.cause):
        return False
    return state.phase in _URGENT or (state.phase is Phase.PENDING and bool(state.cause))


def _items(heading: str, states: Sequence[ServiceState]) -> list[str]:
    """Return one item for each reason, the most urgent first; services that share it are named together."""
    groups: dict[tuple[str, ...], list[ServiceState]] = defaultdict(list)
    urgency = tuple(Phase)
    for state in sorted(states, key=lambda one: (urgency.index(one.phase), one.id)):
        groups[state.phase, state.cause, state.message, state.next_action].append(state)
    if not groups:
        return []
    lines = [heading, ""]
    for group in list(groups.values())[:_ITEMS]:
        lines += _item(group)
    return lines + _more(len(groups) - _ITEMS)


def _item(group: Sequence[ServiceState]) -> list[str]:
    first = group[0]
    cause = f" ({markdown.text(first.cause, markdown.NAME)})" if first.cause else ""
    named = ", ".join(
        f"**{markdown.text(str(state.id), markdown.NAME)}** ({markdown.code(table.spec(state))})"
        for state in group[:_NAMED]
    )
    rest = f" and {len(group) - _NAMED} more" if len(group) > _NAMED else ""
    return [
        f"- {first.phase}{cause}: {named}{rest}",
        f"  - Why: {markdown.prose(first.message) or markdown.text(first.cause) or 'not known'}",
        f"  - Next: {markdown.prose(first.next_action) or 'None. It is watched.'}",
    ]


def _fleet(states: tuple[ServiceState, ...]) -> list[str]:
    if not states:
        return ["## The fleet", "", "No spec asks for a service, and none is live."]
    lines = ["## The fleet", ""]
    shown = states[:_ROWS]
    lines += table_lines(shown)
    lines += _more(len(states) - _ROWS)
    return [*lines, "", "![Nodes, GPUs and what sits on them](fleet.svg)"]


def table_lines(states: Sequence[ServiceState]) -> list[str]:
    """Return the fleet's table in Markdown. Each cell is escaped."""
    cells = (
        (
            markdown.code(service),
            f"**{phase}**" if phase not in {Phase.READY, Phase.RENDERED} else phase,
            _cell(model),
            _cell(gpus),
            replicas,
            _cell(where),
            markdown.code(spec),
        )
        for service, phase, model, gpus, replicas, where, spec in table.rows(states)
    )
    return markdown.table(table.COLUMNS, cells)


def _cell(raw: str) -> str:
    return raw if raw == table.NOTHING else markdown.text(raw, markdown.NAME)


def _problems(problems: Iterable[Problem]) -> list[str]:
    found = sorted(problems, key=lambda one: (_SEVERITIES.index(one.severity), one))
    if not found:
        return []
    lines = ["## Problems in specs", ""]
    lines += [f"- {_place(one)} {one.severity}: {markdown.prose(one.message)}{_pointer(one)}" for one in found[:_ITEMS]]
    return lines + _more(len(found) - _ITEMS)


def _place(found: Problem) -> str:
    return markdown.code(f"{found.path}:{found.line}:{found.column}" if found.line else found.path)


def _pointer(found: Problem) -> str:
    return f" ({markdown.code(found.pointer)})" if found.pointer else ""


def _caches(outcome: Outcome) -> list[str]:
    kept = facts.caches(outcome)
    if not kept:
        return []
    lines = [
        "## Caches kept",
        "",
        "Their services left git. The claims stay with their models until somebody deletes them.",
        "",
    ]
    lines += [f"- {markdown.code(f'{key.namespace}/{key.name}')}" for key in kept[:_ITEMS]]
    return lines + _more(len(kept) - _ITEMS)


def _others(outcome: Outcome) -> list[str]:
    lines: list[str] = []
    for heading, found in (
        ("Fields of others that stay beside ours:", facts.foreign(outcome)),
        ("Fields of others that a held change would take:", facts.takeovers(outcome)),
    ):
        if found:
            lines += ["", heading, ""]
            lines += [_fields(one) for one in found[:_ITEMS]]
            lines += _more(len(found) - _ITEMS)
    return ["## Other hands", *lines] if lines else []


def _fields(found: facts.Fields) -> str:
    named = ", ".join(markdown.code(field) for field in found.fields[:_NAMED])
    rest = f" and {len(found.fields) - _NAMED} more" if len(found.fields) > _NAMED else ""
    return f"- {markdown.code(str(found.key))}: {named}{rest}"


def _more(count: int) -> list[str]:
    return ["", f"And {count} more; `status.json` has them all."] if count > 0 else []
