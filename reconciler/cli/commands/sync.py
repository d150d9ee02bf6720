"""`llmkube sync`."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import click

from reconciler import pipeline
from reconciler.cli import options, output, progress, wiring
from reconciler.cli.answer import Answer, Synced
from reconciler.core import effect
from reconciler.core.model.change import HoldReason
from reconciler.core.model.objects import JsonObject
from reconciler.core.model.outcome import Outcome
from reconciler.core.model.problem import Severity
from reconciler.core.model.source import Published
from reconciler.errors import UsageError

_HASH: Final = re.compile(rf"[0-9a-fA-F]{{{effect.SHORTEST},64}}")


@click.command(name="sync")
@options.specs
@options.repository
@options.reports
@options.target
@options.guards
@options.setting("--no-report", is_flag=True, help="Do not write a report to git.")
@options.setting(
    "--expect-plan",
    default="",
    metavar="HASH|FILE",
    help="Do it only if it is still what was approved: the hash that `llmkube diff` printed, or its JSON.",
)
@options.output("text", "json")
def command(**given: Any) -> int:
    """Do one tick: apply what changed, prune what left git, commit a report.

    \b
      llmkube sync --repo URL --target dir:rendered   render into a folder
      llmkube sync --repo URL --target cluster        apply to the cluster of the kubeconfig

    Exit code: 0 all well, 1 something was held back, invalid or failed, 2 an error.
    """  # noqa: D301  # \b is click's mark for text that must not be wrapped
    return output.show(_sync(**given), given["output"])


def _sync(**given: Any) -> Answer:
    reader = wiring.reader(**given)
    target = wiring.target(**given)
    approved = _approved(given["expect_plan"])
    with wiring.repository(**given) as source:
        orders = wiring.orders(**given)
        proposal = pipeline.propose(source, target, reader, orders)
        if approved:
            proposal = replace(proposal, changes=effect.confirm(proposal.changes, approved))
        due = sum(1 for change in proposal.changes if change.writes)
        with progress.bar("applying", due) as told:
            outcome = pipeline.carry_out(proposal, target, wiring.NeverStop(), told)
        published = Published("", written=False)
        if not given["no_report"]:
            published = pipeline.publish(outcome, source, {}, orders.now).published
    return Answer(_told(outcome, published, given["cluster_name"]), exit_code(outcome, published))


def _approved(said: str) -> str | JsonObject:
    """Return the hash, or what the file of a diff holds; "" when nothing has to be confirmed."""
    if not said or _HASH.fullmatch(said):
        return said
    try:
        found = json.loads(Path(said).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict) or found.get("schema") != "llmkube.dev/diff/v1":
        raise UsageError(
            f"--expect-plan {said}: give the hash that `llmkube diff` printed, {effect.SHORTEST} digits of it or more,"
            " or a file with what `llmkube diff --output json` printed"
        )
    return found


def exit_code(outcome: Outcome, published: Published) -> int:
    """Return 0 when all that git wants is so, 1 when something waits, is wrong or failed."""
    held = any(change.hold and change.hold.reason is not HoldReason.RETAINED for change in outcome.changes)
    failed = any(result.error for result in outcome.results)
    wrong = any(problem.severity is Severity.ERROR for problem in outcome.plan.parsed.problems)
    return int(held or failed or wrong or bool(published.error) or outcome.interrupted)


def _told(outcome: Outcome, published: Published, cluster: str) -> Synced:
    snapshot = outcome.plan.snapshot
    return Synced(
        cluster=cluster,
        branch=snapshot.branch,
        revision=snapshot.revision,
        changes=outcome.changes,
        results=outcome.results,
        problems=outcome.plan.parsed.problems,
        plan_hash=outcome.plan.hash,
        report=published.revision if published.written else "",
        report_error=published.error,
        interrupted=outcome.interrupted,
    )
