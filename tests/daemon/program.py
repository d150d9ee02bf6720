"""A daemon with a tiny tick, for tests that need a real process: it writes each thing it does to a file.

Usage: program.py FILE KIND [PORT], KIND being steps, quiet, stubborn or failing. With a port it answers there, and
ticks only when asked.
"""

import sys
import time
from pathlib import Path

from reconciler.daemon.endpoints import Listen
from reconciler.daemon.loop import DaemonSettings, TickResult, run
from reconciler.errors import SourceError
from reconciler.ports import Stop
from reconciler.telemetry import LogSettings, Metrics, configure


def main(file: Path, kind: str, port: str = "") -> int:
    def say(words: str) -> None:
        with file.open("a", encoding="utf-8") as story:
            story.write(words + "\n")

    def steps(stop: Stop) -> TickResult:
        for number in range(100):
            if stop.requested():
                say("left")
                return TickResult("interrupted")
            say(f"begin {number}")
            time.sleep(0.2)
            say(f"end {number}")
        return TickResult()

    def quiet(_stop: Stop) -> TickResult:
        say("tick")
        return TickResult()

    def stubborn(_stop: Stop) -> TickResult:
        say("begin")
        time.sleep(60)
        return TickResult()

    def failing(_stop: Stop) -> TickResult:
        say("tick")
        raise SourceError("https://ada:hunter2@example.org/a.git: the server cannot be reached")

    tick = {"steps": steps, "quiet": quiet, "stubborn": stubborn, "failing": failing}[kind]
    configure(LogSettings())
    settings = DaemonSettings(interval_seconds=0.1)
    if port:
        settings = DaemonSettings(
            interval_seconds=3600.0,
            listen=Listen("127.0.0.1", int(port)),
            webhook_secret="hush",  # noqa: S106 # a test's
        )
    return run(tick, settings, Metrics())


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
