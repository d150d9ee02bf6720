from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import urllib3

from controlplane import api, cluster, nodes, pods

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from controlplane.cluster import Cluster
    from controlplane.fixtures import Behave, Fleet, Kubectl
    from controlplane.volumes import Binder

    JsonObject = dict[str, Any]

L4 = {"cloud.google.com/gke-accelerator": "nvidia-l4"}
GPU_TOLERATION = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}

START = """
import sys
from controlplane import cluster
with cluster.start("cpu") as running:
    print(running.folder, flush=True)
    sys.stdin.read()
"""


def pod(name: str, **spec: object) -> JsonObject:
    """A pod shaped as ours are: it downloads, then it serves."""
    containers = {
        "initContainers": [{"name": "download", "image": "llama"}],
        "containers": [{"name": "llama-server", "image": "llama"}],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {**containers, **spec}}


def gpu_deployment(name: str, replicas: int, gpus: int, **spec: object) -> JsonObject:
    template = pod(name, **spec)
    template["spec"]["containers"][0]["resources"] = {"limits": {"nvidia.com/gpu": gpus}}
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": template["spec"]},
        },
    }


def claim(name: str, storage_class: str) -> JsonObject:
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "10Gi"}},
        "storageClassName": storage_class,
    }
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": spec}


def seen_as(kubectl: Kubectl, name: str) -> str:
    """The STATUS column, which is kubectl's reading of a pod's status."""
    return kubectl("get", "pod", name, "--no-headers").split()[2]


def await_status(kubectl: Kubectl, name: str, status: str) -> JsonObject:
    api.wait_until(f"pod {name} is {status}", lambda: seen_as(kubectl, name) == status)
    return kubectl.get("pod", name)


def await_ready(kubectl: Kubectl, name: str) -> None:
    kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=20s")


def unschedulable(kubectl: Kubectl, selector: str) -> Callable[[], str | None]:
    """What the scheduler says about the one pod of that selector, once it has said it."""

    def look() -> str | None:
        for found in kubectl.get("pods", "-l", selector)["items"]:
            for condition in found["status"].get("conditions", ()):
                if condition["type"] == "PodScheduled" and condition["status"] == "False":
                    return str(condition["message"])
        return None

    return look


def lives(process: int) -> bool:
    state = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True, check=False
    ).stdout
    return bool(state.strip()) and not state.startswith("Z")


@pytest.fixture
def parent() -> Iterator[subprocess.Popen[str]]:
    """Another process, which runs a cluster of its own."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    with subprocess.Popen(
        [sys.executable, "-c", START], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


def started_folder(parent: subprocess.Popen[str]) -> Path:
    assert parent.stdout is not None
    return Path(parent.stdout.readline().strip())


def test_a_second_cluster_starts_in_seconds_and_disturbs_no_other(control_plane: Cluster, namespace: str) -> None:
    began = time.monotonic()
    with cluster.start("cpu") as second:
        assert time.monotonic() - began < 30
        assert second.admin.find(f"/api/v1/namespaces/{namespace}") is None
        names = {node["metadata"]["name"] for node in second.admin.items("/api/v1/nodes")}
        assert names == {node["metadata"]["name"] for node in nodes.load("cpu")}
    assert not second.folder.exists()
    assert control_plane.admin.find(f"/api/v1/namespaces/{namespace}") is not None


@pytest.mark.usefixtures("control_plane")
def test_nothing_is_left_when_the_parent_is_killed(parent: subprocess.Popen[str]) -> None:
    folder = started_folder(parent)
    processes = [int(file.read_text()) for file in folder.glob("*.pid")]
    assert len(processes) == 5
    assert all(lives(process) for process in processes)
    parent.kill()
    api.wait_until("every program is gone", lambda: not any(lives(process) for process in processes))
    api.wait_until("the folder is gone", lambda: not folder.exists())


def test_no_program_is_left_when_the_supervisor_is_killed(control_plane: Cluster) -> None:
    del control_plane  # says whether there are programs to start
    with cluster.start() as running:
        processes = [int(file.read_text()) for file in running.folder.glob("*.pid")]
        running.supervisor.kill()
        api.wait_until("every program is gone", lambda: not any(lives(process) for process in processes))
    assert not running.folder.exists()


def test_nobody_else_can_read_a_credential(control_plane: Cluster) -> None:
    written = control_plane.kubeconfig_for(control_plane.user_token("alice"))
    secret = [written, control_plane.kubeconfig, control_plane.place.tokens, control_plane.place.account_key]
    assert {file.stat().st_mode & 0o777 for file in secret} == {0o600}
    assert control_plane.folder.stat().st_mode & 0o777 == 0o700


def test_a_program_that_ends_is_named_with_the_end_of_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok"):
        program = tmp_path / name
        program.write_text(f"#!{sys.executable}\nprint('the disk is full')\nraise SystemExit(3)\n")
        program.chmod(0o755)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    with pytest.raises(cluster.StartError, match=r"(?s)ended with status 3.*the disk is full"), cluster.start():
        pass


def test_two_pods_with_two_gpus_each_are_ready_on_gpu_nodes(kubectl: Kubectl) -> None:
    kubectl.apply(gpu_deployment("llama", 2, 2, tolerations=[GPU_TOLERATION], nodeSelector=L4))
    kubectl("rollout", "status", "deployment/llama", "--timeout=30s")
    placed = [found["spec"]["nodeName"] for found in kubectl.get("pods", "-l", "app=llama")["items"]]
    assert len(placed) == 2
    assert all(node.startswith("gke-l4") for node in placed)


def test_an_untolerated_taint_leaves_a_pod_pending_and_the_scheduler_says_so(kubectl: Kubectl, fleet: Fleet) -> None:
    fleet.only("gke")
    kubectl.apply(gpu_deployment("llama", 1, 1, nodeSelector=L4))
    said = api.wait_until("the scheduler says why", unschedulable(kubectl, "app=llama"))
    assert "4 node(s) had untolerated taint(s)" in said


def test_more_gpus_than_a_node_has_leave_a_pod_pending_and_the_scheduler_says_so(
    kubectl: Kubectl, fleet: Fleet
) -> None:
    fleet.only("gke")
    kubectl.apply(gpu_deployment("llama", 1, 8, tolerations=[GPU_TOLERATION], nodeSelector=L4))
    said = api.wait_until("the scheduler says why", unschedulable(kubectl, "app=llama"))
    assert "4 Insufficient nvidia.com/gpu" in said


def test_a_cordoned_node_takes_no_pod(kubectl: Kubectl, control_plane: Cluster, fleet: Fleet) -> None:
    (name,) = fleet.only_nodes(nodes.node("alone", {"cpu": 4, "memory": "8Gi"}, {}))
    control_plane.cordon(name)
    kubectl.apply(pod("p"))
    kubectl("wait", "--for=condition=PodScheduled=False", "pod/p", "--timeout=20s")
    control_plane.uncordon(name)
    await_ready(kubectl, "p")


@pytest.mark.parametrize("name", nodes.fleets())
def test_every_node_of_a_fleet_is_ready_as_its_file_has_it(control_plane: Cluster, name: str) -> None:
    live = {node["metadata"]["name"]: node for node in control_plane.admin.items("/api/v1/nodes")}
    wanted = nodes.load(name)
    assert nodes.ready(live.values(), [node["metadata"]["name"] for node in wanted])
    for node in wanted:
        found = live[node["metadata"]["name"]]
        assert node["metadata"]["labels"].items() <= found["metadata"]["labels"].items()
        assert found["status"]["allocatable"] == node["status"]["allocatable"]
        assert found["spec"].get("taints", []) == node["spec"]["taints"]


@pytest.mark.parametrize(
    ("behaviour", "status"),
    [
        ("pull", "Init:ImagePullBackOff"),
        ("downloading", "Init:0/1"),
        ("download", "Init:CrashLoopBackOff"),
        ("loading", "Running"),
        ("crash", "CrashLoopBackOff"),
        ("oom", "CrashLoopBackOff"),
    ],
)
def test_a_pod_does_what_its_namespace_was_told_and_recovers(
    kubectl: Kubectl, behave: Behave, behaviour: str, status: str
) -> None:
    behave(behaviour)
    kubectl.apply(pod("p"))
    found = await_status(kubectl, "p", status)
    assert {each["type"]: each["status"] for each in found["status"]["conditions"]}["Ready"] == "False"
    behave.pod("p", None)
    await_ready(kubectl, "p")


def test_a_failed_image_pull_without_init_containers_is_the_containers_own(kubectl: Kubectl, behave: Behave) -> None:
    behave("pull")
    kubectl.apply(pod("p", initContainers=[]))
    await_status(kubectl, "p", "ImagePullBackOff")


def test_a_loading_container_runs_and_has_not_started(kubectl: Kubectl, behave: Behave) -> None:
    behave("loading")
    kubectl.apply(pod("p"))
    (container,) = await_status(kubectl, "p", "Running")["status"]["containerStatuses"]
    assert "running" in container["state"]
    assert (container["started"], container["ready"]) == (False, False)


def test_a_pod_that_loads_is_ready_after_a_while(kubectl: Kubectl, behave: Behave) -> None:
    behave("load", load_for="1s")
    kubectl.apply(pod("p"))
    await_ready(kubectl, "p")
    events = kubectl.get("events", "--field-selector", "involvedObject.name=p")["items"]
    assert "Unhealthy" in {event["reason"] for event in events}


def test_a_crash_has_the_exit_code_and_message_that_it_was_told(kubectl: Kubectl, behave: Behave) -> None:
    behave("crash", exit_code="134", message='GGML_ASSERT: "no" device')
    kubectl.apply(pod("p"))
    (container,) = await_status(kubectl, "p", "CrashLoopBackOff")["status"]["containerStatuses"]
    ended = container["lastState"]["terminated"]
    assert (ended["reason"], ended["exitCode"], ended["message"]) == ("Error", 134, 'GGML_ASSERT: "no" device')
    assert container["restartCount"] > 0


def test_a_failed_download_has_the_exit_code_and_message_that_it_was_told(kubectl: Kubectl, behave: Behave) -> None:
    behave("download", exit_code="23", message="curl: (23) No space left on device")
    kubectl.apply(pod("p"))
    (container,) = await_status(kubectl, "p", "Init:CrashLoopBackOff")["status"]["initContainerStatuses"]
    ended = container["lastState"]["terminated"]
    assert (ended["exitCode"], ended["message"]) == (23, "curl: (23) No space left on device")


def test_a_ready_pod_can_be_killed_for_want_of_memory(kubectl: Kubectl, behave: Behave) -> None:
    kubectl.apply(pod("p"))
    await_ready(kubectl, "p")
    behave.pod("p", "oom")
    (container,) = await_status(kubectl, "p", "CrashLoopBackOff")["status"]["containerStatuses"]
    assert (container["lastState"]["terminated"]["reason"], container["lastState"]["terminated"]["exitCode"]) == (
        "OOMKilled",
        137,
    )


def test_a_word_that_no_stage_knows_is_refused(behave: Behave) -> None:
    with pytest.raises(ValueError, match="is none of pull, "):
        behave("sulk")
    assert "sulk" not in pods.BEHAVIOURS


@pytest.mark.parametrize(("behaviour", "condition"), [(None, "Complete"), ("crash", "Failed"), ("download", "Failed")])
def test_a_job_ends_and_leaves_no_pod_when_deleted(
    kubectl: Kubectl, behave: Behave, behaviour: str | None, condition: str
) -> None:
    if behaviour is not None:
        behave(behaviour)
    template = {"spec": pod("p", restartPolicy="Never")["spec"]}
    spec = {"backoffLimit": 0, "template": template}
    kubectl.apply({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "prefetch"}, "spec": spec})
    kubectl("wait", f"--for=condition={condition}", "job/prefetch", "--timeout=20s")
    kubectl("delete", "job", "prefetch")
    api.wait_until("no pod is left", lambda: not kubectl.get("pods")["items"])


def test_logs_answer_by_container(kubectl: Kubectl) -> None:
    kubectl.apply(pod("p"))
    await_ready(kubectl, "p")
    assert "server is listening" in kubectl("logs", "p")
    assert "checksum matches" in kubectl("logs", "p", "-c", "download")
    assert "exiting" in kubectl("logs", "p", "--previous")


def test_a_forwarded_port_answers_as_a_server_does(kubectl: Kubectl) -> None:
    kubectl.apply(pod("p"))
    await_ready(kubectl, "p")
    command = kubectl.command("port-forward", "pod/p", ":8080")
    with subprocess.Popen(command, env=kubectl.environment, stdout=subprocess.PIPE, text=True) as forward:
        try:
            assert forward.stdout is not None
            local = forward.stdout.readline().split("127.0.0.1:")[1].split()[0]
            assert urllib3.request("GET", f"http://127.0.0.1:{local}/health").json() == {"status": "ok"}
        finally:
            forward.kill()


def test_a_claim_is_bound_when_a_pod_wants_it(kubectl: Kubectl) -> None:
    volume = {"name": "cache", "persistentVolumeClaim": {"claimName": "cache"}}
    kubectl.apply(claim("cache", "standard"), pod("p", volumes=[volume]))
    await_ready(kubectl, "p")
    bound = kubectl.get("pvc", "cache")
    assert (bound["status"]["phase"], bound["status"]["capacity"]) == ("Bound", {"storage": "10Gi"})


def test_a_claim_waits_while_the_binder_is_told_to_leave_it(kubectl: Kubectl, volumes: Binder, namespace: str) -> None:
    volumes.leave_waiting(namespace)
    volume = {"name": "cache", "persistentVolumeClaim": {"claimName": "cache"}}
    kubectl.apply(claim("cache", "immediate"), pod("p", volumes=[volume]))
    kubectl("wait", "--for=condition=PodScheduled=False", "pod/p", "--timeout=20s")
    conditions = {each["type"]: each for each in kubectl.get("pod", "p")["status"]["conditions"]}
    assert "unbound immediate PersistentVolumeClaims" in conditions["PodScheduled"]["message"]
    assert kubectl.get("pvc", "cache")["status"]["phase"] == "Pending"
    volumes.bind(namespace)
    await_ready(kubectl, "p")


def test_the_volume_of_a_deleted_claim_goes(kubectl: Kubectl, control_plane: Cluster) -> None:
    kubectl.apply(claim("cache", "immediate"))
    kubectl("wait", "--for=jsonpath={.status.phase}=Bound", "pvc/cache", "--timeout=20s")
    path = f"/api/v1/persistentvolumes/{kubectl.get('pvc', 'cache')['spec']['volumeName']}"
    assert control_plane.admin.find(path) is not None
    kubectl("delete", "pvc", "cache")
    api.wait_until("the volume is gone", lambda: control_plane.admin.find(path) is None)


def test_an_account_may_do_what_is_granted_and_nothing_else(
    kubectl: Kubectl, control_plane: Cluster, namespace: str
) -> None:
    kubectl("create", "serviceaccount", "reader")
    reader = kubectl.as_token(control_plane.service_account_token(namespace, "reader"))
    refused = reader.attempt("get", "pods").stderr
    assert f'User "system:serviceaccount:{namespace}:reader" cannot list resource "pods"' in refused
    kubectl("create", "role", "reads", "--verb=get,list", "--resource=pods")
    kubectl("create", "rolebinding", "reads", "--role=reads", f"--serviceaccount={namespace}:reader")
    api.wait_until("the grant holds", lambda: reader.attempt("get", "pods").returncode == 0)
    assert "cannot delete" in reader.attempt("delete", "pod", "p").stderr


def test_a_user_without_a_binding_has_no_rights(kubectl: Kubectl, control_plane: Cluster) -> None:
    alice = kubectl.as_token(control_plane.user_token("alice"))
    assert 'User "alice" cannot list resource "pods"' in alice.attempt("get", "pods").stderr
