import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from reconciler.core import report
from reconciler.core.model.health import Phase
from reconciler.core.model.problem import Problem
from reconciler.core.model.report import Status
from reconciler.core.model.source import Report
from report_fleets import ALL_GOOD, FLEETS, FOREIGN, HELD_DELETIONS, INVALID, MIXED
from report_outcomes import REVISION, Scene

SCHEMA = json.loads((Path(__file__).parents[3] / "specs-schema" / "status.json").read_text(encoding="utf-8"))

PARENT = "0" * 40


def written(scene: Scene, previous: Report | None = None) -> bytes:
    return report.build(scene.outcome(), previous).files["status.json"]


def status(content: bytes) -> Status:
    found = report.read_status(content)
    assert isinstance(found, Status)
    return found


def changed(**fields: Any) -> bytes:
    return json.dumps(json.loads(written(ALL_GOOD)) | fields).encode()


@pytest.mark.parametrize("name", FLEETS)
def test_what_is_written_keeps_the_schema(name: str) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(written(FLEETS[name])))


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def described(schema: Any) -> list[str]:
    """Return the names of properties without a description, anywhere in the schema."""
    if isinstance(schema, list):
        return [name for below in schema for name in described(below)]
    if not isinstance(schema, dict):
        return []
    own = [name for name, below in schema.get("properties", {}).items() if "description" not in below]
    return own + [name for below in schema.values() for name in described(below)]


def test_every_property_is_described() -> None:
    assert described(SCHEMA) == []


@pytest.mark.parametrize("name", FLEETS)
def test_what_is_written_is_read_back(name: str) -> None:
    outcome = FLEETS[name].outcome()
    found = status(written(FLEETS[name]))
    assert found.services == report.fleet(outcome)
    assert found.problems == outcome.plan.parsed.problems
    assert (found.revision, found.plan_hash) == (outcome.plan.snapshot.revision, outcome.plan.hash)


def test_fields_of_a_later_version_are_passed_over() -> None:
    assert status(changed(weather="fine")) == status(written(ALL_GOOD))


def test_a_phase_of_a_later_version_is_not_ready() -> None:
    document = json.loads(written(ALL_GOOD))
    document["services"][0]["phase"] = "Dreaming"
    first = status(json.dumps(document).encode()).services[0]
    assert first.phase is Phase.PENDING
    assert "Dreaming" in first.message


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "its schema is None"),
        (changed(schema="acme/v1"), "'acme/v1'"),
        (changed(schema="llmkube.dev/status/v9"), "a later llmkube wrote it"),
        (changed(services=7), "does not keep its schema"),
        (changed(cluster=None), "does not keep its schema"),
    ],
)
def test_what_is_not_ours_is_a_problem_that_says_why(content: bytes, hint: str) -> None:
    found = report.read_status(content)
    assert isinstance(found, Problem)
    assert hint in found.message


def test_a_report_without_a_status_reads_as_none() -> None:
    assert report.read(Report({}, "")) is None


def test_a_settled_revision_is_the_applied_one() -> None:
    assert status(written(ALL_GOOD)).applied == REVISION


def test_while_a_deletion_is_held_the_applied_revision_stays() -> None:
    before = report.build(replace(ALL_GOOD, revision=PARENT).outcome(), None)
    assert status(written(HELD_DELETIONS, before)).applied == PARENT


def test_a_failed_change_keeps_the_applied_revision() -> None:
    assert status(written(MIXED)).applied == ""


def test_an_incomplete_deletion_keeps_the_applied_revision() -> None:
    assert status(written(INVALID)).applied == ""


def test_an_invalid_service_alone_does_not_keep_old_trailers_alive() -> None:
    held = {"mistral": INVALID.held["mistral"]}
    assert status(written(replace(INVALID, held=held))).applied == REVISION


def test_a_foreign_object_does_not_keep_old_trailers_alive() -> None:
    assert status(written(FOREIGN)).applied == REVISION
