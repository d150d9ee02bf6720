"""The contract that every target keeps, on a real API server and with the rights that deploy/ gives."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from cluster.conftest import ACCOUNT, SYSTEM
from controlplane import api
from controlplane.cluster import Cluster
from controlplane.fixtures import Kubectl
from reconciler.core.model.objects import JsonObject, Key, key_of
from reconciler.targets.cluster import ClusterTarget, connect, kinds
from targets import contract


@dataclass(frozen=True, slots=True)
class ClusterStage:
    """Two namespaces of a cluster, one that is not there, and an administrator who works on them too."""

    admin: api.Api
    namespace: str
    elsewhere: str
    closed: str

    def target(self) -> ClusterTarget:
        return connect("")

    def read(self, key: Key) -> JsonObject | None:
        found = self.admin.find(kinds.path(key))
        return None if found is None or "deletionTimestamp" in found["metadata"] else found

    def put(self, manifest: JsonObject) -> None:
        self.admin.create(kinds.collection(key_of(manifest)), dict(manifest))

    def edit(self, key: Key, change: Callable[[dict[str, Any]], None]) -> None:
        # a controller may have written its status in the meantime
        def edited() -> bool:
            found = self.admin.get(kinds.path(key))
            change(found)
            try:
                self.admin.send("PUT", kinds.path(key), found, query={"fieldManager": "somebody"})
            except api.ApiError as error:
                if error.status == 409:
                    return False
                raise
            return True

        api.wait_until(f"{key} is edited", edited)


@pytest.fixture
def elsewhere(control_plane: Cluster, namespace: str) -> Iterator[str]:
    name = f"{namespace}-b"
    control_plane.admin.create("/api/v1/namespaces", {"metadata": {"name": name}})
    yield name
    control_plane.admin.delete(f"/api/v1/namespaces/{name}")
    control_plane.admin.delete(f"/api/v1/namespaces/{name}/pods", gracePeriodSeconds="0")


@pytest.fixture
def credentials(control_plane: Cluster, account: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The account's kubeconfig is the current one."""
    monkeypatch.setenv("KUBECONFIG", str(control_plane.kubeconfig_for(account)))


@pytest.fixture
def stage(control_plane: Cluster, credentials: None, namespace: str, elsewhere: str, kubectl: Kubectl) -> ClusterStage:
    del credentials
    # the contract keeps its inventory in its own namespace: what deploy/ allows in llmkube-system is allowed there
    role = kubectl.get("role", f"{ACCOUNT}-inventory", "-n", SYSTEM)
    copied = {"metadata": {"name": "inventory", "namespace": namespace}, "rules": role["rules"]}
    control_plane.admin.create(f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/roles", copied)
    kubectl("create", "rolebinding", "inventory", "--role=inventory", f"--serviceaccount={SYSTEM}:{ACCOUNT}")
    who = f"--as=system:serviceaccount:{SYSTEM}:{ACCOUNT}"
    allowed = ("auth", "can-i", "patch", "configmaps", who)
    api.wait_until("the inventory may be written", lambda: kubectl.attempt(*allowed).returncode == 0)
    return ClusterStage(control_plane.admin, namespace, elsewhere, f"{namespace}-c")


class TestClusterKeepsTheContract(contract.Contract):
    """A cluster is a target like any other."""
