"""`llmkube run` on a cluster: level, not edge."""

import os
import signal
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster import specs
from cluster.team import Reconciler, Repository
from controlplane import api
from controlplane.fixtures import Kubectl


@pytest.fixture
def daemon(reconciler: Reconciler, repository: Repository) -> Iterator[subprocess.Popen[str]]:
    """The installed program, ticking twice a second on a repository with one service."""
    repository.push({"llm.yaml": specs.llm()})
    program = str(Path(sysconfig.get_path("scripts")) / "llmkube")
    with subprocess.Popen(
        [program, "run", *reconciler.where, "--interval", "0.5"],
        env={**os.environ, **reconciler.environment},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.kill()


def test_a_daemon_brings_up_mends_and_ends_between_two_effects(
    reconciler: Reconciler, repository: Repository, kubectl: Kubectl, daemon: subprocess.Popen[str]
) -> None:
    api.wait_until("a report", lambda: repository.has_report(reconciler.cluster_name))
    # nobody pushes: it sees the pods come up by itself
    api.wait_until("Ready", lambda: reconciler.service("llama")["phase"] == "Ready")
    # a hand's change is undone without a push, and without a report that says otherwise
    kubectl("scale", "deployment", "llama", "--replicas=3")
    api.wait_until("one replica", lambda: kubectl.get("deployment", "llama")["spec"]["replicas"] == 1)
    kubectl("delete", "service", "llama")
    api.wait_until("the service is back", lambda: kubectl.attempt("get", "service", "llama").returncode == 0)

    daemon.send_signal(signal.SIGTERM)
    _, said = daemon.communicate(timeout=10)
    assert daemon.returncode == 0, said
    assert "create Deployment/" in said
    assert "update Deployment/" in said
    assert "ERROR" not in said
    assert "Traceback" not in said
