from dataclasses import replace

import pytest

from reconciler.core import report
from reconciler.core.model.change import Action, Hold, HoldReason
from reconciler.core.model.health import Phase, ServiceHealth
from reconciler.core.model.objects import ServiceId
from reconciler.core.model.report import ServiceState
from reconciler.core.model.spec import Invalid, ModelFile, Origin
from reconciler.core.rules.names import label_value
from report_fleets import ALL_GOOD, FOREIGN, HELD_DELETIONS, HELD_ROLLOUTS, INVALID, MIXED, UNREADABLE
from report_outcomes import NAMESPACE, Scene, deployment, ready, service


def state(scene: Scene, name: str) -> ServiceState:
    found = {one.name: one for one in report.fleet(scene.outcome())}
    return found[name]


def names(scene: Scene) -> list[str]:
    return [one.name for one in report.fleet(scene.outcome())]


def test_services_stand_sorted() -> None:
    assert names(ALL_GOOD) == ["embed", "llama-3.1-70b", "mistral"]


def test_a_ready_service_tells_what_it_serves_and_where() -> None:
    found = state(ALL_GOOD, "llama-3.1-70b")
    assert (found.phase, found.gpus, found.resource, found.build) == (Phase.READY, 4, "nvidia.com/gpu", 6869)
    assert found.url == "http://llama-3-1-70b.llm.svc:8080/v1/chat/completions"
    assert (found.spec, found.nodes) == ("models/llama-3.1-70b/llm.yaml:9", ("gpu-a",))


def test_a_live_service_with_errors_is_invalid_and_keeps_running() -> None:
    found = state(INVALID, "mistral")
    assert found.phase is Phase.INVALID
    assert "keeps running as it was" in found.message
    assert "models/mistral/llm.yaml:14" in found.next_action
    assert (found.ready, found.desired) == (2, 2)


def test_a_new_service_with_errors_says_that_nothing_of_it_runs() -> None:
    broken = Invalid(ServiceId(NAMESPACE, "fresh"), Origin("models/fresh/llm.yaml", 1))
    assert "Nothing of it runs" in state(Scene(invalid=(broken,)), "fresh").message


def test_an_invalid_service_takes_the_error_of_its_own_document() -> None:
    path = "models/both/llm.yaml"
    broken = tuple(Invalid(ServiceId(NAMESPACE, name), Origin(path, line)) for name, line in (("a", 1), ("b", 20)))
    problems = tuple(replace(INVALID.problems[0], path=path, line=line, message=f"at {line}") for line in (5, 25))
    scene = Scene(invalid=broken, problems=problems)
    assert state(scene, "a").message.startswith("At 5")
    assert state(scene, "b").message.startswith("At 25")


def test_a_service_whose_file_cannot_be_read_points_at_the_error() -> None:
    found = state(UNREADABLE, "mistral")
    assert (found.phase, found.cause, found.spec) == (Phase.HELD, "incomplete", "models/mistral/llm.yaml:3")
    assert "keeps running as it was" in found.message


def test_a_service_that_left_git_is_held_while_a_guard_keeps_it() -> None:
    found = state(HELD_DELETIONS, "phi")
    assert (found.phase, found.cause) == (Phase.HELD, "deletions")
    assert "Llmkube-Allow: delete=3" in found.next_action


def test_a_service_that_was_deleted_is_not_told() -> None:
    assert "old" not in names(MIXED)


def test_a_service_whose_deletion_was_cut_short_is_still_told() -> None:
    scene = replace(ALL_GOOD, deleted=("old",), interrupted=True)
    assert state(scene, "old").phase is Phase.PENDING


def test_a_service_that_could_not_be_deleted_has_failed() -> None:
    scene = replace(ALL_GOOD, deleted=("old",), failed={"old": "the server said no"})
    assert (state(scene, "old").phase, state(scene, "old").message) == (Phase.FAILED, "The server said no.")


def test_a_kept_cache_makes_no_service() -> None:
    assert "gemma" not in names(HELD_DELETIONS)


def test_a_kept_cache_does_not_hold_its_service() -> None:
    assert state(replace(ALL_GOOD, retained=("mistral",)), "mistral").phase is Phase.READY


@pytest.mark.parametrize(
    "reason", [reason for reason in HoldReason if reason not in {HoldReason.INVALID, HoldReason.RETAINED}]
)
def test_every_other_hold_is_told_with_its_reason_and_a_next_action(reason: HoldReason) -> None:
    scene = replace(ALL_GOOD, updated=(), held={"mistral": (Action.UPDATE, Hold(reason, "for a reason"))})
    found = state(scene, "mistral")
    assert (found.phase, found.cause) == (Phase.HELD, reason.value)
    assert "For a reason" in found.message
    assert found.next_action


def test_a_rollout_that_waits_needs_nobody() -> None:
    assert state(HELD_ROLLOUTS, "mistral").next_action.startswith("None.")


def test_a_foreign_object_names_the_annotation_that_hands_it_over() -> None:
    assert "gitops.llmkube.dev/adopt: prod" in state(FOREIGN, "embed").next_action


def test_an_error_is_told_before_a_hold() -> None:
    scene = replace(MIXED, held={"phi": (Action.UPDATE, Hold(HoldReason.PAUSED, "paused"))})
    assert state(scene, "new").phase is Phase.FAILED


def test_suspended_comes_before_what_is_live() -> None:
    assert state(MIXED, "draft").phase is Phase.SUSPENDED


def test_a_folder_renders_and_is_never_ready() -> None:
    scene = Scene((service("llama", 1),), {"llama": ready("gpu-a")}, runs=False)
    assert state(scene, "llama").phase is Phase.RENDERED


def test_a_service_without_a_deployment_is_pending() -> None:
    assert state(Scene((service("llama"),)), "llama").phase is Phase.PENDING


@pytest.mark.parametrize("phase", [Phase.DOWNLOADING, Phase.LOADING])
def test_progress_does_not_reach_the_state(phase: Phase) -> None:
    scenes = (
        Scene((service("llama"),), {"llama": ServiceHealth(phase, "", f"{percent} %", 0, 1)}) for percent in (1, 99)
    )
    first, second = (report.fleet(scene.outcome()) for scene in scenes)
    assert first == second


@pytest.mark.parametrize(
    ("cause", "hint"),
    [
        ("download refused (HTTP 401): the source wants a token", "sourceSecretRef"),
        ("download failed (HTTP 404): the file is not there", "source"),
        ("no space left on the cache volume", "cache"),
        ("OOMKilled: the container needs more host memory than its limit", "memory"),
        ("ImagePullBackOff: the image cannot be pulled", "image"),
        ("CrashLoopBackOff: exit code 1", "kubectl logs"),
        ("", "kubectl logs"),
    ],
)
def test_a_known_cause_comes_with_what_helps(cause: str, hint: str) -> None:
    scene = Scene((service("llama"),), {"llama": ServiceHealth(Phase.FAILED, cause, cause, 0, 1)})
    assert hint in state(scene, "llama").next_action


def test_a_live_label_that_was_cut_leads_back_to_its_service() -> None:
    name = "a" * 70
    scene = Scene((service(name),), {})
    outcome = scene.outcome()
    label = ServiceId(NAMESPACE, label_value(name))
    health = replace(outcome.health, services={label: ready("gpu-a")})
    (found,) = report.fleet(replace(outcome, health=health))
    assert found.phase is Phase.READY


def test_a_models_address_is_told_without_what_could_be_secret() -> None:
    wanted = service("llama")
    file = ModelFile("https://user:hunter2@models.example.com/a/b.gguf?X-Signature=hunter2#x", "b.gguf")
    secret = replace(wanted, model=replace(wanted.model, source=replace(wanted.model.source, files=(file,))))
    assert state(Scene((secret,)), "llama").source == "https://models.example.com/a/b.gguf"


def test_the_deployment_speaks_for_its_service() -> None:
    outcome = HELD_ROLLOUTS.outcome()
    changes = tuple(
        replace(change, action=Action.UPDATE, hold=Hold(HoldReason.PAUSED, "the service object is paused"))
        if change.key.kind == "Service" and change.service.name == "mistral"
        else change
        for change in outcome.changes
    )
    assert any(change.key == deployment("mistral") and change.hold for change in changes)
    found = {one.name: one for one in report.fleet(replace(outcome, changes=changes))}
    assert found["mistral"].cause == "rollouts"
