import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from loguru import logger

from reconciler.daemon.loop import DaemonSettings, Loop, Tick, TickResult
from reconciler.errors import SourceError
from reconciler.ports import Stop
from reconciler.telemetry import Metrics

NEVER = 3600.0


class Asked:
    """A stop that is asked for by hand."""

    def __init__(self) -> None:
        self.event = threading.Event()

    def requested(self) -> bool:
        return self.event.is_set()


class Recorder:
    """A tick that counts itself, may be held in its middle, and does what it is told."""

    def __init__(self, then: Callable[[int], TickResult] = lambda _number: TickResult()) -> None:
        self.then = then
        self.begun = 0
        self.ended = 0
        self.inside = 0
        self.overlaps = 0
        self.times: list[float] = []
        self.go = threading.Event()
        self.go.set()

    def __call__(self, _stop: Stop) -> TickResult:
        self.begun += 1
        self.times.append(time.monotonic())
        self.inside += 1
        self.overlaps += self.inside > 1
        try:
            assert self.go.wait(10)
            return self.then(self.begun)
        finally:
            self.inside -= 1
            self.ended += 1


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def settle() -> None:
    """Give a tick that must not come the time to come."""
    time.sleep(0.25)


@contextmanager
def looping(tick: Tick, **settings: float) -> Iterator[tuple[Loop, Metrics, Asked]]:
    metrics, stop = Metrics(), Asked()
    loop = Loop(tick, DaemonSettings(jitter=0.0, **{"spacing_seconds": 0.0} | settings), metrics, stop)  # type: ignore[arg-type] # floats alone
    loop.start()
    try:
        yield loop, metrics, stop
    finally:
        if isinstance(tick, Recorder):
            tick.go.set()
        loop.finish()


@pytest.fixture
def lines() -> Iterator[list[str]]:
    said: list[str] = []
    logger.remove()
    number = logger.add(lambda message: said.append(str(message)), format="{level} {message}")
    yield said
    logger.remove(number)


def value(metrics: Metrics, name: str, **labels: str) -> float:
    return metrics.registry.get_sample_value(name, labels) or 0.0


def test_the_first_tick_comes_at_once_and_the_next_after_the_interval(lines: list[str]) -> None:
    tick = Recorder()
    with looping(tick, interval_seconds=0.2):
        until(lambda: tick.ended >= 3)
    assert tick.times[2] - tick.times[0] >= 0.3
    assert lines == []


def test_ticks_never_overlap_however_long_one_takes(lines: list[str]) -> None:
    def take_long(_number: int) -> TickResult:
        time.sleep(0.15)
        return TickResult()

    tick = Recorder(take_long)
    with looping(tick, interval_seconds=0.02) as (loop, _, _):
        while tick.ended < 4:
            loop.trigger()
            time.sleep(0.005)
    assert tick.overlaps == 0
    assert lines == []


def test_a_trigger_brings_the_next_tick_forward() -> None:
    tick = Recorder()
    with looping(tick, interval_seconds=NEVER) as (loop, _, _):
        until(lambda: tick.ended == 1)
        loop.trigger()
        until(lambda: tick.ended == 2)


def test_triggers_in_mid_tick_are_one_tick_after_it() -> None:
    tick = Recorder()
    tick.go.clear()
    with looping(tick, interval_seconds=NEVER) as (loop, _, _):
        until(lambda: tick.begun == 1)
        for _ in range(50):
            loop.trigger()
        tick.go.set()
        until(lambda: tick.ended == 2)
        settle()
    assert tick.begun == 2


def test_triggers_between_ticks_are_one_tick() -> None:
    tick = Recorder()
    with looping(tick, interval_seconds=NEVER) as (loop, _, _):
        until(lambda: tick.ended == 1)
        tick.go.clear()
        loop.trigger()
        loop.trigger()
        until(lambda: tick.begun == 2)
        tick.go.set()
        settle()
    assert tick.begun == 2


def test_a_raising_tick_is_logged_and_the_next_goes_on(lines: list[str]) -> None:
    def fail_once(number: int) -> TickResult:
        if number == 1:
            raise ZeroDivisionError("a bug")
        return TickResult()

    tick = Recorder(fail_once)
    with looping(tick, interval_seconds=0.05) as (_, metrics, _):
        until(lambda: value(metrics, "llmkube_ticks_total", result="ok") >= 1)
        assert value(metrics, "llmkube_ticks_total", result="error") == 1
    assert lines[0].startswith("ERROR tick failed by a fault of this program")
    assert "ZeroDivisionError: a bug" in lines[0]


def test_an_expected_error_is_one_line(lines: list[str]) -> None:
    def unreachable(_number: int) -> TickResult:
        raise SourceError("https://example.org/a.git: the server cannot be reached")

    tick = Recorder(unreachable)
    with looping(tick, interval_seconds=NEVER):
        until(lambda: len(lines) == 1)
    assert lines == ["ERROR tick failed: https://example.org/a.git: the server cannot be reached\n"]


@pytest.mark.usefixtures("lines")
def test_errors_in_a_row_make_the_wait_longer_up_to_a_bound() -> None:
    def unreachable(_number: int) -> TickResult:
        raise SourceError("no")

    tick = Recorder(unreachable)
    with looping(tick, interval_seconds=0.05, backoff_limit_seconds=0.2):
        until(lambda: tick.ended >= 6)
    waits = [after - before for before, after in zip(tick.times, tick.times[1:], strict=False)]
    assert waits[0] < waits[2]
    assert waits[2] >= 0.15
    assert max(waits) < 1.0


@pytest.mark.usefixtures("lines")
def test_a_trigger_does_not_wait_for_the_backoff() -> None:
    def unreachable(_number: int) -> TickResult:
        raise SourceError("no")

    tick = Recorder(unreachable)
    with looping(tick, interval_seconds=NEVER, backoff_limit_seconds=NEVER) as (loop, _, _):
        until(lambda: tick.ended == 1)
        settle()
        loop.trigger()
        until(lambda: tick.ended == 2)


def test_after_a_stop_no_tick_begins() -> None:
    tick = Recorder()
    with looping(tick, interval_seconds=NEVER) as (loop, _, stop):
        until(lambda: tick.ended == 1)
        stop.event.set()
        loop.trigger()
        settle()
    assert tick.begun == 1


def test_a_loop_is_ready_after_the_first_tick_that_saw_something(lines: list[str]) -> None:
    def fail_once(number: int) -> TickResult:
        if number == 1:
            raise SourceError("not yet")
        return TickResult()

    tick = Recorder(fail_once)
    with looping(tick, interval_seconds=NEVER) as (loop, _, _):
        until(lambda: len(lines) == 1)
        assert (loop.probes.alive(), loop.probes.ready()) == (True, False)
        settle()
        loop.trigger()
        until(loop.probes.ready)
    assert not loop.probes.ready()


def test_a_tick_that_never_ends_is_not_alive() -> None:
    tick = Recorder()
    tick.go.clear()
    with looping(tick, interval_seconds=0.02, backoff_limit_seconds=0.05) as (loop, _, _):
        until(lambda: not loop.probes.alive())


def test_what_a_tick_came_to_is_counted(lines: list[str]) -> None:
    result = TickResult("held", {"Ready": 3, "Held": 1}, {"update": 2}, "refused by a hook")
    tick = Recorder(lambda _number: result)
    with looping(tick, interval_seconds=NEVER) as (_, metrics, _):
        until(lambda: value(metrics, "llmkube_ticks_total", result="held") == 1)
    assert value(metrics, "llmkube_services", phase="Ready") == 3
    assert value(metrics, "llmkube_changes_total", action="update") == 2
    assert value(metrics, "llmkube_report_push_errors_total") == 1
    assert value(metrics, "llmkube_last_success_timestamp_seconds") > 1e9
    assert lines == ["WARNING report not published: refused by a hook\n"]


def test_what_fails_because_of_the_stop_is_no_error(lines: list[str]) -> None:
    asked = Asked()

    def interrupted(_number: int) -> TickResult:
        asked.event.set()
        raise SourceError("given up")

    metrics = Metrics()
    loop = Loop(Recorder(interrupted), DaemonSettings(interval_seconds=NEVER), metrics, asked)
    loop.start()
    until(lambda: value(metrics, "llmkube_ticks_total", result="interrupted") == 1)
    loop.finish()
    assert lines == []
