import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.model.change import FieldChange
from reconciler.core.rules import fields, immutable


def changes(old: Any, new: Any, path: str = "") -> list[tuple[str, str]]:
    return [(found.path, found.kind) for found in fields.differences(old, new, path)]


def test_fields_are_told_in_the_order_of_their_paths() -> None:
    assert list(fields.differences({"b": 1, "a": {"x": 1}}, {"b": 2, "a": {"x": 1, "y": 2}, "c": 0})) == [
        FieldChange("a.y", "add", None, 2),
        FieldChange("b", "change", 1, 2),
        FieldChange("c", "add", None, 0),
    ]


def test_items_are_found_again_by_what_kubernetes_merges_them_by() -> None:
    old = {"containers": [{"name": "a", "env": [{"name": "X", "value": "1"}]}, {"name": "b"}]}
    new = {
        "containers": [{"name": "b"}, {"name": "a", "env": [{"name": "Y", "value": "1"}, {"name": "X", "value": "2"}]}]
    }
    assert changes(old, new) == [("containers[a].env[X].value", "change"), ("containers[a].env[Y]", "add")]


def test_ports_of_pods_and_of_services_have_keys_of_their_own() -> None:
    pod = [{"containerPort": 8080, "protocol": "TCP", "name": "http"}]
    assert changes({"ports": pod}, {"ports": [{**pod[0], "name": "web"}]}) == [("ports[8080/TCP].name", "change")]
    service = [{"port": 80, "protocol": "TCP", "targetPort": "http"}]
    assert changes({"ports": service}, {"ports": [{**service[0], "targetPort": 1}]}) == [
        ("ports[80/TCP].targetPort", "change")
    ]


@pytest.mark.parametrize(
    "items", [[{"name": "a"}, {"name": "a"}], [{"name": "a"}, {}], ["a"], [{"name": {"x": 1}}, {"name": ["y"]}], [None]]
)
def test_items_without_a_key_of_their_own_are_told_by_index(items: list[Any]) -> None:
    assert list(fields.differences({"env": items}, {"env": [*items, {"value": "z"}]}))
    assert list(fields.leaves({"env": items}))


def test_a_list_that_is_taken_whole_is_told_by_index() -> None:
    assert changes({"tolerations": [{"key": "a"}]}, {"tolerations": [{"key": "b"}]}) == [
        ("tolerations[0].key", "change")
    ]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (["--a", "1"], ["--a", "2"], [("args[--a]", "change")]),
        (["--a", "1"], ["--a", "1", "--metrics"], [("args[--metrics]", "add")]),
        (["--ngl", "-1"], ["--ngl", "-2"], [("args[--ngl]", "change")]),
        (["--lora", "x", "--lora", "y"], ["--lora", "x"], [("args[--lora#2]", "remove")]),
        (["--a", "1", "--b"], ["--b", "--a", "1"], [("args", "change")]),
        (["-x", "-.5"], ["-x", "-.6"], [("args[-x]", "change")]),
    ],
)
def test_arguments_are_told_one_by_one(old: list[str], new: list[str], expected: list[tuple[str, str]]) -> None:
    assert changes(old, new, "containers[a].args") == [(f"containers[a].{path}", kind) for path, kind in expected]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "env", "name", "args"]), inner),
    max_leaves=12,
)


@given(JSON, JSON)
def test_what_is_equal_has_no_differences_and_what_is_not_has_some(one: Any, other: Any) -> None:
    assert list(fields.differences(one, copy.deepcopy(one))) == []
    assert bool(list(fields.differences(one, other))) == (one != other)


@given(JSON)
def test_leaves_can_be_told_of_anything(value: Any) -> None:
    assert all(isinstance(path, str) for path in fields.leaves(value))


ENTRY = {
    "manager": "kubectl",
    "fieldsV1": {
        "f:metadata": {"f:labels": {".": {}, "f:a.b/c": {}}},
        "f:spec": {
            "f:replicas": {},
            "f:template": {
                "f:spec": {
                    "f:containers": {
                        'k:{"name":"x"}': {
                            ".": {},
                            "f:name": {},
                            "f:args": {},
                            "f:ports": {'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:containerPort": {}}},
                        }
                    }
                }
            },
        },
    },
}


def test_owned_paths_are_read_off_managed_fields() -> None:
    assert sorted(fields.owned(ENTRY)) == [
        "metadata.labels.a.b/c",
        "spec.replicas",
        "spec.template.spec.containers[x].args",
        "spec.template.spec.containers[x].ports[80/TCP]",
    ]


def test_owned_paths_are_spelled_like_leaves_and_differences() -> None:
    body = {"spec": {"template": {"spec": {"containers": [{"name": "x", "args": ["a"]}]}}}}
    assert "spec.template.spec.containers[x].args" in list(fields.leaves(body))


def test_an_entry_without_fields_owns_nothing() -> None:
    assert list(fields.owned({"manager": "x"})) == []


@pytest.mark.parametrize(
    ("one", "other", "covered"),
    [
        ("spec", "spec.replicas", True),
        ("spec.replicas", "spec", True),
        ("spec.args", "spec.args[--a]", True),
        ("spec.a", "spec.ab", False),
        ("spec.a", "spec.b", False),
        ("spec", "spec", True),
    ],
)
def test_a_path_covers_itself_and_what_is_in_it(one: str, other: str, *, covered: bool) -> None:
    assert fields.covers(one, other) == covered


def test_status_and_bookkeeping_are_not_compared() -> None:
    one = {"apiVersion": "v1", "kind": "X", "metadata": {"name": "a", "uid": "1", "labels": {}}, "spec": 1, "status": 2}
    other = {"apiVersion": "v2", "kind": "X", "metadata": {"name": "a", "uid": "2"}, "spec": 1}
    assert fields.same(one, other)
    assert not fields.same(one, {**other, "spec": 2})
    assert not fields.same(one, {**other, "metadata": {"labels": {"a": "b"}}})


@pytest.mark.parametrize(
    ("kind", "path", "touched"),
    [
        ("Deployment", "spec.selector.matchLabels.a", True),
        ("Deployment", "spec.selector", True),
        ("Deployment", "spec.selectors", False),
        ("Deployment", "spec.template", False),
        ("Job", "spec.template.spec.containers[x].image", True),
        ("PersistentVolumeClaim", "spec.accessModes[0]", True),
        ("PersistentVolumeClaim", "spec.resources.requests.storage", False),
        ("Service", "spec.clusterIP", True),
        ("ConfigMap", "data", False),
    ],
)
def test_immutable_fields_are_known(kind: str, path: str, *, touched: bool) -> None:
    assert immutable.touched(kind, [path, "metadata.labels.x"]) == ((path,) if touched else ())
