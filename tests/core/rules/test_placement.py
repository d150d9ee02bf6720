from typing import Any

import pytest

from reconciler.core.model.observed import Node
from reconciler.core.model.review import Fit
from reconciler.core.model.spec import Pool
from reconciler.core.rules import placement

SPOT = {"key": "spot", "value": "yes", "effect": "NoSchedule"}


def pod(gpus: int = 0, **spec: Any) -> dict[str, Any]:
    limits = {"nvidia.com/gpu": str(gpus)} if gpus else {}
    return {"containers": [{"name": "llama-server", "resources": {"limits": limits}}], **spec}


def pool(name: str, gpus: int, **fields: Any) -> Pool:
    return Pool(name, gpu_count=gpus, **fields)


def node(name: str, **fields: Any) -> Node:
    return Node(name, **{"labels": {}, "taints": (), "allocatable": {}, **fields})


POOLS = (
    pool("small", 2, labels={"gpu": "l4"}),
    pool("large", 8, labels={"gpu": "h100"}, taints=(SPOT,)),
)


def fit(wanted: dict[str, Any], *pools: Pool) -> Fit:
    return placement.fit(wanted, placement.pools(pools or POOLS))


def test_a_pod_fits_the_pools_that_have_its_gpus_and_whose_taints_it_tolerates() -> None:
    assert fit(pod(2)) == Fit(("small",))
    assert fit(pod(2, tolerations=[{"key": "spot", "operator": "Exists"}])) == Fit(("large", "small"))


def test_too_many_gpus_are_told_with_the_largest_offer() -> None:
    assert fit(pod(4), POOLS[0]).reason == "needs 4 nvidia.com/gpu, the largest pool offers 2"
    assert fit(pod(4, nodeSelector={"gpu": "l4"})).reason == (
        "needs 4 nvidia.com/gpu, the largest pool that its labels allow offers 2"
    )


def test_a_resource_that_nobody_offers_is_told_so() -> None:
    wanted = {"containers": [{"resources": {"limits": {"amd.com/gpu": "1"}}}]}
    assert fit(wanted).reason == "needs 1 amd.com/gpu, no pool offers any"


def test_a_label_that_no_pool_has_is_named() -> None:
    assert fit(pod(1, nodeSelector={"gpu": "a100"})).reason == "no pool has the label gpu=a100"


def test_labels_that_no_pool_has_together_are_named() -> None:
    pools = (pool("a", 1, labels={"x": "1"}), pool("b", 1, labels={"y": "1"}))
    assert fit(pod(1, nodeSelector={"x": "1", "y": "1"}), *pools).reason == "no pool has all of the labels x=1, y=1"


def test_a_taint_that_is_not_tolerated_is_named() -> None:
    assert fit(pod(4)).reason == "the pool that could take it: taint spot=yes:NoSchedule is not tolerated"


@pytest.mark.parametrize(
    ("toleration", "pools"),
    [
        ({"operator": "Exists"}, ("large",)),
        ({"key": "spot", "operator": "Exists"}, ("large",)),
        ({"key": "spot", "value": "yes"}, ("large",)),
        ({"key": "spot", "value": "no"}, ()),
        ({"key": "spot", "operator": "Exists", "effect": "NoExecute"}, ()),
        ({"key": "other", "operator": "Exists"}, ()),
    ],
)
def test_tolerations_are_weighed_as_the_scheduler_does(toleration: dict[str, str], pools: tuple[str, ...]) -> None:
    assert fit(pod(4, tolerations=[toleration])).pools == pools


@pytest.mark.parametrize(
    ("expression", "pools"),
    [
        ({"key": "gpu", "operator": "In", "values": ["l4", "t4"]}, ("small",)),
        ({"key": "gpu", "operator": "NotIn", "values": ["h100"]}, ("small",)),
        ({"key": "gpu", "operator": "Exists"}, ("small",)),
        ({"key": "gpu", "operator": "DoesNotExist"}, ()),
        ({"key": "gpu", "operator": "Gt", "values": ["4"]}, ()),
    ],
)
def test_required_affinity_chooses_pools(expression: dict[str, Any], pools: tuple[str, ...]) -> None:
    terms = {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}
    assert fit(pod(1, affinity=affinity)).pools == pools


def test_what_every_node_has_need_not_be_declared_by_a_pool() -> None:
    assert fit(pod(1, nodeSelector={"kubernetes.io/os": "linux"})).pools == ("small",)


def test_a_live_node_must_have_the_label_itself() -> None:
    found = placement.nodes([node("n1", allocatable={"nvidia.com/gpu": "1"})])
    assert placement.fit(pod(1, nodeSelector={"kubernetes.io/arch": "arm64"}), found).reason == (
        "no node has the label kubernetes.io/arch=arm64"
    )


def test_nodes_are_named_by_their_pool_and_cordoned_ones_left_out() -> None:
    gpus = {"nvidia.com/gpu": "1"}
    labels = {"cloud.google.com/gke-nodepool": "l4"}
    live = [
        node("n1", labels=labels, allocatable=gpus),
        node("n2", labels=labels, allocatable=gpus),
        node("n3", allocatable=gpus),
        node("n4", allocatable=gpus, schedulable=False),
    ]
    assert placement.fit(pod(1), placement.nodes(live)).pools == ("l4", "n3")


def test_memory_counts_on_live_nodes_alone() -> None:
    wanted = {"containers": [{"resources": {"requests": {"memory": "64Gi"}}}]}
    live = placement.nodes([node("n1", allocatable={"memory": "32Gi", "cpu": "4"})])
    assert placement.fit(wanted, live).reason == "needs 64.0Gi memory, the largest node offers 32.0Gi"
    assert fit(wanted).pools == ("small",)


def test_a_pool_without_nodes_takes_nothing() -> None:
    assert placement.pools([pool("none", 8, max_nodes=0)]) == ()
