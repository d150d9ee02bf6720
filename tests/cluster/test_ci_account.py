"""The account that deploy/ci gives to CI: it can see what would change, and can change nothing."""

import json
from pathlib import Path

import pytest

from cluster import specs
from cluster.conftest import SYSTEM
from cluster.team import Reconciler, Repository
from controlplane import api
from controlplane.cluster import Cluster
from controlplane.fixtures import Kubectl

RBAC = Path(__file__).resolve().parents[2] / "deploy" / "ci" / "rbac.yaml"
ACCOUNT = "llmkube-ci"
DENIED = "the account of CI may ask for dry runs only"


def a_service(namespace: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "probe", "namespace": namespace}, "spec": SPEC}


SPEC = {"ports": [{"port": 80}]}


@pytest.fixture(scope="session")
def ci_token(control_plane: Cluster, account: str) -> str:
    """The token of CI's account, once its policy is in force."""
    del account  # brings the namespace
    admin = Kubectl(control_plane, "default", control_plane.kubeconfig)
    admin("apply", "--server-side", "-f", str(RBAC))
    token = control_plane.service_account_token(SYSTEM, ACCOUNT)
    ci = admin.as_token(token)

    def in_force() -> bool:
        done = ci.attempt("create", "-n", "default", "-f", "-", stdin=json.dumps(a_service("default")))
        if done.returncode == 0:
            admin("delete", "service", "probe")
        return DENIED in done.stderr

    api.wait_until("the policy is in force", in_force)
    return token


@pytest.fixture
def ci(kubectl: Kubectl, ci_token: str) -> Kubectl:
    return kubectl.as_token(ci_token)


def test_its_token_shows_what_would_change(
    reconciler: Reconciler, repository: Repository, control_plane: Cluster, ci_token: str
) -> None:
    repository.push({"llm.yaml": specs.llm(), "b/llm.yaml": specs.llm("b")})
    reconciler.sync()
    repository.push({"llm.yaml": specs.llm(contextSize=8192), "c/llm.yaml": specs.llm("c")})
    repository.remove("b/llm.yaml")
    asked = reconciler.at(control_plane.kubeconfig_for(ci_token)).diff()
    assert asked.held == {}
    assert asked.document["changes"] == reconciler.diff().document["changes"]
    fates = {found["name"]: found["fate"] for found in asked.document["review"]["services"]}
    assert fates == {"llama": "changed", "b": "removed", "c": "added"}


def test_its_token_can_write_nothing(ci: Kubectl, kubectl: Kubectl, namespace: str) -> None:
    kubectl("create", "deployment", "theirs", "--image=x")
    before = kubectl.get("deployment", "theirs")
    service = json.dumps(a_service(namespace))
    writes = (
        ("create", "-f", "-"),
        ("apply", "--server-side", "-f", "-"),
        ("patch", "deployment", "theirs", "-p", '{"spec":{"replicas":7}}'),
        ("annotate", "deployment", "theirs", "a=b"),
    )
    for write in writes:
        done = ci.attempt(*write, stdin=service)
        assert done.returncode != 0, write
        assert DENIED in done.stderr, write
    forbidden = (
        ("delete", "deployment", "theirs"),
        ("scale", "deployment", "theirs", "--replicas=7"),
        ("create", "configmap", "x"),
        ("get", "secrets"),
        ("delete", "validatingadmissionpolicybinding", "llmkube-ci-dry-run-only"),
    )
    for write in forbidden:
        done = ci.attempt(*write)
        assert "forbidden" in done.stderr.lower(), (write, done.stderr)
    after = kubectl.get("deployment", "theirs")
    assert after["spec"] == before["spec"]
    assert after["metadata"]["generation"] == before["metadata"]["generation"]
    assert kubectl.attempt("get", "service", "probe").returncode != 0


def test_its_sync_is_refused_object_by_object(
    reconciler: Reconciler, repository: Repository, control_plane: Cluster, ci_token: str, kubectl: Kubectl
) -> None:
    repository.push({"llm.yaml": specs.llm()})
    done = reconciler.at(control_plane.kubeconfig_for(ci_token)).process("sync", "--no-report")
    assert done.returncode == 2
    assert "llmkube-" in done.stderr
    assert kubectl.get("deployments")["items"] == []


def test_others_are_not_held_to_dry_runs(ci_token: str, reconciler: Reconciler, repository: Repository) -> None:
    del ci_token  # the policy is there
    repository.push({"llm.yaml": specs.llm()})
    assert reconciler.sync().exit_code == 0
