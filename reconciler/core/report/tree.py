"""The whole report of one outcome."""

from collections.abc import Mapping

from reconciler.core.model.health import Phase
from reconciler.core.model.objects import ServiceId
from reconciler.core.model.outcome import Outcome
from reconciler.core.model.report import Status
from reconciler.core.model.source import Report
from reconciler.core.report import detail, message, readme, services, status, svg


def build(outcome: Outcome, previous: Report | None) -> Report:
    """Return the report's files, and the message of the commit that brings them.

    Equal state gives equal bytes: the files hold no clock, no progress and nothing of what was done, which the message
    tells. Of `previous` the files take only the manifests of services that are not healthy now; the message takes the
    phases that were last told. A flapping service's five minutes need a clock: the caller holds this report back, when
    its files differ from those last published and that service's last commit is younger.
    """
    states = services.fleet(outcome)
    before = read(previous) if previous is not None else None
    files = {
        "README.md": readme.render(outcome, states),
        "fleet.svg": svg.render(outcome, states),
        "status.json": status.to_json(outcome, states, status.applied(outcome, before.applied if before else "")),
        **detail.service_files(outcome, states),
        **detail.manifest_files(outcome, states, previous),
    }
    return Report(dict(sorted(files.items())), message.write(outcome, states, _phases(before)))


def read(report: Report) -> Status | None:
    """Return what a report says of its fleet, None when it is none of ours, or of a version that we cannot read."""
    found = status.read_status(report.files.get("status.json", b""))
    return found if isinstance(found, Status) else None


def _phases(before: Status | None) -> Mapping[ServiceId, Phase] | None:
    """Return the phases that the previous report told, None when there is none or it is not ours."""
    return {state.id: state.phase for state in before.services} if before is not None else None
