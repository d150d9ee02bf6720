"""The hash of what is approved, and what happens when the effect is another one."""

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

from builders import ownership, parsed, service
from reconciler import pipeline
from reconciler.cli.answer import Difference
from reconciler.cli.output import json as shape
from reconciler.core import effect, plan
from reconciler.core.model.change import Change, Hold, HoldReason
from reconciler.core.model.policy import Policy
from reconciler.core.model.review import Review
from reconciler.core.model.source import Snapshot
from reconciler.core.model.spec import Service

ORDERS = pipeline.Orders("test", "llmkube-system", Policy(), datetime(2030, 1, 1, tzinfo=UTC))
OLD = (service("a"), service("b"))
NEW = (service("a", replicas=2), service("b"))


def changes(before: Iterable[Service], after: Iterable[Service], *, owned: bool = False) -> tuple[Change, ...]:
    owner = ownership() if owned else None
    old, new = (plan.build(parsed(found), Snapshot("", "", "", ()), owner) for found in (before, after))
    return pipeline.between(old, new, ORDERS).changes


def approved(found: tuple[Change, ...]) -> dict[str, object]:
    told = Difference("a", "b", found, (), effect.digest(found), Review((), 0))
    return json.loads(shape.render(told))


def reasons(found: Iterable[Change]) -> set[str]:
    return {change.hold.message for change in found if change.hold is not None}


def test_the_same_effect_has_the_same_hash_whatever_stays() -> None:
    assert effect.digest(changes(OLD, NEW)) == effect.digest(changes(OLD[:1], NEW[:1]))


def test_whose_inventory_it_is_is_not_part_of_the_effect() -> None:
    assert effect.digest(changes(OLD, NEW)) == effect.digest(changes(OLD, NEW, owned=True))


def test_another_value_or_another_start_is_another_effect() -> None:
    first = effect.digest(changes(OLD, NEW))
    assert effect.digest(changes(OLD, [service("a", replicas=3), OLD[1]])) != first
    assert effect.digest(changes([service("a", replicas=5), OLD[1]], NEW)) != first


def test_a_guard_that_holds_is_another_effect() -> None:
    found = changes(OLD, NEW)
    held = tuple(
        replace(change, hold=Hold(HoldReason.PAUSED, "until then")) if change.writes else change for change in found
    )
    assert effect.digest(held) != effect.digest(found)


def test_what_was_approved_goes_on() -> None:
    found = changes(OLD, NEW)
    digest = effect.digest(found)
    assert effect.confirm(found, digest) == found
    assert effect.confirm(found, digest[:12].upper()) == found
    assert effect.confirm(found, approved(found)) == found


def test_another_effect_writes_nothing_and_says_both_hashes() -> None:
    found = changes(OLD, [service("a", replicas=2), service("b", replicas=2)])
    digest = effect.digest(changes(OLD, NEW))
    held = effect.confirm(found, digest)
    assert not any(change.writes for change in held)
    assert {change.hold.reason for change in held if change.hold} == {HoldReason.UNCONFIRMED}
    assert all(digest[:12] in reason and effect.digest(found)[:12] in reason for reason in reasons(held))


def test_the_approved_diff_tells_what_differs() -> None:
    said = approved(changes(OLD, NEW))
    more = effect.confirm(changes(OLD, [service("a", replicas=2), service("b", replicas=2)]), said)
    assert any("to update it was not in it" in reason for reason in reasons(more))
    other = effect.confirm(changes(OLD, [OLD[0], service("b", replicas=2)]), said)
    assert any("no longer due: Deployment/llm/a" in reason for reason in reasons(other))
    values = effect.confirm(changes(OLD, [service("a", replicas=3), OLD[1]]), said)
    assert any("its values differ" in reason for reason in reasons(values))
    created = effect.confirm(changes(OLD[1:], NEW), said)
    assert any("approved was to update it, now it is to create it" in reason for reason in reasons(created))
