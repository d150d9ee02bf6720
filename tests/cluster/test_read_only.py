"""`diff --read-only` with an account that has get and list alone: told from who owns which field."""

import json
from collections.abc import Iterator

import pytest

from cluster import audit, specs
from cluster.conftest import SYSTEM
from cluster.team import Reconciler, Repository
from controlplane import api
from controlplane.cluster import Cluster
from controlplane.fixtures import Kubectl

NAME = "looks-only"
RESOURCES = (
    "configmaps,persistentvolumeclaims,services,pods,nodes,deployments.apps,horizontalpodautoscalers.autoscaling,"
    "jobs.batch,networkpolicies.networking.k8s.io,poddisruptionbudgets.policy"
)


@pytest.fixture(scope="session")
def looker(control_plane: Cluster, account: str) -> Iterator[str]:
    """The token of an account with get and list."""
    del account  # brings the namespace
    admin = Kubectl(control_plane, "default", control_plane.kubeconfig)
    admin("create", "serviceaccount", NAME, "-n", SYSTEM)
    admin("create", "clusterrole", NAME, "--verb=get,list", f"--resource={RESOURCES}")
    admin("create", "clusterrolebinding", NAME, f"--clusterrole={NAME}", f"--serviceaccount={SYSTEM}:{NAME}")
    who = f"--as=system:serviceaccount:{SYSTEM}:{NAME}"
    api.wait_until("it may look", lambda: admin.attempt("auth", "can-i", "list", "jobs", who).returncode == 0)
    yield control_plane.service_account_token(SYSTEM, NAME)
    admin("delete", "clusterrolebinding", NAME)
    admin("delete", "clusterrole", NAME)


@pytest.fixture
def reader(reconciler: Reconciler, control_plane: Cluster, looker: str) -> Reconciler:
    return reconciler.at(control_plane.kubeconfig_for(looker))


EVERYTHING = {
    "model": {"prefetch": True},
    "modelCache": {"persistence": "Cached", "size": "1024Mi", "accessMode": "ReadWriteMany"},
    "resources": {"cpu": "1000m", "memory": "2048Mi"},
    "autoscaling": {"maxReplicas": 2},
    "disruption": {"maxUnavailable": 1},
    "networkPolicy": {"from": [{"podSelector": {}}]},
    "env": [{"name": "EXTRA", "value": "1"}],
    "tolerations": [{"key": "spot", "operator": "Exists"}],
    "podLabels": {"team": "research"},
}


def test_what_was_applied_shows_no_difference(
    reconciler: Reconciler, reader: Reconciler, repository: Repository, control_plane: Cluster
) -> None:
    wanted = {name: value for name, value in EVERYTHING.items() if name != "podLabels"}
    repository.push({"a/llm.yaml": specs.llm("a", gpus=1, **wanted), "b/llm.yaml": specs.llm("b")})
    assert reconciler.sync().exit_code == 0
    log = audit.now(control_plane)
    answer = reader.diff("--read-only")
    assert {found.verb for found in log.requests()} <= {"get", "list"}
    assert [change for change in answer.document["changes"] if change["action"] != "keep"] == []
    assert answer.exit_code == 0


def test_every_kind_of_edit_is_seen(reconciler: Reconciler, reader: Reconciler, repository: Repository) -> None:
    env = [{"name": "GOES", "value": "1"}, {"name": "STAYS", "value": "1"}]
    repository.push({"llm.yaml": specs.llm(env=env, nodeSelector={"a": "b"}), "b/llm.yaml": specs.llm("b")})
    reconciler.sync()
    edited = specs.llm(env=[env[1], {"name": "NEW", "value": "1"}], contextSize=8192, endpoint={"port": 9090})
    repository.push({"llm.yaml": edited, "c/llm.yaml": specs.llm("c")})
    repository.remove("b/llm.yaml")
    guessed, exact = reader.diff("--read-only"), reconciler.diff()
    assert guessed.held == exact.held == {}
    for kind in ("Deployment", "Service"):
        assert guessed.paths(kind, "llama") == exact.paths(kind, "llama")
    actions = [
        {(found["action"], found["object"]["kind"], found["object"]["name"]) for found in answer.document["changes"]}
        for answer in (guessed, exact)
    ]
    assert actions[0] == actions[1]


def test_an_edit_by_hand_is_seen_and_what_others_added_stays(
    reconciler: Reconciler, reader: Reconciler, repository: Repository, kubectl: Kubectl
) -> None:
    repository.push({"llm.yaml": specs.llm()})
    reconciler.sync()
    kubectl("set", "env", "deployment/llama", "THEIRS=1")
    kubectl("patch", "deployment", "llama", "-p", json.dumps({"spec": {"replicas": 3}}))
    answer = reader.diff("--read-only")
    assert answer.paths("Deployment", "llama") == ["spec.replicas"]
    assert any("env[THEIRS]" in found for found in answer.change("Deployment", "llama")["foreign"])


def test_it_says_what_it_cannot_know(reader: Reconciler, repository: Repository) -> None:
    repository.push({"llm.yaml": specs.llm()})
    (note,) = reader.diff("--read-only").document["notes"]
    assert "not known are the defaults of new fields" in note


def test_without_the_flag_the_same_account_is_told_that_it_may_not_ask(
    reader: Reconciler, repository: Repository
) -> None:
    repository.push({"llm.yaml": specs.llm()})
    assert set(reader.diff().held.values()) == {"refused"}
