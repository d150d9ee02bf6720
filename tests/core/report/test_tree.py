from dataclasses import replace

import pytest
import yaml

from reconciler.core import report
from reconciler.core.model.health import Phase, ServiceHealth
from reconciler.core.model.source import Report
from report_fleets import ALL_GOOD, FLEETS, FOLDER, HELD_DELETIONS, HELD_ROLLOUTS, MIXED
from report_outcomes import Scene, manifests, ready, service

MISTRAL = "manifests/llm/mistral.yaml"


def built(scene: Scene, previous: Report | None = None) -> Report:
    return report.build(scene.outcome(), previous)


@pytest.mark.parametrize("name", FLEETS)
def test_an_equal_state_gives_equal_bytes(name: str) -> None:
    first = built(FLEETS[name])
    assert built(FLEETS[name], first).files == first.files


def test_what_was_done_reaches_no_file() -> None:
    before, after = built(replace(ALL_GOOD, created=("embed",))), built(replace(ALL_GOOD, updated=()))
    assert before.files == after.files
    assert before.message != after.message


def test_every_commit_is_acknowledged_by_its_own_report() -> None:
    one, other = built(ALL_GOOD), built(replace(ALL_GOOD, revision="f" * 40))
    assert one.files["status.json"] != other.files["status.json"]


@pytest.mark.parametrize("name", FLEETS)
def test_every_service_has_its_file(name: str) -> None:
    outcome = FLEETS[name].outcome()
    files = {path for path in report.build(outcome, None).files if path.startswith("services/")}
    assert files == {f"services/{state.id}.yaml" for state in report.fleet(outcome)}


def test_a_healthy_services_manifests_are_those_wanted_now_with_secrets_masked() -> None:
    content = built(ALL_GOOD).files[MISTRAL].decode()
    kinds = [found["kind"] for found in yaml.safe_load_all(content)]
    assert kinds == ["Service", "Deployment"]
    assert "hf_live_1234" not in content
    assert "sk-live-1234" not in content


def test_no_file_holds_a_secret() -> None:
    for scene in FLEETS.values():
        assert not any(b"live_1234" in content or b"live-1234" in content for content in built(scene).files.values())


def test_a_folders_manifests_are_those_rendered() -> None:
    assert MISTRAL in built(FOLDER).files


def test_while_a_service_is_not_healthy_its_last_manifests_stay() -> None:
    before = built(ALL_GOOD)
    loading = replace(
        ALL_GOOD,
        services=(*ALL_GOOD.services[:1], service("mistral", 4, replicas=3), *ALL_GOOD.services[2:]),
        health={**ALL_GOOD.health, "mistral": ServiceHealth(Phase.LOADING, desired=3)},
    )
    assert built(loading, before).files[MISTRAL] == before.files[MISTRAL]
    well = replace(loading, health=ALL_GOOD.health)
    assert b"replicas: 3" in built(well, before).files[MISTRAL]


def test_a_held_services_last_manifests_stay() -> None:
    before = built(ALL_GOOD)
    assert built(HELD_ROLLOUTS, before).files[MISTRAL] == before.files[MISTRAL]


def test_a_service_that_was_never_healthy_has_no_manifests() -> None:
    assert "manifests/llm/qwen.yaml" not in built(MIXED).files


def test_manifests_go_with_their_service() -> None:
    before = built(ALL_GOOD)
    assert MISTRAL in built(HELD_DELETIONS, before).files
    gone = replace(ALL_GOOD, services=ALL_GOOD.services[:1], deleted=("mistral",), updated=())
    assert MISTRAL not in built(gone, before).files


def test_changes_that_were_not_carried_out_leave_the_manifests() -> None:
    assert MISTRAL not in built(replace(ALL_GOOD, interrupted=True)).files


def test_a_previous_report_of_others_is_passed_over() -> None:
    others = Report({"status.json": b"{}", "README.md": b"theirs"}, "")
    assert built(ALL_GOOD, others).files == built(ALL_GOOD).files


def test_the_order_of_what_was_observed_does_not_matter() -> None:
    outcome = ALL_GOOD.outcome()
    observed = replace(
        outcome.observed,
        nodes=tuple(reversed(outcome.observed.nodes)),
        live=dict(reversed(list(outcome.observed.live.items()))),
    )
    turned = replace(outcome, observed=observed, changes=tuple(reversed(outcome.changes)))
    assert report.build(turned, None).files == report.build(outcome, None).files


def test_names_cannot_leave_their_folder() -> None:
    scene = Scene((service("../../.git/config"), service(".hidden"), service("n" * 300)))
    paths = [path for path in built(scene).files if path.startswith("services/")]
    assert all(path.count("/") == 2 and "/." not in path for path in paths)
    assert all(len(path.rpartition("/")[2]) <= 255 for path in paths)
    assert len(paths) == 3


def test_a_large_fleet_is_still_one_page() -> None:
    many = tuple(service(f"s{number:04d}", 1) for number in range(1500))
    files = built(Scene(many, {one.id.name: ready("gpu-a") for one in many})).files
    assert len(files["README.md"]) < 512 * 1024
    assert b"And 500 more" in files["README.md"]
    assert manifests("s0000")[0]["kind"].encode() in files["manifests/llm/s0000.yaml"]
