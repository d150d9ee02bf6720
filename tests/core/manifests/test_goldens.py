import functools
import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import referencing
from kubernetes_validate import utils as kubernetes_schemas

import manifest_cases
from reconciler.core import manifests
from reconciler.core.model.objects import JsonObject
from reconciler.core.rules import yamltext

GOLDENS = Path(__file__).parent.parent.parent / "data" / "manifests"

OLDEST = (1, 30)


def _minor(version: str) -> tuple[int, int]:
    major, minor, *_ = version.split(".")
    return int(major), int(minor)


MINORS = tuple(version for version in dict.fromkeys(kubernetes_schemas.all_versions()) if _minor(version) >= OLDEST)
CUSTOM = frozenset({"PodMonitor"})
"""Kinds that Kubernetes has no schema of."""


def _render(case: str) -> tuple[JsonObject, ...]:
    return manifests.build(manifest_cases.SERVICES[case], manifest_cases.fleet(case))


@functools.cache
def _registry(version: str) -> referencing.Registry[Any]:
    name = f"kubernetes-json-schema/v{version}-local-strict/_definitions.json"
    return (
        referencing.Resource.from_contents(kubernetes_schemas.schema_contents(name, version)) @ referencing.Registry()
    )


@functools.cache
def _validator(version: str, api_version: str, kind: str) -> jsonschema.Draft202012Validator:
    group, _, number = api_version.rpartition("/")
    name = "-".join(part for part in (kind.lower(), group.partition(".")[0], number) if part)
    schema = kubernetes_schemas.schema_contents(f"kubernetes-json-schema/v{version}-local-strict/{name}.json", version)
    return jsonschema.Draft202012Validator(schema, registry=_registry(version))


@pytest.mark.parametrize("case", manifest_cases.SERVICES)
def test_manifests_are_as_the_golden_file_has_them(case: str) -> None:
    golden = GOLDENS / f"{case}.yaml"
    text = yamltext.dump(_render(case))
    if os.environ.get("UPDATE_GOLDEN") == "1":
        golden.write_text(text, encoding="utf-8")
    expected = golden.read_text(encoding="utf-8") if golden.exists() else ""
    assert text == expected, f"{golden.name} differs; where that is meant, UPDATE_GOLDEN=1 pytest rewrites it"


def test_every_golden_file_has_its_case() -> None:
    assert {path.stem for path in GOLDENS.glob("*.yaml")} == set(manifest_cases.SERVICES)


@pytest.mark.parametrize("version", MINORS)
def test_every_supported_kubernetes_takes_the_manifests(version: str) -> None:
    seen = set()
    for case in manifest_cases.SERVICES:
        if _minor(version) < manifest_cases.fleet(case).kubernetes_version:
            continue
        for manifest in map(yamltext.plain, _render(case)):
            if manifest["kind"] not in CUSTOM:
                validator = _validator(version, manifest["apiVersion"], manifest["kind"])
                found = [
                    f"{case} {manifest['kind']} {error.json_path}: {error.message}"
                    for error in validator.iter_errors(manifest)
                ]
                assert found == []
                seen.add(manifest["kind"])
    assert len(seen) == 7


def test_the_schemas_are_those_of_every_minor_from_1_30_on() -> None:
    minors = [_minor(version) for version in MINORS]
    assert minors[0] == OLDEST
    assert minors == [(1, number) for number in range(30, 30 + len(minors))]
    assert len(minors) >= 8


def test_the_schemas_refuse_a_field_that_kubernetes_does_not_know() -> None:
    deployment = yamltext.plain(next(found for found in _render("gpu-1") if found["kind"] == "Deployment"))
    deployment["spec"]["template"]["spec"]["containers"][0]["argz"] = []
    assert not _validator(MINORS[-1], "apps/v1", "Deployment").is_valid(deployment)
