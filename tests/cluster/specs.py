"""Specs as text: one model and its service a file."""

from typing import Any

import yaml

JsonObject = dict[str, Any]


def llm(
    name: str = "llama", *, gpus: int = 0, namespace: str = "", model: JsonObject | None = None, **spec: Any
) -> str:
    """Return an llm.yaml of a small model; `spec` goes into the service as it is."""
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    accelerator = {"accelerator": {"type": "nvidia", "gpuCount": gpus}} if gpus else {}
    documents = (
        _document(
            "Model",
            metadata,
            {"source": {"huggingFace": {"repo": "bartowski/Any-GGUF", "filename": "any.gguf"}}, **(model or {})},
        ),
        _document(
            "InferenceService", metadata, {"modelRef": {"name": name}, "contextSize": 4096, **accelerator, **spec}
        ),
    )
    return yaml.safe_dump_all(documents, sort_keys=False)


def _document(kind: str, metadata: JsonObject, spec: JsonObject) -> JsonObject:
    return {"apiVersion": "inference.llmkube.dev/v1alpha1", "kind": kind, "metadata": dict(metadata), "spec": spec}
