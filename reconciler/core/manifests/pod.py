"""The pod: one llama-server, the download before it, and where it may run."""

from collections.abc import Iterable
from typing import Final

from reconciler.core.manifests import arguments, download, metadata, storage
from reconciler.core.model.objects import JsonObject
from reconciler.core.model.spec import Fleet, Gpu, Service, Vendor

CONTAINER: Final = "llama-server"

_UID: Final = 65532
"""Any user but root; the images have none of their own. A number, so that the kubelet can check runAsNonRoot."""

_STARTUP_PERIOD_SECONDS: Final = 10
_LEAST_STARTUP_SECONDS: Final = 300
_BLIND_STARTUP_SECONDS: Final = 1800
"""Half an hour to load a model of unknown size; the download has its own container and is not counted."""

_SLOW_LOAD_BYTES_PER_SECOND: Final = 100_000_000

DRAIN: Final = r"""end=$(( $(date +%s) + DRAIN_SECONDS ))
key=${LLAMA_API_KEY:-}
busy() {
  if [ -n "$key" ]; then printf 'header = "Authorization: Bearer %s"\n' "${key%%,*}"; fi |
    curl --config - --fail --silent --max-time 5 "http://localhost:$LLAMA_PORT/slots" |
    grep -q '"is_processing": *true'
}
sleep 3
while [ "$(date +%s)" -lt "$end" ] && busy; do sleep 1; done
"""
"""llama-server drops running requests at SIGTERM. Wait for its slots, but never past DRAIN_SECONDS; a server that does
not answer has nothing to wait for. The first pause lets endpoints forget the pod."""

_GRACE_AFTER_DRAIN_SECONDS: Final = 30


def template(wanted: Service, fleet: Fleet) -> JsonObject:
    """Return the pod template."""
    found: dict[str, object] = {"labels": {**wanted.pod.labels, **metadata.labels(wanted)}}
    if wanted.pod.annotations:
        found["annotations"] = dict(wanted.pod.annotations)
    return {"metadata": found, "spec": _spec(wanted, fleet)}


def job_spec(wanted: Service, fleet: Fleet, container: JsonObject) -> JsonObject:
    """Return the pod of a Job that runs one container of ours over the model cache, on any node that takes it."""
    return {
        "automountServiceAccountToken": False,
        "containers": [container],
        "enableServiceLinks": False,
        "restartPolicy": "OnFailure",
        "securityContext": _pod_security(wanted, fleet),
        "volumes": _volumes(wanted),
        **_given(
            imagePullSecrets=list(wanted.pod.image_pull_secrets),
            nodeSelector=dict(wanted.pod.node_selector),
            tolerations=tolerations(wanted.gpu, (*wanted.pod.tolerations, *wanted.model.prefetch_tolerations)),
        ),
    }


def startup_seconds(wanted: Service) -> int:
    """Return how long llama-server may take to load its files, a multiple of the probe's period."""
    sizes = [file.size for model in storage.models(wanted) for file in storage.files(model)]
    if not all(sizes):
        return _BLIND_STARTUP_SECONDS
    seconds = 2 * sum(sizes) // _SLOW_LOAD_BYTES_PER_SECOND
    return max(_LEAST_STARTUP_SECONDS, seconds - seconds % _STARTUP_PERIOD_SECONDS)


def tolerations(gpu: Gpu | None, own: Iterable[JsonObject]) -> list[JsonObject]:
    """Return the base toleration of the GPU's taint and the author's own, each once, in that order.

    The base one says `Exists`, since clouds disagree about the taint's value (`present`, `true`).
    """
    base = [] if gpu is None else [{"key": gpu.taint_key, "operator": "Exists", "effect": "NoSchedule"}]
    found: dict[tuple[object, ...], JsonObject] = {}
    for toleration in (*base, *(dict(item) for item in own)):
        found.setdefault(_meaning(toleration), toleration)
    return list(found.values())


def _meaning(toleration: JsonObject) -> tuple[object, ...]:
    """Return what a toleration says with Kubernetes' defaults in it: `Equal` need not be written."""
    said = {"operator": "Equal", **{name: value for name, value in toleration.items() if value not in ("", None)}}
    return tuple(sorted(said.items()))


def _spec(wanted: Service, fleet: Fleet) -> JsonObject:
    init = download.container(wanted)
    return {
        "automountServiceAccountToken": False,
        "containers": [_server(wanted)],
        # a Service called llama-arg would set LLAMA_ARG_PORT=tcp://… in every pod, and llama-server would crash on it
        "enableServiceLinks": False,
        "securityContext": _pod_security(wanted, fleet),
        "terminationGracePeriodSeconds": wanted.drain_seconds + _GRACE_AFTER_DRAIN_SECONDS,
        "volumes": _volumes(wanted),
        **_given(
            initContainers=[init] if init else [],
            **_placement(wanted),
        ),
    }


def _placement(wanted: Service) -> dict[str, object]:
    pod = wanted.pod
    return {
        "affinity": dict(pod.affinity),
        "imagePullSecrets": list(pod.image_pull_secrets),
        "nodeSelector": dict(pod.node_selector),
        "priorityClassName": pod.priority_class,
        "resourceClaims": list(wanted.gpu.claims) if wanted.gpu else [],
        "runtimeClassName": pod.runtime_class,
        "tolerations": tolerations(wanted.gpu, pod.tolerations),
        "topologySpreadConstraints": [_spread(wanted, item) for item in pod.topology_spread],
    }


def _spread(wanted: Service, constraint: JsonObject) -> JsonObject:
    """Return the constraint with the service's own pods as what is spread, where the author named none."""
    return {"labelSelector": {"matchLabels": metadata.selector(wanted)}, **constraint}


def _server(wanted: Service) -> JsonObject:
    return {
        "name": CONTAINER,
        "image": wanted.image,
        "args": arguments.arguments(wanted),
        "env": _environment(wanted),
        "lifecycle": {"preStop": {"exec": {"command": ["/bin/sh", "-c", DRAIN]}}},
        "ports": [{"name": "http", "containerPort": wanted.endpoint.container_port, "protocol": "TCP"}],
        "securityContext": {**download.restricted(), **(wanted.pod.security_context or {})},
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            *storage.mounts(wanted),
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108  # a path in the pod, on a volume of its own
            *wanted.pod.volume_mounts,
        ],
        **_probes(wanted),
        **_given(resources=_resources(wanted)),
    }


def _environment(wanted: Service) -> list[JsonObject]:
    """Return our variables and the author's, sorted by name after ours; the author's word wins."""
    ours = {
        "DRAIN_SECONDS": str(wanted.drain_seconds),
        "HOME": "/tmp",  # noqa: S108  # likewise
        "LLAMA_CACHE": "/tmp/llama.cpp",  # noqa: S108  # likewise
        "LLAMA_PORT": str(wanted.endpoint.container_port),
    }
    if wanted.gpu is not None and wanted.gpu.vendor is Vendor.NVIDIA and wanted.gpu.count > 1:
        # else CUDA puts the fastest device first, and --tensor-split would mean another order on each node
        ours["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"
    theirs = {item["name"] for item in wanted.pod.env}
    base = [{"name": name, "value": value} for name, value in sorted(ours.items()) if name not in theirs]
    return [*base, *wanted.pod.env]


def _probes(wanted: Service) -> JsonObject:
    health = {"httpGet": {"path": "/health", "port": "http"}}
    ours: dict[str, JsonObject] = {
        "startup": {
            **health,
            "periodSeconds": _STARTUP_PERIOD_SECONDS,
            "timeoutSeconds": 5,
            "failureThreshold": startup_seconds(wanted) // _STARTUP_PERIOD_SECONDS,
        },
        "liveness": {**health, "periodSeconds": 15, "timeoutSeconds": 5, "failureThreshold": 3},
        "readiness": {**health, "periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 3},
    }
    return {f"{name}Probe": wanted.pod.probes.get(name, probe) for name, probe in ours.items()}


def _resources(wanted: Service) -> JsonObject:
    said = wanted.resources
    storage_size = said.ephemeral_storage
    limits: dict[str, str] = {"ephemeral-storage": storage_size} if storage_size else {}
    gpu = wanted.gpu
    claims = [{"name": claim["name"]} for claim in gpu.claims] if gpu else []
    if gpu is not None and not gpu.claims:
        limits[gpu.resource] = str(gpu.count)
    requests = _given(**{"cpu": said.cpu, "memory": said.memory, "ephemeral-storage": storage_size})
    return _given(claims=claims, limits=limits, requests=requests)


def _pod_security(wanted: Service, fleet: Fleet) -> JsonObject:
    ours: dict[str, object] = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    if not fleet.openshift:  # there the namespace's range gives the ids, and fixed ones are refused
        ours |= {
            "runAsUser": _UID,
            "runAsGroup": _UID,
            "fsGroup": _UID,
            "fsGroupChangePolicy": "OnRootMismatch",
        }
    return {**ours, **(wanted.pod.pod_security_context or {})}


def _volumes(wanted: Service) -> list[JsonObject]:
    return [*storage.volumes(wanted), {"name": "tmp", "emptyDir": {}}, *wanted.pod.volumes]


def _given(**fields: object) -> dict[str, object]:
    """Return the fields that say something: an empty list or string in a manifest is noise, and a field owned."""
    return {name: value for name, value in sorted(fields.items()) if value}
