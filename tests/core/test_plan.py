import json
import os
import subprocess
import sys
from pathlib import Path

from builders import OWNER, SNAPSHOT, parsed, service
from reconciler.core import plan
from reconciler.core.model.objects import key_of
from reconciler.core.model.spec import Cache, Pod
from reconciler.core.rules import inventory, vocabulary

TESTS = Path(__file__).parent.parent

HASH = """
from builders import *; from manifest_cases import SERVICES; from reconciler.core import plan
print(plan.build(parsed(SERVICES.values()), SNAPSHOT, OWNER).hash)
"""


def test_the_hash_is_the_same_in_every_process() -> None:
    hashes = set()
    for seed in ("0", "1", "4711"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(TESTS)}
        done = subprocess.run(
            [sys.executable, "-c", HASH], env=environment, cwd=TESTS.parent, capture_output=True, text=True, check=True
        )
        hashes.add(done.stdout)
    assert len(hashes) == 1


def test_the_order_of_a_mapping_does_not_change_the_hash() -> None:
    def built(selector: dict[str, str]) -> plan.Plan:
        return plan.build(parsed((service(pod=Pod(node_selector=selector)),)), SNAPSHOT, OWNER)

    assert built({"a": "1", "b": "2"}).hash == built({"b": "2", "a": "1"}).hash
    assert built({"a": "1"}).hash != built({"a": "2"}).hash


def test_the_hash_is_of_the_objects_alone() -> None:
    one = plan.build(parsed((service(),)), SNAPSHOT, OWNER)
    other = plan.build(parsed((service(),), complete=False, files=7), SNAPSHOT, OWNER)
    assert one.hash == other.hash


def test_services_stand_in_order_and_each_key_once() -> None:
    built = plan.build(parsed(service(name, cache=Cache(persistent=True)) for name in "cab"), SNAPSHOT, OWNER)
    assert list(dict.fromkeys(found.service.name for found in built.objects)) == ["a", "b", "c"]
    assert len({found.key for found in built.objects}) == len(built.objects)
    assert all(found.key == key_of(found.manifest) for found in built.objects)


def test_every_object_bears_the_inventorys_label_and_a_rendering_does_not() -> None:
    owned, rendered = (plan.build(parsed((service(),)), SNAPSHOT, owner) for owner in (OWNER, None))
    assert {found.manifest["metadata"]["labels"][vocabulary.APPLYSET_PART_OF] for found in owned.objects} == {
        OWNER.applyset
    }
    assert not any(vocabulary.APPLYSET_PART_OF in found.manifest["metadata"]["labels"] for found in rendered.objects)


def test_manifests_are_plain_json() -> None:
    for found in plan.build(parsed((service(gpus=2),)), SNAPSHOT, OWNER).objects:
        assert json.loads(json.dumps(found.manifest)) == found.manifest


def test_the_applyset_id_is_the_one_that_the_kep_computes() -> None:
    # Source: KEP-3659, and TestApplySetParentRef in kubectl
    found = inventory.applyset_id("test-foo", "test-ns", "Foo", "foo.bar")
    assert found == "applyset-f9Rk5tKHoB72oV1tU2iFKxDwL8MBZTjMHFQ8V9WNNlA-v1"


def test_the_owner_is_named_by_cluster_and_namespace() -> None:
    found = plan.owner("prod", "llmkube-system", "https://git.example.com/x", "clusters/prod")
    assert (found.name, found.namespace) == ("llmkube-prod", "llmkube-system")
    assert found.applyset == inventory.applyset_id("llmkube-prod", "llmkube-system", "ConfigMap", "")
    assert plan.owner("other", "llmkube-system", "", "").applyset != found.applyset
    assert plan.owner("prod", "elsewhere", "", "").applyset != found.applyset


def test_an_inventory_is_read_as_it_was_written() -> None:
    built = plan.build(parsed((service(), service("b", namespace="other", max_unavailable="1"))), SNAPSHOT, OWNER)
    wanted = inventory.hints(OWNER, (found.key for found in built.objects))
    assert wanted.group_kinds == ("Deployment.apps", "PodDisruptionBudget.policy", "Service")
    assert wanted.namespaces == ("llm", "other")
    parent = inventory.parent(wanted, OWNER)
    assert inventory.read(parent) == wanted
    assert parent["metadata"]["labels"]["applyset.kubernetes.io/id"] == OWNER.applyset
    assert parent["metadata"]["annotations"]["applyset.kubernetes.io/tooling"] == "llmkube-reconciler/v1"


def test_the_parents_own_namespace_is_no_additional_one() -> None:
    built = plan.build(parsed((service(namespace=OWNER.namespace),)), SNAPSHOT, OWNER)
    assert inventory.hints(OWNER, (found.key for found in built.objects)).namespaces == ()


def test_a_parent_that_says_nothing_belongs_to_nobody() -> None:
    found = inventory.read({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "annotations": None}})
    assert (found.applyset, found.tooling, found.repository, found.group_kinds) == ("", "", "", ())
