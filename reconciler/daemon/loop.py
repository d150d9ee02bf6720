"""Tick for ever: at an interval with jitter, earlier when asked, never two at once, and stop between two effects."""

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import FrameType
from typing import Final

from apscheduler.executors.pool import ThreadPoolExecutor  # type: ignore[import-untyped] # it ships no types
from apscheduler.schedulers.background import BackgroundScheduler  # type: ignore[import-untyped] # it ships no types
from apscheduler.triggers.interval import IntervalTrigger  # type: ignore[import-untyped] # it ships no types
from loguru import logger

from reconciler.daemon.endpoints import Endpoints, Listen, Probes
from reconciler.daemon.webhook import Webhook
from reconciler.errors import ReconcilerError
from reconciler.ports import Stop
from reconciler.telemetry import Metrics

_JOB: Final = "tick"


@dataclass(frozen=True, slots=True)
class TickResult:
    """What one tick came to, for the metrics. `result` is a word like `ok`, `held`, `failed`; it becomes a label.

    `services` is phase -> number, `changes` is action -> number; `report_error` is what git said to the report.
    """

    result: str = "ok"
    services: Mapping[str, int] = field(default_factory=dict)
    changes: Mapping[str, int] = field(default_factory=dict)
    report_error: str = ""


Tick = Callable[[Stop], TickResult]
"""One tick. It looks at the stop between any two effects, and returns early when that is requested."""


@dataclass(frozen=True, slots=True)
class DaemonSettings:
    """How often to tick, and where to answer.

    `jitter` is a fraction of the interval: a hundred reconcilers that start together must not poll together.
    With each error in a row the wait doubles, up to `backoff_limit_seconds`. `spacing_seconds` parts a tick's end from
    the next one that somebody asked for. Without `listen` nothing answers.
    """

    interval_seconds: float = 60.0
    jitter: float = 0.1
    backoff_limit_seconds: float = 600.0
    spacing_seconds: float = 1.0
    listen: Listen | None = None
    webhook_secret: str = field(default="", repr=False)


class StopSignal:
    """Set by a signal, looked at by the tick. Keeps the port `Stop`.

    A pipe wakes the main thread: a lock, such as an Event's, could be held by the very thread that is interrupted.
    """

    def __init__(self) -> None:
        self._requested = False
        self._reader, self._writer = os.pipe()

    def requested(self) -> bool:
        """Tell whether a signal came."""
        return self._requested

    def request(self, number: int = signal.SIGTERM, _frame: FrameType | None = None) -> None:
        """Ask for the end; when asked again, end at once."""
        if self._requested:
            os._exit(128 + number)
        self._requested = True
        os.write(self._writer, b".")

    def wait(self) -> None:
        """Return when the end was asked for."""
        os.read(self._reader, 1)

    def close(self) -> None:
        """Close the pipe."""
        os.close(self._reader)
        os.close(self._writer)


class Loop:
    """The ticks of one process."""

    def __init__(self, tick: Tick, settings: DaemonSettings, metrics: Metrics, stop: Stop) -> None:
        self._tick = tick
        self._settings = settings
        self._metrics = metrics
        self._stop = stop
        self._lock = threading.Lock()
        self._running = False
        self._again = False
        self._errors = 0
        # After the longest backoff a tick must begin; one that never ends keeps the next from beginning.
        patience = max(5 * settings.interval_seconds, 2 * settings.backoff_limit_seconds)
        self.probes = Probes(patience_seconds=patience)
        self._scheduler = BackgroundScheduler(executors={"default": ThreadPoolExecutor(1)}, timezone=UTC)

    def start(self) -> None:
        """Begin the first tick at once, in a thread of its own."""
        seconds = self._settings.interval_seconds
        trigger = IntervalTrigger(seconds=seconds, jitter=seconds * self._settings.jitter or None, timezone=UTC)
        self._scheduler.add_job(
            self._run_one,
            trigger,
            id=_JOB,
            next_run_time=datetime.now(UTC),
            max_instances=1,
            coalesce=True,
            misfire_grace_time=None,
        )
        self.probes.began()
        self._scheduler.start()

    def trigger(self) -> None:
        """Ask for a tick soon. Asked often, it comes once; asked in mid-tick, it comes after that."""
        with self._lock:
            if self._running:
                self._again = True
            else:
                self._schedule(0.0)

    def finish(self) -> None:
        """Begin no tick any more, and wait for the end of the one that runs."""
        self.probes.stopping()
        self._scheduler.shutdown(wait=True)

    def _run_one(self) -> None:
        with self._lock:
            self._running, self._again = True, False
        self.probes.began()
        started = time.monotonic()
        result = self._guarded()
        self._metrics.tick_seconds.observe(time.monotonic() - started)
        self._metrics.ticks.labels(result).inc()
        with self._lock:
            self._running = False
            if self._again:
                self._schedule(self._settings.spacing_seconds)
            elif self._errors:
                self._schedule(self._backoff())

    def _guarded(self) -> str:
        """Run the tick; return its result's word. Whatever it raises is logged, and the next tick goes on."""
        if self._stop.requested():
            return "stopped"
        try:
            outcome = self._tick(self._stop)
        except ReconcilerError as error:
            if self._stop.requested():
                return "interrupted"
            self._errors += 1
            logger.error("tick failed: {}", error)
            return "error"
        except Exception:  # noqa: BLE001 # the one place that outlives a bug: the next tick may well succeed
            self._errors += 1
            logger.exception("tick failed by a fault of this program")
            return "error"
        self._errors = 0
        self._note(outcome)
        return outcome.result

    def _note(self, outcome: TickResult) -> None:
        self.probes.observed()
        self._metrics.last_success.set_to_current_time()
        self._metrics.observe_services(outcome.services)
        for action, number in outcome.changes.items():
            self._metrics.changes.labels(action).inc(number)
        if outcome.report_error:
            self._metrics.report_errors.inc()
            logger.warning("report not published: {}", outcome.report_error)

    def _backoff(self) -> float:
        """Return the seconds to wait: the interval, doubled with each error in a row, bounded, less up to a fifth."""
        doubled = self._settings.interval_seconds * 2.0 ** min(self._errors - 1, 16)
        return min(doubled, self._settings.backoff_limit_seconds) * random.uniform(0.8, 1.0)  # noqa: S311 # no secret

    def _schedule(self, seconds: float) -> None:
        if self._scheduler.running and not self._stop.requested():
            self._scheduler.modify_job(_JOB, next_run_time=datetime.now(UTC) + timedelta(seconds=seconds))


def ignore(_trigger: Callable[[], None]) -> None:
    """Need no way to ask for a tick."""


def run(
    tick: Tick,
    settings: DaemonSettings,
    metrics: Metrics,
    on_start: Callable[[Callable[[], None]], None] = ignore,
) -> int:
    """Tick until SIGTERM or SIGINT, and return the process's exit status. Call it from the main thread.

    `on_start` gets the function that asks for an earlier tick, for whoever watches the cluster.
    """
    with _signals() as stop:
        loop = Loop(tick, settings, metrics, stop)
        webhook = Webhook(settings.webhook_secret, loop.trigger) if settings.webhook_secret else None
        with Endpoints(settings.listen, loop.probes, metrics, webhook):
            loop.start()
            on_start(loop.trigger)
            stop.wait()
            logger.info("stopping after the effect in progress")
            loop.finish()
    return 0


@contextmanager
def _signals() -> Iterator[StopSignal]:
    stop = StopSignal()
    before = {number: signal.signal(number, stop.request) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        stop.close()
