"""What the program says about itself: log lines to stderr and numbers to Prometheus. Slow to import: keep it lazy.

Secrets are taken out here, where lines leave the process, since no caller can be trusted to think of it each time.
"""

import json
import logging
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TextIO

from loguru import logger
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

if TYPE_CHECKING:
    from loguru import Message, Record

_REDACTIONS: Final = (
    (re.compile(r"(?<=://)[^/\s@]*:?[^/\s]*@"), ""),
    (re.compile(r"(?i)\b(bearer|authorization\W+(?:basic|token))\s+[A-Za-z0-9._~+/=-]{8,}"), r"\1 ***"),
    (re.compile(r"\bhf_[A-Za-z0-9]{8,}"), "hf_***"),
    (re.compile(r"\b(gh[pousr]|glpat|github_pat)[_-][A-Za-z0-9_-]{8,}"), r"\1_***"),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*"), "***"),
)
# Shorter ones would blank out honest words, and guard nothing.
_MIN_SECRET: Final = 4
_COLOURS: Final = {"DEBUG": "\033[2m", "WARNING": "\033[33m", "ERROR": "\033[31m", "CRITICAL": "\033[31m"}
_RESET: Final = "\033[0m"


class LogFormat(StrEnum):
    """For whose eyes a log line is."""

    HUMAN = "human"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class LogSettings:
    """How to log. `secrets` are strings that must never appear, whatever they look like."""

    level: str = "INFO"
    format: LogFormat = LogFormat.HUMAN
    secrets: tuple[str, ...] = field(default=(), repr=False)


def configure(settings: LogSettings, stream: TextIO | None = None) -> None:
    """Send all log lines, our libraries' warnings included, to the stream (stderr when None). Call once."""
    sink = _Sink(settings, stream or sys.stderr)
    logger.remove()
    # diagnose prints the values of variables into tracebacks: tokens among them.
    logger.add(sink.write, level=settings.level.upper(), format="{message}", diagnose=False, backtrace=False)
    logging.basicConfig(handlers=[_Forward()], level=logging.WARNING, force=True)
    # It warns whenever a tick outlasts the interval, which is normal and which the metrics show.
    logging.getLogger("apscheduler").setLevel(logging.CRITICAL)


def redact(text: str, secrets: tuple[str, ...] = ()) -> str:
    """Return the text without the secrets, and without what looks like one."""
    for secret in sorted((s for s in secrets if len(s) >= _MIN_SECRET), key=len, reverse=True):
        text = text.replace(secret, "***")
    for pattern, instead in _REDACTIONS:
        text = pattern.sub(instead, text)
    return text


class Metrics:
    """The numbers of one process, on a registry of their own: two in one test do not meet."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        self.registry = registry
        self.ticks = Counter("llmkube_ticks", "Ticks ended, by result.", ["result"], registry=registry)
        self.tick_seconds = Histogram(
            "llmkube_tick_seconds",
            "Duration of a tick.",
            buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300),
            registry=registry,
        )
        self.last_success = Gauge(
            "llmkube_last_success_timestamp_seconds", "When a tick last ended without an error.", registry=registry
        )
        self.services = Gauge("llmkube_services", "Services, by phase.", ["phase"], registry=registry)
        self.changes = Counter(
            "llmkube_changes", "Changes carried out or held, by action.", ["action"], registry=registry
        )
        self.report_errors = Counter(
            "llmkube_report_push_errors", "Reports that git refused; the apply went on.", registry=registry
        )
        self.git_seconds = Histogram(
            "llmkube_git_seconds",
            "Duration of a git command that asks the remote.",
            ["command"],
            buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120),
            registry=registry,
        )

    def observe_services(self, phases: Mapping[str, int]) -> None:
        """Show how many services are in each phase; phases that are not named hold none."""
        self.services.clear()
        for phase, number in phases.items():
            self.services.labels(phase).set(number)

    def observe_git(self, arguments: tuple[str, ...], seconds: float) -> None:
        """Take note of a git command, as the repository's hook hands it on."""
        if arguments[0] in {"ls-remote", "fetch", "push"}:
            self.git_seconds.labels(arguments[0]).observe(seconds)


class _Sink:
    """Writes one record: redacted, on one line save for a traceback, coloured only on a terminal."""

    def __init__(self, settings: LogSettings, stream: TextIO) -> None:
        self._stream = stream
        self._secrets = settings.secrets
        self._json = settings.format is LogFormat.JSON
        self._colours = stream.isatty() and not os.environ.get("NO_COLOR")

    def write(self, message: "Message") -> None:
        """Write the record behind the message."""
        record = message.record
        # loguru appends the traceback to what it formatted.
        trace = self._clean(str(message)[len(record["message"]) :].strip()) if record["exception"] else ""
        line = self._as_json(record, trace) if self._json else self._as_text(record, trace)
        self._stream.write(line + "\n")
        self._stream.flush()

    def _as_json(self, record: "Record", trace: str) -> str:
        fields = {key: self._clean(str(value)) for key, value in sorted(record["extra"].items())}
        fixed = {
            "time": record["time"].astimezone(UTC).isoformat(timespec="milliseconds"),
            "level": record["level"].name.lower(),
            "message": self._clean(record["message"]),
        }
        return json.dumps(fixed | ({"traceback": trace} if trace else {}) | fields, ensure_ascii=False)

    def _as_text(self, record: "Record", trace: str) -> str:
        level = record["level"].name
        # A message may quote a repository: what it says must not forge a line or steer a terminal.
        said = "".join(c if c.isprintable() else repr(c)[1:-1] for c in self._clean(record["message"]))
        line = f"{record['time']:HH:mm:ss} {level:<7} {said}"
        if self._colours and level in _COLOURS:
            line = f"{_COLOURS[level]}{line}{_RESET}"
        return f"{line}\n{trace}" if trace else line

    def _clean(self, text: str) -> str:
        return redact(text, self._secrets)


class _Forward(logging.Handler):
    """Hands the libraries' own log lines to loguru, so that they pass the same sink."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log the record, with its exception when it has one."""
        level = record.levelname if record.levelname in logging.getLevelNamesMapping() else "WARNING"
        logger.opt(exception=record.exc_info).log(level, "{}: {}", record.name, record.getMessage())
