"""Specs after normalisation: both dialects, all defaults and the fleet's word are settled in these values.

Plain Kubernetes pieces (tolerations, affinity, probes …) stay JSON, as their author wrote them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from reconciler.core.model.objects import JsonObject, ServiceId
from reconciler.core.model.problem import Problem


@dataclass(frozen=True, slots=True, order=True)
class Origin:
    """Where a document begins: repository path, and line counted from 1."""

    path: str
    line: int


class Vendor(StrEnum):
    """Who makes the accelerator; CPU means none is asked for."""

    CPU = "cpu"
    NVIDIA = "nvidia"
    AMD = "amd"
    INTEL = "intel"


class SplitMode(StrEnum):
    """llama.cpp's --split-mode."""

    NONE = "none"
    LAYER = "layer"
    ROW = "row"
    TENSOR = "tensor"


class Mode(StrEnum):
    """What the server is for."""

    CHAT = "chat"
    EMBEDDING = "embedding"
    RERANK = "rerank"


class Fetch(StrEnum):
    """How a model's files reach the pod."""

    HTTP = "http"
    S3 = "s3"
    CLAIM = "claim"
    """They lie on a PersistentVolumeClaim already: mounted read-only, nothing is downloaded."""


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of a model: `url` to fetch, or for a claim the path inside it; `name` is its base name."""

    url: str
    name: str
    sha256: str = ""
    size: int = 0


@dataclass(frozen=True, slots=True)
class ModelSource:
    """The files of a model, the first being the one llama-server is given (split files follow it).

    `revision` is the branch, tag or commit of a Hugging Face source, else "". `secret` names the Secret of the same
    namespace whose keys become environment variables of the download (HF_TOKEN, AWS_*). `claim` is set for CLAIM alone.
    """

    fetch: Fetch
    files: tuple[ModelFile, ...]
    mmproj: ModelFile | None = None
    revision: str = ""
    secret: str = ""
    claim: str = ""


@dataclass(frozen=True, slots=True)
class Gpu:
    """The GPUs of one pod. `count` is at least 1, unless `claims` (DRA) ask for them.

    `resource` is the extended resource's name. `layers` is how many layers go to the GPUs; None means all of them.
    `layer_split` are inclusive ranges of layers, one for each GPU, contiguous from 0; empty when not given.
    `product` is what nodes and pools are compared with, "" for any; `memory` is bytes a device, 0 when unknown.
    """

    vendor: Vendor
    count: int
    resource: str
    taint_key: str
    layers: int | None = None
    split_mode: SplitMode = SplitMode.LAYER
    layer_split: tuple[tuple[int, int], ...] = ()
    runtime: str = ""
    claims: tuple[JsonObject, ...] = ()
    product: str = ""
    memory: int = 0


@dataclass(frozen=True, slots=True)
class Model:
    """A Model document. `gpu` is what it asks for itself; a service may say otherwise."""

    id: ServiceId
    origin: Origin
    source: ModelSource
    gpu: Gpu | None = None
    prefetch: bool = False
    prefetch_tolerations: tuple[JsonObject, ...] = ()


@dataclass(frozen=True, slots=True)
class Rope:
    """--rope-scaling with its factor and --yarn-orig-ctx."""

    type: str
    factor: str = ""
    original_context: int | None = None


@dataclass(frozen=True, slots=True)
class Speculative:
    """Speculative decoding. `draft` is the linked Model of the small model, None for the kinds without one."""

    type: str
    draft: Model | None = None
    n_max: int | None = None
    p_min: str = ""


@dataclass(frozen=True, slots=True)
class Engine:
    """What a service says about llama-server. None, False and () mean: not said."""

    mode: Mode = Mode.CHAT
    context_size: int | None = None
    parallel_slots: int | None = None
    batch_size: int | None = None
    ubatch_size: int | None = None
    flash_attention: bool | None = None
    jinja: bool | None = None
    cache_type_k: str = ""
    cache_type_v: str = ""
    rope: Rope | None = None
    cpu_moe: bool = False
    cpu_moe_layers: int | None = None
    no_kv_offload: bool = False
    no_warmup: bool = False
    tensor_overrides: tuple[str, ...] = ()
    metadata_overrides: tuple[str, ...] = ()
    speculative: Speculative | None = None
    reasoning_budget: int | None = None
    reasoning_budget_message: str = ""
    bind_address: str = "0.0.0.0"  # noqa: S104  # a pod is reached by its address; some nodes have no IPv6
    extra_args: tuple[str, ...] = ()
    replaces: tuple[str, ...] = ()
    """The flags, in the spelling of our own rendering, that `extra_args` give instead of ours."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """How the server is reached. `container_port` is where it listens, `port` is the Service's."""

    port: int = 8080
    container_port: int = 8080
    path: str = "/v1/chat/completions"
    type: str = "ClusterIP"
    node_port: int | None = None


@dataclass(frozen=True, slots=True)
class Cache:
    """Where downloaded models stay. `claim` names a claim that exists already; then nothing is created.

    Without `persistent` it is an emptyDir, and each pod downloads for itself. `size` is a Kubernetes quantity.
    `delete` lets prune take the claim away with its service; else it is kept.
    """

    persistent: bool = False
    claim: str = ""
    size: str = "100Gi"
    storage_class: str = ""
    access_mode: str = "ReadWriteOnce"
    delete: bool = False


@dataclass(frozen=True, slots=True)
class Resources:
    """Kubernetes quantities as written, "" when not said."""

    cpu: str = ""
    memory: str = ""
    ephemeral_storage: str = ""


@dataclass(frozen=True, slots=True)
class Autoscaling:
    """A HorizontalPodAutoscaler's bounds; `metrics` are autoscaling/v2 metric objects, () for the default one."""

    minimum: int
    maximum: int
    metrics: tuple[JsonObject, ...] = ()


@dataclass(frozen=True, slots=True)
class Pod:
    """What a service says about its pod, in Kubernetes' own JSON."""

    tolerations: tuple[JsonObject, ...] = ()
    node_selector: Mapping[str, str] = field(default_factory=dict)
    affinity: JsonObject = field(default_factory=dict)
    topology_spread: tuple[JsonObject, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    env: tuple[JsonObject, ...] = ()
    volumes: tuple[JsonObject, ...] = ()
    volume_mounts: tuple[JsonObject, ...] = ()
    image_pull_secrets: tuple[JsonObject, ...] = ()
    runtime_class: str = ""
    priority_class: str = ""
    pod_security_context: JsonObject | None = None
    security_context: JsonObject | None = None
    probes: JsonObject = field(default_factory=dict)
    """`startup`, `liveness`, `readiness` -> a Probe that replaces ours whole."""


@dataclass(frozen=True, slots=True)
class Service:
    """One InferenceService, linked with its Model: everything the renderer needs.

    `gpu` is the settled answer (None: CPU). `image` is complete; `build` is its llama.cpp build number, None when its
    tag does not tell. `replicas` is what git asks for, also when an autoscaler owns the number.
    """

    id: ServiceId
    origin: Origin
    model: Model
    gpu: Gpu | None
    image: str
    build: int | None
    replicas: int = 1
    suspend: bool = False
    engine: Engine = field(default_factory=Engine)
    endpoint: Endpoint = field(default_factory=Endpoint)
    cache: Cache = field(default_factory=Cache)
    resources: Resources = field(default_factory=Resources)
    autoscaling: Autoscaling | None = None
    pod: Pod = field(default_factory=Pod)
    revision_history_limit: int | None = None
    drain_seconds: int = 300
    max_unavailable: str = ""
    """A PodDisruptionBudget's maxUnavailable; "" asks for none."""
    pod_monitor: bool = False
    network_policy_from: tuple[JsonObject, ...] = ()
    """NetworkPolicy peers that may reach the server; () asks for no policy."""
    skip_model_init: bool = False


@dataclass(frozen=True, slots=True)
class Pool:
    """A node pool the fleet declares, for planning without a cluster. Prices are in `currency` per node-hour."""

    name: str
    gpu: str = ""
    gpu_count: int = 0
    gpu_resource: str = "nvidia.com/gpu"
    gpu_memory: str = ""
    max_nodes: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[JsonObject, ...] = ()
    price_on_demand: str = ""
    price_spot: str = ""
    currency: str = "USD"


@dataclass(frozen=True, slots=True)
class Guards:
    """Limits a tick keeps, in services. None means: no limit of this kind said here, the default holds."""

    max_deletions: int | None = None
    max_rollouts: int | None = None


@dataclass(frozen=True, slots=True)
class Suspension:
    """The fleet asks for no reconciling: why, and until when (None: until taken out)."""

    reason: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Fleet:
    """The repository's defaults. `images` maps a vendor (or `amd-vulkan`) to the image used instead of the built-in."""

    origin: Origin | None = None
    namespace: str = ""
    kubernetes_version: tuple[int, int] = (1, 30)
    images: Mapping[str, str] = field(default_factory=dict)
    cache: Cache | None = None
    pools: tuple[Pool, ...] = ()
    guards: Guards = field(default_factory=Guards)
    suspension: Suspension | None = None
    openshift: bool = False
    pod_monitor: bool = False


@dataclass(frozen=True, slots=True, order=True)
class Invalid:
    """A service that its file's errors hold back. `origin` is where its document begins."""

    id: ServiceId
    origin: Origin


@dataclass(frozen=True, slots=True)
class Parsed:
    """All specs of a revision. `services` are sorted by id, `problems` by place.

    `complete` is False when something could not be read, or when nothing was found: then nothing may be deleted.
    `incomplete_reason` says why in words; "" when complete.
    """

    services: tuple[Service, ...]
    models: tuple[Model, ...]
    fleet: Fleet
    problems: tuple[Problem, ...]
    invalid: tuple[Invalid, ...]
    complete: bool
    incomplete_reason: str = ""
    empty: bool = False
    """Everything was read and there is no service in it: not complete either, unless someone said so."""
    blocked_by: Origin | None = None
    """Where the Fleet has errors: then there are no services here, and everything stays as it is."""
    files: int = 0
