from typing import Any

from reconciler.core.rules import adoption, fields


def deployment(
    labels: dict[str, str] | None = None, annotations: dict[str, str] | None = None, **spec: Any
) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "llama", "labels": labels or {}, "annotations": annotations or {}},
        "spec": spec,
    }


def entry(manager: str, owned: dict[str, Any]) -> dict[str, Any]:
    return {"manager": manager, "operation": "Update", "apiVersion": "apps/v1", "fieldsV1": owned}


def with_env(*names: str, **spec: Any) -> dict[str, Any]:
    container = {"name": "server", "env": [{"name": name, "value": "1"} for name in names]}
    return deployment(template={"spec": {"containers": [container], **spec}})


def owner_of(manager: str, *env: str) -> dict[str, Any]:
    items = {f'k:{{"name":"{name}"}}': {".": {}, "f:name": {}, "f:value": {}} for name in env}
    container = {'k:{"name":"server"}': {".": {}, "f:name": {}, "f:env": {".": {}, **items}}}
    spec = {"f:containers": container, "f:schedulerName": {}}
    return entry(manager, {"f:spec": {"f:template": {"f:spec": spec}}})


def adopted(manager: str) -> dict[str, Any]:
    live = with_env("OURS", "THEIRS", schedulerName="default-scheduler")
    live["metadata"]["managedFields"] = [owner_of(manager, "OURS", "THEIRS")]
    fresh = with_env("OURS", schedulerName="default-scheduler")
    return dict(adoption.remaining(live, fresh, live))


def test_what_kubectl_set_and_git_does_not_name_goes_with_an_adoption() -> None:
    assert adopted("kubectl-client-side-apply") == {
        **with_env("OURS", schedulerName="default-scheduler"),
        "metadata": adopted("kubectl-client-side-apply")["metadata"],
    }


def test_what_another_manager_set_stays_at_an_adoption() -> None:
    assert adopted("helm")["spec"] == with_env("OURS", "THEIRS", schedulerName="default-scheduler")["spec"]


def test_what_people_annotate_by_hand_stays_at_an_adoption() -> None:
    assert not adoption.comes_along(entry("kubectl-annotate", {}))
    assert not adoption.comes_along({**entry("kubectl", {}), "subresource": "scale"})
    assert adoption.comes_along(entry("kubectl-edit", {}))


def test_what_a_controller_notes_on_an_object_is_no_change_of_it() -> None:
    before = deployment(annotations={"note": "1"})
    after = deployment(annotations={"note": "1", "deployment.kubernetes.io/revision": "1"})
    assert fields.same(before, after)
    assert not fields.same(before, deployment(annotations={"note": "2"}))


def test_a_claim_that_was_bound_meanwhile_is_the_same() -> None:
    claim = {"kind": "PersistentVolumeClaim", "metadata": {"name": "c"}, "spec": {"accessModes": ["ReadWriteOnce"]}}
    bound = {
        **claim,
        "metadata": {"name": "c", "annotations": {"pv.kubernetes.io/bind-completed": "yes"}},
        "spec": {"accessModes": ["ReadWriteOnce"], "volumeName": "pv-1"},
    }
    assert fields.same(claim, bound)
    assert not fields.same(claim, {**bound, "spec": {"accessModes": ["ReadWriteMany"]}})
