"""How often a service may speak. A commit for each turn of one that flaps would bury everything else."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from reconciler.core.model.health import Phase
from reconciler.core.model.objects import ServiceId
from reconciler.core.model.report import Status
from reconciler.core.model.source import Report
from reconciler.core.report import status

PAUSE: Final = timedelta(minutes=5)


class Turn(NamedTuple):
    """A service in a phase that it was not in before; None when it is gone."""

    service: ServiceId
    phase: Phase | None


def turned(previous: Report | None, written: Report) -> frozenset[Turn]:
    """Return the services whose phase is another than the previous report told, new and gone ones included."""
    before, after = status.read(previous) if previous else None, status.read(written)
    phases_before = {state.id: state.phase for state in before.services} if before else {}
    phases_after = {state.id: state.phase for state in after.services} if after else {}
    return frozenset(
        Turn(service, phases_after.get(service))
        for service in {*phases_before, *phases_after}
        if phases_before.get(service) is not phases_after.get(service)
    )


def waits(previous: Report | None, written: Report, told: Mapping[Turn, datetime], now: datetime) -> bool:
    """Tell whether the report has nothing new but services that turn back to where they were, and spoke just now.

    `told` is when each turn was last published. A service on its way up says each phase at once; one that flaps speaks
    every five minutes. Another commit, plan or application is always told at once.
    """
    before, after = status.read(previous) if previous else None, status.read(written)
    if before is None or after is None or _frame(before) != _frame(after):
        return False
    turns = turned(previous, written)
    recent = {turn.service for turn, time in told.items() if now - time < PAUSE}
    return bool(turns) and all(turn in told and turn.service in recent for turn in turns)


def _frame(found: Status) -> tuple[str, ...]:
    return (found.cluster, found.branch, found.revision, found.applied, found.plan_hash)
