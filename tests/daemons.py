"""`llmkube run` as a process of its own, watched from outside."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

DEADLINE_SECONDS = 60.0


def until(true: Callable[[], object], what: str = "what was waited for") -> None:
    """Look often; fail when it does not become true."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not true():
        assert time.monotonic() < deadline, f"{what} did not come"
        time.sleep(0.01)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def command_lines() -> list[str]:
    """Return the command line of every process of this machine."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:  # it ended while we looked
            continue
    return found


class Daemon:
    """Starts at once. What it says on stderr is in `lines`; killed at the end of the block if it still runs."""

    def __init__(self, *arguments: str, cwd: Path, env: Mapping[str, str] | None = None) -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("LLMKUBE_", "GIT_"))}
        self.lines: list[str] = []
        self._process = subprocess.Popen(
            [sys.executable, "-m", "reconciler", "run", *arguments],
            cwd=cwd,
            env=clean | (env or {}),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self.kill()

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    @property
    def said(self) -> str:
        return "\n".join(self.lines)

    def has_said(self, words: str) -> bool:
        return any(words in line for line in [*self.lines])

    def wait_for(self, words: str) -> None:
        until(lambda: self.has_said(words) or not self.running, f"{words!r} in {self.lines[-5:]}")
        assert self.has_said(words), self.said

    def terminate(self, seconds: float = 5.0) -> int:
        """Send SIGTERM; return the exit code, which must come within the seconds."""
        self._process.send_signal(signal.SIGTERM)
        return self._end(seconds)

    def kill(self) -> int:
        self._process.kill()
        return self._end(5.0)

    def _end(self, seconds: float) -> int:
        code = self._process.wait(seconds)
        self._thread.join()
        self._process.stderr.close()
        return code

    def _listen(self) -> None:
        for line in self._process.stderr:
            self.lines.append(line.rstrip("\n"))
