"""What a person does next: one sentence for each reason that keeps a service from serving."""

import re
from collections.abc import Mapping
from typing import Final

from reconciler.core.model.change import HoldReason
from reconciler.core.model.health import Phase
from reconciler.core.model.problem import Problem
from reconciler.core.rules import vocabulary

_HELD: Final[Mapping[HoldReason, str]] = {
    HoldReason.INVALID: "Mend the spec, and push.",
    HoldReason.INCOMPLETE: "Mend the specs that cannot be read. The next complete revision deletes what left git.",
    HoldReason.DELETIONS: "Restore the specs, or push a commit with the trailer `Llmkube-Allow: delete={services}`.",
    HoldReason.ROLLOUTS: "None. It rolls as the services before it become Ready.",
    HoldReason.FOREIGN: (
        f"Annotate the object with `{vocabulary.ADOPT}: {{cluster}}` to hand it over, or rename the service."
    ),
    HoldReason.REFUSED: "Change the field that the API server names, and push.",
    HoldReason.CONTESTED: "Find who else writes these fields. Stop them, or leave the fields out of the spec.",
    HoldReason.PAUSED: f"None. It goes on after that time, or when `{vocabulary.PAUSED_UNTIL}` is removed.",
    HoldReason.SUSPENDED: "Take `suspend` out of fleet.yaml to reconcile again.",
    HoldReason.INVENTORY: "Use another --cluster-name, or delete the inventory's ConfigMap to hand its objects over.",
    HoldReason.SUCCESSOR: "None. It goes when its successor is Ready.",
    HoldReason.RETAINED: "None.",
    HoldReason.UNCONFIRMED: "Read the new diff, and approve it again.",
}

_BY_CAUSE: Final = (
    (r"HTTP 40[13]", "Name a Secret with a token that may read the model in `sourceSecretRef`."),
    (r"HTTP 404", "Correct the model's source: repository, revision or file name."),
    (r"HTTP \d{3}", "Wait for the model's host to answer, or name another source."),
    (r"no space left", "Raise the cache's `size`."),
    (r"sha256|another size", "Run `llmkube lock` to see what the source holds now, and review the change."),
    (
        r"does not know the argument",
        "Take the argument out of `extraArgs`, or name an image with a newer llama.cpp build.",
    ),
    (r"out of GPU memory", "Ask for more GPUs, or lower `contextSize`. `llmkube fit` tells what fits."),
    (r"model architecture", "Name an image with a newer llama.cpp build."),
    (r"not GGUF|could not load", "Check that the source is a whole GGUF file."),
    (r"CUDA driver", "Update the node's driver, or name an image built for an older CUDA."),
    (r"^ErrImage|^ImagePull|^InvalidImageName", "Correct the image's name, or add a pull secret."),
    (r"^CreateContainerConfigError", "Create the Secret or ConfigMap that the pod names."),
    (r"^OOMKilled", "Raise `resources.memory`, or lower `contextSize`."),
    (r"untolerated taint", "Tolerate the node's taint in the spec, or add a node without it."),
    (r"node selector or affinity", "Correct the spec's node selector, or label a node to match it."),
    (r"tied to another node|tied to another zone", "Free a node beside the volume, or use an ephemeral cache."),
    (r"claim .*(not bound|not there)", "Check the cache claim and its storage class."),
    (r"^Insufficient (?!.*/)", "Free the resource that is named, or add a node that has it."),
)
"""Pattern in a known cause -> what helps. The first that matches is taken."""

_COMPILED: Final = tuple((re.compile(pattern), action) for pattern, action in _BY_CAUSE)

_BY_PHASE: Final[Mapping[Phase, str]] = {
    Phase.FAILED: "Read the pod's log with `kubectl logs`. It is not copied here, since logs can hold prompts.",
    Phase.DEGRADED: "Look at the pods that are not ready with `kubectl describe pod`.",
    Phase.SUSPENDED: "Take `suspend` out of its spec to start it.",
    Phase.STOPPED: "Raise its replicas to start it.",
}

_ON_ITS_OWN: Final = frozenset(
    {HoldReason.ROLLOUTS, HoldReason.SUCCESSOR, HoldReason.PAUSED, HoldReason.RETAINED},
)


def of_hold(reason: HoldReason, *, services: int, cluster: str) -> str:
    """Return what lets a held change go on. `services` is how many are held for this reason."""
    return _HELD[reason].format(services=services, cluster=cluster or "true")


def of_problem(problem: Problem) -> str:
    """Return where to mend a spec. What is wrong with a Model is told at the Model."""
    if problem.code == "model-held-back":
        return "Mend the problems of its Model, listed below, and push."
    place = f"{problem.path}:{problem.line}" if problem.line else problem.path
    return f"Mend {place}, and push."


def of_error() -> str:
    """Return what to do when the API server refused a change that was tried."""
    return "Mend what the API server names, and push. It is tried again at every tick."


def of_health(phase: Phase, cause: str, *, gpus: str) -> str:
    """Return what helps a service in this phase, "" where waiting is enough. `gpus` is what one pod asks for."""
    if phase is Phase.WAITING_FOR_GPU:
        return f"Free {gpus or 'GPUs'} on one node, or add a node that has them. It starts by itself then."
    if not cause:
        return _BY_PHASE.get(phase, "")
    known = (action for pattern, action in _COMPILED if pattern.search(cause))
    return next(known, _BY_PHASE.get(phase, ""))


def goes_on_by_itself(phase: Phase, cause: str) -> bool:
    """Tell whether a held service needs nobody: it only waits for others, or for a time that someone set."""
    return phase is Phase.HELD and cause in _ON_ITS_OWN
