"""The whole report of one outcome."""

from reconciler.core.model.outcome import Outcome
from reconciler.core.model.source import Report
from reconciler.core.report import detail, message, readme, services, status, svg


def build(outcome: Outcome, previous: Report | None) -> Report:
    """Return the report's files, and the message of the commit that brings them.

    Equal state gives equal bytes: the files hold no clock, no progress and nothing of what was done, which the message
    tells. Of `previous` the files take the manifests of services that are not healthy now, and the last fully applied
    commit; the message takes the phases that were last told. `waits` tells
    when a report has to wait, since a service flaps.
    """
    states = services.fleet(outcome)
    last = status.read(previous) if previous else None
    files = {
        "README.md": readme.render(outcome, states),
        "fleet.svg": svg.render(outcome, states),
        "status.json": status.to_json(outcome, states, last),
        **detail.service_files(outcome, states),
        **detail.manifest_files(outcome, states, previous),
    }
    return Report(dict(sorted(files.items())), message.write(outcome, states, last))
