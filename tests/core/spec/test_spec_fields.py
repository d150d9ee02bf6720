"""tests/data/fields.yaml: what becomes of every field of LLMKube's API."""

import dataclasses
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler import resources
from reconciler.core import spec
from reconciler.core.model.problem import Severity
from reconciler.core.model.spec import Parsed

DATA = Path(__file__).parents[2] / "data"
FIELDS: list[dict[str, Any]] = yaml.safe_load((DATA / "fields.yaml").read_text())
NAMES: dict[str, dict[str, list[str]]] = yaml.safe_load((DATA / "field-names.yaml").read_text())
GROUP = "inference.llmkube.dev/v1alpha1"
SEVERITIES = {"noted": Severity.NOTE, "refused": Severity.ERROR}


def documents(field: dict[str, Any]) -> str:
    model = {"source": "https://example.com/m.gguf", **field.get("model", {})}
    service = {"modelRef": "m", "contextSize": 4096, **field.get("service", {})}
    found = [
        {"apiVersion": GROUP, "kind": "Model", "metadata": {"name": "m"}, "spec": model},
        {"apiVersion": GROUP, "kind": "InferenceService", "metadata": {"name": "s"}, "spec": service},
    ]
    if "fleet" in field:
        found.append({"apiVersion": "gitops.llmkube.dev/v1alpha1", "kind": "Fleet", "spec": field["fleet"]})
    return yaml.safe_dump_all(found)


def parsed(text: str) -> Parsed:
    options = spec.Options()
    file = spec.parse_file("llm.yaml", text.encode(), resources.schemas(), options)
    return spec.link([file], options, resources.flags())


def plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: plain(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value.isoformat() if isinstance(value, datetime) else value


def at(result: Parsed, path: str) -> Any:
    root, *steps = path.split(".")
    value: Any = {"service": result.services[0], "model": result.services[0].model, "fleet": result.fleet}[root]
    for step in steps:
        key = int(step) if step.isdigit() else step
        value = value[key] if isinstance(value, dict) or step.isdigit() else getattr(value, step)
    return plain(value)


def of(verdict: str) -> list[Any]:
    found = [(number, field) for number, field in enumerate(FIELDS) if field["verdict"] == verdict]
    return [pytest.param(field, id=f"{number}-{field['field']}") for number, field in found]


@pytest.mark.parametrize("field", of("served"))
def test_a_served_field_is_in_the_normalised_value(field: dict[str, Any]) -> None:
    result = parsed(documents(field))
    assert result.complete, result.problems
    assert at(result, field["path"]) == field["value"]


@pytest.mark.parametrize("field", of("served"))
def test_a_served_field_is_served_silently_unless_the_table_says_otherwise(field: dict[str, Any]) -> None:
    problems = parsed(documents(field)).problems
    assert all(field["message"] in problem.message for problem in problems) if "message" in field else not problems


@pytest.mark.parametrize("field", [*of("noted"), *of("refused")])
def test_a_field_that_is_not_served_says_so(field: dict[str, Any]) -> None:
    found = [p for p in parsed(documents(field)).problems if p.severity is SEVERITIES[field["verdict"]]]
    assert [problem for problem in found if field["message"] in problem.message], found


@pytest.mark.parametrize("field", of("noted"))
def test_a_noted_field_holds_nothing_back(field: dict[str, Any]) -> None:
    assert parsed(documents(field)).complete


@pytest.mark.parametrize("field", of("refused"))
def test_a_refused_field_holds_its_service_back(field: dict[str, Any]) -> None:
    result = parsed(documents(field))
    assert (len(result.invalid), result.services, result.complete) == (1, (), False)


def test_every_field_of_the_api_stands_in_the_table() -> None:
    wanted = {f"{kind}.spec.{name}" for kinds in NAMES.values() for kind, names in kinds.items() for name in names}
    assert wanted - {field["field"] for field in FIELDS} == set()


def test_every_field_of_the_schemas_stands_in_the_table() -> None:
    named = {field["field"] for field in FIELDS}
    kinds = {"Model": "model", "InferenceService": "inferenceservice", "Fleet": "fleet"}
    for kind, name in kinds.items():
        properties = resources.schemas().by_name[name]["properties"]["spec"]["properties"]
        for field in properties:
            starred = any(entry.endswith("*") and f"{kind}.spec.{field}".startswith(entry[:-1]) for entry in named)
            known = any(entry == f"{kind}.spec.{field}" or entry.startswith(f"{kind}.spec.{field}.") for entry in named)
            assert starred or known, field
