"""What changes from one revision to another: no target, no credentials, and no file parsed that cannot matter."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from reconciler import pipeline
from reconciler.core import plan, spec
from reconciler.core.model.change import Action, Change
from reconciler.core.model.outcome import Proposal
from reconciler.core.model.plan import Plan
from reconciler.core.model.problem import Problem, Severity
from reconciler.core.model.source import Snapshot
from reconciler.core.model.spec import Fleet
from reconciler.core.rules import ownership, vocabulary
from reconciler.pipeline import Orders, Reader
from reconciler.ports import Source


@dataclass(frozen=True, slots=True)
class Comparison:
    """The second revision's plan against the first's. `problems` are those of files that differ, and new ones.

    `before` is the first revision's fleet; `differing` and `files` count spec files. The proposal's changes are of
    services that differ or whose file does: the others' are no news.
    """

    proposal: Proposal
    before: Fleet
    problems: tuple[Problem, ...]
    differing: int
    files: int


@dataclass(frozen=True, slots=True)
class _Sides:
    """Both revisions with their spec files, and every content: blob -> bytes."""

    source: Source
    snapshots: tuple[Snapshot, Snapshot]
    selections: tuple[spec.Selection, spec.Selection]
    reader: Reader


def compare(source: Source, snapshots: tuple[Snapshot, Snapshot], reader: Reader, orders: Orders) -> Comparison:
    """Return what changes, from the files that can matter where that is certain to be the same, else from all."""
    selections = (pipeline.select(snapshots[0], reader), pipeline.select(snapshots[1], reader))
    sides = _Sides(source, snapshots, selections, reader)
    paths = _related(sides)
    if paths is not None:
        found = _compared(sides, orders, paths)
        if _is_certain(found):
            return found
    return compare_all(source, snapshots, reader, orders)


def compare_all(source: Source, snapshots: tuple[Snapshot, Snapshot], reader: Reader, orders: Orders) -> Comparison:
    """Return the same from all files of both revisions."""
    selections = (pipeline.select(snapshots[0], reader), pipeline.select(snapshots[1], reader))
    return _compared(_Sides(source, snapshots, selections, reader), orders, None)


def _related(sides: _Sides) -> frozenset[str] | None:
    before, after = sides.selections
    if before.problems != after.problems:
        return None
    entries = (before.entries, after.entries)
    contents = sides.source.read([*{entry.blob: entry for side in entries for entry in side}.values()])
    return spec.related(entries, contents, lambda entry: pipeline.parse(entry, contents, sides.source, sides.reader))


def _compared(sides: _Sides, orders: Orders, paths: Collection[str] | None) -> Comparison:
    before, after = (
        _plan(sides, snapshot, selection, paths)
        for snapshot, selection in zip(sides.snapshots, sides.selections, strict=True)
    )
    selected = (sides.selections[0].entries, sides.selections[1].entries)
    differing = spec.differing(selected)
    proposal = pipeline.between(before, after, orders)
    news = tuple(change for change in proposal.changes if _is_news(change, differing))
    known = set(before.parsed.problems)
    problems = tuple(found for found in after.parsed.problems if found.path in differing or found not in known)
    total = len(selected[1])
    return Comparison(replace(proposal, changes=news), before.parsed.fleet, problems, len(differing), total)


def _plan(sides: _Sides, snapshot: Snapshot, selection: spec.Selection, paths: Collection[str] | None) -> Plan:
    """Return the plan of one side: without an owner, since in no revision it is anybody's yet."""
    entries = [entry for entry in selection.entries if paths is None or entry.path in paths]
    refused = [found for found in selection.problems if paths is None or found.path in paths]
    missing = [entry for entry in entries if not sides.reader.cache.holds(entry.blob, entry.path)]
    contents = sides.source.read(missing) if missing else {}
    files = [pipeline.parse(entry, contents, sides.source, sides.reader) for entry in entries]
    parsed = spec.link(files, sides.reader.options, sides.reader.flags, refused)
    return plan.build(parsed, snapshot, None)


def _is_news(change: Change, differing: Collection[str]) -> bool:
    if change.action is not Action.KEEP or (change.hold is not None and change.live is not None):
        return True
    manifest = change.desired or change.live or {"metadata": {}}
    return ownership.annotations_of(manifest).get(vocabulary.SOURCE, "") in differing


def _is_certain(found: Comparison) -> bool:
    """Tell whether files that were not parsed could change nothing.

    An error elsewhere holds deletions back, the guards count all services before they let some go, and the hint of an
    error may name any Model.
    """
    wrong = any(problem.severity is Severity.ERROR for problem in found.proposal.plan.parsed.problems)
    deleted = any(change.action is Action.DELETE for change in found.proposal.changes)
    return not wrong and not deleted
