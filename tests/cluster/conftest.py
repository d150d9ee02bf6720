from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster import team
from controlplane.cluster import Cluster
from controlplane.fixtures import Kubectl

ROOT = Path(__file__).resolve().parents[2]
BASE = ROOT / "deploy" / "kustomize" / "base"
SYSTEM = "llmkube-system"
ACCOUNT = "llmkube-reconciler"


@pytest.fixture(scope="session")
def account(control_plane: Cluster) -> str:
    """The token of the ServiceAccount that deploy/ brings, with the rights that deploy/ gives it and no others."""
    admin = Kubectl(control_plane, "default", control_plane.kubeconfig)
    admin("apply", "--server-side", "-k", str(BASE))
    return control_plane.service_account_token(SYSTEM, ACCOUNT)


@pytest.fixture
def repository(tmp_path: Path) -> team.Repository:
    """An empty bare remote, and the team's clone of it."""
    return team.repository(tmp_path)


@pytest.fixture
def reconciler(
    control_plane: Cluster, account: str, namespace: str, repository: team.Repository
) -> Iterator[team.Reconciler]:
    """llmkube for the test's repository, in the test's namespace, with an inventory of its own."""
    yield team.Reconciler(control_plane, repository, namespace, namespace, control_plane.kubeconfig_for(account))
    control_plane.admin.delete(f"/api/v1/namespaces/{SYSTEM}/configmaps/llmkube-{namespace}")
