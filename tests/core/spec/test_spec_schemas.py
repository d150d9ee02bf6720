"""The published schemas: described throughout, and read alike by the fast validator and by the one that explains."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from referencing import Registry

from reconciler import resources
from reconciler.core.spec import oracle

NAMES = ("model", "inferenceservice", "fleet")
BASES: dict[str, dict[str, Any]] = {
    "model": {"apiVersion": "inference.llmkube.dev/v1alpha1", "kind": "Model", "metadata": {"name": "m"}},
    "inferenceservice": {
        "apiVersion": "inference.llmkube.dev/v1alpha1",
        "kind": "InferenceService",
        "metadata": {"name": "s"},
    },
    "fleet": {"apiVersion": "gitops.llmkube.dev/v1alpha1", "kind": "Fleet"},
}
SPECS: dict[str, dict[str, Any]] = {
    "model": {"source": "https://e.x/m.gguf"},
    "inferenceservice": {"modelRef": "m"},
    "fleet": {},
}


def properties(schema: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(schema, dict):
        for name, child in schema.get("properties", {}).items():
            yield f"{path}/{name}", child
        for key, child in schema.items():
            yield from properties(child, f"{path}/{key}")
    elif isinstance(schema, list):
        for index, child in enumerate(schema):
            yield from properties(child, f"{path}/{index}")


@pytest.mark.parametrize("name", resources.SCHEMAS)
def test_every_property_has_a_description(name: str) -> None:
    assert [path for path, child in properties(resources.schemas().by_name[name]) if not child.get("description")] == []


@pytest.mark.parametrize("name", resources.SCHEMAS)
def test_a_schema_is_a_schema_with_a_stable_id(name: str) -> None:
    schema = resources.schemas().by_name[name]
    Draft202012Validator.check_schema(schema)
    assert schema["$id"] == f"https://llmkube.dev/schemas/v1alpha1/{name}.json"


@pytest.mark.parametrize("name", NAMES)
def test_no_mapping_of_ours_takes_unknown_fields(name: str) -> None:
    spec = resources.schemas().by_name[name]["properties"]["spec"]
    assert spec["additionalProperties"] is False


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 70_000)
    | st.floats(allow_nan=False, allow_infinity=False, width=32)
    | st.sampled_from(["", "cpu", "4Gi", "nvidia", "a/b", "1g.24gb", "0-19", "none", "Cached", "x\n", "0644"])
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "type", "count", "gpu", "size", "min", "key", "reason"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_the_fast_validator_and_the_explaining_one_accept_the_same(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(NAMES))
    schema = resources.schemas().by_name[name]
    known = sorted(schema["properties"]["spec"]["properties"])
    chosen = data.draw(st.dictionaries(st.sampled_from([*known, "other"]), VALUES, max_size=4))
    document = {**BASES[name], "spec": {**SPECS[name], **chosen}}
    assert resources.schemas().accepts(name, document) == (not list(oracle.errors(schema, document)))


@pytest.mark.parametrize("name", NAMES)
def test_the_selecting_schema_takes_what_the_kinds_own_schema_takes(name: str) -> None:
    by_name = resources.schemas().by_name
    registry = Registry().with_contents([(schema["$id"], schema) for schema in by_name.values()])
    validator = Draft202012Validator(by_name["llm"], registry=registry)
    assert validator.is_valid({**BASES[name], "spec": SPECS[name]})
    assert not validator.is_valid({**BASES[name], "spec": {**SPECS[name], "other": 1}})
