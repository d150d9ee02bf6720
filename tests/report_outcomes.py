"""Outcomes of small values, as a tick would leave them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from reconciler.core.model.change import Action, Change, FieldChange, Hold, HoldReason, Result
from reconciler.core.model.health import Health, ObjectHealth, Phase, ServiceHealth, Status
from reconciler.core.model.objects import JsonObject, Key, ServiceId, key_of
from reconciler.core.model.observed import Node, Observed
from reconciler.core.model.outcome import Outcome
from reconciler.core.model.plan import Ownership, Plan, Planned
from reconciler.core.model.problem import Problem
from reconciler.core.model.source import Snapshot
from reconciler.core.model.spec import (
    Fetch,
    Fleet,
    Gpu,
    Invalid,
    Model,
    ModelFile,
    ModelSource,
    Origin,
    Parsed,
    Service,
    Vendor,
)
from reconciler.core.rules import names, vocabulary

REVISION = "1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d"
NAMESPACE = "llm"


def service(name: str, gpus: int = 0, *, line: int = 1, replicas: int = 1, suspend: bool = False) -> Service:
    model = Model(
        ServiceId(NAMESPACE, f"{name}-model"),
        Origin(f"models/{name}/llm.yaml", 1),
        ModelSource(
            Fetch.HTTP,
            (ModelFile(f"https://huggingface.co/acme/{name}-GGUF/resolve/main/{name}-q4.gguf", f"{name}-q4.gguf"),),
        ),
    )
    gpu = Gpu(Vendor.NVIDIA, gpus, "nvidia.com/gpu", "nvidia.com/gpu") if gpus else None
    return Service(
        ServiceId(NAMESPACE, name),
        Origin(f"models/{name}/llm.yaml", line),
        model,
        gpu,
        image="ghcr.io/ggml-org/llama.cpp:server-cuda-b6869",
        build=6869,
        replicas=replicas,
        suspend=suspend,
    )


def manifests(name: str, replicas: int = 1) -> tuple[JsonObject, ...]:
    metadata = {
        "name": names.dns_label(name),
        "namespace": NAMESPACE,
        "labels": {vocabulary.SERVICE_NAME: names.label_value(name)},
        "annotations": {vocabulary.SOURCE: f"models/{name}/llm.yaml"},
    }
    container = {
        "name": "llama",
        "args": ["--port", "8080", "--api-key", "sk-live-1234"],
        "env": [{"name": "HF_TOKEN", "value": "hf_live_1234"}, {"name": "LANG", "value": "C"}],
    }
    return (
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": [{"port": 8080}]}},
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata,
            "spec": {"replicas": replicas, "template": {"spec": {"containers": [container]}}},
        },
    )


def deployment(name: str) -> Key:
    return Key("apps", "Deployment", NAMESPACE, names.dns_label(name))


def ready(*nodes: str) -> ServiceHealth:
    return ServiceHealth(Phase.READY, ready=len(nodes), desired=len(nodes), nodes=nodes)


def node(name: str, gpus: int, *, schedulable: bool = True) -> Node:
    return Node(name, {}, (), {"cpu": "64", "nvidia.com/gpu": str(gpus)}, schedulable=schedulable)


@dataclass(frozen=True)
class Scene:
    """A fleet in the making. `health` maps a service's name; a name without one has no live Deployment.

    `created`, `updated`, `deleted` are names of services whose objects were so changed in this tick; `failed` maps a
    name to the error of its Deployment; `held` maps a name to what its Deployment waits for.
    """

    services: Sequence[Service] = ()
    health: Mapping[str, ServiceHealth] = field(default_factory=dict)
    nodes: Sequence[Node] = ()
    problems: Sequence[Problem] = ()
    invalid: Sequence[Invalid] = ()
    incomplete: str = ""
    created: Sequence[str] = ()
    updated: Sequence[str] = ()
    deleted: Sequence[str] = ()
    failed: Mapping[str, str] = field(default_factory=dict)
    held: Mapping[str, tuple[Action, Hold]] = field(default_factory=dict)
    retained: Sequence[str] = ()
    foreign: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    takeovers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    runs: bool = True
    interrupted: bool = False
    cluster: str = "prod"
    branch: str = "main"
    revision: str = REVISION

    def outcome(self) -> Outcome:
        changes = (*self._planned(), *self._orphans())
        results = tuple(
            Result(change, self.failed.get(change.service.name, "") if change.key.kind == "Deployment" else "")
            for change in changes
            if change.writes and not self.interrupted
        )
        live = {key_of(one): one for name in self.health for one in manifests(name)}
        return Outcome(self._plan(), self._observed(live), self._health(live), changes, results, self.interrupted)

    def _plan(self) -> Plan:
        ordered = tuple(sorted(self.services, key=lambda one: one.id))
        parsed = Parsed(
            ordered,
            tuple(one.model for one in ordered),
            Fleet(),
            tuple(sorted(self.problems)),
            tuple(sorted(self.invalid)),
            complete=not self.incomplete,
            incomplete_reason=self.incomplete,
        )
        url = "https://git.example.com/acme/models.git"
        snapshot = Snapshot(url, self.branch, self.revision, ())
        owner = Ownership(self.cluster, "llmkube-system", f"llmkube-{self.cluster}", "applyset-x", url, ".")
        objects = tuple(
            Planned(key_of(one), one, found.id) for found in ordered for one in manifests(found.id.name, found.replicas)
        )
        return Plan(parsed, snapshot, owner, objects, "5f3c9a")

    def _observed(self, live: Mapping[Key, JsonObject]) -> Observed:
        return Observed(live, nodes=tuple(self.nodes), runs=self.runs)

    def _health(self, live: Mapping[Key, JsonObject]) -> Health:
        services = {ServiceId(NAMESPACE, name): found for name, found in self.health.items()}
        objects = {
            key: ObjectHealth(
                Status.CURRENT
                if key.kind == "Service" or self.health[key.name].phase is Phase.READY
                else Status.IN_PROGRESS,
                "TooFewReady",
                "0/1",
            )
            for key in live
            if key.name in self.health
        }
        return Health(objects, services) if self.runs else Health()

    def _planned(self) -> tuple[Change, ...]:
        return tuple(
            self._change(found.id, key_of(one), one)
            for found in sorted(self.services, key=lambda one: one.id)
            for one in manifests(found.id.name, found.replicas)
        )

    def _change(self, found: ServiceId, key: Key, desired: JsonObject) -> Change:
        name, is_deployment = found.name, key.kind == "Deployment"
        live = None if name in self.created else desired
        action, hold = Action.KEEP, None
        if name in self.created:
            action = Action.CREATE
        elif name in self.updated and is_deployment:
            action = Action.UPDATE
        if is_deployment and name in self.failed and action is Action.KEEP:
            action = Action.UPDATE
        if is_deployment and name in self.held:
            action, hold = self.held[name]
        fields = (FieldChange("spec.replicas", "change", 1, 2),) if action is Action.UPDATE else ()
        foreign = self.foreign.get(name, ()) if is_deployment else ()
        takeovers = self.takeovers.get(name, ()) if is_deployment else ()
        return Change(key, action, found, desired, live, fields=fields, hold=hold, takeovers=takeovers, foreign=foreign)

    def _orphans(self) -> tuple[Change, ...]:
        """Return the deletions of services that are live, or were, and of no spec; held ones as `held` says."""
        known = {found.id.name for found in self.services}
        gone = sorted({*self.deleted, *(name for name in self.held if name not in known)})
        deletions = tuple(
            Change(
                key_of(one),
                self.held[name][0] if name in self.held else Action.DELETE,
                ServiceId(NAMESPACE, name),
                live=one,
                hold=self.held[name][1] if name in self.held else None,
            )
            for name in gone
            for one in manifests(name)
        )
        claims = tuple(
            Change(
                Key("", "PersistentVolumeClaim", NAMESPACE, f"{name}-cache"),
                Action.KEEP,
                ServiceId(NAMESPACE, name),
                live={},
                hold=Hold(HoldReason.RETAINED, "kept with its models"),
            )
            for name in self.retained
        )
        return deletions + claims
