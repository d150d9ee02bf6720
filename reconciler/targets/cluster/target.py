"""The Target port kept by a cluster: one LIST a kind, a dry run only for what changed, writes one by one."""

from collections.abc import Mapping
from dataclasses import replace

from reconciler.core.model.change import Change, Result
from reconciler.core.model.objects import JsonObject, Key
from reconciler.core.model.observed import Inventory, Observed, Refusal, RefusalReason
from reconciler.core.model.plan import Ownership, Plan
from reconciler.core.rules import adoption, fields, inventory, merging, ownership, vocabulary
from reconciler.errors import ClusterError, TargetError
from reconciler.targets.cluster import kinds
from reconciler.targets.cluster.api import APPLY, Api, ApiError
from reconciler.targets.cluster.reading import Live, read_live, read_nodes, read_parent, read_pods
from reconciler.targets.cluster.verdicts import Verdicts
from reconciler.targets.cluster.writing import Writer


class ClusterTarget:
    """Keeps the Target port. Between ticks it remembers only what saves calls: the verdicts on unchanged objects.

    Read only, it sends nothing but GET: what the server would answer is then told from who owns which field.
    """

    def __init__(self, api: Api, *, read_only: bool = False) -> None:
        self._api = api
        self._read_only = read_only
        self._verdicts = Verdicts()
        self._writer = Writer(api)
        self._recorded: Inventory | None = None
        self._unread: frozenset[str] = frozenset()

    def observe(self, plan: Plan) -> Observed:
        """Return what is live, and the server's dry-run answer to each planned object that is new or may differ."""
        owner = _owner(plan)
        try:
            parent = read_parent(self._api, owner)
            live = read_live(self._api, plan, owner, parent)
            merged, refusals = _predicted(plan, live) if self._read_only else self._dry_run(plan, owner, live)
            self._recorded = parent
            self._unread = frozenset(live.unread)
            return Observed(
                live=live.objects,
                merged=merged,
                refusals=refusals,
                inventory=parent,
                nodes=read_nodes(self._api),
                pods=read_pods(self._api, live),
            )
        except ApiError as error:
            raise ClusterError(f"reading the cluster: {error.message}") from error

    def carry_out(self, change: Change) -> Result:
        """Apply, replace or delete one object; what the server says against it is in the result."""
        if self._read_only:
            return Result(change, error="the cluster is only read")
        try:
            return Result(change, live=self._writer.carry_out(change))
        except ApiError as error:
            return Result(change, error=error.message.split("\n", maxsplit=1)[0])

    def record(self, wanted: Inventory, plan: Plan) -> None:
        """Write the inventory's parent, when it says something new. Its namespace must exist: we never create one."""
        wanted = self._with_unread(wanted)
        if wanted == self._recorded or self._read_only:
            return
        owner = _owner(plan)
        key = Key("", "ConfigMap", owner.namespace, owner.name)
        query = {"fieldManager": vocabulary.MANAGER, "force": "true", "fieldValidation": "Strict"}
        try:
            self._api.patch(kinds.path(key), inventory.parent(wanted, owner), APPLY, query)
        except ApiError as error:
            hint = f"; kubectl create namespace {owner.namespace}" if error.status == 404 else ""  # noqa: PLR2004
            raise ClusterError(f"the inventory {owner.namespace}/{owner.name}: {error.message}{hint}") from error
        self._recorded = wanted

    def _with_unread(self, wanted: Inventory) -> Inventory:
        """Return the inventory with what it said before of namespaces that we could not look into."""
        before = self._recorded
        unread = self._unread & set(before.namespaces) if before is not None else None
        if before is None or not unread:
            return wanted
        return replace(
            wanted,
            group_kinds=tuple(sorted({*wanted.group_kinds, *before.group_kinds})),
            namespaces=tuple(sorted({*wanted.namespaces, *unread})),
        )

    def _dry_run(
        self, plan: Plan, owner: Ownership, live: Live
    ) -> tuple[Mapping[Key, JsonObject], Mapping[Key, Refusal]]:
        """Ask the server about every planned object whose verdict is not known yet."""
        merged: dict[Key, JsonObject] = {}
        forbidden: dict[Key, Refusal] = {}
        asked: list[tuple[Key, JsonObject]] = []
        for planned in plan.objects:
            unread = live.unread.get(planned.key.namespace)
            if unread is not None:
                forbidden[planned.key] = Refusal(RefusalReason.FORBIDDEN, unread)
                continue
            found = live.objects.get(planned.key)
            if found is not None and (not _writable(found, owner) or self._verdicts.clean(found, planned.manifest)):
                merged[planned.key] = found
            else:
                asked.append((planned.key, planned.manifest))
        answers, refusals = self._writer.dry_run(asked, live.objects)
        merged |= answers
        self._learn(plan, live.objects, answers)
        return merged, {**forbidden, **refusals}

    def _learn(self, plan: Plan, live: Mapping[Key, JsonObject], answers: Mapping[Key, JsonObject]) -> None:
        for planned in plan.objects:
            found, answer = live.get(planned.key), answers.get(planned.key)
            if found is None or answer is None:
                continue
            if fields.same(found, answer) and adoption.ours(found) == adoption.ours(answer):
                self._verdicts.learn(found, planned.manifest)


def _predicted(plan: Plan, live: Live) -> tuple[Mapping[Key, JsonObject], Mapping[Key, Refusal]]:
    """Return what an apply would leave, as far as field ownership tells it; a namespace we may not read is refused."""
    merged = {
        planned.key: merging.applied(live.objects[planned.key], planned.manifest)
        for planned in plan.objects
        if planned.key in live.objects
    }
    refusals = {
        planned.key: Refusal(RefusalReason.FORBIDDEN, live.unread[planned.key.namespace])
        for planned in plan.objects
        if planned.key.namespace in live.unread
    }
    return merged, refusals


def _owner(plan: Plan) -> Ownership:
    if plan.ownership is None:
        raise TargetError("a cluster needs a plan with an owner")
    return plan.ownership


def _writable(found: JsonObject, owner: Ownership) -> bool:
    return ownership.is_ours(found, owner) or ownership.handed_over(found, owner)
