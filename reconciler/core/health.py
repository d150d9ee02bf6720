"""How live objects are, and why. Rules after kstatus; what a model needs beyond them is read off its pods.

Source: https://github.com/kubernetes-sigs/cli-utils/tree/master/pkg/kstatus
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from reconciler.core.model.health import Health, ObjectHealth, Phase, ServiceHealth, Status
from reconciler.core.model.objects import JsonObject, Key
from reconciler.core.model.observed import Observed
from reconciler.core.rules import causes, ownership, vocabulary

_IMAGE: Final = frozenset({"ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull"})
_CRASH: Final = frozenset({"CrashLoopBackOff", "RunContainerError", "CreateContainerError", "StartError"})
_CONFIG: Final = frozenset({"CreateContainerConfigError"})

_URGENCY: Final = tuple(Phase)
"""The enum stands in order of urgency; the worst pod speaks for its service."""


def assess(observed: Observed) -> Health:
    """Return the health of every live object, and of each service that has a Deployment."""
    if not observed.runs:
        return Health()
    pods = _pods_by_service(observed.pods)
    objects = {key: _object(key, live) for key, live in observed.live.items()}
    services = {
        ownership.service_of(key, live): _service(live, objects[key], pods.get(label, ()))
        for key, live in observed.live.items()
        if key.kind == "Deployment" and (label := _label(live)) is not None
    }
    return Health(objects, services)


def _label(live: JsonObject) -> tuple[str, str] | None:
    """Return namespace and label by which pods and their Deployment find each other, None without the label."""
    name = ownership.labels_of(live).get(vocabulary.SERVICE_NAME)
    return (live["metadata"].get("namespace", ""), name) if name else None


def _pods_by_service(pods: Iterable[JsonObject]) -> Mapping[tuple[str, str], Sequence[JsonObject]]:
    """Return the pods that count: not those that go, nor what an eviction left where others have come since."""
    found: dict[tuple[str, str], list[JsonObject]] = defaultdict(list)
    for pod in pods:
        label = _label(pod)
        if label is not None and not pod["metadata"].get("deletionTimestamp"):
            found[label].append(pod)
    return {label: [pod for pod in group if not _ended(pod)] or group for label, group in found.items()}


def _ended(pod: JsonObject) -> bool:
    return (pod.get("status") or {}).get("phase") in {"Failed", "Succeeded"}


def _object(key: Key, live: JsonObject) -> ObjectHealth:
    if live["metadata"].get("deletionTimestamp"):
        return ObjectHealth(Status.TERMINATING, "Terminating", "being deleted")
    status: JsonObject = live.get("status") or {}
    if key.kind == "Deployment":
        return _deployment(live, status)
    if key.kind == "Job":
        return _job(status)
    if key.kind == "PersistentVolumeClaim":
        return _claim(status)
    if key.kind == "Service" and live["spec"].get("type") == "LoadBalancer" and not _has_address(status):
        return ObjectHealth(Status.IN_PROGRESS, "NoAddress", "waits for a load balancer")
    return ObjectHealth(Status.CURRENT)


def _claim(status: JsonObject) -> ObjectHealth:
    phase = status.get("phase", "Pending")
    if phase == "Lost":
        return ObjectHealth(Status.FAILED, "Lost", "its volume is gone")
    if phase != "Bound":
        return ObjectHealth(Status.IN_PROGRESS, phase, "waits for a volume")
    return ObjectHealth(Status.CURRENT)


def _has_address(status: JsonObject) -> bool:
    return bool((status.get("loadBalancer") or {}).get("ingress"))


def _deployment(live: JsonObject, status: JsonObject) -> ObjectHealth:
    if status.get("observedGeneration", 0) < live["metadata"].get("generation", 0):
        return ObjectHealth(Status.IN_PROGRESS, "NotObserved", "the controller has not seen the change yet")
    progressing = _condition(status, "Progressing")
    if progressing.get("reason") == "ProgressDeadlineExceeded":
        return ObjectHealth(Status.FAILED, "ProgressDeadlineExceeded", "did not come up in its time")
    refused = _condition(status, "ReplicaFailure")
    if refused.get("status") == "True":
        return ObjectHealth(Status.FAILED, refused.get("reason", ""), causes.uncreated(refused.get("message", "")))
    desired = live["spec"].get("replicas", 1)
    for reason, count in (
        ("TooFewUpdated", status.get("updatedReplicas", 0)),
        ("TooFewReady", status.get("readyReplicas", 0)),
        ("TooFewAvailable", status.get("availableReplicas", 0)),
    ):
        if count < desired:
            return ObjectHealth(Status.IN_PROGRESS, reason, f"{count}/{desired}")
    if status.get("replicas", 0) > desired:
        return ObjectHealth(Status.IN_PROGRESS, "PendingTermination", "old pods are going")
    return ObjectHealth(Status.CURRENT, "", f"{status.get('readyReplicas', 0)}/{desired}")


def _job(status: JsonObject) -> ObjectHealth:
    if _condition(status, "Failed").get("status") == "True":
        return ObjectHealth(Status.FAILED, _condition(status, "Failed").get("reason", "Failed"), "the job failed")
    if _condition(status, "Complete").get("status") == "True":
        return ObjectHealth(Status.CURRENT)
    return ObjectHealth(Status.IN_PROGRESS, "Running", "runs")


def _condition(status: JsonObject, kind: str) -> JsonObject:
    return next((found for found in status.get("conditions") or () if found.get("type") == kind), {})


def _service(live: JsonObject, found: ObjectHealth, pods: Sequence[JsonObject]) -> ServiceHealth:
    desired = live["spec"].get("replicas", 1)
    ready = (live.get("status") or {}).get("readyReplicas", 0)
    nodes = tuple(sorted(pod["spec"]["nodeName"] for pod in pods if pod["spec"].get("nodeName")))
    if desired == 0:
        return ServiceHealth(Phase.STOPPED, ready=ready, desired=0, nodes=nodes)
    if found.status is Status.CURRENT:
        return ServiceHealth(Phase.READY, ready=ready, desired=desired, nodes=nodes)
    phase, cause = _worst(pods)
    if found.status is Status.FAILED and phase not in {Phase.FAILED, Phase.WAITING_FOR_GPU}:
        # a pod that waits for a GPU goes on waiting after its deadline
        phase, cause = Phase.FAILED, cause or found.message
    if ready > 0 and phase is not Phase.READY:
        behind = f"{cause}; " if cause else ""
        return ServiceHealth(Phase.DEGRADED, cause, f"{behind}{ready} of {desired} ready", ready, desired, nodes)
    if phase is Phase.READY:
        phase = Phase.PENDING
    return ServiceHealth(phase, cause, cause or found.message, ready, desired, nodes)


def _worst(pods: Sequence[JsonObject]) -> tuple[Phase, str]:
    if not pods:
        return Phase.PENDING, ""
    return min((_pod(pod) for pod in pods), key=lambda found: (_URGENCY.index(found[0]), found[1]))


def _pod(pod: JsonObject) -> tuple[Phase, str]:
    status: JsonObject = pod.get("status") or {}
    if status.get("phase") == "Failed":
        return Phase.FAILED, f"{status.get('reason') or 'Failed'}: the pod was ended, and none has come in its place"
    scheduled = _condition(status, "PodScheduled")
    if scheduled.get("status") == "False":
        return _waiting(pod, scheduled.get("message", ""))
    for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        trouble = _trouble(container)
        if trouble:
            return Phase.FAILED, trouble
    if _condition(status, "Ready").get("status") == "True":
        return Phase.READY, ""
    return _starting(status), ""


def _starting(status: JsonObject) -> Phase:
    for name, phase in (("initContainerStatuses", Phase.DOWNLOADING), ("containerStatuses", Phase.LOADING)):
        if any("running" in (found.get("state") or {}) for found in status.get(name) or ()):
            return phase
    return Phase.PENDING


def _waiting(pod: JsonObject, message: str) -> tuple[Phase, str]:
    lacking = causes.unschedulable(message)
    asked = {
        name
        for container in pod["spec"].get("containers") or ()
        for name in (container.get("resources") or {}).get("limits") or {}
        if "/" in name
    }
    claims = bool(pod["spec"].get("resourceClaims"))
    for cause in lacking:
        if cause.removeprefix("Insufficient ") in asked or (claims and cause == causes.NO_DEVICE):
            return Phase.WAITING_FOR_GPU, "; ".join(lacking)
    return Phase.PENDING, "; ".join(lacking) or "not scheduled yet"


def _trouble(container: JsonObject) -> str:
    """Return what is wrong with a container in a few words, "" when it is well or still on its way."""
    state: JsonObject = container.get("state") or {}
    waiting: JsonObject = state.get("waiting") or {}
    ended: JsonObject = state.get("terminated") or (container.get("lastState") or {}).get("terminated") or {}
    reason = waiting.get("reason", "")
    if reason in _IMAGE:
        return f"{reason}: the image cannot be pulled"
    if reason in _CONFIG:
        return f"{reason}: a Secret or ConfigMap that the pod names is not there"
    if reason in _CRASH or (state.get("terminated") and ended.get("exitCode", 0) != 0):
        if ended.get("reason") == "OOMKilled":
            return "OOMKilled: the container needs more host memory than its limit"
        cause = causes.known(ended.get("message", ""))
        return cause or f"{reason or ended.get('reason') or 'Error'}: exit code {ended.get('exitCode', 'unknown')}"
    return ""
