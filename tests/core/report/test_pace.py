from dataclasses import replace
from datetime import UTC, datetime, timedelta

from reconciler.core import report
from reconciler.core.model.health import Phase, ServiceHealth
from reconciler.core.model.objects import ServiceId
from reconciler.core.model.source import Report
from report_fleets import ALL_GOOD
from report_outcomes import NAMESPACE, Scene

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
MISTRAL, EMBED = ServiceId(NAMESPACE, "mistral"), ServiceId(NAMESPACE, "embed")
LOADING = ServiceHealth(Phase.LOADING, ready=0, desired=1)

GOOD = replace(ALL_GOOD, updated=())
TURNED = replace(GOOD, health={**GOOD.health, "mistral": LOADING})
BOTH = replace(TURNED, health={**TURNED.health, "embed": LOADING})


def built(scene: Scene) -> Report:
    return report.build(scene.outcome(), None)


def told(minutes: float, phase: Phase = Phase.LOADING) -> dict[report.Turn, datetime]:
    return {report.Turn(MISTRAL, phase): ago(minutes)}


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def test_a_service_that_turned_is_named() -> None:
    assert report.turned(built(GOOD), built(TURNED)) == {report.Turn(MISTRAL, Phase.LOADING)}


def test_a_first_report_tells_of_all() -> None:
    assert report.turned(None, built(GOOD)) >= {
        report.Turn(MISTRAL, Phase.READY),
        report.Turn(EMBED, Phase.READY),
    }


def test_a_first_turn_is_told_at_once() -> None:
    assert not report.waits(built(GOOD), built(TURNED), {}, NOW)


def test_a_service_on_its_way_up_says_each_phase_at_once() -> None:
    assert not report.waits(built(GOOD), built(TURNED), told(0.1, Phase.PENDING), NOW)


def test_a_turn_back_soon_after_the_last_turn_has_to_wait() -> None:
    assert report.waits(built(GOOD), built(TURNED), {**told(30), **told(1, Phase.READY)}, NOW)


def test_a_turn_soon_after_the_same_one_has_to_wait() -> None:
    assert report.waits(built(GOOD), built(TURNED), told(4.9), NOW)


def test_after_five_minutes_it_is_told() -> None:
    assert not report.waits(built(GOOD), built(TURNED), told(5), NOW)


def test_a_service_that_flaps_holds_no_other_back() -> None:
    assert not report.waits(built(GOOD), built(BOTH), told(1), NOW)


def test_another_commit_is_acknowledged_at_once() -> None:
    later = replace(TURNED, revision="f" * 40)
    assert not report.waits(built(GOOD), built(later), told(1), NOW)


def test_an_equal_report_waits_for_nothing() -> None:
    assert not report.waits(built(GOOD), built(GOOD), told(1), NOW)
