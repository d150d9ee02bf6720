"""A review in sentences, for every format that people read."""

from collections import Counter
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal

from reconciler.cli.answer import Difference
from reconciler.core.model.review import CostTotal, Demand, Fate, GpuTotal, Review, ServiceReview

_ORDER = (Fate.REMOVED, Fate.CHANGED, Fate.ADDED, Fate.STAYS)


def headline(value: Difference) -> str:
    """Return what happens to services, in one line."""
    review = value.review
    counted = Counter(service.fate for service in review.services)
    parts = [f"{counted[fate]} {fate}" for fate in (Fate.ADDED, Fate.CHANGED, Fate.REMOVED) if counted[fate]]
    rolling = sum(service.restarts for service in review.services)
    held = sum(bool(service.held) for service in review.services)
    parts += [f"{rolling} with pods that restart"] if rolling else []
    parts += [f"{held} held back"] if held else []
    said = ", ".join(parts) or "no service changes"
    return f"services: {said}; {_rest(value)}"


def _rest(value: Difference) -> str:
    if value.files is not None:
        changed, total = value.files
        return f"{changed} of {total} spec files {'differs' if changed == 1 else 'differ'}"
    return f"{value.review.unchanged} unchanged"


def ordered(review: Review) -> list[ServiceReview]:
    """Return the services by what they ask of a reviewer: what is lost, held, replaced or restarted comes first."""
    return sorted(
        review.services,
        key=lambda service: (
            not (service.held or service.replaced or _cannot_run(service)),
            _ORDER.index(service.fate),
            not service.restarts,
            service.id,
        ),
    )


def effect(service: ServiceReview) -> str:
    """Return what happens to one service and its pods, and why."""
    because = f": {', '.join(service.reasons)}" if service.reasons else ""
    match service.fate:
        case Fate.ADDED:
            return "starts"
        case Fate.REMOVED:
            return f"stops, {len(service.removed)} {'object' if len(service.removed) == 1 else 'objects'} deleted"
        case Fate.STAYS:
            return "stays as it is"
    if service.restarts:
        return f"pods restart{because}"
    return f"{_scaled(service)}no pod restarts{because}"


def asks(service: ServiceReview) -> str:
    """Return the devices that a service asks for, before and after where they differ; "" for none."""
    before, after = demand(service.before), demand(service.after)
    if before == after or not before or service.fate in {Fate.ADDED, Fate.REMOVED}:
        return before if service.fate is Fate.REMOVED else after
    return f"{before} -> {after or 'none'}"


def demand(found: Demand | None) -> str:
    """Return `2 x 4 nvidia.com/gpu`, `1..3 x 4 nvidia.com/gpu` under an autoscaler; "" without devices."""
    if found is None or not found.devices:
        return ""
    each = " + ".join(f"{count} {name}" for name, count in found.devices.items())
    return f"{_span(found.least, found.most)} x {each}"


def places(service: ServiceReview) -> str:
    """Return where its pods can run, or why nowhere; "" when that is not known."""
    if service.fit is None:
        return ""
    if not service.fit.pools:
        return f"cannot run: {service.fit.reason}"
    names = ", ".join(service.fit.pools[:3])
    more = len(service.fit.pools) - 3
    return f"fits {names}" + (f" and {more} more" if more > 0 else "")


def totals(review: Review) -> Iterator[str]:
    """Yield the lines about GPUs and prices."""
    yield from (_gpu(total) for total in review.gpus)
    yield from (_cost(total) for total in review.costs)
    if review.unpriced:
        names = ", ".join(str(name) for name in review.unpriced[:3])
        more = f" and {len(review.unpriced) - 3} more" if len(review.unpriced) > 3 else ""  # noqa: PLR2004  # as shown
        yield f"cost of {names}{more}: not known, since no single pool with a price takes it"


def plan(value: Difference) -> str:
    """Return the line with the hash."""
    return f"plan {value.plan_hash}"


def _cannot_run(service: ServiceReview) -> bool:
    return service.fit is not None and not service.fit.pools and service.fate is not Fate.REMOVED


def _scaled(service: ServiceReview) -> str:
    before, after = service.before, service.after
    if before is None or after is None or (before.least, before.most) == (after.least, after.most):
        return ""
    return f"{_span(before.least, before.most)} -> {_span(after.least, after.most)} pods, "


def _gpu(total: GpuTotal) -> str:
    change = total.after[1] - total.before[1]
    return f"{total.resource}: {_span(*total.before)} -> {_span(*total.after)} ({change:+d})"


def _cost(total: CostTotal) -> str:
    before, after = (_money(side) for side in (total.before, total.after))
    return f"cost {total.basis}: {before} -> {after} {total.currency} an hour, by the share of a node's devices"


def _money(bounds: tuple[Decimal, Decimal]) -> str:
    least, most = (f"{value.quantize(Decimal('0.01'), ROUND_HALF_UP):f}" for value in bounds)
    return least if least == most else f"{least}..{most}"


def _span(least: int, most: int) -> str:
    return str(least) if least == most else f"{least}..{most}"
