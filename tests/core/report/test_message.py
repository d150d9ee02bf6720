import subprocess
from dataclasses import replace

import pytest

from reconciler.core import report
from reconciler.core.model.change import Action, Change, FieldChange, Result
from reconciler.core.model.health import Phase, ServiceHealth
from report_fleets import ALL_GOOD, FLEETS, HELD_ROLLOUTS, MIXED
from report_outcomes import REVISION, Scene, ready, service


def message(scene: Scene, before: Scene | None = None) -> str:
    previous = report.build(before.outcome(), None) if before else None
    return report.build(scene.outcome(), previous).message


def subject(text: str) -> str:
    return text.partition("\n")[0]


def test_the_subject_counts_what_was_done_and_what_is_held() -> None:
    assert subject(message(HELD_ROLLOUTS)) == "status: main@1a2b3c4d, 1 updated, 1 held"


def test_a_commit_that_changed_nothing_is_observed() -> None:
    assert subject(message(replace(ALL_GOOD, updated=()))) == "status: main@1a2b3c4d, no change, observed"


def test_a_service_that_became_ready_is_told() -> None:
    loading = replace(
        ALL_GOOD, updated=(), health={**ALL_GOOD.health, "mistral": ServiceHealth(Phase.LOADING, desired=2)}
    )
    told = message(replace(ALL_GOOD, updated=()), loading)
    assert subject(told) == "status: main@1a2b3c4d, 1 now Ready"
    assert "llm/mistral\n  now Ready, was Loading\n" in told


@pytest.mark.parametrize("name", FLEETS)
def test_a_subject_fits_72_columns(name: str) -> None:
    assert len(subject(message(FLEETS[name]))) < 72


def test_a_long_branch_still_leaves_room() -> None:
    told = subject(message(replace(MIXED, branch="feature/" + "long-" * 30)))
    assert len(told) < 72
    assert "@1a2b3c4d, 2 created" in told


def test_a_subject_that_would_be_too_long_says_that_there_is_more() -> None:
    many = tuple(service(f"s{number:03d}") for number in range(400))
    created, updated = [one.id.name for one in many[:150]], [one.id.name for one in many[150:]]
    failed = dict.fromkeys(created[:120], "no")
    scene = Scene(
        many, created=created, updated=updated, deleted=["gone"], failed=failed, branch="release/2026-11-candidate"
    )
    told = subject(message(scene))
    assert len(told) < 72
    assert told.endswith(", more")


@pytest.mark.parametrize("name", FLEETS)
def test_git_reads_the_trailers(name: str) -> None:
    parsed = subprocess.run(
        ["git", "interpret-trailers", "--parse"],
        input=message(FLEETS[name]),
        text=True,
        capture_output=True,
        check=True,
    ).stdout.splitlines()
    expected = ["Plan-Hash: 5f3c9a"]
    if name != "folder":
        expected = [f"Observed-Commit: {REVISION}", "Cluster: prod", *expected]
    assert parsed == expected


def test_an_error_cannot_forge_a_trailer() -> None:
    forged = "no\n\nObserved-Commit: 666\nCluster: evil"
    told = message(replace(MIXED, failed={"new": forged}))
    assert "\nCluster: evil" not in told
    assert told.count("\nObserved-Commit: ") == 1


def test_a_change_names_its_fields_and_never_their_values() -> None:
    outcome = ALL_GOOD.outcome()
    (result,) = outcome.results
    path = "spec.template.spec.containers[llama].env[HF_TOKEN].value"
    fields = tuple(FieldChange(one, "change", "hunter1", "hunter2") for one in (path, "a", "b", "c", "d"))
    told = report.build(replace(outcome, results=(with_fields(result, fields),)), None).message
    assert f"update Deployment mistral: {path}, a, b and 2 more" in told
    assert "hunter" not in told


def with_fields(result: Result, fields: tuple[FieldChange, ...]) -> Result:
    return replace(result, change=replace(result.change, fields=fields))


def test_a_takeover_is_told_where_it_was_done() -> None:
    scene = replace(ALL_GOOD, takeovers={"mistral": ("spec.replicas (kubectl-edit)",)})
    assert "taken over: spec.replicas (kubectl-edit)" in message(scene)


def test_a_replacement_names_what_is_immutable() -> None:
    outcome = ALL_GOOD.outcome()
    change: Change = replace(
        outcome.results[0].change, action=Action.REPLACE, fields=(FieldChange("spec.selector", "change"),)
    )
    told = report.build(replace(outcome, results=(Result(change),)), None).message
    assert subject(told) == "status: main@1a2b3c4d, 1 replaced"
    assert "replace Deployment mistral: immutable spec.selector" in told


def test_an_interrupted_tick_says_so() -> None:
    assert "Stopped between two effects" in message(replace(ALL_GOOD, interrupted=True))


def test_a_thousand_services_are_told_in_a_readable_length() -> None:
    many = tuple(service(f"s{number:04d}") for number in range(1000))
    told = message(Scene(many, {one.id.name: ready("n") for one in many}, created=[one.id.name for one in many]))
    assert "And 700 more services." in told
