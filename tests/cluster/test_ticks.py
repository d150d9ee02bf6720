"""What a tick costs, and how it fails."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster import audit, specs
from cluster.team import Reconciler, Repository
from controlplane.cluster import Cluster
from controlplane.components import kubeconfig
from controlplane.fixtures import Kubectl
from reconciler import pipeline
from reconciler.cli import wiring
from reconciler.ports import Source, Target


class Process:
    """One process that ticks: what it remembers between ticks saves requests."""

    def __init__(self, source: Source, target: Target, reader: pipeline.Reader, orders: pipeline.Orders) -> None:
        self._source, self._target, self._reader, self._orders = source, target, reader, orders

    def tick(self) -> None:
        proposal = pipeline.propose(self._source, self._target, self._reader, self._orders)
        outcome = pipeline.carry_out(proposal, self._target, wiring.NeverStop())
        pipeline.publish(outcome, self._source, {}, self._orders.now)


@pytest.fixture
def process(reconciler: Reconciler, monkeypatch: pytest.MonkeyPatch) -> Iterator[Process]:
    monkeypatch.setenv("KUBECONFIG", str(reconciler.kubeconfig))
    given = {
        "repo": str(reconciler.repository.remote),
        "branch": "",
        "path": "",
        "include": (),
        "ignore_other_kinds": False,
        "namespace": reconciler.namespace,
        "allowed_namespaces": (),
        "allowed_registries": (),
        "cluster_name": reconciler.cluster_name,
        "target": "cluster",
        "context": "",
    }
    with wiring.repository(**given) as source:
        yield Process(source, wiring.target(**given), wiring.reader(**given), wiring.orders(**given))


def versions(kubectl: Kubectl, cluster_name: str) -> dict[str, str]:
    """`kind/name` -> resourceVersion of all that is ours, the inventory included."""
    listed = kubectl.get("deployments,services,poddisruptionbudgets,persistentvolumeclaims")["items"]
    parent = kubectl.get("configmap", f"llmkube-{cluster_name}", "-n", "llmkube-system")
    return {
        f"{item['kind']}/{item['metadata']['name']}": item["metadata"]["resourceVersion"] for item in (*listed, parent)
    }


def test_an_idle_tick_writes_nothing(
    reconciler: Reconciler, repository: Repository, kubectl: Kubectl, control_plane: Cluster
) -> None:
    cache = {"persistence": "Cached", "size": "5Gi", "storageClass": "immediate"}
    repository.push({"llm.yaml": specs.llm(disruption={"maxUnavailable": 1}, modelCache=cache)})
    reconciler.await_phase("Ready", "llama")
    reconciler.sync()
    before = versions(kubectl, reconciler.cluster_name)
    assert len(before) == 5
    head = repository.head(reconciler.cluster_name)
    log = audit.now(control_plane)

    answer = reconciler.sync()
    assert answer.exit_code == 0
    assert answer.done == []
    assert [found for found in log.requests() if found.writes] == []
    assert versions(kubectl, reconciler.cluster_name) == before
    assert repository.head(reconciler.cluster_name) == head


def test_a_second_tick_of_a_process_asks_for_no_dry_run(
    reconciler: Reconciler, repository: Repository, control_plane: Cluster, process: Process
) -> None:
    repository.push({"llm.yaml": specs.llm(disruption={"maxUnavailable": 1})})
    reconciler.await_phase("Ready", "llama")
    log = audit.now(control_plane)
    process.tick()
    assert len([found for found in log.requests() if found.dry]) == 3

    log = audit.now(control_plane)
    process.tick()
    asked = log.requests()
    assert {found.verb for found in asked} == {"get", "list"}
    # the inventory, and one LIST a kind, pods and nodes among them
    assert len(asked) == len({(found.group, found.resource) for found in asked})

    kubectl_edit = {"spec": {"template": {"metadata": {"labels": {"app.kubernetes.io/name": "mine"}}}}}
    path = f"/apis/apps/v1/namespaces/{reconciler.namespace}/deployments/llama"
    control_plane.admin.merge(path, kubectl_edit)
    log = audit.now(control_plane)
    process.tick()
    written = [(found.verb, found.resource, found.dry) for found in log.requests() if found.verb == "patch"]
    assert written == [("patch", "deployments", True), ("patch", "deployments", False)]


def test_a_diff_writes_nothing(
    reconciler: Reconciler, repository: Repository, kubectl: Kubectl, control_plane: Cluster
) -> None:
    repository.push({"llm.yaml": specs.llm()})
    log = audit.now(control_plane)
    answer = reconciler.diff()
    assert answer.exit_code == 1
    assert {change["action"] for change in answer.document["changes"]} == {"create"}
    assert [found for found in log.requests() if found.writes] == []
    assert kubectl.get("deployments,services")["items"] == []
    assert kubectl.attempt("get", "configmap", f"llmkube-{reconciler.cluster_name}", "-n", "llmkube-system").returncode


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port of ours that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def test_an_api_server_that_is_gone_is_one_line_and_exit_code_2(
    reconciler: Reconciler, repository: Repository, control_plane: Cluster, tmp_path: Path, closed_port: int
) -> None:
    repository.push({"llm.yaml": specs.llm()})
    gone = tmp_path / "gone.kubeconfig"
    server = f"https://127.0.0.1:{closed_port}"
    gone.write_text(kubeconfig(server, control_plane.place.certificate.read_bytes(), "no token"))
    done = reconciler.at(gone).process("sync")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        f"llmkube: error: the API server at {server} does not answer: Connection refused"
    ]


def test_a_token_that_is_not_accepted_is_one_line_and_exit_code_2(
    reconciler: Reconciler, repository: Repository, control_plane: Cluster
) -> None:
    repository.push({"llm.yaml": specs.llm()})
    done = reconciler.at(control_plane.kubeconfig_for("not a token of ours")).process("sync")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        f"llmkube: error: the API server at {control_plane.server} does not accept our credentials"
    ]


def test_an_account_without_rights_is_one_line_and_exit_code_2(
    reconciler: Reconciler, repository: Repository, control_plane: Cluster
) -> None:
    repository.push({"llm.yaml": specs.llm()})
    done = reconciler.at(control_plane.kubeconfig_for(control_plane.user_token("alice"))).process("sync")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("llmkube: error: reading the cluster: configmaps")
    assert 'is forbidden: User "alice" cannot get resource' in line


def test_a_kubeconfig_that_cannot_be_read_is_one_line_and_exit_code_2(
    reconciler: Reconciler, repository: Repository, tmp_path: Path
) -> None:
    repository.push({"llm.yaml": specs.llm()})
    for text in ("not: [a, kubeconfig", "{}", "[]", ""):
        broken = tmp_path / "broken.kubeconfig"
        broken.write_text(text)
        done = reconciler.at(broken).process("sync")
        assert done.returncode == 2, done.stderr
        assert len(done.stderr.splitlines()) == 1, done.stderr
