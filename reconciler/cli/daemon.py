"""What `llmkube run` does at each tick, and what it says of it: a line for each event, none for a quiet tick."""

import os
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from typing import Any

from loguru import logger

from reconciler import pipeline, resources, telemetry
from reconciler.cli import wiring
from reconciler.core import report
from reconciler.core.model.change import Change, Hold, HoldReason, Result
from reconciler.core.model.objects import Key, ServiceId
from reconciler.core.model.outcome import Outcome
from reconciler.core.model.problem import Problem, Severity
from reconciler.core.model.source import Published
from reconciler.daemon import endpoints, loop
from reconciler.errors import UsageError
from reconciler.ports import Remote, Stop, Target


def run(clock: Callable[[], datetime], **given: Any) -> int:
    """Tick until told to end; return the exit code."""
    secrets = tuple(os.environ.get(name, "") for name in ("LLMKUBE_GIT_TOKEN", "LLMKUBE_WEBHOOK_SECRET"))
    telemetry.configure(
        telemetry.LogSettings(
            given["log_level"], telemetry.LogFormat(given["log_format"]), tuple(filter(None, secrets))
        )
    )
    for notice in resources.notices():
        logger.warning("{}", notice)
    settings = loop.DaemonSettings(
        interval_seconds=given["interval"],
        listen=_listen(given["listen"]),
        webhook_secret=os.environ.get("LLMKUBE_WEBHOOK_SECRET", ""),
    )
    with ExitStack() as stack:
        source = stack.enter_context(wiring.repository(**given))
        ticker = Ticker(source, wiring.target(**given), wiring.reader(**given), wiring.orders(**given), clock)
        return loop.run(ticker.tick, settings, telemetry.Metrics())


class Ticker:
    """The ticks of one process: what it remembers between them saves work or words, and nothing depends on it."""

    def __init__(
        self,
        source: Remote,
        target: Target,
        reader: pipeline.Reader,
        orders: pipeline.Orders,
        clock: Callable[[], datetime],
    ) -> None:
        self._source = source
        self._target = target
        self._reader = reader
        self._orders = orders
        self._clock = clock
        self._retaken: Mapping[Key, tuple[datetime, ...]] = {}
        self._phases_told: Mapping[ServiceId, datetime] = {}
        self._told: frozenset[Problem | tuple[Key, Hold]] = frozenset()
        self._revision = ""
        self._report_error = ""

    def tick(self, stop: Stop) -> loop.TickResult:
        """Do one tick; errors of the whole tick are raised, of single items logged."""
        self._source.heed(stop)
        now = self._clock()
        orders = replace(self._orders, now=now, retaken=self._retaken)
        proposal = pipeline.propose(self._source, self._target, self._reader, orders)
        self._say_news(proposal.plan.parsed.problems, proposal.changes)
        outcome = pipeline.carry_out(proposal, self._target, stop, _say_result)
        self._retaken = pipeline.retaken(self._retaken, outcome.results, now)
        if outcome.interrupted:
            # the few seconds that are left belong to what must be whole; the next start goes on, and reports
            return _summary(outcome, Published("", written=False))
        said = pipeline.publish(outcome, self._source, self._phases_told, now)
        self._phases_told = said.told
        self._say_end(outcome, said.report.message, said.published)
        return _summary(outcome, said.published)

    def _say_news(self, problems: tuple[Problem, ...], changes: tuple[Change, ...]) -> None:
        """Say what is wrong or held once, and again only when it was gone in between."""
        held = [(change, change.hold) for change in changes if change.hold]
        for problem in problems:
            if problem not in self._told and problem.severity is not Severity.NOTE:
                logger.warning("{}", problem)
        for change, hold in held:
            if (change.key, hold) not in self._told and hold.reason is not HoldReason.RETAINED:
                logger.warning("held {} of {}: {}", change.action, change.key, hold.message)
        self._told = frozenset([*problems, *((change.key, hold) for change, hold in held)])

    def _say_end(self, outcome: Outcome, message: str, published: Published) -> None:
        snapshot = outcome.plan.snapshot
        if snapshot.revision != self._revision:
            logger.info("observed {}@{}", snapshot.branch, snapshot.revision[:8])
            self._revision = snapshot.revision
        if published.written:
            logger.info("report {}: {}", published.revision[:8], message.partition("\n")[0])
        if published.error and published.error != self._report_error:
            logger.warning("the report could not be written: {}", published.error)
        self._report_error = published.error


def _say_result(result: Result) -> None:
    if result.error:
        logger.warning("{} {} failed: {}", result.change.action, result.change.key, result.error)
    else:
        logger.info("{} {}", result.change.action, result.change.key)


def _summary(outcome: Outcome, published: Published) -> loop.TickResult:
    phases = Counter(state.phase.value for state in report.fleet(outcome))
    actions = Counter(result.change.action.value for result in outcome.results if not result.error)
    held = any(change.hold and change.hold.reason is not HoldReason.RETAINED for change in outcome.changes)
    failed = any(result.error for result in outcome.results)
    word = "failed" if failed else "held" if held or not outcome.plan.complete else "ok"
    word = "interrupted" if outcome.interrupted else word
    return loop.TickResult(word, dict(phases), dict(actions), published.error)


def _listen(said: str) -> endpoints.Listen | None:
    """Return where to listen, of `host:port` or `:port`; None for nowhere."""
    if not said:
        return None
    host, _, port = said.rpartition(":")
    if not port.isdigit():
        raise UsageError(f"--listen {said}: write HOST:PORT, such as 0.0.0.0:8080")
    return endpoints.Listen(host.strip("[]"), int(port))
