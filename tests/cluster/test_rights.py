"""The rights in deploy/ are enough, and all of them are used."""

from collections.abc import Iterator

import pytest
import yaml

from cluster import audit, specs
from cluster.conftest import ACCOUNT, BASE, SYSTEM
from cluster.team import JsonObject, Reconciler, Repository
from controlplane import api
from controlplane.cluster import Cluster
from controlplane.fixtures import Kubectl

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
MONITORS = "podmonitors.monitoring.coreos.com"
RBAC = "/apis/rbac.authorization.k8s.io/v1"

EVERYTHING = {
    "model": {"prefetch": True},
    "modelCache": {"persistence": "Cached", "size": "5Gi", "prune": "delete", "accessMode": "ReadWriteMany"},
    "autoscaling": {"maxReplicas": 2},
    "disruption": {"maxUnavailable": 1},
    "monitoring": {"podMonitor": True},
    "networkPolicy": {"from": [{"podSelector": {}}]},
}


def granted() -> set[tuple[str, str, str]]:
    """Verb, group and resource of every rule in deploy/."""
    documents = yaml.safe_load_all((BASE / "rbac.yaml").read_text())
    return {
        (verb, group, resource)
        for document in documents
        for rule in document.get("rules", ())
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


@pytest.fixture
def pod_monitors(control_plane: Cluster, kubectl: Kubectl) -> Iterator[None]:
    """The Prometheus operator's kind, with any fields."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    names = {"kind": "PodMonitor", "plural": "podmonitors", "singular": "podmonitor"}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    spec = {"group": "monitoring.coreos.com", "scope": "Namespaced", "names": names, "versions": [version]}
    control_plane.admin.create(
        CRDS,
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": MONITORS},
            "spec": spec,
        },
    )
    served = ("get", "--raw", "/apis/monitoring.coreos.com/v1/podmonitors")
    api.wait_until("PodMonitors are served", lambda: kubectl.attempt(*served).returncode == 0)
    yield
    control_plane.admin.delete(f"{CRDS}/{MONITORS}")


@pytest.mark.usefixtures("pod_monitors")
def test_every_right_in_deploy_is_used_and_none_is_missing(
    reconciler: Reconciler, repository: Repository, control_plane: Cluster
) -> None:
    log = audit.now(control_plane)
    repository.push({"a/llm.yaml": specs.llm("a", **EVERYTHING), "b/llm.yaml": specs.llm("b")})
    assert reconciler.sync().exit_code == 0
    assert reconciler.sync().done == []
    repository.remove("a/llm.yaml")
    answer = reconciler.sync()
    assert answer.exit_code == 0
    assert {kind for action, kind, _ in answer.done if action == "delete"} == {
        "Deployment",
        "HorizontalPodAutoscaler",
        "Job",
        "NetworkPolicy",
        "PersistentVolumeClaim",
        "PodDisruptionBudget",
        "PodMonitor",
        "Service",
    }
    requests = log.requests()
    assert not [found for found in requests if found.status == 403]
    # a patch that creates is one request and takes two rights
    creating = {("create", found.group, found.resource) for found in requests if found.status == 201}
    assert {(found.verb, found.group, found.resource) for found in requests} | creating == granted()


def test_a_cluster_without_the_prometheus_operator_is_told_what_is_missing(
    reconciler: Reconciler, repository: Repository
) -> None:
    repository.push({"llm.yaml": specs.llm(monitoring={"podMonitor": True}), "b/llm.yaml": specs.llm("b")})
    answer = reconciler.sync()
    assert answer.exit_code == 1
    assert answer.held == {"PodMonitor/llama": "refused"}
    assert ("create", "Deployment", "llama") in answer.done
    assert ("create", "Deployment", "b") in answer.done


@pytest.fixture
def other_namespace(control_plane: Cluster, namespace: str) -> Iterator[str]:
    """A second namespace."""
    name = f"{namespace}-b"
    control_plane.admin.create("/api/v1/namespaces", {"metadata": {"name": name}})
    yield name
    control_plane.admin.delete(f"/api/v1/namespaces/{name}")


@pytest.fixture
def tenant(control_plane: Cluster, reconciler: Reconciler, kubectl: Kubectl) -> Iterator[Kubectl]:
    """The administrator; the reconciler's account has lost its ClusterRoleBinding and serves the test's namespace."""
    bindings = f"{RBAC}/clusterrolebindings"
    binding = control_plane.admin.get(f"{bindings}/{ACCOUNT}")
    control_plane.admin.delete(f"{bindings}/{ACCOUNT}")
    bind(kubectl, reconciler.namespace)
    await_right(kubectl, "delete", reconciler.namespace, "yes")
    yield kubectl
    restored: JsonObject = {**binding, "metadata": {"name": ACCOUNT, "labels": binding["metadata"]["labels"]}}
    control_plane.admin.create(bindings, restored)
    await_right(kubectl, "delete", "kube-public", "yes")


def bind(kubectl: Kubectl, namespace: str) -> None:
    kubectl(
        *("create", "rolebinding", ACCOUNT, "-n", namespace),
        *(f"--clusterrole={ACCOUNT}", f"--serviceaccount={SYSTEM}:{ACCOUNT}"),
    )


def await_right(kubectl: Kubectl, verb: str, namespace: str, answer: str) -> None:
    """The authorizer learns of a binding from a watch, a moment later."""

    def look() -> bool:
        who = f"--as=system:serviceaccount:{SYSTEM}:{ACCOUNT}"
        return kubectl.attempt("auth", "can-i", verb, "services", "-n", namespace, who).stdout.strip() == answer

    api.wait_until(f"{answer} to {verb} in {namespace}", look)


def test_a_namespace_that_is_forbidden_fails_its_own_services_alone(
    reconciler: Reconciler, repository: Repository, tenant: Kubectl, other_namespace: str
) -> None:
    bind(tenant, other_namespace)
    await_right(tenant, "delete", other_namespace, "yes")
    repository.push({"a/llm.yaml": specs.llm("a"), "b/llm.yaml": specs.llm("b", namespace=other_namespace)})
    assert reconciler.sync().exit_code == 0
    parent = ("configmap", f"llmkube-{reconciler.cluster_name}", "-n", SYSTEM)
    hints = tenant.get(*parent)["metadata"]["annotations"]

    tenant("delete", "rolebinding", ACCOUNT, "-n", other_namespace)
    await_right(tenant, "delete", other_namespace, "no")
    repository.push(
        {
            "a/llm.yaml": specs.llm("a", contextSize=8192),
            "b/llm.yaml": specs.llm("b", namespace=other_namespace, contextSize=8192),
        }
    )
    answer = reconciler.sync()
    assert answer.exit_code == 1
    assert answer.done == [("update", "Deployment", "a")]
    assert set(answer.held) == {"Deployment/b", "Service/b"}
    assert set(answer.held.values()) == {"refused"}
    assert "forbidden" in reconciler.service("b")["message"]
    # what cannot be read is not gone: the inventory still tells where it is
    assert tenant.get(*parent)["metadata"]["annotations"] == hints

    # nor is it pruned, or thought to be, when its spec leaves git
    repository.remove("b/llm.yaml")
    reconciler.sync()
    assert tenant.get(*parent)["metadata"]["annotations"] == hints
    bind(tenant, other_namespace)
    await_right(tenant, "delete", other_namespace, "yes")
    assert {(action, name) for action, _, name in reconciler.sync().done} == {("delete", "b")}
