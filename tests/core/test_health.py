from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.core import health
from reconciler.core.model.health import Health, Phase, Status
from reconciler.core.model.objects import ServiceId, key_of
from reconciler.core.model.observed import Observed
from reconciler.core.rules import causes

STATES = Path(__file__).parent.parent / "data" / "health"
SERVICE = ServiceId("llm", "llama")

EXPECTED = {
    "deployment-ready": (Status.CURRENT, Phase.READY, ""),
    "deployment-not-observed": (Status.IN_PROGRESS, Phase.PENDING, ""),
    "deployment-scaled-to-zero": (Status.CURRENT, Phase.STOPPED, ""),
    "deployment-degraded": (Status.IN_PROGRESS, Phase.DEGRADED, "CrashLoopBackOff: exit code 139"),
    "deployment-old-pods-going": (Status.IN_PROGRESS, Phase.PENDING, ""),
    "deployment-progress-deadline": (Status.FAILED, Phase.FAILED, "did not come up in its time"),
    "deployment-quota": (Status.FAILED, Phase.FAILED, "the ResourceQuota gpus is used up"),
    "deployment-terminating": (Status.TERMINATING, Phase.PENDING, ""),
    "pod-unschedulable-gpu": (
        Status.IN_PROGRESS,
        Phase.WAITING_FOR_GPU,
        "Insufficient nvidia.com/gpu; untolerated taint nvidia.com/gpu: present",
    ),
    "pod-unschedulable-gpu-deadline": (Status.FAILED, Phase.WAITING_FOR_GPU, "Insufficient nvidia.com/gpu"),
    "pod-unschedulable-claim": (Status.IN_PROGRESS, Phase.WAITING_FOR_GPU, "no device for its resource claim"),
    "pod-unschedulable-taint": (Status.IN_PROGRESS, Phase.PENDING, "untolerated taint sku: gpu"),
    "pod-unschedulable-memory": (Status.IN_PROGRESS, Phase.PENDING, "Insufficient memory"),
    "pod-unschedulable-volume": (Status.IN_PROGRESS, Phase.PENDING, "the cache volume is tied to another node"),
    "pod-image-pull": (Status.IN_PROGRESS, Phase.FAILED, "ImagePullBackOff: the image cannot be pulled"),
    "pod-missing-secret": (
        Status.IN_PROGRESS,
        Phase.FAILED,
        "CreateContainerConfigError: a Secret or ConfigMap that the pod names is not there",
    ),
    "pod-download-404": (Status.IN_PROGRESS, Phase.FAILED, "download failed (HTTP 404): the file is not there"),
    "pod-download-401": (Status.IN_PROGRESS, Phase.FAILED, "download refused (HTTP 401): the source wants a token"),
    "pod-download-no-space": (Status.IN_PROGRESS, Phase.FAILED, "no space left on the cache volume"),
    "pod-out-of-memory": (
        Status.IN_PROGRESS,
        Phase.FAILED,
        "OOMKilled: the container needs more host memory than its limit",
    ),
    "pod-unknown-argument": (Status.IN_PROGRESS, Phase.FAILED, "llama-server does not know the argument --mmap"),
    "pod-gpu-memory": (Status.IN_PROGRESS, Phase.FAILED, "out of GPU memory"),
    "pod-downloading": (Status.IN_PROGRESS, Phase.DOWNLOADING, ""),
    "pod-loading": (Status.IN_PROGRESS, Phase.LOADING, ""),
    "pod-starting": (Status.IN_PROGRESS, Phase.PENDING, ""),
    "pod-evicted": (Status.IN_PROGRESS, Phase.FAILED, "Evicted: the pod was ended, and none has come in its place"),
    "pod-evicted-and-replaced": (Status.IN_PROGRESS, Phase.LOADING, ""),
    "pod-terminating": (Status.IN_PROGRESS, Phase.PENDING, ""),
    "job-running": (Status.IN_PROGRESS, None, ""),
    "job-complete": (Status.CURRENT, None, ""),
    "job-failed": (Status.FAILED, None, ""),
    "persistentvolumeclaim-bound": (Status.CURRENT, None, ""),
    "persistentvolumeclaim-pending": (Status.IN_PROGRESS, None, ""),
    "persistentvolumeclaim-lost": (Status.FAILED, None, ""),
    "service-clusterip": (Status.CURRENT, None, ""),
    "service-loadbalancer-pending": (Status.IN_PROGRESS, None, ""),
    "service-loadbalancer-ready": (Status.CURRENT, None, ""),
}


@dataclass(frozen=True)
class State:
    first: dict[str, Any]
    health: Health


def _state(name: str) -> State:
    found = list(yaml.safe_load_all((STATES / f"{name}.yaml").read_text(encoding="utf-8")))
    pods = tuple(item for item in found if item["kind"] == "Pod")
    live = {key_of(item): item for item in found if item["kind"] != "Pod"}
    return State(found[0], health.assess(Observed(live=live, pods=pods)))


@pytest.mark.parametrize("name", EXPECTED)
def test_a_state_is_told_as_what_it_is(name: str) -> None:
    status, phase, cause = EXPECTED[name]
    state = _state(name)
    assert state.health.objects[key_of(state.first)].status is status
    if phase is None:
        assert state.health.services == {}
    else:
        found = state.health.services[SERVICE]
        assert (found.phase, found.cause) == (phase, cause)


def test_every_file_has_its_expectation() -> None:
    assert {path.stem for path in STATES.glob("*.yaml")} == set(EXPECTED)


def test_a_folder_has_no_health() -> None:
    assert health.assess(Observed(live={}, runs=False)) == Health()


def test_replicas_and_nodes_are_counted() -> None:
    found = _state("deployment-degraded").health.services[SERVICE]
    assert (found.ready, found.desired, found.nodes) == (1, 2, ("gpu-a", "gpu-b"))
    assert found.message == "CrashLoopBackOff: exit code 139; 1 of 2 ready"


def test_an_evicted_pod_sits_on_no_node() -> None:
    assert _state("pod-evicted-and-replaced").health.services[SERVICE].nodes == ("gpu-b",)


def test_no_log_line_that_is_not_known_leaves_the_pod() -> None:
    assert causes.known("user asked: my password is hunter2") == ""
    assert causes.known("error: invalid argument: --x\nuser asked: hunter2") == (
        "llama-server does not know the argument --x"
    )


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        (
            "ggml_backend_cuda_buffer_type_alloc_buffer: allocating 9 MiB: cudaMalloc failed: out of memory",
            "out of GPU memory",
        ),
        (
            "llama_model_load: error loading model: unknown model architecture: 'qwen9'",
            "this build does not know the model architecture qwen9",
        ),
        ("gguf_init_from_file_impl: failed to read magic", "the model file is not GGUF"),
        (
            "CUDA error: CUDA driver version is insufficient for CUDA runtime version",
            "the node's CUDA driver is too old for the image",
        ),
        ("error loading model: xyz", "llama-server could not load the model"),
        ("download failed: a.gguf: HTTP 403", "download refused (HTTP 403): the source wants a token"),
        ("download failed: a.gguf: HTTP 500", "download failed (HTTP 500)"),
        ("mkdir: cannot create directory '/models/x': No space left on device", "no space left on the cache volume"),
    ],
)
def test_a_known_last_word_has_its_cause(message: str, cause: str) -> None:
    assert causes.known(message) == cause


def test_a_refused_pods_own_name_is_not_in_its_cause() -> None:
    message = 'pods "llama-7d9f-x2x7k" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true'
    assert causes.uncreated(message) == "the namespace's Pod Security restricted:latest refuses the pod"
    assert causes.uncreated('pods "llama-7d9f-x2x7k" is forbidden: because') == "its pods cannot be created"
