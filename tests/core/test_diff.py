from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import OWNER, SNAPSHOT, gpu, parsed, service
from reconciler.core import diff, plan
from reconciler.core.model.change import Action, Change, HoldReason
from reconciler.core.model.objects import JsonObject, Key, key_of
from reconciler.core.model.observed import Observed, Refusal, RefusalReason
from reconciler.core.model.plan import Plan, Planned
from reconciler.core.model.spec import Cache, Invalid, Service
from reconciler.core.rules import ownership, vocabulary

CACHED = Cache(persistent=True, size="10Gi")


def desired(*services: Service, **changes: Any) -> Plan:
    return plan.build(parsed(services, **changes), SNAPSHOT, OWNER)


def live(built: Plan) -> dict[Key, JsonObject]:
    return {found.key: found.manifest for found in built.objects}


def decisions(changes: tuple[Change, ...]) -> list[tuple[str, str]]:
    return [(change.action.value, change.key.kind) for change in changes]


def refused(reason: RefusalReason, kind: str = "Deployment", **changes: Any) -> Change:
    built = desired(service(cache=CACHED))
    key = next(found.key for found in built.objects if found.key.kind == kind)
    refusals = {key: Refusal(reason, "spec.selector: field is immutable", ("spec.selector",), **changes)}
    (change,) = (found for found in diff.compare(built, Observed(live(built), refusals=refusals)) if found.key == key)
    return change


def test_nothing_live_is_all_created_in_the_plans_order() -> None:
    built = desired(service("b"), service("a", cache=CACHED))
    changes = diff.compare(built, Observed({}))
    assert [change.key for change in changes] == [found.key for found in built.objects]
    assert {change.action for change in changes} == {Action.CREATE}


def test_what_waits_for_another_comes_after_it() -> None:
    assert decisions(diff.compare(desired(service(cache=CACHED, max_unavailable="1")), Observed({}))) == [
        ("create", "PersistentVolumeClaim"),
        ("create", "Service"),
        ("create", "PodDisruptionBudget"),
        ("create", "Deployment"),
    ]


def test_orphans_go_in_reverse_so_that_what_serves_goes_before_what_it_stands_on() -> None:
    gone = service("gone", cache=replace(CACHED, delete=True), max_unavailable="1")
    changes = diff.compare(desired(service("kept")), Observed(live(desired(service("kept"), gone))))
    assert decisions(changes)[2:] == [
        ("delete", "PodDisruptionBudget"),
        ("delete", "Deployment"),
        ("delete", "Service"),
        ("delete", "PersistentVolumeClaim"),
    ]


def test_an_update_names_its_fields_and_tells_whether_pods_restart() -> None:
    before, after = desired(service(gpus=1)), desired(service(gpus=2, replicas=2))
    (change,) = (found for found in diff.compare(after, Observed(live(before))) if found.action is Action.UPDATE)
    assert change.rolls
    said = {found.path: (found.kind, found.old, found.new) for found in change.fields}
    container = "spec.template.spec.containers[llama-server]"
    assert said[f"{container}.resources.limits.nvidia.com/gpu"] == ("change", "1", "2")
    assert said[f"{container}.args[--tensor-split]"] == ("add", None, "1,1")
    assert said["spec.replicas"] == ("change", 1, 2)
    assert said["spec.strategy.type"] == ("change", "Recreate", "RollingUpdate")


def test_a_change_of_replicas_restarts_nothing() -> None:
    (change,) = (
        found
        for found in diff.compare(desired(service(replicas=3)), Observed(live(desired(service()))))
        if found.action is Action.UPDATE
    )
    assert not change.rolls


def test_the_servers_answer_is_compared_and_not_the_manifest() -> None:
    built = desired(service())
    defaulted = {
        key: {**manifest, "spec": {**manifest["spec"], "defaulted": True}} for key, manifest in live(built).items()
    }
    assert {found.action for found in diff.compare(built, Observed(defaulted, merged=defaulted))} == {Action.KEEP}
    assert {found.action for found in diff.compare(built, Observed(defaulted))} == {Action.UPDATE}


def test_status_and_bookkeeping_are_no_drift() -> None:
    built = desired(service())
    lived = {
        key: {
            **manifest,
            "status": {"readyReplicas": 1},
            "metadata": {**manifest["metadata"], "uid": "u", "resourceVersion": "7", "generation": 3, "finalizers": []},
        }
        for key, manifest in live(built).items()
    }
    assert {found.action for found in diff.compare(built, Observed(lived))} == {Action.KEEP}


def test_a_known_immutable_field_is_announced_as_a_replacement() -> None:
    built = desired(service())
    lived = live(built)
    key = next(found for found in lived if found.kind == "Deployment")
    spec = {**lived[key]["spec"], "selector": {"matchLabels": {"app": "old"}}}
    changes = diff.compare(built, Observed({**lived, key: {**lived[key], "spec": spec}}))
    (change,) = (found for found in changes if found.key == key)
    assert (change.action, change.rolls, change.hold) == (Action.REPLACE, True, None)


def test_a_claim_is_never_replaced() -> None:
    built = desired(service(cache=CACHED))
    lived = live(built)
    key = next(found for found in lived if found.kind == "PersistentVolumeClaim")
    spec = {**lived[key]["spec"], "storageClassName": "other"}
    (change, *_) = diff.compare(built, Observed({**lived, key: {**lived[key], "spec": spec}}))
    assert change.hold is not None
    assert change.hold.reason is HoldReason.REFUSED


def test_a_refused_immutable_field_is_replaced_only_where_the_new_object_would_be_taken() -> None:
    assert refused(RefusalReason.IMMUTABLE, recreatable=True).action is Action.REPLACE
    assert refused(RefusalReason.IMMUTABLE, recreatable=True).writes
    held = refused(RefusalReason.IMMUTABLE)
    assert held.hold is not None
    assert "nothing is deleted" in held.hold.message


@pytest.mark.parametrize("reason", [reason for reason in RefusalReason if reason is not RefusalReason.IMMUTABLE])
def test_any_other_refusal_replaces_nothing(reason: RefusalReason) -> None:
    change = refused(reason, recreatable=True)
    assert (change.action, change.writes) == (Action.UPDATE, False)


def test_a_claim_that_is_refused_is_not_replaced_either() -> None:
    change = refused(RefusalReason.IMMUTABLE, "PersistentVolumeClaim", recreatable=True)
    assert not change.writes


def test_a_new_object_that_is_refused_is_held_with_the_servers_word() -> None:
    built = desired(service())
    refusals = {found.key: Refusal(RefusalReason.MISSING, 'namespaces "llm" not found') for found in built.objects}
    for change in diff.compare(built, Observed({}, refusals=refusals)):
        assert change.action is Action.CREATE
        assert change.hold is not None
        assert 'namespaces "llm" not found' in change.hold.message


@pytest.mark.parametrize(("size", "held"), [("9Gi", True), ("10240Mi", False), ("20Gi", False)])
def test_a_claim_grows_and_does_not_shrink(size: str, *, held: bool) -> None:
    after = desired(service(cache=replace(CACHED, size=size)))
    (change, *_) = diff.compare(after, Observed(live(desired(service(cache=CACHED)))))
    assert (change.hold is not None) == held


def test_a_strangers_object_is_foreign_until_it_is_handed_over() -> None:
    built = desired(service())
    lived = {
        key: {**manifest, "metadata": {"name": key.name, "namespace": key.namespace}}
        for key, manifest in live(built).items()
    }
    for change in diff.compare(built, Observed(lived)):
        assert change.hold is not None
        assert change.hold.reason is HoldReason.FOREIGN
        assert f"kubectl annotate -n llm {change.key.kind.lower()} llama {vocabulary.ADOPT}=test" in change.hold.message
    for word, taken in (("test", True), ("true", True), ("other", False), ("", False)):
        given_ = {
            key: {**found, "metadata": {**found["metadata"], "annotations": {vocabulary.ADOPT: word}}}
            for key, found in lived.items()
        }
        assert {change.writes for change in diff.compare(built, Observed(given_))} == {taken}


def test_what_is_on_its_way_out_is_not_deleted_again() -> None:
    gone = live(desired(service("gone")))
    going = {
        key: {**found, "metadata": {**found["metadata"], "deletionTimestamp": "2030-01-01T00:00:00Z"}}
        for key, found in gone.items()
    }
    changes = diff.compare(desired(service()), Observed({**live(desired(service())), **going}))
    assert {change.writes for change in changes} == {False}


def test_a_service_whose_spec_is_wrong_stays_as_it_is() -> None:
    broken = service("broken")
    built = desired(service(), invalid=(Invalid(broken.id, broken.origin),), complete=False)
    changes = diff.compare(built, Observed(live(desired(service(), broken))))
    holds = {change.hold.reason for change in changes if change.hold}
    assert holds == {HoldReason.INVALID}
    assert all("models/broken/llm.yaml:3" in change.hold.message for change in changes if change.hold)


def managed(manager: str, fields: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"manager": manager, "operation": "Update", "fieldsType": "FieldsV1", "fieldsV1": fields, **more}


ENV = {
    "f:spec": {
        "f:template": {
            "f:spec": {
                "f:containers": {
                    'k:{"name":"llama-server"}': {
                        "f:env": {'k:{"name":"DEBUG"}': {".": {}, "f:name": {}, "f:value": {}}}
                    }
                }
            }
        }
    }
}


def with_managers(*entries: dict[str, Any], replicas: int = 1) -> Change:
    built = desired(service())
    lived = live(built)
    key = next(found for found in lived if found.kind == "Deployment")
    found = lived[key]
    seen = {
        **found,
        "spec": {**found["spec"], "replicas": replicas},
        "metadata": {**found["metadata"], "managedFields": list(entries)},
    }
    merged = {**lived, key: found}
    (change,) = (item for item in diff.compare(built, Observed({**lived, key: seen}, merged=merged)) if item.key == key)
    return change


def test_a_field_that_is_taken_back_names_who_held_it() -> None:
    change = with_managers(managed("kubectl-edit", {"f:spec": {"f:replicas": {}}}), replicas=5)
    assert change.takeovers == ("spec.replicas (kubectl-edit)",)
    assert change.foreign == ()


def test_a_field_that_others_added_beside_ours_stays_and_is_told() -> None:
    change = with_managers(managed("kubectl-set", ENV))
    assert (change.action, change.takeovers) == (Action.KEEP, ())
    assert change.foreign == ("spec.template.spec.containers[llama-server].env[DEBUG].value (kubectl-set)",)


@pytest.mark.parametrize(
    "entry",
    [
        managed("llmkube-reconciler", ENV),
        managed("llmkube-reconciler-handover", {"f:spec": {"f:replicas": {}}}),
        managed(
            "kube-controller-manager", {"f:metadata": {"f:annotations": {"f:deployment.kubernetes.io/revision": {}}}}
        ),
        managed("kubelet", {"f:status": {"f:x": {}}}, subresource="status"),
        managed("hpa", {"f:spec": {"f:replicas": {}}}, subresource="scale"),
        managed("aws-cloud-controller-manager", {"f:metadata": {"f:finalizers": {".": {}, 'v:"service.k8s.aws"': {}}}}),
        managed("kubectl-annotate", {"f:metadata": {"f:annotations": {f"f:{vocabulary.PAUSED_UNTIL}": {}}}}),
    ],
)
def test_what_others_are_meant_to_write_is_not_told(entry: dict[str, Any]) -> None:
    change = with_managers(entry)
    assert (change.takeovers, change.foreign) == ((), ())


NAMES = st.sampled_from(["a", "b", "c", "d"])
SERVICES = st.lists(
    st.builds(
        service,
        NAMES,
        gpu=st.sampled_from([None, gpu(1), gpu(2)]),
        replicas=st.integers(1, 3),
        cache=st.sampled_from([Cache(), CACHED, replace(CACHED, delete=True)]),
        max_unavailable=st.sampled_from(["", "1"]),
    ),
    unique_by=lambda found: found.id,
)


@given(SERVICES)
def test_a_plan_that_is_live_is_kept_whole(services: list[Service]) -> None:
    built = desired(*services)
    assert all(
        change.action is Action.KEEP and change.hold is None for change in diff.compare(built, Observed(live(built)))
    )


@given(SERVICES, SERVICES, st.booleans())
def test_every_object_is_decided_once_and_only_a_complete_plan_deletes(
    before: list[Service],
    after: list[Service],
    complete: bool,  # noqa: FBT001  # drawn
) -> None:
    built = desired(*after, complete=complete)
    lived = live(desired(*before))
    changes = diff.compare(built, Observed(lived))
    keys = [change.key for change in changes]
    assert sorted(keys) == sorted({*lived, *live(built)})
    assert keys[: len(built.objects)] == [found.key for found in built.objects]
    deleted = [change for change in changes if change.action is Action.DELETE and change.writes]
    assert complete or not deleted
    assert not [change for change in deleted if change.key in live(built)]


@given(SERVICES, SERVICES)
def test_carrying_out_the_changes_leaves_nothing_to_do(before: list[Service], after: list[Service]) -> None:
    built = desired(*after, complete=True)
    lived = live(desired(*before))
    for change in diff.compare(built, Observed(lived)):
        if change.writes and change.action is Action.DELETE:
            del lived[change.key]
        elif change.writes and change.desired is not None:
            lived[change.key] = change.desired
    assert not [change for change in diff.compare(built, Observed(lived)) if change.writes]


@given(SERVICES, SERVICES, st.data())
def test_what_is_not_ours_is_never_written(before: list[Service], after: list[Service], data: st.DataObject) -> None:
    lived = live(desired(*before))
    for key in data.draw(st.sets(st.sampled_from(sorted(lived)))) if lived else ():
        lived[key] = {**lived[key], "metadata": {**lived[key]["metadata"], "labels": {"theirs": "1"}}}
    for change in diff.compare(desired(*after, complete=True), Observed(lived)):
        assert not change.writes or change.live is None or ownership.is_ours(change.live, OWNER)


def test_the_same_comparison_serves_two_revisions_without_an_owner() -> None:
    before, after = (plan.build(parsed((found,)), SNAPSHOT, None) for found in (service("a"), service("b")))
    changes = diff.compare(after, Observed(live(before), runs=False))
    assert decisions(changes) == [
        ("create", "Service"),
        ("create", "Deployment"),
        ("delete", "Deployment"),
        ("delete", "Service"),
    ]


def test_a_planned_object_may_be_of_any_kind() -> None:
    manifest = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "x", "namespace": "llm"},
        "data": {"a": "1"},
    }
    built = replace(desired(service()), objects=(Planned(key_of(manifest), manifest, service().id),))
    (change,) = diff.compare(built, Observed({}))
    assert change.action is Action.CREATE
