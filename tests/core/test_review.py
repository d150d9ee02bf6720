"""What a reviewer is told of a change, from two sets of specs."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from builders import gpu, parsed, service
from reconciler import pipeline
from reconciler.core import plan, review
from reconciler.core.model.objects import ServiceId
from reconciler.core.model.policy import Policy
from reconciler.core.model.review import Fate, Review, ServiceReview
from reconciler.core.model.source import Snapshot
from reconciler.core.model.spec import Autoscaling, Endpoint, Fleet, Pod, Pool, Service

ORDERS = pipeline.Orders("test", "llmkube-system", Policy(max_rollouts=1), datetime(2030, 1, 1, tzinfo=UTC))
H100 = Pool("h100", gpu_count=8, price_on_demand="24.00", price_spot="8.00")
L4 = Pool("l4", gpu_count=1)


def reviewed(before: Iterable[Service], after: Iterable[Service], *pools: Pool, **fleet: Any) -> Review:
    old, new = (
        plan.build(parsed(found, fleet=Fleet(pools=pools, **fleet)), Snapshot("", "", "", ()), None)
        for found in (before, after)
    )
    return review.build(pipeline.between(old, new, ORDERS), old.parsed.fleet)


def only(found: Review) -> ServiceReview:
    (one,) = found.services
    return one


def test_services_are_added_removed_changed_or_untouched() -> None:
    before = [service("gone"), service("same"), service("edited"), service("other")]
    after = [service("new"), service("same"), service("edited", replicas=2), service("other")]
    found = reviewed(before, after)
    assert {one.id.name: one.fate for one in found.services} == {
        "new": Fate.ADDED,
        "gone": Fate.REMOVED,
        "edited": Fate.CHANGED,
    }
    assert found.unchanged == 2


def test_a_changed_image_restarts_pods_and_is_named() -> None:
    one = only(reviewed([service()], [service(image="ghcr.io/ggml-org/llama.cpp:server-b9999")]))
    assert one.restarts
    assert one.reasons[0] == "image"


def test_more_replicas_restart_no_pod() -> None:
    one = only(reviewed([service(replicas=1, gpus=1)], [service(replicas=2, gpus=1)]))
    assert not one.restarts
    assert "replicas" in one.reasons


def test_a_change_of_the_service_alone_says_so() -> None:
    one = only(reviewed([service()], [service(endpoint=Endpoint(port=9090))]))
    assert not one.restarts
    assert all(reason.startswith("Service ") for reason in one.reasons)


def test_a_changed_pod_label_restarts_pods() -> None:
    one = only(reviewed([service()], [service(pod=Pod(labels={"team": "research"}))]))
    assert (one.restarts, one.reasons) == (True, ("pod labels.team",))


def test_devices_are_counted_with_replicas_and_autoscaler() -> None:
    before = [service("fixed", 2, replicas=3)]
    after = [service("fixed", 4, autoscaling=Autoscaling(1, 5))]
    (total,) = reviewed(before, after).gpus
    assert (total.resource, total.before, total.after) == ("nvidia.com/gpu", (6, 6), (4, 20))


def test_a_suspended_service_asks_for_nothing() -> None:
    found = reviewed([service("a", 2)], [service("a", 2, suspend=True)], L4)
    (total,) = found.gpus
    assert total.after == (0, 0)
    assert only(found).fit is None


def test_a_pod_that_no_pool_takes_is_told_why() -> None:
    one = only(reviewed([], [service("a", 4)], L4))
    assert one.fit is not None
    assert one.fit.reason == "needs 4 nvidia.com/gpu, the largest pool offers 1"


def test_without_pools_and_nodes_nothing_is_said_of_places() -> None:
    found = reviewed([], [service("a", 4)])
    assert (found.places, only(found).fit) == ("", None)


def test_a_held_change_counts_with_what_is_live() -> None:
    before = [service("a", 1), service("b", 1)]
    found = reviewed(before, [service("a", 2), service("b", 2)])
    waiting = [one for one in found.services if one.held]
    assert [(one.id.name, one.fate) for one in waiting] == [("b", Fate.STAYS)]
    assert waiting[0].held[0].hold.reason == "rollouts"
    assert found.gpus[0].after == (3, 3)


def test_the_price_is_the_share_of_a_nodes_devices_on_both_bases() -> None:
    found = reviewed([service("a", 2)], [service("a", 4)], H100)
    assert [(cost.basis, cost.before[0], cost.after[0]) for cost in found.costs] == [
        ("on demand", Decimal(6), Decimal(12)),
        ("spot", Decimal(2), Decimal(4)),
    ]


def test_no_price_is_invented_where_two_pools_could_take_it() -> None:
    found = reviewed([], [service("a", 1)], H100, L4)
    assert found.costs == ()
    assert found.unpriced == (ServiceId("llm", "a"),)


def test_without_prices_there_is_no_word_of_cost() -> None:
    found = reviewed([], [service("a", 1)], replace(H100, price_on_demand="", price_spot=""))
    assert (found.costs, found.unpriced) == ((), ())


def test_a_service_of_another_resource_is_not_priced() -> None:
    asked = gpu(1, resource="example.com/npu")
    assert reviewed([], [service("a", gpu=asked)], H100).costs == ()
