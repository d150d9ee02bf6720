"""What each served field of LLMKube's API changes in the rendered objects, in tests/data/fields-rendered.yaml.

UPDATE_GOLDEN=1 writes it anew; read the difference before committing it.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler import resources
from reconciler.core import plan, spec
from reconciler.core.model.objects import JsonObject
from reconciler.core.model.source import Snapshot
from reconciler.core.rules import fields, yamltext

DATA = Path(__file__).parents[1] / "data"
GOLDEN = DATA / "fields-rendered.yaml"
SERVED: list[dict[str, Any]] = [
    field for field in yaml.safe_load((DATA / "fields.yaml").read_text()) if field["verdict"] == "served"
]
GROUP = "inference.llmkube.dev/v1alpha1"

UNRENDERED = {
    "Fleet.spec.guards": "what a tick may do",
    "Fleet.spec.kubernetesVersion": "what is refused",
    "Fleet.spec.pools": "what is planned without a cluster",
    "Fleet.spec.suspend": "what a tick may do",
    "InferenceService.spec.endpoint.path": "the report's address alone",
    "InferenceService.spec.modelRef": "the base has it too",
    "InferenceService.spec.modelRef.name": "the base has it too",
    "InferenceService.spec.rolloutPolicy.waitForIdle": "every pod waits, asked or not",
    "InferenceService.spec.runtime": "llama.cpp is the only one",
    "Model.spec.format": "GGUF is the only one",
    "Model.spec.hardware.gpu.memory": "what the memory plan counts with",
    "Model.spec.refreshPolicy": "IfNotPresent is the only one",
}
"""Fields that no object shows, and where they are seen instead."""


def rendered(field: Mapping[str, Any]) -> dict[str, JsonObject]:
    found: list[Any] = [
        {
            "apiVersion": GROUP,
            "kind": "Model",
            "metadata": {"name": "m"},
            "spec": {"source": "https://example.com/m.gguf", **field.get("model", {})},
        },
        {
            "apiVersion": GROUP,
            "kind": "InferenceService",
            "metadata": {"name": "s"},
            "spec": {"modelRef": "m", "contextSize": 4096, **field.get("service", {})},
        },
    ]
    if "fleet" in field:
        found.append({"apiVersion": "gitops.llmkube.dev/v1alpha1", "kind": "Fleet", "spec": field["fleet"]})
    options = spec.Options()
    file = spec.parse_file("llm.yaml", yaml.safe_dump_all(found).encode(), resources.schemas(), options)
    parsed = spec.link([file], options, resources.flags())
    desired = plan.build(parsed, Snapshot("", "", "", ()), None)
    return {_label(planned.manifest): planned.manifest for planned in desired.objects}


def _label(manifest: JsonObject) -> str:
    return manifest["kind"] if manifest["metadata"]["name"] == "s" else f"{manifest['kind']} of its own name"


BASE = rendered({})


def changes(field: Mapping[str, Any]) -> dict[str, Any]:
    """Kind -> `path: value`; a whole object where the base has none."""
    after = rendered(field)
    found: dict[str, Any] = {}
    for kind in sorted({*BASE, *after}):
        if kind not in BASE or kind not in after:
            found[kind] = after.get(kind)
            continue
        listed = fields.differences(BASE[kind], after[kind])
        found[kind] = {change.path: change.new for change in listed}
    return {kind: change for kind, change in found.items() if change != {}}


def entry(field: Mapping[str, Any]) -> dict[str, Any]:
    given = {name: field[name] for name in ("model", "service", "fleet") if name in field}
    return {"field": field["field"], **given, "changes": changes(field)}


def test_every_served_field_changes_the_objects_exactly_as_recorded() -> None:
    text = yamltext.dump([[entry(field) for field in SERVED]], sort_keys=False)
    if os.environ.get("UPDATE_GOLDEN") == "1":
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8"), "read the difference, then UPDATE_GOLDEN=1 pytest"


@pytest.mark.parametrize("name", sorted({field["field"] for field in SERVED} - UNRENDERED.keys()))
def test_a_served_field_is_seen_in_an_object(name: str) -> None:
    assert any(changes(field) for field in SERVED if field["field"] == name)


@pytest.mark.parametrize("name", sorted(UNRENDERED))
def test_a_field_that_no_object_shows_is_served_all_the_same(name: str) -> None:
    assert any(field["field"] == name for field in SERVED)


@pytest.mark.parametrize(
    "field", [field for field in SERVED if "renders" in field], ids=lambda field: str(field["field"])
)
def test_a_field_stands_where_its_table_says(field: Mapping[str, Any]) -> None:
    wanted = field["renders"]
    found: Any = next(found for found in rendered(field).values() if found["kind"] == wanted["kind"])
    for step in wanted["pointer"].strip("/").split("/"):
        name = step.replace("~1", "/").replace("~0", "~")
        found = found[int(name)] if isinstance(found, list) else found[name]
    assert found == wanted["value"]
