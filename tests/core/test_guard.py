from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import OWNER, SNAPSHOT, gpu, model, parsed, service
from reconciler.core import diff, guard, plan
from reconciler.core.model.change import Action, Change, HoldReason
from reconciler.core.model.health import Health, Phase, ServiceHealth
from reconciler.core.model.objects import JsonObject, ServiceId
from reconciler.core.model.observed import Inventory, Observed
from reconciler.core.model.outcome import Proposal
from reconciler.core.model.policy import Allowance, Policy
from reconciler.core.model.source import Commit
from reconciler.core.model.spec import Cache, Fleet, Guards, Service, Suspension
from reconciler.core.rules import inventory, vocabulary

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
READY = ServiceHealth(Phase.READY, ready=1, desired=1)


def objects(*services: Service, created: str = "2029-01-01T00:00:00Z") -> dict[Any, JsonObject]:
    """Return the objects of these services as they would be live."""
    built = plan.build(parsed(services), SNAPSHOT, OWNER)
    return {
        found.key: {**found.manifest, "metadata": {**found.manifest["metadata"], "creationTimestamp": created}}
        for found in built.objects
    }


def propose(
    wanted: Iterable[Service],
    live: dict[Any, JsonObject],
    health: dict[str, ServiceHealth] | None = None,
    *,
    runs: bool = True,
    **changes: Any,
) -> Proposal:
    desired = plan.build(parsed(wanted, **changes), SNAPSHOT, OWNER)
    observed = Observed(live=live, runs=runs)
    states = {ServiceId("llm", name): state for name, state in (health or {}).items()}
    return Proposal(desired, observed, Health(services=states), diff.compare(desired, observed))


def check(proposal: Proposal, policy: Policy = Policy(), **moment: Any) -> tuple[Change, ...]:  # noqa: B008  # frozen
    return guard.check(proposal, policy, guard.Moment(NOW, **moment))


def holds(changes: Iterable[Change]) -> dict[str, HoldReason]:
    return {f"{change.key.kind}/{change.key.name}": change.hold.reason for change in changes if change.hold}


def held_services(changes: Iterable[Change], reason: HoldReason) -> set[str]:
    return {change.service.name for change in changes if change.hold and change.hold.reason is reason}


def fleet_of(count: int, gpus: int = 0) -> tuple[Service, ...]:
    return tuple(service(f"s{number:03}", gpus) for number in range(count))


@pytest.mark.parametrize(
    ("before", "after", "held"),
    [
        (3, 1, False),  # two at once are no more than two, though more than half
        (4, 1, True),  # three, and more than half
        (6, 3, False),  # three, and just half
        (7, 3, True),  # four of seven
        (10, 7, False),  # three of ten
        (100, 50, False),
        (100, 49, True),
    ],
)
def test_deletions_are_held_when_over_two_and_over_half(before: int, after: int, *, held: bool) -> None:
    services = fleet_of(before)
    changes = check(propose(services[:after], objects(*services)))
    gone = {found.id.name for found in services[after:]}
    assert held_services(changes, HoldReason.DELETIONS) == (gone if held else set())


def test_all_objects_of_a_held_service_wait_together() -> None:
    services = tuple(
        service(f"s{number}", cache=Cache(persistent=True, delete=True), max_unavailable="1") for number in range(4)
    )
    changes = check(propose(services[:1], objects(*services)))
    assert len(holds(changes)) == 3 * 4


def test_the_message_says_what_lets_it_go_on() -> None:
    services = fleet_of(4)
    held = next(change.hold for change in check(propose(services[:1], objects(*services))) if change.hold)
    assert "3 of 4 services" in held.message
    assert "`Llmkube-Allow: delete=3`" in held.message
    assert "--allow-delete 3" in held.message


@pytest.mark.parametrize(("allowed", "held"), [(2, True), (3, False), (9, False)])
def test_an_allowance_lets_so_many_go(allowed: int, *, held: bool) -> None:
    services = fleet_of(4)
    policy = Policy(allowance=Allowance(deletions=allowed))
    assert bool(holds(check(propose(services[:1], objects(*services)), policy))) == held


def test_the_command_line_beats_the_fleet_and_the_fleet_the_default() -> None:
    services = fleet_of(4)
    strict = Fleet(guards=Guards(max_deletions=0))
    live = objects(*services)
    assert not holds(check(propose(services[:2], live)))
    assert not holds(check(propose(services[:2], live, fleet=strict)))  # two are half, and not more
    assert holds(check(propose(services[:1], live, fleet=strict)))
    assert not holds(check(propose(services[:1], live, fleet=strict), Policy(max_deletions=3)))


def test_a_strangers_deployment_is_no_service_of_ours_to_count() -> None:
    services, strangers = fleet_of(4), tuple(service(f"x{number}") for number in range(9))
    foreign = {
        key: {**live, "metadata": {**live["metadata"], "labels": {}}} for key, live in objects(*strangers).items()
    }
    changes = check(propose((*services[:1], *strangers), {**objects(*services), **foreign}))
    assert held_services(changes, HoldReason.DELETIONS) == {"s001", "s002", "s003"}


def test_the_last_service_is_held_also_where_the_plan_calls_itself_complete() -> None:
    proposal = propose((), objects(service()), complete=True)
    assert set(holds(check(proposal)).values()) == {HoldReason.DELETIONS}


def test_an_empty_repository_deletes_nothing_without_a_word() -> None:
    assert set(holds(check(propose((), objects(service())))).values()) == {HoldReason.INCOMPLETE}


def test_an_empty_repository_lets_go_what_was_approved() -> None:
    changes = check(propose((), objects(*fleet_of(3))), Policy(allowance=Allowance(deletions=3)))
    assert {change.action for change in changes if change.writes} == {Action.DELETE}
    assert holds(changes) == {}


def test_what_an_interrupted_emptying_left_goes_too() -> None:
    left = {key: live for key, live in objects(service()).items() if key.kind == "Service"}
    changes = check(propose((), left), Policy(allowance=Allowance(deletions=1)))
    assert [change.writes for change in changes] == [True]


def test_an_approval_is_for_an_empty_repository_and_not_for_one_that_cannot_be_read() -> None:
    unread = propose((), objects(service()), empty=False, incomplete_reason="1 error in a/llm.yaml")
    changes = check(unread, Policy(allowance=Allowance(deletions=9)))
    assert set(holds(changes).values()) == {HoldReason.INCOMPLETE}


def test_a_kept_cache_is_neither_deleted_nor_in_the_way() -> None:
    gone = service("gone", cache=Cache(persistent=True))
    changes = check(propose((service("kept"),), objects(gone, service("kept"))))
    (kept,) = (change for change in changes if change.key.kind == "PersistentVolumeClaim")
    assert (kept.action, kept.writes) == (Action.KEEP, False)
    assert kept.hold is not None
    assert kept.hold.reason is HoldReason.RETAINED
    assert "kubectl delete pvc -n llm" in kept.hold.message


def test_trailers_lift_the_guards_by_the_largest_count() -> None:
    commits = (
        Commit("a" * 40, "one", (("Llmkube-Allow", "delete=3"), ("Signed-off-by", "me"))),
        Commit("b" * 40, "two", (("llmkube-allow", " delete=5 "), ("Llmkube-Allow", "rollout=20"))),
    )
    assert guard.allowance(commits) == Allowance(
        5, 20, ("delete=3 in commit aaaaaaaa", "delete=5 in commit bbbbbbbb", "rollout=20 in commit bbbbbbbb")
    )


@pytest.mark.parametrize("value", ["delete", "delete=-1", "delete=all", "delete=9999999", "DELETE=3", "delete=3;x", ""])
def test_a_trailer_that_says_something_else_lifts_nothing(value: str) -> None:
    assert guard.allowance([Commit("a" * 40, "x", (("Llmkube-Allow", value),))]) == Allowance()


def changed(services: Iterable[Service]) -> tuple[Service, ...]:
    return tuple(replace(found, image=f"{found.image}-next") for found in services)


def test_ten_services_roll_at_once_in_the_plans_order() -> None:
    services = fleet_of(12)
    proposal = propose(changed(services), objects(*services), {found.id.name: READY for found in services})
    assert held_services(check(proposal), HoldReason.ROLLOUTS) == {"s010", "s011"}


def test_the_next_follow_as_these_become_ready() -> None:
    services = fleet_of(12)
    live = objects(*changed(services[:10]), *services[10:])
    states = {found.id.name: READY for found in services}
    starting = states | {f"s{number:03}": ServiceHealth(Phase.LOADING, desired=1) for number in range(9)}
    assert held_services(check(propose(changed(services), live, starting)), HoldReason.ROLLOUTS) == {"s011"}
    assert holds(check(propose(changed(services), live, states))) == {}


@pytest.mark.parametrize(
    "phase", [Phase.FAILED, Phase.WAITING_FOR_GPU, Phase.DEGRADED, Phase.PENDING, Phase.DOWNLOADING]
)
def test_nothing_follows_a_rollout_that_went_wrong(phase: Phase) -> None:
    services = fleet_of(12)
    live = objects(*changed(services[:10]), *services[10:])
    states = {found.id.name: READY for found in services} | {
        found.id.name: ServiceHealth(phase, desired=1) for found in services[:10]
    }
    changes = check(propose(changed(services), live, states))
    assert held_services(changes, HoldReason.ROLLOUTS) == {"s010", "s011"}


def test_what_is_broken_may_always_be_mended() -> None:
    services = fleet_of(12)
    states = {found.id.name: ServiceHealth(Phase.FAILED, desired=1) for found in services}
    assert holds(check(propose(changed(services), objects(*services), states))) == {}


def test_a_stopped_service_does_not_keep_others_from_rolling() -> None:
    services = fleet_of(12)
    states = {found.id.name: ServiceHealth(Phase.STOPPED) for found in services}
    changes = check(propose(changed(services[:10]) + services[10:], objects(*services), states))
    assert holds(changes) == {}


def test_the_count_in_the_message_is_the_one_that_lifts_it() -> None:
    services = fleet_of(14)
    states = {found.id.name: READY for found in services} | {"s013": ServiceHealth(Phase.FAILED, desired=1)}
    proposal = propose((*changed(services[:13]), services[13]), objects(*services), states)
    message = next(change.hold.message for change in check(proposal) if change.hold)
    assert "rollout=14`" in message
    assert holds(check(proposal, Policy(allowance=Allowance(rollouts=13))))
    assert not holds(check(proposal, Policy(allowance=Allowance(rollouts=14))))


def test_a_change_that_restarts_nothing_is_no_rollout() -> None:
    services = fleet_of(12)
    scaled = tuple(replace(found, replicas=3) for found in services)
    assert holds(check(propose(scaled, objects(*services)))) == {}


def test_new_services_are_no_rollouts() -> None:
    assert holds(check(propose(fleet_of(30), {}))) == {}


OLD = service("old", 1, model=model("shared"))
NEW = service("new", 1, model=model("shared"))


def test_a_renamed_service_waits_for_its_successor() -> None:
    changes = check(propose((NEW,), objects(OLD), {"old": READY}))
    assert holds(changes) == {"Deployment/old": HoldReason.SUCCESSOR, "Service/old": HoldReason.SUCCESSOR}
    assert {change.action for change in changes if change.writes} == {Action.CREATE}


@pytest.mark.parametrize("phase", [Phase.DOWNLOADING, Phase.LOADING, Phase.FAILED, Phase.PENDING, Phase.DEGRADED])
def test_it_goes_on_waiting_while_the_successor_does_not_serve(phase: Phase) -> None:
    live = objects(OLD) | objects(NEW, created="2029-06-01T00:00:00Z")
    changes = check(propose((NEW,), live, {"old": READY, "new": ServiceHealth(phase, desired=1)}))
    assert held_services(changes, HoldReason.SUCCESSOR) == {"old"}


def test_it_goes_when_the_successor_is_ready() -> None:
    live = objects(OLD) | objects(NEW, created="2029-06-01T00:00:00Z")
    assert holds(check(propose((NEW,), live, {"old": READY, "new": READY}))) == {}


@pytest.mark.parametrize(
    ("old_gpus", "cause", "goes"),
    [
        (1, "Insufficient nvidia.com/gpu", True),
        (1, "Insufficient nvidia.com/gpu; untolerated taint", True),
        (1, "Insufficient amd.com/gpu", False),
        (0, "Insufficient nvidia.com/gpu", False),
        (1, "no node matches the node selector or affinity", False),
    ],
)
def test_the_old_goes_first_where_the_successor_waits_for_what_it_holds(
    old_gpus: int, cause: str, *, goes: bool
) -> None:
    old = service("old", old_gpus, model=model("shared"))
    live = objects(old) | objects(NEW, created="2029-06-01T00:00:00Z")
    waiting = ServiceHealth(Phase.WAITING_FOR_GPU, cause, desired=1)
    changes = check(propose((NEW,), live, {"old": READY, "new": waiting}))
    assert bool(holds(changes)) != goes


def test_an_old_service_that_serves_nobody_is_not_waited_for() -> None:
    broken = ServiceHealth(Phase.FAILED, desired=1)
    assert holds(check(propose((NEW,), objects(OLD), {"old": broken}))) == {}


def test_a_sibling_that_was_there_before_is_no_successor() -> None:
    live = objects(OLD) | objects(NEW, created="2028-06-01T00:00:00Z")
    broken = ServiceHealth(Phase.FAILED, desired=1)
    assert holds(check(propose((NEW,), live, {"old": READY, "new": broken}))) == {}


def test_a_suspended_service_or_one_of_another_model_is_no_successor() -> None:
    suspended, other = replace(NEW, suspend=True), service("other", model=model("other"))
    assert holds(check(propose((suspended, other), objects(OLD), {"old": READY}))) == {}


def test_where_nothing_runs_nothing_is_bridged() -> None:
    assert holds(check(propose((NEW,), objects(OLD), runs=False))) == {}


def test_an_approved_deletion_waits_for_no_successor() -> None:
    changes = check(propose((NEW,), objects(OLD), {"old": READY}), Policy(allowance=Allowance(deletions=1)))
    assert holds(changes) == {}


def annotated(name: str, value: Any) -> dict[Any, JsonObject]:
    return {
        key: {**live, "metadata": {**live["metadata"], "annotations": {name: value}}}
        if key.kind == "Deployment"
        else live
        for key, live in objects(service()).items()
    }


@pytest.mark.parametrize(
    ("until", "paused"),
    [
        ("2030-01-01T12:00:01Z", True),
        ("2030-01-01T12:00:00Z", False),
        ("2029-01-01T00:00:00+02:00", False),
        ("2031-01-01", True),
        ("2031-01-01T00:00:00", True),
        ("2020-01-01T00:00:00", True),
        ("tomorrow", True),
        ("", False),
    ],
)
def test_a_pause_holds_until_its_time_and_in_doubt(until: str, *, paused: bool) -> None:
    changes = check(propose((service(replicas=2),), annotated(vocabulary.PAUSED_UNTIL, until)))
    assert holds(changes) == ({"Deployment/llama": HoldReason.PAUSED} if paused else {})


def test_a_paused_object_is_not_deleted_either() -> None:
    changes = check(propose((service("b"),), annotated(vocabulary.PAUSED_UNTIL, "2031-01-01T00:00:00Z")))
    assert holds(changes)["Deployment/llama"] is HoldReason.PAUSED


@pytest.mark.parametrize(("minutes", "contested"), [((1, 2, 3), True), ((1, 2), False), ((1, 2, 11), False)])
def test_a_field_that_was_taken_back_three_times_in_ten_minutes_is_left(
    minutes: tuple[int, ...], *, contested: bool
) -> None:
    proposal = propose((service(replicas=2),), objects(service()))
    (change,) = (change for change in proposal.changes if change.action is Action.UPDATE)
    taken = replace(change, takeovers=("spec.replicas (kubectl-edit)",))
    retaken = {change.key: tuple(NOW - timedelta(minutes=ago) for ago in minutes)}
    changes = check(replace(proposal, changes=(taken,)), retaken=retaken)
    assert holds(changes) == ({"Deployment/llama": HoldReason.CONTESTED} if contested else {})


@pytest.mark.parametrize(("until", "held"), [(None, True), (NOW + timedelta(seconds=1), True), (NOW, False)])
def test_a_suspended_fleet_is_left_until_its_time(until: datetime | None, *, held: bool) -> None:
    fleet = Fleet(suspension=Suspension("the cluster moves", until))
    changes = check(propose((service("new"), service("b", replicas=2)), objects(service("b")), fleet=fleet))
    assert set(holds(changes).values()) == ({HoldReason.SUSPENDED} if held else set())
    assert all("the cluster moves" in change.hold.message for change in changes if change.hold)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("repository", "https://git.example.com/other"),
        ("path", "elsewhere"),
        ("tooling", "kubectl/v1.33"),
        ("tooling", ""),
        ("applyset", "applyset-x-v1"),
    ],
)
def test_an_inventory_of_anything_else_holds_everything(field: str, value: str) -> None:
    proposal = propose((service(replicas=2), service("new")), objects(service(), service("gone")))
    found = replace(inventory.hints(OWNER, ()), **{field: value})
    changes = check(replace(proposal, observed=replace(proposal.observed, inventory=found)))
    assert {change.action for change in changes if not change.hold} == {Action.KEEP}
    assert set(holds(changes).values()) == {HoldReason.INVENTORY}
    assert "delete that ConfigMap" in next(change.hold.message for change in changes if change.hold)


def test_our_own_inventory_holds_nothing_also_when_a_later_version_of_us_wrote_it() -> None:
    proposal = propose((service(replicas=2),), objects(service()))
    found: Inventory = replace(inventory.hints(OWNER, ()), tooling="llmkube-reconciler/v9")
    assert holds(check(replace(proposal, observed=replace(proposal.observed, inventory=found)))) == {}


PHASES = st.sampled_from(list(Phase))
NAMES = [f"s{number}" for number in range(7)]


@st.composite
def proposals(draw: st.DrawFn) -> Proposal:
    def services() -> tuple[Service, ...]:
        names = draw(st.lists(st.sampled_from(NAMES), unique=True))
        return tuple(
            service(
                name,
                gpu=draw(st.sampled_from([None, gpu(1)])),
                model=model(draw(st.sampled_from(["m1", "m2"]))),
                replicas=draw(st.integers(1, 2)),
                image=f"ghcr.io/ggml-org/llama.cpp:server-b{draw(st.sampled_from([9000, 11434]))}",
            )
            for name in names
        )

    live = objects(*services())
    foreign = draw(st.sets(st.sampled_from(sorted(live)))) if live else set()
    for key in foreign:
        live[key] = {**live[key], "metadata": {**live[key]["metadata"], "labels": {}}}
    states = {name: ServiceHealth(draw(PHASES), ready=draw(st.integers(0, 1)), desired=1) for name in NAMES}
    return propose(services(), live, states, complete=draw(st.booleans()))


POLICIES = st.builds(
    Policy,
    max_deletions=st.none() | st.integers(0, 3),
    max_rollouts=st.none() | st.integers(0, 3),
    allowance=st.builds(Allowance, deletions=st.none() | st.integers(0, 8), rollouts=st.none() | st.integers(0, 8)),
)


@given(proposals(), POLICIES)
def test_the_guard_decides_nothing_anew_and_lets_nothing_go_that_was_held(proposal: Proposal, policy: Policy) -> None:
    changes = check(proposal, policy)
    assert [replace(change, hold=None) for change in changes] == [
        replace(change, hold=None) for change in proposal.changes
    ]
    approved = proposal.plan.parsed.empty and policy.allowance.deletions is not None
    for before, after in zip(proposal.changes, changes, strict=True):
        if before.hold and not (approved and before.hold.reason is HoldReason.INCOMPLETE):
            assert after.hold == before.hold


@given(proposals(), POLICIES)
def test_what_is_not_ours_is_never_written(proposal: Proposal, policy: Policy) -> None:
    for change in check(proposal, policy):
        if change.live is not None and not change.live["metadata"]["labels"]:
            assert not change.writes


@given(proposals(), POLICIES)
def test_an_incomplete_plan_that_is_not_empty_never_deletes(proposal: Proposal, policy: Policy) -> None:
    if proposal.plan.complete or proposal.plan.parsed.empty:
        return
    assert not [change for change in check(proposal, policy) if change.action is Action.DELETE and change.writes]


@given(proposals(), POLICIES)
def test_the_last_service_never_goes_unapproved(proposal: Proposal, policy: Policy) -> None:
    changes = check(proposal, policy)
    gone = {change.service for change in changes if change.action is Action.DELETE and change.writes}
    workloads = {change.service for change in changes if change.service in gone and change.key.kind == "Deployment"}
    if workloads and not proposal.plan.parsed.services:
        assert (policy.allowance.deletions or 0) >= len(workloads)


def test_a_hold_is_not_put_upon_what_is_kept() -> None:
    proposal = propose((service(),), objects(service()), fleet=Fleet(suspension=Suspension("x")))
    assert [change.hold for change in check(proposal)] == [None, None]
