"""What every target keeps. Nothing here knows which one it is: a `Stage` stands between.

Use it as `class TestFolder(contract.Contract)` beside a fixture `stage`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Protocol

from builders import REPOSITORY, SNAPSHOT, model, parsed, service
from reconciler import pipeline
from reconciler.core import diff, guard, health, manifests
from reconciler.core import plan as planning
from reconciler.core.model.change import Action, Change, HoldReason, Result
from reconciler.core.model.objects import JsonObject, Key, key_of
from reconciler.core.model.observed import Inventory, Observed
from reconciler.core.model.outcome import Outcome, Proposal
from reconciler.core.model.plan import Ownership, Plan
from reconciler.core.model.policy import Allowance, Policy
from reconciler.core.model.spec import Cache, Fleet, Service
from reconciler.core.rules import inventory, vocabulary
from reconciler.ports import Target

NOW = datetime(2030, 1, 1, tzinfo=UTC)
CACHE = Cache(persistent=True, size="1Gi")


class Stage(Protocol):
    """One target, and the hands of somebody else who works on it too.

    `namespace` is there and empty, and so is `elsewhere`; `closed` is one where nothing can be written.
    """

    namespace: str
    elsewhere: str
    closed: str

    def target(self) -> Target:
        """Return the target, as a process that has just started has it."""
        ...

    def read(self, key: Key) -> JsonObject | None:
        """Return an object, None when it is not there or on its way out."""
        ...

    def put(self, manifest: JsonObject) -> None:
        """Create an object, by another hand than ours."""
        ...

    def edit(self, key: Key, change: Callable[[dict[str, Any]], None]) -> None:
        """Change an object, by another hand than ours."""
        ...


@dataclass
class Diary:
    """A target that writes down what it is asked to write."""

    target: Target
    written: list[Key | Inventory] = field(default_factory=list)

    def observe(self, plan: Plan) -> Observed:
        return self.target.observe(plan)

    def carry_out(self, change: Change) -> Result:
        self.written.append(change.key)
        return self.target.carry_out(change)

    def record(self, wanted: Inventory, plan: Plan) -> None:
        self.written.append(wanted)
        self.target.record(wanted, plan)


class Never:
    def requested(self) -> bool:
        return False


def desired(
    stage: Stage, *services: Service, owner: Ownership | None = None, complete: bool | None = None, **changes: Any
) -> Plan:
    """Return the plan of these services for the stage; not a complete one where a test says so."""
    specs = parsed(services, **changes)
    if complete is not None:
        specs = replace(specs, complete=complete, incomplete_reason="" if complete else "1 error in a/llm.yaml")
    return planning.build(specs, SNAPSHOT, owner or _owner(stage))


def propose(target: Target, plan: Plan, policy: Policy = Policy()) -> Proposal:  # noqa: B008  # frozen
    observed = target.observe(plan)
    proposal = Proposal(plan, observed, health.assess(observed), diff.compare(plan, observed))
    return replace(proposal, changes=guard.check(proposal, policy, guard.Moment(NOW)))


def tick(target: Target, plan: Plan, policy: Policy = Policy()) -> Outcome:  # noqa: B008  # frozen
    """Do one tick, as the pipeline does it once the specs are read."""
    outcome = pipeline.carry_out(propose(target, plan, policy), target, Never())
    assert [(str(result.change.key), result.error) for result in outcome.results if result.error] == []
    return outcome


def actions(changes: Sequence[Change]) -> dict[str, Action]:
    """Return what is decided, by `Kind/name`."""
    return {f"{change.key.kind}/{change.key.name}": change.action for change in changes}


def holds(changes: Sequence[Change]) -> dict[str, HoldReason]:
    """Return what waits and why, by `Kind/name`."""
    return {f"{change.key.kind}/{change.key.name}": change.hold.reason for change in changes if change.hold}


def _owner(stage: Stage, repository: str = REPOSITORY) -> Ownership:
    return planning.owner("contract", stage.namespace, repository, "")


def _deployment(wanted: Service) -> Key:
    return _keys(wanted)["Deployment"]


def _keys(wanted: Service) -> dict[str, Key]:
    return {found["kind"]: key_of(found) for found in manifests.build(wanted, Fleet())}


def _manifest(wanted: Service, kind: str) -> dict[str, Any]:
    found = next(found for found in manifests.build(wanted, Fleet()) if found["kind"] == kind)
    return dict(found)


def _inventory(stage: Stage) -> Inventory:
    owner = _owner(stage)
    parent = stage.read(Key("", "ConfigMap", owner.namespace, owner.name))
    assert parent is not None
    return inventory.read(parent)


class Contract:
    """The cases. Each starts with an empty stage."""

    def test_what_is_planned_is_created(self, stage: Stage) -> None:
        wanted = service(namespace=stage.namespace)
        outcome = tick(stage.target(), desired(stage, wanted))
        assert actions(outcome.changes) == {"Service/llama": Action.CREATE, "Deployment/llama": Action.CREATE}
        for planned in outcome.plan.objects:
            live = stage.read(planned.key)
            assert live is not None
            assert live["metadata"]["labels"].items() >= planned.manifest["metadata"]["labels"].items()

    def test_a_second_tick_writes_nothing(self, stage: Stage) -> None:
        plan = desired(stage, service(namespace=stage.namespace, cache=CACHE), service("b", namespace=stage.elsewhere))
        target = Diary(stage.target())
        tick(target, plan)
        target.written.clear()
        assert set(actions(tick(target, plan).changes).values()) == {Action.KEEP}
        assert target.written == []

    def test_a_process_that_starts_anew_finds_all_as_it_should_be(self, stage: Stage) -> None:
        plan = desired(stage, service(namespace=stage.namespace, max_unavailable="1"))
        tick(stage.target(), plan)
        target = Diary(stage.target())
        tick(target, plan)
        assert target.written == []

    def test_a_changed_spec_updates_the_object(self, stage: Stage) -> None:
        wanted = service(namespace=stage.namespace)
        target = stage.target()
        tick(target, desired(stage, wanted))
        outcome = tick(target, desired(stage, replace(wanted, replicas=3)))
        assert actions(outcome.changes)["Deployment/llama"] is Action.UPDATE
        live = stage.read(_deployment(wanted))
        assert live is not None
        assert live["spec"]["replicas"] == 3

    def test_an_argument_that_left_git_leaves_the_object(self, stage: Stage) -> None:
        wanted = service(namespace=stage.namespace, revision_history_limit=3)
        target = stage.target()
        tick(target, desired(stage, wanted))
        tick(target, desired(stage, service(namespace=stage.namespace, max_unavailable="1")))
        tick(target, desired(stage, service(namespace=stage.namespace)))
        budget = Key("policy", "PodDisruptionBudget", stage.namespace, "llama")
        assert stage.read(budget) is None
        live = stage.read(_deployment(wanted))
        assert live is not None
        assert live["spec"].get("revisionHistoryLimit") != 3

    def test_a_service_that_left_git_is_pruned(self, stage: Stage) -> None:
        gone, kept = service("gone", namespace=stage.elsewhere), service("kept", namespace=stage.namespace)
        target = stage.target()
        tick(target, desired(stage, gone, kept))
        tick(target, desired(stage, kept))
        assert [stage.read(key) for key in _keys(gone).values()] == [None, None]
        assert None not in [stage.read(key) for key in _keys(kept).values()]

    def test_an_incomplete_plan_deletes_nothing_and_still_updates(self, stage: Stage) -> None:
        gone, kept = service("gone", namespace=stage.namespace), service("kept", namespace=stage.namespace)
        target = stage.target()
        tick(target, desired(stage, gone, kept))
        outcome = tick(target, desired(stage, replace(kept, replicas=2), complete=False))
        assert holds(outcome.changes) == {
            "Deployment/gone": HoldReason.INCOMPLETE,
            "Service/gone": HoldReason.INCOMPLETE,
        }
        assert stage.read(_deployment(gone)) is not None
        assert (stage.read(_deployment(kept)) or {})["spec"]["replicas"] == 2

    def test_an_empty_repository_deletes_nothing_until_someone_says_so(self, stage: Stage) -> None:
        only = service(namespace=stage.namespace)
        target = stage.target()
        tick(target, desired(stage, only))
        assert holds(tick(target, desired(stage)).changes) == {
            "Deployment/llama": HoldReason.INCOMPLETE,
            "Service/llama": HoldReason.INCOMPLETE,
        }
        tick(target, desired(stage), Policy(allowance=Allowance(deletions=1)))
        assert [stage.read(key) for key in _keys(only).values()] == [None, None]

    def test_a_strangers_object_is_left_alone_and_told(self, stage: Stage) -> None:
        wanted = service(namespace=stage.namespace)
        theirs = _manifest(replace(wanted, replicas=3), "Deployment")
        stage.put(theirs)
        before = stage.read(_deployment(wanted))
        outcome = tick(stage.target(), desired(stage, wanted))
        assert holds(outcome.changes) == {"Deployment/llama": HoldReason.FOREIGN}
        after = stage.read(_deployment(wanted))
        assert before is not None
        assert after is not None
        assert (after["spec"], after["metadata"]["labels"]) == (before["spec"], before["metadata"]["labels"])
        assert stage.read(_keys(wanted)["Service"]) is not None

    def test_a_strangers_object_is_never_pruned(self, stage: Stage) -> None:
        stranger, kept = service("stranger", namespace=stage.namespace), service("kept", namespace=stage.namespace)
        target = stage.target()
        stage.put(_manifest(stranger, "Deployment"))
        tick(target, desired(stage, stranger, kept))
        tick(target, desired(stage, kept))
        assert stage.read(_deployment(stranger)) is not None
        assert stage.read(_keys(stranger)["Service"]) is None

    def test_an_object_of_another_cluster_name_is_a_strangers(self, stage: Stage) -> None:
        wanted = service(namespace=stage.namespace)
        tick(stage.target(), desired(stage, wanted))
        other = planning.owner("other", stage.namespace, REPOSITORY, "")
        outcome = tick(stage.target(), desired(stage, wanted, owner=other))
        assert set(holds(outcome.changes).values()) == {HoldReason.FOREIGN}
        assert set(actions(tick(stage.target(), desired(stage, wanted)).changes).values()) == {Action.KEEP}

    def test_an_object_that_appears_after_the_reading_is_not_overwritten(self, stage: Stage) -> None:
        wanted = service(namespace=stage.namespace)
        target = stage.target()
        proposal = propose(target, desired(stage, wanted))
        stage.put(_manifest(replace(wanted, replicas=3), "Deployment"))
        outcome = pipeline.carry_out(proposal, target, Never())
        assert [result.change.key.kind for result in outcome.results if result.error] == ["Deployment"]
        assert (stage.read(_deployment(wanted)) or {})["spec"]["replicas"] == 3

    def test_an_annotation_hands_an_object_over(self, stage: Stage) -> None:
        wanted = service(namespace=stage.namespace)
        theirs = _manifest(replace(wanted, replicas=3), "Deployment")
        annotations = {**theirs["metadata"]["annotations"], vocabulary.ADOPT: "contract"}
        stage.put({**theirs, "metadata": {**theirs["metadata"], "annotations": annotations}})
        target = stage.target()
        outcome = tick(target, desired(stage, wanted))
        assert actions(outcome.changes)["Deployment/llama"] is Action.UPDATE
        live = stage.read(_deployment(wanted))
        assert live is not None
        assert live["spec"]["replicas"] == 1
        assert live["metadata"]["labels"][vocabulary.APPLYSET_PART_OF] == _owner(stage).applyset
        assert set(actions(tick(target, desired(stage, wanted)).changes).values()) == {Action.KEEP}

    def test_an_annotation_for_another_cluster_hands_nothing_over(self, stage: Stage) -> None:
        wanted = service(namespace=stage.namespace)
        theirs = _manifest(wanted, "Deployment")
        annotations = {**theirs["metadata"]["annotations"], vocabulary.ADOPT: "elsewhere"}
        stage.put({**theirs, "metadata": {**theirs["metadata"], "annotations": annotations}})
        outcome = tick(stage.target(), desired(stage, wanted))
        assert holds(outcome.changes) == {"Deployment/llama": HoldReason.FOREIGN}

    def test_drift_is_undone(self, stage: Stage) -> None:
        wanted = service(namespace=stage.namespace)
        target = stage.target()
        tick(target, desired(stage, wanted))

        def scale(found: dict[str, Any]) -> None:
            found["spec"]["replicas"] = 5

        stage.edit(_deployment(wanted), scale)
        outcome = tick(target, desired(stage, wanted))
        (change,) = (change for change in outcome.changes if change.action is not Action.KEEP)
        assert [(found.path, found.old, found.new) for found in change.fields] == [("spec.replicas", 5, 1)]
        assert (stage.read(_deployment(wanted)) or {})["spec"]["replicas"] == 1

    def test_a_paused_object_is_not_written(self, stage: Stage) -> None:
        wanted = service(namespace=stage.namespace)
        target = stage.target()
        tick(target, desired(stage, wanted))

        def pause(found: dict[str, Any]) -> None:
            found["metadata"]["annotations"][vocabulary.PAUSED_UNTIL] = "2030-02-01T00:00:00Z"
            found["spec"]["replicas"] = 5

        stage.edit(_deployment(wanted), pause)
        outcome = tick(target, desired(stage, wanted))
        assert holds(outcome.changes) == {"Deployment/llama": HoldReason.PAUSED}
        assert (stage.read(_deployment(wanted)) or {})["spec"]["replicas"] == 5

    def test_what_was_deleted_behind_our_back_comes_again(self, stage: Stage) -> None:
        wanted, other = service(namespace=stage.namespace), service("other", namespace=stage.namespace)
        target = stage.target()
        tick(target, desired(stage, wanted, other))
        tick(stage.target(), desired(stage, other))
        assert actions(tick(target, desired(stage, wanted, other)).changes)["Deployment/llama"] is Action.CREATE
        assert stage.read(_deployment(wanted)) is not None

    def test_a_renamed_service_is_exchanged_or_waits_for_its_successor(self, stage: Stage) -> None:
        same = model("shared", namespace=stage.namespace)
        old = service("old", namespace=stage.namespace, model=same)
        new = service("new", namespace=stage.namespace, model=same)
        target = stage.target()
        tick(target, desired(stage, old))
        outcome = tick(target, desired(stage, new))
        assert stage.read(_deployment(new)) is not None
        waits = holds(outcome.changes)
        assert set(waits.values()) <= {HoldReason.SUCCESSOR}
        assert (stage.read(_deployment(old)) is None) == (not waits)

    def test_a_cache_outlives_its_service(self, stage: Stage) -> None:
        gone, kept = service("gone", namespace=stage.namespace, cache=CACHE), service("b", namespace=stage.namespace)
        target = stage.target()
        tick(target, desired(stage, gone, kept))
        for _ in range(2):
            outcome = tick(target, desired(stage, kept))
            assert list(holds(outcome.changes).values()) == [HoldReason.RETAINED]
        assert stage.read(_deployment(gone)) is None
        assert stage.read(_keys(gone)["PersistentVolumeClaim"]) is not None

    def test_a_cache_goes_with_its_service_where_that_was_asked_for(self, stage: Stage) -> None:
        cache = replace(CACHE, delete=True)
        gone, kept = service("gone", namespace=stage.namespace, cache=cache), service("b", namespace=stage.namespace)
        target = stage.target()
        tick(target, desired(stage, gone, kept))
        tick(target, desired(stage, kept))
        assert [stage.read(key) for key in _keys(gone).values()] == [None, None, None]

    def test_a_cache_grows_and_never_shrinks(self, stage: Stage) -> None:
        wanted = service(namespace=stage.namespace, cache=CACHE)
        target = stage.target()
        tick(target, desired(stage, wanted))
        smaller = desired(stage, replace(wanted, cache=replace(CACHE, size="500Mi")))
        changes = propose(target, smaller).changes
        assert set(holds(changes).values()) == {HoldReason.REFUSED}
        pipeline.carry_out(propose(target, smaller), target, Never())
        claim = stage.read(_keys(wanted)["PersistentVolumeClaim"])
        assert (claim or {})["spec"]["resources"]["requests"]["storage"] == "1Gi"

    def test_the_inventory_covers_what_is_coming_and_shrinks_after(self, stage: Stage) -> None:
        gone = service("gone", namespace=stage.elsewhere, max_unavailable="1")
        kept = service("kept", namespace=stage.namespace)
        target = Diary(stage.target())
        tick(target, desired(stage, gone, kept))
        first = target.written[0]
        assert isinstance(first, Inventory)
        assert first.group_kinds == ("Deployment.apps", "PodDisruptionBudget.policy", "Service")
        assert first.namespaces == (stage.elsewhere,)
        assert _inventory(stage) == first
        target.written.clear()
        tick(target, desired(stage, kept))
        before, *_, after = target.written
        assert before == first
        assert after == _inventory(stage)
        assert (_inventory(stage).group_kinds, _inventory(stage).namespaces) == (("Deployment.apps", "Service"), ())

    def test_the_inventory_of_another_repository_holds_everything(self, stage: Stage) -> None:
        wanted, other = service(namespace=stage.namespace), service("other", namespace=stage.namespace)
        tick(stage.target(), desired(stage, wanted, other))
        before = _inventory(stage)
        target = Diary(stage.target())
        stranger = _owner(stage, "https://git.example.com/somebody/else")
        outcome = tick(
            target,
            desired(stage, replace(wanted, replicas=4), service("new", namespace=stage.namespace), owner=stranger),
        )
        assert set(holds(outcome.changes).values()) == {HoldReason.INVENTORY}
        assert target.written == []
        assert _inventory(stage) == before
        assert (stage.read(_deployment(wanted)) or {})["spec"]["replicas"] == 1

    def test_the_error_of_one_object_leaves_the_others_done(self, stage: Stage) -> None:
        good, bad = service("good", namespace=stage.namespace), service("bad", namespace=stage.closed)
        target = stage.target()
        outcome = pipeline.carry_out(propose(target, desired(stage, good, bad)), target, Never())
        assert None not in [stage.read(key) for key in _keys(good).values()]
        failed = {result.change.key for result in outcome.results if result.error}
        waiting = {change.key for change in outcome.changes if change.hold}
        assert failed | waiting == set(_keys(bad).values())

    def test_a_stop_between_two_effects_loses_nothing(self, stage: Stage) -> None:
        plan = desired(stage, service("a", namespace=stage.namespace), service("b", namespace=stage.namespace))

        class AfterOne:
            asked = 0

            def requested(self) -> bool:
                self.asked += 1
                return self.asked > 1

        target = stage.target()
        outcome = pipeline.carry_out(propose(target, plan), target, AfterOne())
        assert outcome.interrupted
        assert len(outcome.results) == 1
        assert set(_inventory(stage).group_kinds) == {"Deployment.apps", "Service"}
        tick(stage.target(), plan)
        assert set(actions(tick(stage.target(), plan).changes).values()) == {Action.KEEP}
