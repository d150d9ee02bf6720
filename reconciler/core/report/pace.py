"""How often a service may speak. A commit for each turn of one that flaps would bury everything else."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from reconciler.core.model.objects import ServiceId
from reconciler.core.model.report import Status
from reconciler.core.model.source import Report
from reconciler.core.report import status

PAUSE: Final = timedelta(minutes=5)


def turned(previous: Report | None, written: Report) -> frozenset[ServiceId]:
    """Return the services whose phase is another than the previous report told, new and gone ones included."""
    before, after = status.read(previous) if previous else None, status.read(written)
    phases_before = {state.id: state.phase for state in before.services} if before else {}
    phases_after = {state.id: state.phase for state in after.services} if after else {}
    return frozenset(
        service
        for service in {*phases_before, *phases_after}
        if phases_before.get(service) is not phases_after.get(service)
    )


def waits(previous: Report | None, written: Report, told: Mapping[ServiceId, datetime], now: datetime) -> bool:
    """Tell whether the report has nothing new but turns of services that spoke in the last five minutes.

    `told` is when each service's phase was last published. Another commit, plan or application is always told at once.
    """
    before, after = status.read(previous) if previous else None, status.read(written)
    if before is None or after is None or _frame(before) != _frame(after):
        return False
    speakers = turned(previous, written)
    return bool(speakers) and all(service in told and now - told[service] < PAUSE for service in speakers)


def _frame(found: Status) -> tuple[str, ...]:
    return (found.cluster, found.branch, found.revision, found.applied, found.plan_hash)
