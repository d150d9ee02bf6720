"""Specs as values, built without YAML: each test says only what it is about."""

from collections.abc import Iterable
from typing import Any

from reconciler.core.model.objects import ServiceId
from reconciler.core.model.plan import Ownership
from reconciler.core.model.source import Snapshot
from reconciler.core.model.spec import Fetch, Fleet, Gpu, Model, ModelFile, ModelSource, Origin, Parsed, Service, Vendor
from reconciler.core.plan import owner
from reconciler.core.rules import llamacpp

NAMESPACE = "llm"
REVISION = "1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d"
REPOSITORY = "https://git.example.com/team/models"
OWNER = owner("test", "llmkube-system", REPOSITORY, "")
SNAPSHOT = Snapshot(REPOSITORY, "main", REVISION, ())

_RESOURCES = {Vendor.NVIDIA: "nvidia.com/gpu", Vendor.AMD: "amd.com/gpu", Vendor.INTEL: "gpu.intel.com/i915"}


def model(name: str = "llama-model", *, namespace: str = NAMESPACE, **changes: Any) -> Model:
    """Return a Model with one file on Hugging Face; `changes` are fields of Model."""
    file = ModelFile(f"https://huggingface.co/acme/{name}-GGUF/resolve/main/{name}-q4.gguf", f"{name}-q4.gguf")
    fields = {"source": ModelSource(Fetch.HTTP, (file,), revision="main"), **changes}
    return Model(ServiceId(namespace, name), Origin(f"models/{name}/llm.yaml", 1), **fields)


def gpu(count: int, vendor: Vendor = Vendor.NVIDIA, **changes: Any) -> Gpu:
    """Return so many whole GPUs of a vendor; `changes` are fields of Gpu."""
    fields = {"resource": _RESOURCES[vendor], "taint_key": _RESOURCES[vendor], **changes}
    return Gpu(vendor, count, **fields)


def service(name: str = "llama", gpus: int = 0, *, namespace: str = NAMESPACE, **changes: Any) -> Service:
    """Return a Service of a Model of its own, on so many NVIDIA GPUs; `changes` are fields of Service."""
    asked = changes.pop("gpu", gpu(gpus) if gpus else None)
    image = changes.pop(
        "image", llamacpp.default_image(asked.vendor if asked else Vendor.CPU, asked.runtime if asked else "")
    )
    fields = {
        "model": model(f"{name}-model", namespace=namespace),
        "gpu": asked,
        "image": image,
        "build": llamacpp.build_of(image),
        **changes,
    }
    return Service(ServiceId(namespace, name), Origin(f"models/{name}/llm.yaml", 3), **fields)


def parsed(services: Iterable[Service] = (), **changes: Any) -> Parsed:
    """Return the specs of a complete revision with these services; `changes` are fields of Parsed."""
    wanted = tuple(sorted(services, key=lambda found: found.id))
    fields = {
        "models": tuple(found.model for found in wanted),
        "fleet": Fleet(),
        "problems": (),
        "invalid": (),
        "complete": bool(wanted),
        "incomplete_reason": "" if wanted else "there is no InferenceService in the repository",
        "empty": not wanted,
        **changes,
    }
    return Parsed(wanted, **fields)


def ownership(repository: str = REPOSITORY, path: str = "", cluster: str = "test") -> Ownership:
    """Return the ownership of the tests' cluster, or of one that a test names."""
    return owner(cluster, "llmkube-system", repository, path)
