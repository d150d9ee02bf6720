"""Whose a field is, and whose an object: what the reconciler takes, what it leaves, and what it says of both."""

import json
from collections.abc import Iterator

import pytest

from cluster import specs
from cluster.team import JsonObject, Reconciler, Repository
from controlplane.fixtures import Kubectl
from reconciler.core.rules import fields

MANAGER = "llmkube-reconciler"


def owned(live: JsonObject) -> set[str]:
    """The leaves that our manager owns."""
    entries = [entry for entry in live["metadata"]["managedFields"] if entry["manager"] == MANAGER]
    assert [(entry["operation"], entry.get("subresource")) for entry in entries] == [("Apply", None)]
    return set(fields.owned(entries[0]))


def environment(live: JsonObject) -> dict[str, str]:
    (container,) = live["spec"]["template"]["spec"]["containers"]
    return {item["name"]: item.get("value", "") for item in container.get("env", ())}


def deployment(name: str, namespace: str, **container: object) -> JsonObject:
    """A Deployment as somebody else would have made it before."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"inference.llmkube.dev/service-name": name}},
            "template": {
                "metadata": {"labels": {"inference.llmkube.dev/service-name": name, "team": "research"}},
                "spec": {"containers": [{"name": "llama-server", "image": "llama", **container}]},
            },
        },
    }


@pytest.fixture
def everything() -> str:
    """A spec of which every kind of object comes that the cluster serves without an operator."""
    return specs.llm(
        model={"prefetch": True},
        gpus=1,
        modelCache={"persistence": "Cached", "size": "5Gi", "prune": "delete"},
        disruption={"maxUnavailable": 1},
        networkPolicy={"from": [{"podSelector": {"matchLabels": {"role": "client"}}}]},
        tolerations=[{"key": "spot", "operator": "Exists", "effect": "NoSchedule"}],
        nodeSelector={"kubernetes.io/os": "linux"},
        env=[{"name": "EXTRA", "value": "1"}],
        topologySpreadConstraints=[
            {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway"}
        ],
    )


def test_server_side_apply_owns_exactly_the_rendered_fields(
    reconciler: Reconciler, repository: Repository, kubectl: Kubectl, everything: str
) -> None:
    repository.push({"a/llm.yaml": everything, "b/llm.yaml": specs.llm("scaled", autoscaling={"maxReplicas": 3})})
    assert reconciler.sync().exit_code == 0
    rendered = reconciler.rendered()
    kinds = {manifest["kind"] for manifest in rendered}
    assert kinds == {
        "Deployment",
        "HorizontalPodAutoscaler",
        "Job",
        "NetworkPolicy",
        "PersistentVolumeClaim",
        "PodDisruptionBudget",
        "Service",
    }
    for manifest in rendered:
        live = kubectl.get(manifest["kind"], manifest["metadata"]["name"], "--show-managed-fields")
        ours, wanted = owned(live), set(rendered_leaves(manifest))
        assert not {path for path in ours if not any(fields.covers(path, leaf) for leaf in wanted)}, manifest["kind"]
        assert not {leaf for leaf in wanted if not any(fields.covers(path, leaf) for path in ours)}, manifest["kind"]


def rendered_leaves(manifest: JsonObject) -> Iterator[str]:
    """The leaves of a manifest, the inventory's label among them; what names the object is owned by no one."""
    yield "metadata.labels.applyset.kubernetes.io/part-of"
    named = {"apiVersion", "kind", "metadata.name", "metadata.namespace"}
    yield from (leaf for leaf in fields.leaves(manifest) if leaf not in named)


def test_an_edit_of_a_field_of_ours_is_reported_and_undone(
    reconciler: Reconciler, repository: Repository, kubectl: Kubectl, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.push({"llm.yaml": specs.llm(contextSize=4096)})
    reconciler.sync()
    monkeypatch.setenv(
        "KUBE_EDITOR",
        "sed -i -e 's/\"4096\"/\"8192\"/' -e 's/^    app.kubernetes.io\\/name: .*/    app.kubernetes.io\\/name: mine/'",
    )
    kubectl("edit", "deployment", "llama")
    assert "8192" in kubectl("get", "deployment", "llama", "-o", "jsonpath={..args}")

    proposed = reconciler.diff()
    assert proposed.exit_code == 1
    change = proposed.change("Deployment", "llama")
    assert change["action"] == "update"
    assert "spec.template.spec.containers[llama-server].args[--ctx-size]" in [
        found["path"] for found in change["fields"]
    ]
    assert "spec.template.spec.containers[llama-server].args (kubectl-edit)" in change["takeovers"]
    assert change["foreign"] == []
    assert "taken back: spec.template.spec.containers[llama-server].args (kubectl-edit)" in reconciler.said("diff")

    assert reconciler.sync().done == [("update", "Deployment", "llama")]
    assert "8192" not in kubectl("get", "deployment", "llama", "-o", "jsonpath={..args}")
    assert reconciler.sync().done == []


def test_an_addition_beside_our_fields_is_reported_and_stays(
    reconciler: Reconciler, repository: Repository, kubectl: Kubectl
) -> None:
    repository.push({"llm.yaml": specs.llm()})
    reconciler.sync()
    kubectl("set", "env", "deployment/llama", "EXTRA=1")

    answer = reconciler.sync()
    assert answer.exit_code == 0
    assert answer.done == []
    change = answer.change("Deployment", "llama")
    assert [path for path in change["foreign"] if "env[EXTRA]" in path]
    assert all(path.endswith("(kubectl-set)") for path in change["foreign"])
    assert "stays beside our fields" in reconciler.said("sync")

    repository.push({"llm.yaml": specs.llm(contextSize=8192)})
    assert reconciler.sync().done == [("update", "Deployment", "llama")]
    assert environment(kubectl.get("deployment", "llama"))["EXTRA"] == "1"


@pytest.mark.parametrize("way", [("--server-side",), ()], ids=["server side", "client side"])
def test_an_adopted_object_of_kubectls_loses_the_fields_that_git_does_not_name(
    reconciler: Reconciler, repository: Repository, kubectl: Kubectl, namespace: str, way: tuple[str, ...]
) -> None:
    env = [{"name": "HAND_MADE", "value": "1"}]
    kubectl("apply", *way, "-f", "-", stdin=json.dumps(deployment("llama", namespace, env=env)))
    repository.push({"llm.yaml": specs.llm()})
    assert reconciler.sync().held == {"Deployment/llama": "foreign"}
    kubectl("annotate", "deployment", "llama", f"gitops.llmkube.dev/adopt={reconciler.cluster_name}")

    proposed = reconciler.diff()
    assert proposed.held == {}
    assert "spec.template.spec.containers[llama-server].env[HAND_MADE]" in proposed.paths("Deployment", "llama")
    assert ("update", "Deployment", "llama") in reconciler.sync().done

    live = kubectl.get("deployment", "llama", "--show-managed-fields")
    assert "HAND_MADE" not in environment(live)
    assert "team" not in live["spec"]["template"]["metadata"]["labels"]
    assert "kubectl.kubernetes.io/last-applied-configuration" not in live["metadata"]["annotations"]
    managers = {entry["manager"] for entry in live["metadata"]["managedFields"]}
    assert managers <= {MANAGER, "kubectl-annotate", "kube-controller-manager"}
    again = reconciler.sync()
    assert again.done == []
    assert again.exit_code == 0


def test_an_object_of_somebody_else_with_our_name_is_left_alone_and_reported(
    reconciler: Reconciler, repository: Repository, kubectl: Kubectl, namespace: str
) -> None:
    theirs = kubectl.apply(deployment("llama", namespace))
    before = kubectl.get("deployment", "llama")
    repository.push({"llm.yaml": specs.llm(), "other/llm.yaml": specs.llm("other")})

    answer = reconciler.sync()
    assert theirs
    assert answer.exit_code == 1
    assert answer.held == {"Deployment/llama": "foreign"}
    assert ("create", "Deployment", "other") in answer.done
    assert answer.change("Deployment", "llama")["foreign"] == []
    after = kubectl.get("deployment", "llama")
    assert (after["spec"], after["metadata"]["generation"]) == (before["spec"], before["metadata"]["generation"])
    state = reconciler.service("llama")
    assert state["phase"] == "Held"
    assert "gitops.llmkube.dev/adopt" in state["nextAction"]

    # nor is it pruned when its spec goes
    repository.remove("llm.yaml")
    reconciler.sync()
    assert kubectl.get("deployment", "llama")["metadata"]["uid"] == before["metadata"]["uid"]


def test_a_scaled_deployment_under_an_autoscaler_is_left_alone(
    reconciler: Reconciler, repository: Repository, kubectl: Kubectl
) -> None:
    repository.push({"llm.yaml": specs.llm(autoscaling={"minReplicas": 1, "maxReplicas": 5})})
    reconciler.sync()
    kubectl("scale", "deployment", "llama", "--replicas=3")

    answer = reconciler.sync()
    assert answer.done == []
    assert answer.change("Deployment", "llama")["foreign"] == []
    assert kubectl.get("deployment", "llama")["spec"]["replicas"] == 3


def test_a_scaled_deployment_without_an_autoscaler_is_scaled_back(
    reconciler: Reconciler, repository: Repository, kubectl: Kubectl
) -> None:
    repository.push({"llm.yaml": specs.llm()})
    reconciler.sync()
    kubectl("scale", "deployment", "llama", "--replicas=3")
    assert "taken back: spec.replicas (kubectl)" in reconciler.said("diff")

    answer = reconciler.sync()
    assert answer.done == [("update", "Deployment", "llama")]
    assert answer.change("Deployment", "llama")["takeovers"] == ["spec.replicas (kubectl)"]
    assert kubectl.get("deployment", "llama")["spec"]["replicas"] == 1


def test_a_field_removed_from_a_spec_disappears_live(
    reconciler: Reconciler, repository: Repository, kubectl: Kubectl
) -> None:
    selector = {"kubernetes.io/os": "linux"}
    repository.push(
        {
            "llm.yaml": specs.llm(
                nodeSelector=selector,
                env=[{"name": "EXTRA", "value": "1"}],
                priorityClassName="system-cluster-critical",
            )
        }
    )
    reconciler.sync()
    before = kubectl.get("deployment", "llama")["spec"]["template"]["spec"]
    assert before["nodeSelector"] == selector

    repository.push({"llm.yaml": specs.llm()})
    answer = reconciler.sync()
    assert [path for path in answer.paths("Deployment", "llama") if path.endswith("nodeSelector")]
    live = kubectl.get("deployment", "llama")
    assert "nodeSelector" not in live["spec"]["template"]["spec"]
    assert "priorityClassName" not in live["spec"]["template"]["spec"]
    assert "EXTRA" not in environment(live)


def test_a_paused_object_is_not_written_to(reconciler: Reconciler, repository: Repository, kubectl: Kubectl) -> None:
    repository.push({"llm.yaml": specs.llm()})
    reconciler.sync()
    kubectl("annotate", "deployment", "llama", "gitops.llmkube.dev/paused-until=2999-01-01T00:00:00Z")
    repository.push({"llm.yaml": specs.llm(contextSize=8192)})

    assert reconciler.sync().held == {"Deployment/llama": "paused"}
    kubectl("annotate", "deployment", "llama", "gitops.llmkube.dev/paused-until-")
    assert reconciler.sync().done == [("update", "Deployment", "llama")]


def test_a_field_that_somebody_mended_before_git_did_is_ours_and_goes_with_git(
    reconciler: Reconciler, repository: Repository, kubectl: Kubectl
) -> None:
    repository.push({"llm.yaml": specs.llm()})
    reconciler.sync()
    selector = {"kubernetes.io/os": "linux"}
    kubectl(
        "patch", "deployment", "llama", "-p", json.dumps({"spec": {"template": {"spec": {"nodeSelector": selector}}}})
    )
    repository.push({"llm.yaml": specs.llm(nodeSelector=selector)})

    answer = reconciler.sync()
    assert answer.done == [("update", "Deployment", "llama")]
    assert answer.change("Deployment", "llama")["restarts"] is False
    assert answer.change("Deployment", "llama")["fields"][0]["path"] == "metadata.managedFields"
    live = kubectl.get("deployment", "llama", "--show-managed-fields")
    assert "spec.template.spec.nodeSelector" in owned(live)
    assert reconciler.sync().done == []


def test_a_field_that_somebody_else_owns_too_stays_and_is_ours_no_longer_when_it_leaves_git(
    reconciler: Reconciler, repository: Repository, kubectl: Kubectl, namespace: str
) -> None:
    labels = {"podLabels": {"team": "research"}}
    repository.push({"llm.yaml": specs.llm(**labels)})
    reconciler.sync()
    theirs = {"metadata": {"labels": {"team": "research"}}}
    kubectl.apply(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "llama", "namespace": namespace},
            "spec": {"template": theirs},
        },
        field_manager="somebody",
    )
    repository.push({"llm.yaml": specs.llm()})

    assert reconciler.sync().done == [("update", "Deployment", "llama")]
    live = kubectl.get("deployment", "llama", "--show-managed-fields")
    assert live["spec"]["template"]["metadata"]["labels"]["team"] == "research"
    assert "spec.template.metadata.labels.team" not in owned(live)
    again = reconciler.sync()
    assert again.done == []
    assert again.change("Deployment", "llama")["foreign"] == ["spec.template.metadata.labels.team (somebody)"]
