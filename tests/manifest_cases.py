"""The services whose manifests are kept as golden files: name of the file -> service and fleet."""

from dataclasses import replace
from typing import Any, Final

from builders import gpu, model, service
from reconciler.core.model.spec import (
    Autoscaling,
    Cache,
    Endpoint,
    Engine,
    Fetch,
    Fleet,
    Mode,
    ModelFile,
    ModelSource,
    Pod,
    Resources,
    Rope,
    Service,
    Speculative,
    SplitMode,
    Vendor,
)

_SPOT: Final = {"key": "kubernetes.azure.com/scalesetpriority", "operator": "Equal", "value": "spot"}
_PERSISTENT: Final = Cache(persistent=True, size="50Gi", storage_class="fast")
_SIZES: Final = ModelSource(
    Fetch.HTTP,
    (
        ModelFile(
            "https://models.example.com/a-00001-of-00002.gguf", "a-00001-of-00002.gguf", "a" * 64, 40_000_000_000
        ),
        ModelFile(
            "https://models.example.com/a-00002-of-00002.gguf", "a-00002-of-00002.gguf", "b" * 64, 30_000_000_000
        ),
    ),
)


def _source(fetch: Fetch, url: str, **changes: Any) -> ModelSource:
    return ModelSource(fetch, (ModelFile(url, url.rpartition("/")[2]),), **changes)


def _llama_70b() -> Service:
    return service(
        "llama-70b",
        4,
        replicas=2,
        model=model("llama-70b-model", source=_SIZES),
        resources=Resources(cpu="8", memory="32Gi", ephemeral_storage="120Gi"),
        pod=Pod(tolerations=({**_SPOT, "effect": "NoSchedule"},), node_selector={"agentpool": "gpupool"}),
    )


SERVICES: Final[dict[str, Service]] = {
    "cpu": service("smollm", resources=Resources(cpu="2500m", memory="2Gi")),
    "cpu-scheduled": service("smollm", pod=Pod(tolerations=(_SPOT,), node_selector={"pool": "cheap"})),
    "gpu-1": service("mistral", 1),
    "gpu-2": service("llama-13b", 2),
    "gpu-4-replicas": _llama_70b(),
    "gpu-8": service("llama-405b", 8),
    "layer-split": service("llama-13b", gpu=gpu(2, layer_split=((0, 19), (20, 39)))),
    "split-row": service("llama-13b", gpu=gpu(2, split_mode=SplitMode.ROW)),
    "gpu-partial": service("llama-13b", gpu=gpu(1, layers=20), image="ghcr.io/ggml-org/llama.cpp:server-cuda-b6869"),
    "mig": service("small", gpu=gpu(1, resource="nvidia.com/mig-1g.10gb", taint_key="nvidia.com/gpu")),
    "amd": service("qwen", gpu=gpu(1, Vendor.AMD)),
    "amd-vulkan": service("qwen", gpu=gpu(1, Vendor.AMD, runtime="vulkan", resource="devic.es/dri-render")),
    "intel": service("phi", gpu=gpu(2, Vendor.INTEL)),
    "dra": service(
        "claims", gpu=gpu(0, claims=({"name": "gpu", "resourceClaimTemplateName": "one-gpu"},), taint_key="gpu")
    ),
    "cache-persistent": service("mistral", 1, cache=_PERSISTENT),
    "cache-delete": service("mistral", 1, cache=replace(_PERSISTENT, access_mode="ReadWriteMany", delete=True)),
    "cache-claim": service("mistral", 1, cache=Cache(persistent=True, claim="shared-models")),
    "autoscaling": service("mistral", 1, autoscaling=Autoscaling(1, 4)),
    "suspended": service("mistral", 1, suspend=True, cache=_PERSISTENT, autoscaling=Autoscaling(1, 4)),
    "prefetch": service(
        "mistral",
        1,
        cache=_PERSISTENT,
        model=model("mistral-model", prefetch=True, prefetch_tolerations=({"operator": "Exists"},)),
    ),
    "disruption-budget": service("mistral", 1, replicas=3, max_unavailable="1"),
    "network-policy": service(
        "mistral", network_policy_from=({"namespaceSelector": {"matchLabels": {"team": "chat"}}},)
    ),
    "pod-monitor": service("mistral", pod_monitor=True),
    "openshift": service("mistral", 1, cache=_PERSISTENT),
    "private": service(
        "gemma",
        1,
        model=model(
            "gemma-model",
            source=_source(
                Fetch.HTTP,
                "https://huggingface.co/google/gemma/resolve/main/gemma.gguf",
                secret="hf-token",  # noqa: S106  # a Secret's name
            ),
        ),
    ),
    "s3": service(
        "inhouse",
        model=model(
            "inhouse",
            source=_source(Fetch.S3, "s3://models/team/a.gguf", secret="aws"),  # noqa: S106  # a Secret's name
        ),
    ),
    "claim-source": service("local", model=model("local", source=_source(Fetch.CLAIM, "ggufs/a.gguf", claim="nfs"))),
    "embedding": service("embed", engine=Engine(mode=Mode.EMBEDDING, parallel_slots=8, context_size=8192)),
    "rerank": service("rerank", engine=Engine(mode=Mode.RERANK)),
    "speculative": service(
        "big",
        1,
        engine=Engine(speculative=Speculative("draft-simple", model("small-model"), n_max=8, p_min="0.75")),
    ),
    "mmproj": service(
        "vision",
        1,
        model=model(
            "vision",
            source=_source(
                Fetch.HTTP,
                "https://models.example.com/v.gguf",
                mmproj=ModelFile("https://models.example.com/mmproj.gguf", "mmproj.gguf"),
            ),
        ),
    ),
    "llama-3.1-8b": service("llama-3.1-8b", 1, model=model("llama-3.1-8b")),
    "tuned": service(
        "tuned",
        2,
        engine=Engine(
            context_size=32768,
            parallel_slots=2,
            batch_size=1024,
            ubatch_size=256,
            flash_attention=True,
            jinja=False,
            cache_type_k="q8_0",
            cache_type_v="q8_0",
            rope=Rope("yarn", "4", 32768),
            cpu_moe=True,
            no_warmup=True,
            tensor_overrides=("blk.1.*=CPU", "blk.2.*=CPU"),
            reasoning_budget=0,
            reasoning_budget_message="",
            metadata_overrides=("tokenizer.ggml.add_bos_token=bool:false",),
            extra_args=("--ctx-size", "65536", "--seed", "7"),
            replaces=("--ctx-size",),
        ),
        endpoint=Endpoint(port=80, container_port=9000, type="NodePort", node_port=30080),
        revision_history_limit=3,
    ),
    "pod-fields": service(
        "custom",
        1,
        pod=Pod(
            affinity={"podAntiAffinity": {}},
            topology_spread=({"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"},),
            labels={"team": "chat", "app.kubernetes.io/name": "mine"},
            annotations={"example.com/note": "kept"},
            env=(
                {"name": "HOME", "value": "/root"},
                {"name": "LLAMA_API_KEY", "valueFrom": {"secretKeyRef": {"name": "k", "key": "key"}}},
            ),
            volumes=({"name": "dshm", "emptyDir": {"medium": "Memory"}},),
            volume_mounts=({"name": "dshm", "mountPath": "/dev/shm"},),  # noqa: S108  # a path in a pod
            image_pull_secrets=({"name": "registry"},),
            runtime_class="nvidia",
            priority_class="high",
            security_context={"readOnlyRootFilesystem": False},
            pod_security_context={"fsGroup": 2000, "supplementalGroups": [44]},
            probes={"startup": {"httpGet": {"path": "/health", "port": 8080}, "failureThreshold": 5}},
        ),
    ),
}

FLEETS: Final[dict[str, Fleet]] = {
    "openshift": Fleet(openshift=True, pod_monitor=True),
    "dra": Fleet(kubernetes_version=(1, 34)),
}


def fleet(case: str) -> Fleet:
    """Return the fleet of a case, the empty one where it does not matter."""
    return FLEETS.get(case, Fleet())
