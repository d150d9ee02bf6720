"""`llmkube diff`."""

from typing import Any

import click

from reconciler import pipeline
from reconciler.cli import options, output, wiring
from reconciler.cli.answer import Answer, Difference
from reconciler.core import plan
from reconciler.core.model.change import Action, Change, HoldReason
from reconciler.errors import UsageError


@click.command(name="diff")
@options.specs
@options.repository
@options.reports
@options.target
@options.guards
@click.option("--from", "from_revision", default="", metavar="REV", help="The revision to compare from: offline.")
@click.option("--to", "to_revision", default="", metavar="REV", help="The revision to compare to.  [default: HEAD]")
@options.output("text", "json")
def command(**given: Any) -> int:
    """Show what would change. Nothing is written.

    \b
      llmkube diff --from main --to HEAD              two revisions of this clone: no cluster, no credentials
      llmkube diff --repo URL --target cluster        the repository's head against what is live
      llmkube diff --repo URL --target dir:rendered   against a folder of manifests

    Exit code: 0 no differences, 1 differences, 2 an error.
    """  # noqa: D301  # \b is click's mark for text that must not be wrapped
    return output.show(_diff(**given), given["output"])


def _diff(**given: Any) -> Answer:
    if given["to_revision"] and not given["from_revision"]:
        raise UsageError("--to needs --from; to compare with what is live, leave both out")
    found = _between(**given) if given["from_revision"] else _against_live(**given)
    return Answer(found, int(any(_counts(change) for change in found.changes)))


def _between(**given: Any) -> Difference:
    reader = wiring.reader(**given)
    with wiring.clone(**given) as source:
        plans = []
        for revision in (given["from_revision"], given["to_revision"] or "HEAD"):
            snapshot = source.at(revision)
            plans.append(plan.build(pipeline.read(source, snapshot, reader), snapshot, None))
    before, after = plans
    proposal = pipeline.between(before, after, wiring.orders(**given))
    names = [
        f"{name} ({found.snapshot.revision[:8]})"
        for name, found in zip((given["from_revision"], given["to_revision"] or "HEAD"), plans, strict=True)
    ]
    return Difference(names[0], names[1], proposal.changes, after.parsed.problems, after.hash)


def _against_live(**given: Any) -> Difference:
    reader = wiring.reader(**given)
    target = wiring.target(**given)
    with wiring.repository(**given) as source:
        proposal = pipeline.propose(source, target, reader, wiring.orders(**given))
    snapshot = proposal.plan.snapshot
    return Difference(
        given["target"],
        f"{snapshot.branch}@{snapshot.revision[:8]}",
        proposal.changes,
        proposal.plan.parsed.problems,
        proposal.plan.hash,
    )


def _counts(change: Change) -> bool:
    """Tell whether it is a difference: a held change is one, a cache that is kept on purpose is none."""
    retained = change.hold is not None and change.hold.reason is HoldReason.RETAINED
    return change.action is not Action.KEEP and not retained
