from __future__ import annotations

from typing import TYPE_CHECKING

from controlplane import api

if TYPE_CHECKING:
    from controlplane.fixtures import Fleet, Kubectl

L4 = {"cloud.google.com/gke-accelerator": "nvidia-l4"}
GPU_TOLERATION = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}


def deployment(name: str, replicas: int = 1, annotations: dict[str, str] | None = None, **pod: object) -> dict:
    resources = {"limits": {"nvidia.com/gpu": "2"}}
    container = {"name": "llama-server", "image": "llama", "resources": resources}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}, "annotations": annotations or {}},
                "spec": {"containers": [container], **pod},
            },
        },
    }


def test_two_pods_with_two_gpus_each_are_ready_on_gpu_nodes(kubectl: Kubectl, fleet: Fleet) -> None:
    fleet.only("gke")
    kubectl.apply(deployment("llama", replicas=2, tolerations=[GPU_TOLERATION]))

    def ready() -> bool:
        return kubectl.get("deployment", "llama")["status"].get("readyReplicas") == 2

    api.wait_until("two pods are Ready", ready)
    assert all("l4" in pod["spec"]["nodeName"] for pod in kubectl.get("pods")["items"])
