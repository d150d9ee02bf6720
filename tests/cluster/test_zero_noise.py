"""What was applied shows no difference: whatever the server, its controllers, webhooks and kubectl put beside it."""

import json
import os
from collections.abc import Iterator

import pytest

from cluster import specs
from cluster.team import JsonObject, Reconciler, Repository
from controlplane import api
from controlplane.fixtures import Kubectl

API = "admissionregistration.k8s.io/v1"

SERVICES = int(os.environ.get("LLMKUBE_TEST_SERVICES", "200"))
"""A thousand take three minutes, so they run when someone asks for them."""

SHAPES: tuple[JsonObject, ...] = (
    {},
    {"gpus": 2, "resources": {"cpu": "1000m", "memory": "1024Mi"}},
    {"gpus": 1, "resources": {"cpu": "1", "memory": "1Gi"}, "replicas": 2},
    {"resources": {"cpu": "0.5", "memory": "2048Mi", "ephemeralStorage": "1Gi"}},
    {"modelCache": {"persistence": "Cached", "size": "1024Mi", "accessMode": "ReadWriteMany"}, "replicas": 2},
    {"modelCache": {"persistence": "Cached", "size": "5Gi", "prune": "delete"}, "model": {"prefetch": True}},
    {"autoscaling": {"minReplicas": 1, "maxReplicas": 3}, "gpus": 1},
    {"disruption": {"maxUnavailable": 1}, "replicas": 3, "endpoint": {"port": 9090, "type": "NodePort"}},
    {
        "networkPolicy": {"from": [{"podSelector": {"matchLabels": {"role": "client"}}}]},
        "tolerations": [{"key": "spot", "operator": "Equal", "value": "true", "effect": "NoSchedule"}],
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "env": [{"name": "EXTRA", "value": "1"}],
        "podAnnotations": {"a.example.com/b": "c"},
    },
    {
        "affinity": {
            "nodeAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [
                    {"weight": 1, "preference": {"matchExpressions": [{"key": "a", "operator": "Exists"}]}}
                ]
            }
        },
        "topologySpreadConstraints": [
            {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway"}
        ],
        "suspend": True,
    },
)


def fleet(count: int) -> dict[str, str]:
    return {f"s{number}/llm.yaml": specs.llm(f"s{number}", **SHAPES[number % len(SHAPES)]) for number in range(count)}


def noise(reconciler: Reconciler) -> list[JsonObject]:
    answer = reconciler.diff()
    found = [change for change in answer.document["changes"] if change["action"] != "keep" or change["fields"]]
    assert answer.exit_code == int(bool(found))
    return found


@pytest.fixture
def webhook(kubectl: Kubectl, namespace: str) -> Iterator[None]:
    """An admission policy that annotates every Deployment of the namespace, and labels and annotates its pods."""
    name = f"adds-{namespace}"
    mutation = (
        'Object{metadata: Object.metadata{annotations: {"mesh.example.com/injected": "true"}},'
        " spec: Object.spec{template: Object.spec.template{metadata: Object.spec.template.metadata{"
        'annotations: {"mesh.example.com/sidecar": "yes"}, labels: {"mesh": "on"}}}}}'
    )
    rule = {
        "apiGroups": ["apps"],
        "apiVersions": ["v1"],
        "operations": ["CREATE", "UPDATE"],
        "resources": ["deployments"],
    }
    selector = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    policy = {
        "apiVersion": API,
        "kind": "MutatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {
            "matchConstraints": {"resourceRules": [rule], "namespaceSelector": selector},
            "reinvocationPolicy": "Never",
            "mutations": [{"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": mutation}}],
        },
    }
    binding = {
        "apiVersion": API,
        "kind": "MutatingAdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": {"policyName": name},
    }
    for document in (policy, binding):
        kubectl("create", "-f", "-", stdin=json.dumps(document))

    def in_force() -> bool:
        asked = ("create", "deployment", "probe", "--image=x", "--dry-run=server", "-o", "json")
        return "mesh.example.com/injected" in kubectl(*asked)

    api.wait_until("the policy is in force", in_force)
    yield
    for kind in ("mutatingadmissionpolicybinding", "mutatingadmissionpolicy"):
        kubectl("delete", kind, name)


def test_nothing_differs_after_an_apply(reconciler: Reconciler, repository: Repository) -> None:
    repository.push(fleet(SERVICES))
    answer = reconciler.sync("--max-rollouts", "1000")
    assert answer.errors == []
    assert sum(kind == "Deployment" for _, kind, _ in answer.done) == SERVICES
    assert noise(reconciler) == []


@pytest.mark.usefixtures("webhook")
def test_fields_that_a_webhook_adds_are_no_difference(
    reconciler: Reconciler, repository: Repository, kubectl: Kubectl
) -> None:
    repository.push(fleet(len(SHAPES)))
    assert reconciler.sync().errors == []
    live = kubectl.get("deployment", "s0")
    assert live["metadata"]["annotations"]["mesh.example.com/injected"] == "true"
    assert noise(reconciler) == []


def test_replicas_that_an_autoscaler_sets_are_no_difference(
    reconciler: Reconciler, repository: Repository, kubectl: Kubectl
) -> None:
    repository.push({"llm.yaml": specs.llm(autoscaling={"minReplicas": 1, "maxReplicas": 5})})
    reconciler.sync()
    kubectl("scale", "deployment", "llama", "--replicas=4")
    assert noise(reconciler) == []


def test_kubectls_own_annotations_are_no_difference(
    reconciler: Reconciler, repository: Repository, kubectl: Kubectl
) -> None:
    repository.push({"llm.yaml": specs.llm()})
    reconciler.sync()
    kubectl("rollout", "restart", "deployment", "llama")
    kubectl("annotate", "deployment", "llama", "kubernetes.io/change-cause=tried something")
    last = "kubectl.kubernetes.io/last-applied-configuration"
    kubectl("annotate", "service", "llama", f'{last}={{"a":"b"}}')
    assert noise(reconciler) == []


def test_what_only_reads_differently_in_git_is_no_difference(reconciler: Reconciler, repository: Repository) -> None:
    repository.push({"llm.yaml": specs.llm(resources={"cpu": "1000m", "memory": "1Gi"})})
    reconciler.sync()
    repository.push({"llm.yaml": "# a comment\n" + specs.llm(resources={"memory": "1024Mi", "cpu": "1"})})
    assert noise(reconciler) == []
