"""`llmkube status`."""

from typing import Any

import click

from reconciler.cli import options, output, wiring
from reconciler.cli.answer import Answer, FleetStatus
from reconciler.core import report
from reconciler.core.model.health import Phase
from reconciler.core.model.problem import Problem
from reconciler.errors import SourceError


@click.command(name="status")
@options.repository
@options.reports
@options.output("text", "json")
def command(**given: Any) -> int:
    """Show the fleet as the last report in git tells it. Needs no access to the cluster.

    \b
      llmkube status --repo URL --cluster-name prod

    Exit code: 0 all Ready (in a folder: Rendered) and the branch's head observed, 1 not, 2 an error.
    """  # noqa: D301  # \b is click's mark for text that must not be wrapped
    return output.show(_status(**given), given["output"])


def _status(**given: Any) -> Answer:
    with wiring.repository(**given) as source:
        snapshot = source.snapshot()
        previous = source.previous()
    if previous is None:
        raise SourceError(
            f"there is no report of cluster {given['cluster_name']!r} yet: its branch is not there;"
            " has `llmkube sync` or `llmkube run` reached this repository?"
        )
    status = report.read_status(previous.files.get("status.json", b""))
    if isinstance(status, Problem):
        raise SourceError(f"the report of cluster {given['cluster_name']!r} cannot be read: {status.message}")
    found = FleetStatus(status, snapshot.branch, snapshot.revision)
    well = all(service.phase in {Phase.READY, Phase.RENDERED} for service in status.services)
    return Answer(found, int(not (well and found.observed)))
