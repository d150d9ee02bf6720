"""`llmkube run`."""

from datetime import UTC, datetime
from typing import Any

import click

from reconciler.cli import options


@click.command(name="run")
@options.specs
@options.repository
@options.reports
@options.target
@options.guards
@options.setting(
    "--interval",
    default=60.0,
    type=click.FloatRange(min=0.1),
    metavar="SECONDS",
    help="How often the repository is looked at.",
)
@options.setting(
    "--listen",
    default="",
    metavar="HOST:PORT",
    help="Serve /healthz, /readyz, /metrics and POST /webhook there.",
)
@options.setting(
    "--log-format",
    default="human",
    type=click.Choice(("human", "json")),
    help="How log lines look.",
)
@options.setting(
    "--log-level",
    default="info",
    type=click.Choice(("debug", "info", "warning", "error")),
    help="What is logged; a tick that changes nothing says nothing at info.",
)
def command(**given: Any) -> int:
    """Keep a target as the repository says, until a SIGTERM; then finish the effect under way and end.

    \b
      llmkube run --repo URL --target cluster --cluster-name prod --listen 0.0.0.0:8080

    LLMKUBE_WEBHOOK_SECRET lets POST /webhook ask for an earlier tick.
    """  # noqa: D301  # \b is click's mark for text that must not be wrapped
    from reconciler.cli import daemon  # noqa: PLC0415  # logging and scheduling are slow to import, --help needs none

    return daemon.run(lambda: datetime.now(UTC), **given)
