"""How a service gets from one shape to the next: without a refusal, and without a gap that its spec did not ask for."""

from cluster import audit, history, specs
from cluster.team import Answer, JsonObject, Reconciler, Repository
from controlplane import api
from controlplane.cluster import Cluster
from controlplane.fixtures import Kubectl


def serve(reconciler: Reconciler, repository: Repository, text: str) -> Answer:
    """Push a spec of `llama`, tick until it is Ready, and return the first tick's answer."""
    repository.push({"llm.yaml": text})
    answer = reconciler.sync()
    assert answer.errors == []
    assert answer.held == {}
    reconciler.await_phase("Ready", "llama")
    return answer


def settle(kubectl: Kubectl, replicas: int) -> set[str]:
    """Wait until just so many pods are left, all Ready; their names."""

    def look() -> tuple[set[str]] | None:
        found = kubectl.get("pods", "-l", "inference.llmkube.dev/service-name=llama")["items"]
        ready = [pod for pod in found if _ready(pod)]
        return ({pod["metadata"]["name"] for pod in found},) if len(found) == len(ready) == replicas else None

    (names,) = api.wait_until(f"{replicas} pods", look)
    return names


def _ready(pod: JsonObject) -> bool:
    return {"Ready": "True"}.items() <= {c["type"]: c["status"] for c in pod["status"].get("conditions", ())}.items()


def test_a_model_moves_from_cpu_to_gpu_and_back(
    reconciler: Reconciler, repository: Repository, kubectl: Kubectl, control_plane: Cluster, namespace: str
) -> None:
    serve(reconciler, repository, specs.llm())
    assert kubectl.get("deployment", "llama")["spec"]["strategy"]["type"] == "RollingUpdate"

    serve(reconciler, repository, specs.llm(gpus=1))
    live = kubectl.get("deployment", "llama")["spec"]
    assert live["strategy"] == {"type": "Recreate"}
    assert live["template"]["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "1"

    settle(kubectl, 1)
    before = history.now(control_plane, namespace)
    serve(reconciler, repository, specs.llm())
    live = kubectl.get("deployment", "llama")["spec"]
    assert live["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    assert "nvidia.com/gpu" not in live["template"]["spec"]["containers"][0]["resources"].get("limits", {})
    # a pod that wants no GPU comes before the old one goes
    assert before.least_ready() == 1


def test_one_replica_becomes_three_and_one_again_beside_the_pod_that_serves(
    reconciler: Reconciler, repository: Repository, kubectl: Kubectl, control_plane: Cluster, namespace: str
) -> None:
    serve(reconciler, repository, specs.llm(gpus=1))
    (first,) = settle(kubectl, 1)
    before = history.now(control_plane, namespace)

    serve(reconciler, repository, specs.llm(gpus=1, replicas=3))
    assert first in settle(kubectl, 3)
    assert kubectl.get("deployment", "llama")["spec"]["strategy"]["rollingUpdate"] == {
        "maxSurge": 0,
        "maxUnavailable": 1,
    }

    serve(reconciler, repository, specs.llm(gpus=1))
    settle(kubectl, 1)
    assert kubectl.get("deployment", "llama")["spec"]["strategy"] == {"type": "Recreate"}
    assert before.least_ready() == 1


def test_several_gpu_replicas_roll_one_by_one(
    reconciler: Reconciler, repository: Repository, kubectl: Kubectl, control_plane: Cluster, namespace: str
) -> None:
    serve(reconciler, repository, specs.llm(gpus=1, replicas=3))
    settle(kubectl, 3)
    before = history.now(control_plane, namespace)
    serve(reconciler, repository, specs.llm(gpus=1, replicas=3, contextSize=8192))
    assert not before.names & settle(kubectl, 3)
    assert before.least_ready() == 2


def test_live_replicas_stay_when_autoscaling_is_switched_on(
    reconciler: Reconciler, repository: Repository, kubectl: Kubectl, control_plane: Cluster, namespace: str
) -> None:
    serve(reconciler, repository, specs.llm(replicas=3))
    pods = settle(kubectl, 3)
    before = history.now(control_plane, namespace)

    answer = serve(reconciler, repository, specs.llm(autoscaling={"minReplicas": 1, "maxReplicas": 5}))
    assert ("create", "HorizontalPodAutoscaler", "llama") in answer.done
    assert kubectl.get("deployment", "llama")["spec"]["replicas"] == 3
    assert settle(kubectl, 3) == pods
    assert before.least_ready() == 3
    again = reconciler.sync()
    assert again.done == []
    assert again.change("Deployment", "llama")["foreign"] == []

    # it is the autoscaler's number now, and git's again when autoscaling goes
    kubectl("scale", "deployment", "llama", "--replicas=2")
    assert reconciler.sync().done == []
    serve(reconciler, repository, specs.llm(replicas=1))
    assert kubectl.get("deployment", "llama")["spec"]["replicas"] == 1
    assert kubectl.attempt("get", "hpa", "llama").returncode != 0


def test_suspending_a_service_stops_its_pods_and_taking_it_back_starts_them(
    reconciler: Reconciler, repository: Repository, kubectl: Kubectl
) -> None:
    serve(reconciler, repository, specs.llm())
    repository.push({"llm.yaml": specs.llm(suspend=True)})
    reconciler.await_phase("Suspended", "llama")
    settle(kubectl, 0)
    serve(reconciler, repository, specs.llm())


def test_an_immutable_change_is_replaced_after_a_dry_run_of_the_new_object(
    reconciler: Reconciler, repository: Repository, kubectl: Kubectl, control_plane: Cluster, namespace: str
) -> None:
    adopted(kubectl, reconciler, "app.kubernetes.io/name=old")
    old = kubectl.get("deployment", "llama")["metadata"]["uid"]
    repository.push({"llm.yaml": specs.llm()})
    log = audit.now(control_plane)

    answer = reconciler.sync()
    assert answer.change("Deployment", "llama")["action"] == "replace"
    assert "spec.selector" in answer.paths("Deployment", "llama")
    assert ("replace", "Deployment", "llama") in answer.done
    live = kubectl.get("deployment", "llama")
    assert live["metadata"]["uid"] != old
    assert live["spec"]["selector"] == {"matchLabels": {"inference.llmkube.dev/service-name": "llama"}}

    asked = [found for found in log.requests() if found.resource == "deployments" and found.namespace == namespace]
    order = [(found.verb, found.dry, found.status) for found in asked if found.verb not in {"get", "list"}]
    assert order == [("patch", True, 422), ("create", True, 201), ("delete", False, 200), ("patch", False, 201)]
    reconciler.await_phase("Ready", "llama")
    assert reconciler.sync().done == []


def test_nothing_is_deleted_for_a_replacement_that_would_be_refused(
    reconciler: Reconciler, repository: Repository, kubectl: Kubectl
) -> None:
    adopted(kubectl, reconciler, "app.kubernetes.io/name=old")
    old = kubectl.get("deployment", "llama")["metadata"]["uid"]
    kubectl("create", "quota", "none", "--hard=count/deployments.apps=1")
    api.wait_until("the quota counts", lambda: kubectl.get("quota", "none").get("status", {}).get("used"))
    repository.push({"llm.yaml": specs.llm()})

    answer = reconciler.sync()
    assert answer.held == {"Deployment/llama": "refused"}
    assert "nothing is deleted" in answer.change("Deployment", "llama")["hold"]["message"]
    assert kubectl.get("deployment", "llama")["metadata"]["uid"] == old
    assert reconciler.service("llama")["phase"] == "Held"


def adopted(kubectl: Kubectl, reconciler: Reconciler, label: str) -> None:
    """A Deployment `llama` of somebody's, handed over, whose selector is not ours."""
    key, _, value = label.partition("=")
    kubectl.apply(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "llama", "annotations": {"gitops.llmkube.dev/adopt": reconciler.cluster_name}},
            "spec": {
                "selector": {"matchLabels": {key: value}},
                "template": {
                    "metadata": {"labels": {key: value}},
                    "spec": {"containers": [{"name": "llama-server", "image": "llama"}]},
                },
            },
        }
    )


def test_a_deleted_job_leaves_no_pod(reconciler: Reconciler, repository: Repository, kubectl: Kubectl) -> None:
    cached = {"modelCache": {"persistence": "Cached", "size": "5Gi"}}
    serve(reconciler, repository, specs.llm(model={"prefetch": True}, **cached))
    job = ("-l", "app.kubernetes.io/component=prefetch")
    api.wait_until("the job's pod", lambda: kubectl.get("pods", *job)["items"])

    repository.push({"llm.yaml": specs.llm(**cached)})
    deleted = [name for action, kind, name in reconciler.sync().done if (action, kind) == ("delete", "Job")]
    assert len(deleted) == 1
    api.wait_until("no pod of it", lambda: not kubectl.get("pods", *job)["items"])


def test_a_cache_that_would_shrink_is_held_and_one_that_grows_is_grown(
    reconciler: Reconciler, repository: Repository, kubectl: Kubectl
) -> None:
    def cached(size: str) -> str:
        return specs.llm(modelCache={"persistence": "Cached", "size": size, "storageClass": "immediate"})

    serve(reconciler, repository, cached("5Gi"))
    api.wait_until("bound", lambda: kubectl.get("pvc")["items"][0]["status"]["phase"] == "Bound")
    repository.push({"llm.yaml": cached("3Gi")})
    answer = reconciler.sync()
    assert list(answer.held.values()) == ["refused"]
    repository.push({"llm.yaml": cached("8Gi")})
    assert [action for action, kind, _ in reconciler.sync().done if kind == "PersistentVolumeClaim"] == ["update"]
