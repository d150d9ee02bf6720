"""What one file says by itself: documents normalised as far as they go without the others."""

from dataclasses import dataclass, field

from reconciler.core.model.objects import JsonObject
from reconciler.core.model.problem import Problem, Severity
from reconciler.core.model.spec import (
    Autoscaling,
    Cache,
    Endpoint,
    Engine,
    Fleet,
    ModelSource,
    Pod,
    Resources,
    SplitMode,
    Vendor,
)

Path = tuple[str | int, ...]
"""Keys and indexes from a document's root."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to say about a place in a document, before its line is known.

    `at_key` means the key, not its value.
    """

    path: Path
    code: str
    message: str
    severity: Severity = Severity.ERROR
    at_key: bool = False


@dataclass(frozen=True, slots=True)
class Head:
    """Which document this is. `index` counts the file's documents from 0, `line` from 1; `namespace` may be unsaid."""

    index: int
    line: int
    kind: str
    name: str
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class GpuRequest:
    """What one document says about GPUs. None and "" mean: not said; `path` is where the count stands."""

    count: int | None = None
    path: Path = ()
    vendor: Vendor | None = None
    vendor_path: Path = ()
    enabled: bool | None = None
    resource: str = ""
    taint_key: str = ""
    layers: int | None = None
    split_mode: SplitMode = SplitMode.LAYER
    layer_split: tuple[tuple[int, int], ...] = ()
    runtime: str = ""
    claims: tuple[JsonObject, ...] = ()
    product: str = ""
    memory: int = 0
    mig_profile: str = ""


@dataclass(frozen=True, slots=True)
class ModelDraft:
    """A Model document."""

    head: Head
    source: ModelSource
    gpu: GpuRequest
    prefetch: bool = False
    prefetch_tolerations: tuple[JsonObject, ...] = ()


@dataclass(frozen=True, slots=True)
class CacheRequest:
    """What a document says about its cache; None and "" mean: not said."""

    persistent: bool | None = None
    claim: str = ""
    size: str = ""
    storage_class: str = ""
    access_mode: str = ""
    delete: bool | None = None

    def over(self, base: Cache) -> Cache:
        """Return the base with what this says in its place. A claim, or a property of one, asks for a claim."""
        persistent = self.persistent
        if persistent is None:
            persistent = base.persistent or bool(self.claim or self.storage_class or self.access_mode)
        return Cache(
            persistent=persistent,
            claim=self.claim,
            size=self.size or base.size,
            storage_class=self.storage_class or base.storage_class,
            access_mode=self.access_mode or base.access_mode,
            delete=base.delete if self.delete is None else self.delete,
        )


@dataclass(frozen=True, slots=True)
class ServiceDraft:
    """An InferenceService document. `draft_model` is the Model that its speculative decoding names."""

    head: Head
    model: str
    gpu: GpuRequest
    image: str = ""
    build: int | None = None
    replicas: int = 1
    suspend: bool = False
    engine: Engine = field(default_factory=Engine)
    draft_model: str = ""
    endpoint: Endpoint = field(default_factory=Endpoint)
    cache: CacheRequest = field(default_factory=CacheRequest)
    resources: Resources = field(default_factory=Resources)
    autoscaling: Autoscaling | None = None
    pod: Pod = field(default_factory=Pod)
    revision_history_limit: int | None = None
    drain_seconds: int = 300
    max_unavailable: str = ""
    pod_monitor: bool | None = None
    network_policy_from: tuple[JsonObject, ...] = ()
    skip_model_init: bool = False


@dataclass(frozen=True, slots=True)
class FleetDraft:
    """The Fleet document."""

    head: Head
    fleet: Fleet


Draft = ModelDraft | ServiceDraft | FleetDraft


@dataclass(frozen=True, slots=True)
class File:
    """A parsed file. Depends on its bytes, path and the reader's version alone, so it can be kept by blob id.

    `named` are all documents of ours that could be told, also those with errors; `drafts` those without. `content` is
    kept to place what is found later.
    """

    path: str
    problems: tuple[Problem, ...] = ()
    named: tuple[Head, ...] = ()
    drafts: tuple[Draft, ...] = ()
    content: bytes = b""
