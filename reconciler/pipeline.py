"""One tick: propose() is the dry run, reconcile() is propose(), the effects and the report.

Nothing here branches on what kind of source or target it is given: what differs is in the values.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from reconciler.cache import Cache
from reconciler.core import diff, guard, health, plan, report, spec
from reconciler.core.model.change import Action, Result
from reconciler.core.model.objects import Key
from reconciler.core.model.observed import Observed
from reconciler.core.model.outcome import Outcome, Proposal
from reconciler.core.model.plan import Plan
from reconciler.core.model.policy import Policy
from reconciler.core.model.source import Entry, Published, Report, Snapshot
from reconciler.core.model.spec import Parsed
from reconciler.core.report import Turn
from reconciler.core.rules import inventory, llamacpp, ownership
from reconciler.errors import UsageError
from reconciler.ports import Source, Stop, Target


@dataclass(frozen=True, slots=True)
class Reader:
    """What turns text into specs: the compiled schemas, llama-server's flags, and what was parsed before."""

    schemas: spec.Schemas
    flags: llamacpp.Flags
    options: spec.Options
    cache: Cache[spec.File]


@dataclass(frozen=True, slots=True)
class Orders:
    """What a tick is asked to do. `retaken` is the memory of the process: when each object was taken back."""

    cluster: str
    inventory_namespace: str
    policy: Policy
    now: datetime
    retaken: Mapping[Key, tuple[datetime, ...]] = field(default_factory=dict)


def read(source: Source, snapshot: Snapshot, reader: Reader) -> Parsed:
    """Return all specs of a revision. A blob that was parsed before is not read again."""
    selection = select(snapshot, reader)
    missing = [entry for entry in selection.entries if not reader.cache.holds(entry.blob, entry.path)]
    contents = source.read(missing) if missing else {}
    files = [parse(entry, contents, source, reader) for entry in selection.entries]
    return spec.link(files, reader.options, reader.flags, selection.problems)


def select(snapshot: Snapshot, reader: Reader) -> spec.Selection:
    """Return the spec files of a revision. UsageError when there is nothing at all below the path."""
    if reader.options.path and not snapshot.entries:
        at = f" at {snapshot.branch or 'revision'} {snapshot.revision[:8]}" if snapshot.revision else ""
        raise UsageError(
            f"--path {reader.options.path}: there is nothing below it{at}; name a folder of the repository"
        )
    return spec.select(snapshot.entries, reader.options)


def parse(entry: Entry, contents: Mapping[str, bytes], source: Source, reader: Reader) -> spec.File:
    """Return what one file says; `contents` maps blob -> content, of those that were read."""

    def make() -> spec.File:
        # a repository of more files than the cache holds may have lost one since it was asked
        content = contents[entry.blob] if entry.blob in contents else source.read([entry])[entry.blob]
        return spec.parse_file(entry.path, content, reader.schemas, reader.options)

    return reader.cache.get(entry.blob, entry.path, make)


def propose(source: Source, target: Target, reader: Reader, orders: Orders) -> Proposal:
    """Return every change that the head of the repository asks for, held ones with their reason. Writes nothing."""
    return propose_at(source, source.snapshot(), target, reader, orders)


def propose_at(source: Source, snapshot: Snapshot, target: Target, reader: Reader, orders: Orders) -> Proposal:
    """Return every change that a revision of the repository asks for, as if it were the head."""
    parsed = read(source, snapshot, reader)
    owner = plan.owner(orders.cluster, orders.inventory_namespace, snapshot.url, reader.options.path)
    desired = plan.build(parsed, snapshot, owner)
    observed = target.observe(desired)
    state = health.assess(observed)
    proposal = Proposal(desired, observed, state, diff.compare(desired, observed))
    policy = _lifted(orders.policy, source, snapshot)
    return replace(proposal, changes=guard.check(proposal, policy, guard.Moment(orders.now, orders.retaken)))


def between(before: Plan, after: Plan, orders: Orders) -> Proposal:
    """Return what changes from one revision to another: the old plan's objects stand in for what is live."""
    observed = Observed(live={planned.key: planned.manifest for planned in before.objects}, runs=False)
    proposal = Proposal(after, observed, health.assess(observed), diff.compare(after, observed))
    return replace(proposal, changes=guard.check(proposal, orders.policy, guard.Moment(orders.now)))


def carry_out(
    proposal: Proposal, target: Target, stop: Stop, told: Callable[[Result], None] = lambda _result: None
) -> Outcome:
    """Do every change that is not held, one by one; a stop that is asked for takes hold between two of them."""
    due = [change for change in proposal.changes if change.writes]
    owner = proposal.plan.ownership
    if owner is not None and (due or proposal.observed.inventory is None):
        target.record(inventory.hints(owner, _members(proposal, before=True)), proposal.plan)
    results = []
    for change in due:
        if stop.requested():
            break
        result = target.carry_out(change)
        results.append(result)
        told(result)
    interrupted = len(results) < len(due)
    observed = _after(proposal.observed, results)
    if owner is not None and results and not interrupted:
        remaining = (key for key, live in observed.live.items() if ownership.is_ours(live, owner))
        target.record(inventory.hints(owner, remaining), proposal.plan)
    state = health.assess(observed)
    return Outcome(proposal.plan, observed, state, proposal.changes, tuple(results), interrupted)


@dataclass(frozen=True, slots=True)
class Said:
    """A report, what git made of it, and when each turn of a service was last told."""

    report: Report
    published: Published
    told: Mapping[Turn, datetime]


def publish(outcome: Outcome, source: Source, told: Mapping[Turn, datetime], now: datetime) -> Said:
    """Write the report of an outcome to git, when it says something new; a service that flaps has to wait."""
    changed = {result.change.service for result in outcome.results}
    told = {turn: time for turn, time in told.items() if turn.service not in changed}  # it turns because of us
    previous = source.previous()
    written = report.build(outcome, previous)
    if not outcome.results and report.waits(previous, written, told, now):
        return Said(written, Published("", written=False), told)
    published = source.publish(written)
    turns = report.turned(previous, written) if published.written else ()
    return Said(written, published, {**told, **dict.fromkeys(turns, now)})


def _lifted(policy: Policy, source: Source, snapshot: Snapshot) -> Policy:
    """Return the policy with what commit trailers allow, from the last fully applied commit to the head."""
    previous = source.previous()
    status = report.read(previous) if previous is not None else None
    since = status.applied if status is not None else ""
    if since == snapshot.revision:
        return policy
    said = guard.allowance(source.commits(since, snapshot.revision))
    flags = policy.allowance
    return replace(
        policy,
        allowance=replace(
            flags,
            deletions=_larger(flags.deletions, said.deletions),
            rollouts=_larger(flags.rollouts, said.rollouts),
            sources=(*flags.sources, *said.sources),
        ),
    )


def _larger(one: int | None, other: int | None) -> int | None:
    given = [count for count in (one, other) if count is not None]
    return max(given) if given else None


def _members(proposal: Proposal, *, before: bool) -> Iterable[Key]:
    """Return the keys of all members: those that are, and with `before` those that will be."""
    owner = proposal.plan.ownership
    live = (key for key, found in proposal.observed.live.items() if ownership.is_ours(found, owner))
    coming = (change.key for change in proposal.changes if before and change.writes)
    return {*live, *coming}


def _after(observed: Observed, results: Iterable[Result]) -> Observed:
    """Return what was observed with the results in it, so that nothing has to be read again."""
    live = dict(observed.live)
    for result in results:
        if result.error:
            continue
        if result.change.action is Action.DELETE:
            live.pop(result.change.key, None)
        elif result.live is not None:
            live[result.change.key] = result.live
    return replace(observed, live=live)


def retaken(
    memory: Mapping[Key, tuple[datetime, ...]], results: Iterable[Result], now: datetime
) -> dict[Key, tuple[datetime, ...]]:
    """Return the memory with this tick's takeovers; what is older than the window is forgotten."""
    fresh: dict[Key, tuple[datetime, ...]] = {
        key: kept for key, times in memory.items() if (kept := _recent(times, now))
    }
    for change in (result.change for result in results if not result.error):
        if change.takeovers:
            fresh[change.key] = (*fresh.get(change.key, ()), now)
    return fresh


def _recent(times: Iterable[datetime], now: datetime) -> tuple[datetime, ...]:
    return tuple(time for time in times if now - time <= guard.CONTEST_WINDOW)
