"""What belongs to a cluster name, and what goes when it leaves git."""

import pytest

from cluster import audit, specs
from cluster.team import Reconciler, Repository
from controlplane.cluster import Cluster
from controlplane.fixtures import Kubectl

KINDS = "deployments,services,persistentvolumeclaims,horizontalpodautoscalers,poddisruptionbudgets,networkpolicies,jobs"


def everything(kubectl: Kubectl, *flags: str) -> set[str]:
    """`kind/name` of all that could be ours."""
    return set(kubectl("get", KINDS, "-o", "name", *flags).split())


def test_pruning_removes_exactly_what_left_git(
    reconciler: Reconciler, repository: Repository, kubectl: Kubectl
) -> None:
    autoscaled = specs.llm("goes", autoscaling={"maxReplicas": 2}, disruption={"maxUnavailable": 1})
    repository.push({"stays/llm.yaml": specs.llm("stays"), "goes/llm.yaml": autoscaled})
    kubectl("create", "deployment", "bystander", "--image=any")
    kubectl("create", "service", "clusterip", "goes-by", "--tcp=80")
    before = everything(kubectl)
    assert reconciler.sync().exit_code == 0
    made = everything(kubectl) - before
    assert {"deployment.apps/stays", "deployment.apps/goes", "horizontalpodautoscaler.autoscaling/goes"} <= made

    repository.remove("goes/llm.yaml")
    answer = reconciler.sync()
    assert answer.exit_code == 0
    assert all(action == "delete" and name == "goes" for action, _, name in answer.done)
    assert everything(kubectl) == before | {name for name in made if name.endswith("/stays")}


def test_a_cache_outlives_its_service_unless_its_spec_said_otherwise(
    reconciler: Reconciler, repository: Repository, kubectl: Kubectl
) -> None:
    kept = {"persistence": "Cached", "size": "5Gi"}
    repository.push(
        {
            "stays/llm.yaml": specs.llm("stays"),
            "kept/llm.yaml": specs.llm("kept", modelCache=kept),
            "lost/llm.yaml": specs.llm("lost", modelCache={**kept, "prune": "delete"}),
        }
    )
    reconciler.sync()
    repository.remove("kept/llm.yaml", "lost/llm.yaml")
    answer = reconciler.sync()
    assert answer.exit_code == 0
    claims = [
        claim["metadata"] for claim in kubectl.get("pvc")["items"] if "deletionTimestamp" not in claim["metadata"]
    ]
    assert [claim["labels"]["inference.llmkube.dev/service-name"] for claim in claims] == ["kept"]


def test_a_spec_that_cannot_be_read_keeps_everything(
    reconciler: Reconciler, repository: Repository, kubectl: Kubectl
) -> None:
    repository.push({"a/llm.yaml": specs.llm("a"), "b/llm.yaml": specs.llm("b"), "c/llm.yaml": specs.llm("c")})
    reconciler.sync()
    before = everything(kubectl)
    repository.push({"a/llm.yaml": "{"})
    repository.remove("b/llm.yaml")
    answer = reconciler.sync()
    assert answer.exit_code == 1
    assert answer.done == []
    assert everything(kubectl) == before


def test_the_inventory_lists_its_members_by_label(
    reconciler: Reconciler, repository: Repository, kubectl: Kubectl
) -> None:
    repository.push({"llm.yaml": specs.llm(disruption={"maxUnavailable": 1})})
    reconciler.sync()
    parent = kubectl.get("configmap", f"llmkube-{reconciler.cluster_name}", "-n", "llmkube-system")["metadata"]
    annotations = parent["annotations"]
    assert annotations["applyset.kubernetes.io/tooling"] == "llmkube-reconciler/v1"
    assert annotations["applyset.kubernetes.io/additional-namespaces"] == reconciler.namespace
    assert annotations["applyset.kubernetes.io/contains-group-kinds"] == (
        "Deployment.apps,PodDisruptionBudget.policy,Service"
    )
    member = f"applyset.kubernetes.io/part-of={parent['labels']['applyset.kubernetes.io/id']}"
    assert everything(kubectl, "-l", member) == {
        "deployment.apps/llama",
        "service/llama",
        "poddisruptionbudget.policy/llama",
    }


def test_kubectl_refuses_to_prune_our_set(
    reconciler: Reconciler, repository: Repository, kubectl: Kubectl, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.push({"llm.yaml": specs.llm()})
    reconciler.sync()
    monkeypatch.setenv("KUBECTL_APPLYSET", "true")
    tried = kubectl.attempt(
        *("apply", "-n", "llmkube-system", "--prune", "-f", "-"),
        f"--applyset=configmap/llmkube-{reconciler.cluster_name}",
        stdin='{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "theirs"}}',
    )
    assert tried.returncode != 0
    assert "llmkube-reconciler" in tried.stderr
    assert "tooling" in tried.stderr
    assert everything(kubectl) >= {"deployment.apps/llama", "service/llama"}


def test_an_inventory_of_another_repository_holds_everything(
    reconciler: Reconciler, repository: Repository, kubectl: Kubectl, control_plane: Cluster
) -> None:
    repository.push({"llm.yaml": specs.llm()})
    reconciler.sync()
    name = f"llmkube-{reconciler.cluster_name}"
    kubectl(
        *("annotate", "configmap", name, "-n", "llmkube-system", "--overwrite"),
        "gitops.llmkube.dev/repository=https://git.example.com/other.git",
    )
    repository.push({"llm.yaml": specs.llm(contextSize=8192)})
    log = audit.now(control_plane)
    answer = reconciler.sync()
    assert answer.exit_code == 1
    assert answer.held["Deployment/llama"] == "inventory"
    assert not [found for found in log.requests() if found.writes]


def test_namespaces_are_never_created(reconciler: Reconciler, repository: Repository, kubectl: Kubectl) -> None:
    elsewhere = specs.llm("elsewhere", namespace=f"{reconciler.namespace}-b")
    repository.push({"a/llm.yaml": specs.llm("here"), "b/llm.yaml": elsewhere})
    answer = reconciler.sync()
    assert answer.exit_code == 1
    assert set(answer.held.values()) == {"refused"}
    assert ("create", "Deployment", "here") in answer.done
    assert kubectl.attempt("get", "namespace", f"{reconciler.namespace}-b").returncode != 0
    state = reconciler.service("elsewhere")
    assert state["phase"] == "Held"
    assert f'namespaces "{reconciler.namespace}-b" not found' in state["message"]
