"""What a proposal means to the person who has to say yes to it. Nothing is guessed: what is not known is left out."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from reconciler.core.model.change import Action, Change, HoldReason
from reconciler.core.model.objects import JsonObject, ServiceId
from reconciler.core.model.outcome import Proposal
from reconciler.core.model.review import (
    CostTotal,
    Demand,
    Fate,
    Fit,
    GpuTotal,
    HeldObject,
    Place,
    Review,
    ServiceReview,
)
from reconciler.core.model.spec import Fleet, Pool
from reconciler.core.rules import immutable, placement, wording

_WORKLOAD: Final = "Deployment"
_AUTOSCALER: Final = "HorizontalPodAutoscaler"

_Bounds = tuple[Decimal, Decimal]


@dataclass(frozen=True, slots=True)
class _Surroundings:
    """What services are fitted to, before and after: the same nodes, or each revision's own pools."""

    word: str
    before: tuple[Place, ...]
    after: tuple[Place, ...]


def build(proposal: Proposal, before: Fleet) -> Review:
    """Return the review of a proposal; `before` is the fleet that what is live was made with."""
    by_service: dict[ServiceId, list[Change]] = {}
    for change in proposal.changes:
        by_service.setdefault(change.service, []).append(change)
    after = proposal.plan.parsed.fleet
    around = _surroundings(proposal, before)
    touched = {key: changes for key, changes in by_service.items() if any(_matters(change) for change in changes)}
    services = tuple(_service(key, touched[key], around) for key in sorted(touched))
    costs, unpriced = _costs(services, (before.pools, after.pools), around)
    return Review(services, len(by_service) - len(touched), around.word, _gpus(services), costs, unpriced)


def _surroundings(proposal: Proposal, before: Fleet) -> _Surroundings:
    nodes = placement.nodes(proposal.observed.nodes)
    if nodes:
        return _Surroundings("nodes", nodes, nodes)
    after = proposal.plan.parsed.fleet
    word = "pools" if after.pools else ""
    return _Surroundings(word, placement.pools(before.pools), placement.pools(after.pools))


def _matters(change: Change) -> bool:
    return change.action is not Action.KEEP or (
        change.hold is not None and change.hold.reason is not HoldReason.RETAINED
    )


def _service(key: ServiceId, changes: Sequence[Change], around: _Surroundings) -> ServiceReview:
    workload = next((change for change in changes if change.key.kind == _WORKLOAD), None)
    written = [change for change in changes if change.writes]
    before, after = _demand(changes, live=True), _demand(changes, live=False)
    fate = _fate(workload, written)
    return ServiceReview(
        key,
        fate,
        restarts=_restarts(workload, fate),
        reasons=_reasons(workload, written) if fate is Fate.CHANGED else (),
        replaced=tuple(_replaced(change) for change in changes if change.action is Action.REPLACE),
        removed=tuple(str(change.key) for change in written if change.action is Action.DELETE),
        held=tuple(
            HeldObject(change.key, change.action, change.hold)
            for change in changes
            if change.hold is not None and _matters(change)
        ),
        before=before,
        after=after,
        fit=_fit(after, around.after),
    )


def _fate(workload: Change | None, written: Sequence[Change]) -> Fate:
    if not written:
        return Fate.STAYS
    if workload is not None and workload.writes:
        found = {Action.CREATE: Fate.ADDED, Action.DELETE: Fate.REMOVED}.get(workload.action)
        return found or Fate.CHANGED
    if workload is None and all(change.action is Action.DELETE for change in written):
        return Fate.REMOVED
    return Fate.CHANGED


def _restarts(workload: Change | None, fate: Fate) -> bool:
    if workload is None or fate is not Fate.CHANGED or not workload.writes:
        return False
    return workload.rolls or workload.action is Action.REPLACE


def _reasons(workload: Change | None, written: Sequence[Change]) -> tuple[str, ...]:
    """Return what changes in words: of the workload alone where its pods restart, else of every object."""
    if workload is not None and workload.writes and workload.rolls:
        paths = [found.path for found in workload.fields if found.path.startswith("spec.template")]
        return wording.fields(_WORKLOAD, paths)
    said: list[str] = []
    for change in written:
        if change.action in {Action.CREATE, Action.DELETE}:
            said.append(f"{change.key.kind} {'new' if change.action is Action.CREATE else 'goes'}")
        else:
            said += wording.fields(change.key.kind, [found.path for found in change.fields])
    return tuple(dict.fromkeys(said))


def _replaced(change: Change) -> str:
    paths = [found.path for found in change.fields]
    named = immutable.touched(change.key.kind, paths) or tuple(paths)
    return f"{change.key}: {', '.join(named)} cannot be changed in place"


def _demand(changes: Iterable[Change], *, live: bool) -> Demand | None:
    """Return what the Deployment asks for as it is, or as it will be; an autoscaler's bounds win over its replicas."""
    found: dict[str, JsonObject] = {}
    for change in changes:
        stays = change.hold is not None or change.action is Action.KEEP
        manifest = change.live if live or stays else change.desired
        if manifest is not None:
            found[change.key.kind] = manifest
    workload = found.get(_WORKLOAD)
    if workload is None:
        return None
    pod = workload["spec"]["template"]["spec"]
    asked = {name: int(number) for name, number in placement.requests(pod).items() if placement.is_device(name)}
    least, most = _replicas(workload, found.get(_AUTOSCALER))
    return Demand(dict(sorted(asked.items())), least, most, pod)


def _replicas(workload: JsonObject, autoscaler: JsonObject | None) -> tuple[int, int]:
    said = workload["spec"].get("replicas")
    if autoscaler is None or said == 0:
        count = 1 if said is None else int(said)
        return count, count
    bounds = autoscaler["spec"]
    return int(bounds.get("minReplicas", 1)), int(bounds["maxReplicas"])


def _fit(demand: Demand | None, places: tuple[Place, ...]) -> Fit | None:
    """Return where the pods can run. Of pools that are declared, only what asks for devices is told."""
    if demand is None or not demand.most or not places:
        return None
    if not places[0].whole and not demand.devices:
        return None
    return placement.fit(demand.pod, places)


def _gpus(services: Iterable[ServiceReview]) -> tuple[GpuTotal, ...]:
    sides: tuple[Counter[tuple[str, int]], Counter[tuple[str, int]]] = (Counter(), Counter())
    for service in services:
        for counted, demand in zip(sides, (service.before, service.after), strict=True):
            for name, number in demand.devices.items() if demand else ():
                counted[name, 0] += number * demand.least if demand else 0
                counted[name, 1] += number * demand.most if demand else 0
    names = sorted({name for side in sides for name, _ in side})
    before, after = sides
    return tuple(GpuTotal(name, (before[name, 0], before[name, 1]), (after[name, 0], after[name, 1])) for name in names)


def _costs(
    services: Sequence[ServiceReview], pools: tuple[tuple[Pool, ...], tuple[Pool, ...]], around: _Surroundings
) -> tuple[tuple[CostTotal, ...], tuple[ServiceId, ...]]:
    """Return the price before and after, of services whose pool is beyond doubt and priced on both sides."""
    if not any(pool.price_on_demand or pool.price_spot for side in pools for pool in side):
        return (), ()
    totals: dict[tuple[str, str], list[_Bounds]] = {}
    unpriced: list[ServiceId] = []
    for service in services:
        if not _has_devices(service):
            continue
        before = _prices(service.before, _fit(service.before, around.before), pools[0])
        after = _prices(service.after, _fit(service.after, around.after), pools[1])
        bases = set(before or ()) | set(after or ())
        if before is None or after is None or not _comparable(service, before, after):
            unpriced.append(service.id)
            continue
        for basis in bases:
            total = totals.setdefault(basis, [(Decimal(0), Decimal(0))] * 2)
            for at, side in enumerate((before, after)):
                least, most = side.get(basis, (Decimal(0), Decimal(0)))
                total[at] = (total[at][0] + least, total[at][1] + most)
    costs = (CostTotal(basis, currency, *sides) for (basis, currency), sides in sorted(totals.items()))
    return tuple(costs), tuple(unpriced)


def _comparable(service: ServiceReview, before: Mapping[tuple[str, str], _Bounds], after: object) -> bool:
    """Tell whether both sides are priced alike; a side without pods costs nothing on any basis."""
    sides = [
        prices
        for prices, demand in ((before, service.before), (after, service.after))
        if demand is not None and demand.most
    ]
    return len({frozenset(prices) for prices in sides if isinstance(prices, Mapping)}) <= 1


def _has_devices(service: ServiceReview) -> bool:
    return any(demand is not None and demand.devices for demand in (service.before, service.after))


def _prices(
    demand: Demand | None, fit: Fit | None, pools: tuple[Pool, ...]
) -> Mapping[tuple[str, str], _Bounds] | None:
    """Return (basis, currency) -> price of an hour at least and most replicas, None when it is not known."""
    if demand is None or not demand.most:
        return {}
    priced = {pool.name: pool for pool in pools if pool.price_on_demand or pool.price_spot}
    if fit is None or len(fit.pools) != 1 or fit.pools[0] not in priced:
        return None
    pool = priced[fit.pools[0]]
    asked = demand.devices.get(pool.gpu_resource, 0)
    if not asked or not pool.gpu_count:
        return None
    share = Decimal(asked) / Decimal(pool.gpu_count)
    said = (("on demand", pool.price_on_demand), ("spot", pool.price_spot))
    return {
        (basis, pool.currency): (share * demand.least * Decimal(price), share * demand.most * Decimal(price))
        for basis, price in said
        if price
    }
