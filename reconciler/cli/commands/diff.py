"""`llmkube diff`."""

from typing import Any, Final

import click
from click.core import ParameterSource

from reconciler import pipeline, revisions
from reconciler.cli import options, output, wiring
from reconciler.cli.answer import Answer, Difference
from reconciler.core import effect, review
from reconciler.core.model.change import Action, Change, HoldReason
from reconciler.core.model.source import Snapshot
from reconciler.errors import UsageError
from reconciler.ports import Source

_READ_ONLY: Final = (
    "read only: compared by the fields that we own, without asking the API server; not known are the defaults of new"
    " fields, what webhooks would add, and what would be refused"
)


@click.command(name="diff")
@options.specs
@options.repository
@options.reports
@options.target
@options.guards
@click.option("--from", "from_revision", default="", metavar="REV", help="The revision to compare from: offline.")
@click.option("--to", "to_revision", default="", metavar="REV", help="The revision to compare to.  [default: HEAD]")
@options.setting(
    "--read-only",
    is_flag=True,
    help="Ask the cluster for nothing but get and list: compare by field ownership, less exactly.",
)
@options.output("text", "unified", "json", "markdown", "github", "sarif")
def command(**given: Any) -> int:
    """Show what would change. Nothing is written.

    \b
      llmkube diff --from main --to HEAD              two revisions of this clone: no cluster, no credentials
      llmkube diff --repo URL --target cluster        the repository's head against what is live
      llmkube diff --repo URL --target dir:rendered   against a folder of manifests
      llmkube diff --repo URL --from main --to new --target cluster   both in one report

    The hash that it prints is what `llmkube sync --expect-plan` takes.

    Exit code: 0 no differences, 1 differences, 2 an error.
    """  # noqa: D301  # \b is click's mark for text that must not be wrapped
    # not the environment's: a job that sets it for `sync` may still compare two revisions without a cluster
    asked = click.get_current_context().get_parameter_source("target") is ParameterSource.COMMANDLINE
    return output.show(_diff(live=asked, **given), given["output"])


def _diff(*, live: bool, **given: Any) -> Answer:
    if given["to_revision"] and not given["from_revision"]:
        raise UsageError("--to needs --from; to compare with what is live, leave both out")
    if given["read_only"] and given["target"] != "cluster":
        raise UsageError("--read-only is about a cluster; add --target cluster")
    found = _between(live=live, **given) if given["from_revision"] else _against_live(**given)
    parts = [found, *([found.live] if found.live else [])]
    return Answer(found, int(any(_counts(change) for part in parts for change in part.changes)))


def _between(*, live: bool, **given: Any) -> Difference:
    reader, orders = wiring.reader(**given), wiring.orders(**given)
    names = (given["from_revision"], given["to_revision"] or "HEAD")
    with wiring.clone(**given) as source:
        snapshots = (source.at(names[0]), source.at(names[1]))
        found = revisions.compare(source, snapshots, reader, orders)
        below = _part(given["target"], source, snapshots[1], reader, **given) if live else None
    before, after = (f"{name} ({snapshot.revision[:8]})" for name, snapshot in zip(names, snapshots, strict=True))
    changes = found.proposal.changes
    return Difference(
        before,
        after,
        changes,
        found.problems,
        effect.digest(changes),
        review.build(found.proposal, found.before),
        files=(found.differing, found.files),
        live=below,
    )


def _against_live(**given: Any) -> Difference:
    reader = wiring.reader(**given)
    with wiring.repository(**given) as source:
        return _part(given["target"], source, source.snapshot(), reader, **given)


def _part(name: str, source: Source, snapshot: Snapshot, reader: pipeline.Reader, **given: Any) -> Difference:
    """Return what one revision would change at the target."""
    proposal = pipeline.propose_at(source, snapshot, wiring.target(**given), reader, wiring.orders(**given))
    return Difference(
        name,
        f"{snapshot.branch}@{snapshot.revision[:8]}",
        proposal.changes,
        proposal.plan.parsed.problems,
        effect.digest(proposal.changes),
        review.build(proposal, proposal.plan.parsed.fleet),
        notes=(_READ_ONLY,) if given["read_only"] else (),
    )


def _counts(change: Change) -> bool:
    """Tell whether it is a difference: a held change is one, a cache that is kept on purpose is none."""
    retained = change.hold is not None and change.hold.reason is HoldReason.RETAINED
    return change.action is not Action.KEEP and not retained
