"""The fleets of the golden reports: one scene for each thing that a report has to tell."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from reconciler.core.model.change import Action, Hold, HoldReason
from reconciler.core.model.health import Phase, ServiceHealth
from reconciler.core.model.objects import ServiceId
from reconciler.core.model.problem import Problem, Severity
from reconciler.core.model.spec import Invalid, Origin
from report_outcomes import NAMESPACE, Scene, node, ready, service

NODES: Final = (node("gpu-a", 8), node("gpu-b", 4), node("cpu-a", 0))

LLAMA: Final = service("llama-3.1-70b", 4, line=9)
MISTRAL: Final = service("mistral", 1, replicas=2)
EMBED: Final = service("embed")

ALL_GOOD: Final = Scene(
    (LLAMA, MISTRAL, EMBED),
    {"llama-3.1-70b": ready("gpu-a"), "mistral": ready("gpu-a", "gpu-b"), "embed": ready("cpu-a")},
    NODES,
    updated=("mistral",),
)

_BAD_REPLICAS: Final = Problem(
    "models/mistral/llm.yaml", 14, 13, "/spec/replicas", "out-of-range", "-1 is less than the minimum of 0"
)

_ONE_ERROR: Final = "nothing is deleted while not all specs can be read: 1 error in models/mistral/llm.yaml"

INVALID: Final = replace(
    ALL_GOOD,
    services=(LLAMA, EMBED),
    invalid=(Invalid(ServiceId(NAMESPACE, "mistral"), Origin("models/mistral/llm.yaml", 9)),),
    problems=(
        _BAD_REPLICAS,
        Problem(
            "models/embed/llm.yaml",
            7,
            3,
            "/spec/model/quantization",
            "no-effect",
            "`quantization` has no effect here",
            Severity.NOTE,
        ),
    ),
    incomplete=_ONE_ERROR.removeprefix("nothing is deleted while not all specs can be read: "),
    health={**ALL_GOOD.health, "phi": ready("gpu-b")},
    held={
        "mistral": (
            Action.KEEP,
            Hold(HoldReason.INVALID, "it stays as it is, since its spec has errors: models/mistral/llm.yaml:9"),
        ),
        "phi": (Action.DELETE, Hold(HoldReason.INCOMPLETE, _ONE_ERROR)),
    },
    updated=(),
)

_UNREADABLE: Final = "models/mistral/llm.yaml is not YAML"

UNREADABLE: Final = replace(
    ALL_GOOD,
    services=(LLAMA, EMBED),
    problems=(
        Problem("models/mistral/llm.yaml", 3, 5, "", "unreadable", "mapping values are not allowed in this context"),
    ),
    incomplete=_UNREADABLE,
    held={
        "mistral": (
            Action.DELETE,
            Hold(HoldReason.INCOMPLETE, f"nothing is deleted while not all specs can be read: {_UNREADABLE}"),
        )
    },
    updated=(),
)

_TOO_MANY: Final = Hold(
    HoldReason.DELETIONS,
    "3 of 4 services would be deleted; to let it: a commit with the trailer `Llmkube-Allow: delete=3`,"
    " or --allow-delete 3",
)

HELD_DELETIONS: Final = replace(
    ALL_GOOD,
    services=(EMBED,),
    health={**ALL_GOOD.health, "phi": ready("gpu-b")},
    held=dict.fromkeys(("llama-3.1-70b", "mistral", "phi"), (Action.DELETE, _TOO_MANY)),
    retained=("gemma",),
    updated=(),
)

HELD_ROLLOUTS: Final = replace(
    ALL_GOOD,
    held={
        "mistral": (
            Action.UPDATE,
            Hold(
                HoldReason.ROLLOUTS,
                "11 services would roll, 0 are on their way, 10 may at once; it follows as they become Ready,"
                " or with `Llmkube-Allow: rollout=11`",
            ),
        )
    },
    updated=("embed",),
)

FOREIGN: Final = replace(
    ALL_GOOD,
    held={
        "embed": (
            Action.UPDATE,
            Hold(
                HoldReason.FOREIGN,
                "it is there and not ours; to hand it over:"
                " kubectl annotate -n llm deployment embed gitops.llmkube.dev/adopt=prod",
            ),
        )
    },
    foreign={"mistral": ("spec.template.spec.containers[llama].env[DEBUG] (kubectl-set)",)},
    takeovers={"embed": ("spec.replicas (kubectl-edit)",)},
    updated=(),
)

EMPTY: Final = Scene(incomplete="no spec was found under the path", nodes=NODES)

FOLDER: Final = Scene(
    (LLAMA, MISTRAL, EMBED), created=("llama-3.1-70b", "mistral", "embed"), runs=False, cluster="", revision=""
)

MIXED: Final = Scene(
    (
        LLAMA,
        MISTRAL,
        EMBED,
        service("qwen", 8),
        service("phi", 1),
        service("gemma", 2),
        service("draft", suspend=True),
        service("new", 1),
    ),
    {
        "llama-3.1-70b": ready("gpu-a"),
        "mistral": ServiceHealth(Phase.DEGRADED, "out of GPU memory", "1 of 2 ready", 1, 2, ("gpu-a", "gpu-b")),
        "embed": ServiceHealth(Phase.LOADING, "", "Loading, 43 %", 0, 1, ("cpu-a",)),
        "qwen": ServiceHealth(
            Phase.WAITING_FOR_GPU, "Insufficient nvidia.com/gpu", "Insufficient nvidia.com/gpu", 0, 1
        ),
        "phi": ServiceHealth(Phase.DOWNLOADING, "", "17 %", 0, 1, ("gpu-a",)),
        "gemma": ServiceHealth(
            Phase.FAILED,
            "download refused (HTTP 401): the source wants a token",
            "download refused (HTTP 401): the source wants a token",
            0,
            1,
            ("gpu-b",),
        ),
        "draft": ServiceHealth(Phase.STOPPED),
    },
    NODES,
    created=("new", "phi"),
    deleted=("old",),
    failed={"new": "apply Deployment/llm/new: spec.template.spec.containers[0].image: Required value (422)"},
)

FLEETS: Final[Mapping[str, Scene]] = {
    "all-good": ALL_GOOD,
    "empty": EMPTY,
    "folder": FOLDER,
    "foreign": FOREIGN,
    "held-deletions": HELD_DELETIONS,
    "held-rollouts": HELD_ROLLOUTS,
    "invalid": INVALID,
    "mixed": MIXED,
    "unreadable": UNREADABLE,
}
"""The name of the golden folder -> the fleet it tells of."""
