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


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def test_a_service_that_turned_is_named() -> None:
    assert report.turned(built(GOOD), built(TURNED)) == {MISTRAL}


def test_a_first_report_tells_of_all() -> None:
    assert report.turned(None, built(GOOD)) >= {MISTRAL, EMBED}


def test_a_first_turn_is_told_at_once() -> None:
    assert not report.waits(built(GOOD), built(TURNED), {}, NOW)


def test_a_turn_soon_after_the_last_has_to_wait() -> None:
    assert report.waits(built(GOOD), built(TURNED), {MISTRAL: ago(4.9)}, NOW)


def test_after_five_minutes_it_is_told() -> None:
    assert not report.waits(built(GOOD), built(TURNED), {MISTRAL: ago(5)}, NOW)


def test_a_service_that_flaps_holds_no_other_back() -> None:
    assert not report.waits(built(GOOD), built(BOTH), {MISTRAL: ago(1)}, NOW)


def test_another_commit_is_acknowledged_at_once() -> None:
    later = replace(TURNED, revision="f" * 40)
    assert not report.waits(built(GOOD), built(later), {MISTRAL: ago(1)}, NOW)


def test_an_equal_report_waits_for_nothing() -> None:
    assert not report.waits(built(GOOD), built(GOOD), {MISTRAL: ago(1)}, NOW)
