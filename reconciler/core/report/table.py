"""The fleet as a table that people read: the same columns in the report and on a terminal."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from reconciler.core.model.health import Phase
from reconciler.core.model.report import ServiceState

COLUMNS: Final = ("Service", "Phase", "Model", "GPUs", "Replicas", "Where", "Spec")

NOTHING: Final = "-"

_TIMES: Final = "\N{MULTIPLICATION SIGN}"


def rows(states: Iterable[ServiceState]) -> tuple[tuple[str, ...], ...]:
    """Return one row a service, in the order given, of plain text in the order of `COLUMNS`. Nothing is escaped."""
    return tuple(
        (
            str(state.id),
            state.phase.value,
            state.model or NOTHING,
            gpus(state),
            replicas(state),
            where(state),
            spec(state),
        )
        for state in states
    )


def gpus(state: ServiceState) -> str:
    """Return what one pod asks for, its GPUs or `CPU`; a dash where the spec cannot be read."""
    if state.gpus:
        return of(state.gpus, state.resource)
    return "CPU" if state.model else NOTHING


def of(count: int, resource: str) -> str:
    """Return so many times a resource, with the sign for times; "" for none."""
    return f"{count} {_TIMES} {resource}" if count else ""


def replicas(state: ServiceState) -> str:
    """Return `ready/desired`; in a folder, where nothing is ready, the number asked for."""
    if state.phase is Phase.RENDERED:
        return str(state.desired)
    return f"{state.ready}/{state.desired}"


def where(state: ServiceState) -> str:
    """Return the nodes of its pods, each with their number where it has several."""
    counts = Counter(state.nodes)
    return (
        ", ".join(f"{node} {_TIMES}{count}" if count > 1 else node for node, count in sorted(counts.items())) or NOTHING
    )


def spec(state: ServiceState) -> str:
    """Return `path:line`; the path and `(gone)` for a service that left git, and whose file has no error either."""
    if state.origin is not None and not state.origin.line:
        return f"{state.origin.path} (gone)"
    return state.spec or NOTHING


def headline(states: Iterable[ServiceState]) -> str:
    """Return `7 services: 5 Ready, 1 Invalid, 1 Held`, what is well first, then in order of urgency."""
    counts = Counter(state.phase for state in states)
    total = counts.total()
    if not total:
        return "No services"
    order = (Phase.READY, Phase.RENDERED, *(phase for phase in Phase if phase not in {Phase.READY, Phase.RENDERED}))
    told = ", ".join(f"{counts[phase]} {phase}" for phase in order if counts[phase])
    return f"{total} {'service' if total == 1 else 'services'}: {told}"
