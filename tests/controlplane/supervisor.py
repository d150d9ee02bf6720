"""A small process that stands between a cluster and its parent, so that nothing outlives the parent.

It reads one JSON object a line from its standard input: {"name", "argv"} starts a program in `<folder>`, with its
output in `<name>.log` and its process id in `<name>.pid`; what ends by itself leaves its exit status in `<name>.exit`.
When the input ends, which the kernel sees to however the parent died, it kills every program and removes the folder.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

PR_SET_PDEATHSIG = 1
POLL_SECONDS = 0.1  # how soon a program that died is noticed


def main(folder: Path) -> None:
    # a closed terminal or Ctrl-C reaches the parent too, and its end is what counts
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    programs: dict[str, subprocess.Popen[bytes]] = {}
    try:
        _serve(folder, programs)
    finally:
        for program in programs.values():
            with suppress(ProcessLookupError):
                program.kill()
        for program in programs.values():
            program.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _serve(folder: Path, programs: dict[str, subprocess.Popen[bytes]]) -> None:
    rest = b""
    while True:
        if select.select([0], [], [], POLL_SECONDS)[0]:
            read = os.read(0, 65536)
            if not read:
                return
            *lines, rest = (rest + read).split(b"\n")
            for line in lines:
                order = json.loads(line)
                programs[order["name"]] = _start(folder, order["name"], order["argv"])
        for name, program in programs.items():
            if program.poll() is not None and not (folder / f"{name}.exit").exists():
                (folder / f"{name}.exit").write_text(f"{program.returncode}\n")


def _start(folder: Path, name: str, argv: list[str]) -> subprocess.Popen[bytes]:
    with (folder / f"{name}.log").open("ab") as log:
        program = subprocess.Popen(
            argv,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - this process has one thread
        )
    (folder / f"{name}.pid").write_text(f"{program.pid}\n")
    return program


def _die_with_parent() -> None:
    """Ask the kernel, where it is Linux, to kill this program should even the supervisor be killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
