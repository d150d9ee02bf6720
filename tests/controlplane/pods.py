"""What fake pods are told to do: by annotations that `stages/behaviour.yaml` reads."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from controlplane import api

if TYPE_CHECKING:
    from collections.abc import Mapping

    JsonObject = dict[str, Any]

# stages/behaviour.yaml says what each means
BEHAVIOURS: Final = ("pull", "downloading", "download", "loading", "load", "crash", "oom")

_PREFIX: Final = "test.llmkube.dev/"
_POLICY: Final = Path(__file__).resolve().parent / "behaviour.yaml"
_PLURALS: Final = {
    "MutatingAdmissionPolicy": "mutatingadmissionpolicies",
    "MutatingAdmissionPolicyBinding": "mutatingadmissionpolicybindings",
}


def install(admin: api.Api) -> None:
    """Let what a namespace says hold for its pods."""
    for document in yaml.safe_load_all(_POLICY.read_text()):
        admin.create(f"/apis/admissionregistration.k8s.io/v1/{_PLURALS[document['kind']]}", document)


def tell(admin: api.Api, namespace: str, behaviour: str, details: Mapping[str, str]) -> None:
    """Tell pods that will be made in that namespace, and wait until the API server knows of it."""
    told = _annotations(behaviour, details)
    body = {"metadata": {"labels": {f"{_PREFIX}behaviour": ""}, "annotations": told}}
    admin.merge(f"/api/v1/namespaces/{namespace}", body)
    pod = {"metadata": {"name": "asked"}, "spec": {"containers": [{"name": "any", "image": "any"}]}}

    def holds() -> bool:
        made = admin.send("POST", f"/api/v1/namespaces/{namespace}/pods", pod, query={"dryRun": "All"})
        found = made["metadata"].get("annotations", {})
        return all(found.get(key) == value for key, value in told.items() if value is not None)

    api.wait_until(f"pods of {namespace} are told to {behaviour}", holds)


def tell_pod(admin: api.Api, path: str, behaviour: str | None, details: Mapping[str, str]) -> None:
    """Tell a pod that is there; None makes it Ready again."""
    admin.merge(path, {"metadata": {"annotations": _annotations(behaviour, details)}})


def _annotations(behaviour: str | None, details: Mapping[str, str]) -> dict[str, str | None]:
    """What to merge: every annotation of ours, those that do not apply as None."""
    if behaviour is not None and behaviour not in BEHAVIOURS:
        raise ValueError(f"{behaviour!r} is none of {', '.join(BEHAVIOURS)}")
    known = dict.fromkeys(("exit-code", "message", "load-for"))
    given = {name.replace("_", "-"): value for name, value in details.items()}
    return {f"{_PREFIX}{name}": value for name, value in {"behaviour": behaviour, **known, **given}.items()}
