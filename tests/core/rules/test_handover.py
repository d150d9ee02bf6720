from typing import Any

import pytest

from reconciler.core.rules import adoption


def entry(manager: str, operation: str, fields: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
        "manager": manager,
        "operation": operation,
        **more,
    }


def live(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": "x", "managedFields": list(entries)}}


IMAGE = {"f:spec": {"f:template": {"f:image": {}}}}
REPLICAS = {"f:spec": {"f:replicas": {}}}


@pytest.mark.parametrize("manager", ["kubectl-client-side-apply", "kubectl", "kubectl-edit", "kubectl-create"])
def test_what_kubectl_owned_becomes_ours(manager: str) -> None:
    controller = entry("kube-controller-manager", "Update", {"f:status": {}}, subresource="status")
    moved = adoption.moved(live(entry(manager, "Update", IMAGE), controller))
    assert moved == [entry("llmkube-reconciler", "Apply", IMAGE), controller]


def test_the_fields_of_both_are_kept() -> None:
    moved = adoption.moved(live(entry("llmkube-reconciler", "Apply", REPLICAS), entry("kubectl", "Apply", IMAGE)))
    assert moved == [
        entry("llmkube-reconciler", "Apply", {"f:spec": {"f:replicas": {}, "f:template": {"f:image": {}}}})
    ]


@pytest.mark.parametrize("manager", ["kubectl-annotate", "kubectl-label", "kubectl-rollout", "helm", "flux"])
def test_what_people_put_on_by_hand_or_others_apply_stays_theirs(manager: str) -> None:
    assert adoption.moved(live(entry(manager, "Update", IMAGE))) is None


def test_a_subresource_of_kubectl_stays() -> None:
    assert adoption.moved(live(entry("kubectl", "Update", REPLICAS, subresource="scale"))) is None


def test_an_object_without_managers_has_nothing_to_move() -> None:
    assert adoption.moved({"metadata": {"name": "x"}}) is None


@pytest.mark.parametrize(
    ("managers", "spec", "leaves"),
    [
        (["llmkube-reconciler"], {}, True),
        (["llmkube-reconciler"], {"replicas": 2}, False),
        (["llmkube-reconciler", "kube-controller-manager"], {}, False),
        (["hpa"], {}, False),
        ([], {}, False),
    ],
)
def test_replicas_are_handed_over_only_where_nobody_else_has_said_them(
    managers: list[str], spec: dict[str, Any], *, leaves: bool
) -> None:
    found = live(*(entry(manager, "Apply", REPLICAS) for manager in managers))
    assert adoption.leaves_replicas(found, {"kind": "Deployment", "spec": spec}) == leaves
    assert not adoption.leaves_replicas(found, {"kind": "Service", "spec": spec})
