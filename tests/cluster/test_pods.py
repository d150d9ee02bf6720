"""Where pods land, what people see of them, and what the report says while they are not Ready."""

import json
import re
import subprocess
from collections.abc import Iterator

import pytest
import urllib3

from cluster import specs
from cluster.conftest import ROOT
from cluster.team import JsonObject, Reconciler, Repository
from controlplane import api
from controlplane.fixtures import Behave, Fleet, Kubectl
from controlplane.volumes import Binder

NOTES = ROOT / "tests" / "data" / "release-notes"
READ_ALL = ("--include", "*.yaml")


def pods_of(kubectl: Kubectl, service: str) -> list[JsonObject]:
    return list(kubectl.get("pods", "-l", f"inference.llmkube.dev/service-name={service}")["items"])


@pytest.mark.parametrize(("service", "gpus"), [("llama-13b", "2"), ("llama-70b", "4")])
def test_each_manifest_of_the_release_notes_gives_a_pod_with_its_gpus(
    reconciler: Reconciler, repository: Repository, kubectl: Kubectl, service: str, gpus: str
) -> None:
    repository.push({f"{name}.yaml": (NOTES / f"{name}.yaml").read_text() for name in (service, f"{service}-model")})
    reconciler.await_phase("Ready", service, flags=READ_ALL)
    (pod,) = pods_of(kubectl, service)
    assert pod["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == gpus
    node = kubectl.get("node", pod["spec"]["nodeName"])
    assert int(node["status"]["allocatable"]["nvidia.com/gpu"]) >= int(gpus)
    assert reconciler.service(service)["nodes"] == [pod["spec"]["nodeName"]]


def test_kubectl_shows_what_the_release_notes_promise(
    reconciler: Reconciler, repository: Repository, kubectl: Kubectl
) -> None:
    repository.push({name: (NOTES / name).read_text() for name in ("llama-13b.yaml", "llama-13b-model.yaml")})
    reconciler.await_phase("Ready", "llama-13b", flags=READ_ALL)
    selector = ("-l", "inference.llmkube.dev/service-name=llama-13b")
    assert len(kubectl("get", "pods", *selector, "-o", "name").split()) == 1
    described = kubectl("describe", "pod", *selector)
    # grep -A5 "Limits:"
    limits = described.split("Limits:", 1)[1].splitlines()[:6]
    assert ["nvidia.com/gpu:", "2"] in [line.split() for line in limits]
    arguments = re.findall(r"^ {6}(\S.*)$", described.split("Args:", 1)[1], re.MULTILINE)
    assert arguments[arguments.index("--split-mode") + 1] == "layer"
    assert arguments[arguments.index("--tensor-split") + 1] == "1,1"
    assert "model loaded" in kubectl("logs", *selector, "-c", "llama-server", "--tail=-1")


@pytest.fixture
def forwarded(reconciler: Reconciler, repository: Repository, kubectl: Kubectl) -> Iterator[str]:
    """The address at which `kubectl port-forward svc/llama-13b :8080` answers."""
    repository.push({name: (NOTES / name).read_text() for name in ("llama-13b.yaml", "llama-13b-model.yaml")})
    reconciler.await_phase("Ready", "llama-13b", flags=READ_ALL)
    command = kubectl.command("port-forward", "-n", kubectl.namespace, "svc/llama-13b", ":8080")
    with subprocess.Popen(command, env=kubectl.environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = re.search(r"127\.0\.0\.1:(\d+)", process.stdout.readline())
        assert port is not None
        yield f"http://127.0.0.1:{port[1]}"
        process.terminate()


def test_a_forwarded_port_of_the_service_answers(forwarded: str) -> None:
    answer = urllib3.request("GET", f"{forwarded}/health", retries=False, timeout=10)
    assert json.loads(answer.data) == {"status": "ok"}


AKS = {
    "tolerations": [
        {"key": "kubernetes.azure.com/scalesetpriority", "operator": "Equal", "value": "spot", "effect": "NoSchedule"}
    ],
    "nodeSelector": {"agentpool": "gpupool"},
}


def test_the_azure_example_of_the_release_notes_lands_on_the_spot_pool(
    reconciler: Reconciler, repository: Repository, kubectl: Kubectl, fleet: Fleet
) -> None:
    fleet.only("aks")
    repository.push({"llm.yaml": specs.llm(gpus=2, **AKS)})
    reconciler.await_phase("Ready", "llama")
    (pod,) = pods_of(kubectl, "llama")
    assert pod["spec"]["nodeName"].startswith("aks-v100-spot")


def test_a_pod_without_the_toleration_stays_pending_and_the_report_names_the_taint(
    reconciler: Reconciler, repository: Repository, kubectl: Kubectl, fleet: Fleet
) -> None:
    fleet.only("aks")
    repository.push({"llm.yaml": specs.llm(gpus=2, nodeSelector=AKS["nodeSelector"])})
    state = await_cause(reconciler)
    assert state["phase"] == "Pending"
    assert "untolerated taint" in state["cause"]
    assert "Tolerate the node's taint" in state["nextAction"]
    (pod,) = pods_of(kubectl, "llama")
    assert pod["status"]["phase"] == "Pending"


def test_a_pod_with_a_wrong_selector_stays_pending_and_the_report_names_the_selector(
    reconciler: Reconciler, repository: Repository, fleet: Fleet
) -> None:
    fleet.only("aks")
    repository.push({"llm.yaml": specs.llm(gpus=2, **{**AKS, "nodeSelector": {"agentpool": "no-such-pool"}})})
    state = await_cause(reconciler)
    assert state["phase"] == "Pending"
    assert "no node matches the node selector" in state["cause"]


def test_a_pod_that_wants_more_gpus_than_any_node_has_waits_for_them(
    reconciler: Reconciler, repository: Repository, fleet: Fleet
) -> None:
    fleet.only("gke")
    repository.push({"llm.yaml": specs.llm(gpus=8)})
    state = await_cause(reconciler)
    assert state["phase"] == "WaitingForGPU"
    assert "Insufficient nvidia.com/gpu" in state["cause"]
    assert "8" in state["nextAction"]


def test_a_claim_that_nobody_provides_for_is_told(
    reconciler: Reconciler, repository: Repository, volumes: Binder, namespace: str
) -> None:
    volumes.leave_waiting(namespace)
    cache = {"persistence": "Cached", "size": "5Gi", "storageClass": "immediate"}
    repository.push({"llm.yaml": specs.llm(modelCache=cache)})
    state = await_cause(reconciler)
    assert state["phase"] == "Pending"
    assert "claim" in state["cause"]


def await_cause(reconciler: Reconciler) -> JsonObject:
    """Tick until the report says why `llama` is not Ready."""

    def look() -> JsonObject | None:
        reconciler.sync()
        state = reconciler.service("llama")
        return state if state["cause"] else None

    return api.wait_until("a cause in the report", look)


@pytest.mark.parametrize(
    ("told", "cause"),
    [
        (("pull", {}), "ImagePullBackOff: the image cannot be pulled"),
        (
            ("download", {"message": "download failed: any.gguf: HTTP 404 (curl 22)"}),
            "download failed (HTTP 404): the file is not there",
        ),
        (
            ("download", {"message": "download failed: any.gguf: HTTP 401 (curl 22)"}),
            "download refused (HTTP 401): the source wants a token",
        ),
        (("crash", {"message": "ggml_cuda: CUDA error: out of memory"}), "out of GPU memory"),
        (("crash", {"exit_code": "139", "message": "a prompt of somebody's"}), "CrashLoopBackOff: exit code 139"),
        (("oom", {}), "OOMKilled: the container needs more host memory than its limit"),
    ],
    ids=["image", "download 404", "download 401", "GPU memory", "crash", "host memory"],
)
def test_the_report_tells_why_a_pod_fails(
    reconciler: Reconciler, repository: Repository, behave: Behave, told: tuple[str, dict[str, str]], cause: str
) -> None:
    behaviour, details = told
    behave(behaviour, **details)
    repository.push({"llm.yaml": specs.llm()})
    reconciler.await_phase("Failed", "llama")
    state = reconciler.service("llama")
    assert state["cause"] == cause
    assert state["nextAction"]
    assert "prompt of somebody" not in reconciler.repository.reported(reconciler.cluster_name, "README.md")


@pytest.mark.parametrize("behaviour", ["downloading", "loading"])
def test_the_report_tells_how_far_a_pod_is(
    reconciler: Reconciler, repository: Repository, kubectl: Kubectl, behave: Behave, behaviour: str
) -> None:
    behave(behaviour)
    repository.push({"llm.yaml": specs.llm()})
    reconciler.await_phase(behaviour.capitalize(), "llama")
    (pod,) = pods_of(kubectl, "llama")
    behave.pod(pod["metadata"]["name"], None)
    reconciler.await_phase("Ready", "llama")


def test_a_service_with_one_pod_of_two_is_degraded(
    reconciler: Reconciler, repository: Repository, kubectl: Kubectl, behave: Behave
) -> None:
    repository.push({"llm.yaml": specs.llm(replicas=2)})
    reconciler.await_phase("Ready", "llama")
    behave.pod(pods_of(kubectl, "llama")[0]["metadata"]["name"], "crash", exit_code="139")
    reconciler.await_phase("Degraded", "llama")
    state = reconciler.service("llama")
    assert state["replicas"] == {"ready": 1, "desired": 2}
    assert "exit code 139" in state["cause"]
