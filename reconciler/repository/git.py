"""Run git: a fixed environment, a deadline, a bound on what it may say, and errors in one line without secrets."""

import os
import re
import selectors
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from reconciler.errors import SourceError
from reconciler.ports import Stop
from reconciler.repository.address import Address

try:
    from git.cmd import Git
    from git.exc import GitCommandNotFound
except ImportError as error:  # GitPython looks for the program when it is imported
    raise SourceError("git is not installed, or not in PATH") from error

# A tree of a million files lists in about 100 MB; what says more is a bomb (ten levels of ten equal trees).
OUTPUT_LIMIT_BYTES: Final = 256 * 1024 * 1024
# git removes its lock files on SIGTERM, never on SIGKILL.
_GRACE_SECONDS: Final = 2.0
_CHUNK_BYTES: Final = 1 << 16
# How soon a stop is seen: well within the five seconds that the process has.
_LOOK_SECONDS: Final = 0.25
_PATIENCE_SECONDS: Final = {"ls-remote": 0.0, "fetch": 0.0, "push": 2.0}
"""How long what talks to a remote may go on after the stop. What works on our own store is never cut.

A push that is cut short stands whole on the remote or not at all, but one that is about to end should.
"""

_CONFIG: Final = (
    ("core.hooksPath", "/dev/null"),
    ("core.symlinks", "false"),
    ("core.fsmonitor", "false"),
    ("credential.helper", ""),
    ("fetch.recurseSubmodules", "false"),
    ("gc.autoDetach", "false"),
    ("http.followRedirects", "false"),
    # A git that outlives us (a second SIGTERM) must end by itself.
    ("http.lowSpeedLimit", "1000"),
    ("http.lowSpeedTime", "60"),
    ("init.defaultBranch", "main"),
    ("log.showSignature", "false"),
    ("maintenance.autoDetach", "false"),
    ("push.followTags", "false"),
    ("push.gpgSign", "false"),
    ("submodule.recurse", "false"),
    ("transfer.fsckObjects", "true"),
    # Faults of old tools that stand in the history of honest repositories and harm nobody; GitLab's server ignores the
    # same. Source: https://gitlab.com/gitlab-org/gitaly/-/blob/master/internal/git/gitcmd/command_description.go
    ("fetch.fsck.badTimezone", "ignore"),
    ("fetch.fsck.missingSpaceBeforeDate", "ignore"),
    ("fetch.fsck.zeroPaddedFilemode", "ignore"),
)

_CAUSES: Final = (
    (r"returned error: 30[1278]", "it redirects elsewhere, which is refused; give the address it redirects to"),
    (
        r"Authentication failed|could not read (Username|Password)|returned error: 40[13]|Permission denied \(",
        "authentication failed; is the token right, and is it allowed to do this?",
    ),
    (r"cannot run ssh", "ssh is not installed, or not in PATH"),
    (r"Host key verification failed", "the server's ssh key is not among the known hosts"),
    (
        (
            r"Could not resolve host|Failed to connect|Couldn't connect|Connection (refused|reset|timed out)|"
            r"Could not resolve hostname|unable to connect|Operation timed out|No route to host"
        ),
        "the server cannot be reached",
    ),
    (
        (
            r"does not appear to be a git repository|repository '.*' not found|Repository not found|"
            r"returned error: 404|No such file or directory"
        ),
        "there is no repository, or none that may be seen",
    ),
    (r"detected dubious ownership", "the repository belongs to another user"),
    (r"transport '.*' not allowed", "its transport is not allowed"),
)


class GitError(SourceError):
    """git said no. `status` is its exit status, negative when it was stopped; `detail` what it said, redacted."""

    def __init__(self, message: str, status: int, detail: str) -> None:
        super().__init__(message)
        self.status = status
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Ssh:
    """How ssh is to prove us and the server. Empty takes what ssh itself would."""

    key: str = ""
    known_hosts: str = ""

    def command(self) -> str:
        """Return the value of GIT_SSH_COMMAND. An unknown server is always refused."""
        words = ["ssh", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"]
        words += ["-o", f"UserKnownHostsFile={self.known_hosts}"] if self.known_hosts else []
        words += ["-o", "IdentitiesOnly=yes", "-i", self.key] if self.key else []
        return shlex.join(words)


OnCommand = Callable[[tuple[str, ...], float], None]
"""Called after each git command with its arguments and the seconds it took."""


def ignore(_arguments: tuple[str, ...], _seconds: float) -> None:
    """Take no note of a command."""


class _Never:
    def requested(self) -> bool:
        return False


@dataclass(slots=True)
class GitRunner:
    """git on one object store. `global_config` is a file of ours that takes the place of the user's.

    `stop` ends what only asks a remote, in mid-wait; a push, being an effect, gets two more seconds.
    """

    directory: Path
    timeout_seconds: float = 120.0
    ssh: Ssh = Ssh()
    global_config: str = "/dev/null"
    on_command: OnCommand = ignore
    stop: Stop = field(default_factory=_Never)

    def run(self, *arguments: str, address: Address | None = None, stdin: bytes = b"") -> bytes:
        """Return what git wrote to stdout. Without an address every transport is refused. GitError when it fails."""
        started = time.monotonic()
        try:
            with self._started(arguments, address) as process:
                bounds = _Bounds(started + self.timeout_seconds, self.stop, _PATIENCE_SECONDS.get(arguments[0]))
                output, said = _converse(process, stdin, bounds)
        except GitCommandNotFound as error:
            raise SourceError("git is not installed, or not in PATH") from error
        except _StoppedError as error:
            raise GitError(f"{_subject(arguments, address)}: {error}", -signal.SIGTERM, str(error)) from error
        finally:
            self.on_command(arguments, time.monotonic() - started)
        if process.returncode:
            raise _failure(arguments, address, process.returncode, said.decode("utf-8", "replace"))
        return output

    @contextmanager
    def _started(self, arguments: Sequence[str], address: Address | None) -> Iterator[subprocess.Popen[bytes]]:
        """Start git in a session of its own: a signal meant for us does not stop it in mid-write, and it dies whole."""
        wrapper = Git("/").execute(
            ["git", *arguments],
            istream=subprocess.PIPE,
            as_process=True,
            env=self._environment(address),
            start_new_session=True,
        )
        process: subprocess.Popen[bytes] = wrapper.proc  # type: ignore[assignment] # None only after it was collected
        try:
            yield process
        finally:
            _end(process)

    def _environment(self, address: Address | None) -> dict[str, str]:
        scheme = address.scheme if address else "none"
        config = [*_CONFIG, ("protocol.file.allow", "always" if scheme == "file" else "never")]
        if address and (authorization := address.authorization()):
            config.append((f"http.{address.origin}.extraHeader", f"Authorization: {authorization}"))
        numbered = {f"GIT_CONFIG_KEY_{n}": key for n, (key, _) in enumerate(config)}
        numbered |= {f"GIT_CONFIG_VALUE_{n}": value for n, (_, value) in enumerate(config)}
        return numbered | {
            "GIT_ALLOW_PROTOCOL": scheme,
            "GIT_ASKPASS": "",
            "GIT_CONFIG_COUNT": str(len(config)),
            "GIT_CONFIG_GLOBAL": self.global_config,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_PARAMETERS": "",
            "GIT_DIR": str(self.directory),
            "GIT_NAMESPACE": "",
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_SSH_COMMAND": self.ssh.command(),
            "GIT_SSH_VARIANT": "ssh",
            "GIT_TERMINAL_PROMPT": "0",
            "LC_ALL": "C",
            "SSH_ASKPASS": "",
        }


class _StoppedError(Exception):
    """git took too long, or said too much, or nobody waits for it any more."""


@dataclass(slots=True)
class _Bounds:
    """`patience_seconds` counts from when the stop was first seen; None takes no notice of it."""

    deadline: float
    stop: Stop
    patience_seconds: float | None
    stopped: float | None = None

    def check(self) -> None:
        now = time.monotonic()
        if now >= self.deadline:
            raise _StoppedError("git did not finish in time")
        if self.patience_seconds is None or not self.stop.requested():
            return
        self.stopped = now if self.stopped is None else self.stopped
        if now - self.stopped >= self.patience_seconds:
            raise _StoppedError("given up, since the process is to end")

    def wait_seconds(self) -> float:
        return max(0.0, min(_LOOK_SECONDS, self.deadline - time.monotonic()))


def _converse(process: subprocess.Popen[bytes], stdin: bytes, bounds: _Bounds) -> tuple[bytes, bytes]:
    """Feed git and hear it out, both at once. `communicate()` has no bound on what it keeps."""
    heard: dict[int, bytearray] = {}
    waiting = memoryview(stdin)
    with selectors.DefaultSelector() as selector:
        for stream in (process.stdout, process.stderr):
            heard[stream.fileno()] = bytearray()  # type: ignore[union-attr] # GitPython opens both
            selector.register(stream, selectors.EVENT_READ)  # type: ignore[arg-type] # likewise
        os.set_blocking(process.stdin.fileno(), False)  # type: ignore[union-attr] # we asked for a pipe
        selector.register(process.stdin, selectors.EVENT_WRITE)  # type: ignore[arg-type] # likewise
        while selector.get_map():
            ready = selector.select(bounds.wait_seconds())
            bounds.check()
            for key, events in ready:
                if events & selectors.EVENT_WRITE:
                    waiting = _feed(key.fd, waiting)
                    done = not waiting
                else:
                    done = not _hear(key.fd, heard[key.fd])
                if done:
                    selector.unregister(key.fileobj)
                    key.fileobj.close()  # type: ignore[union-attr] # a pipe, not a bare descriptor
    _wait(process, bounds.deadline)
    output, said = heard.values()
    return bytes(output), bytes(said)


def _feed(descriptor: int, waiting: memoryview) -> memoryview:
    try:
        return waiting[os.write(descriptor, waiting[:_CHUNK_BYTES]) :] if waiting else waiting
    except BrokenPipeError:
        return waiting[:0]  # git ended early: its status and stderr say why


def _hear(descriptor: int, heard: bytearray) -> bool:
    chunk = os.read(descriptor, _CHUNK_BYTES)
    heard += chunk
    if len(heard) > OUTPUT_LIMIT_BYTES:
        raise _StoppedError(f"more than {OUTPUT_LIMIT_BYTES} bytes of output; is the tree a bomb?")
    return bool(chunk)


def _wait(process: subprocess.Popen[bytes], deadline: float) -> None:
    try:
        process.wait(max(0.1, deadline - time.monotonic()))
    except subprocess.TimeoutExpired as error:
        raise _StoppedError("git did not finish in time") from error


def _end(process: subprocess.Popen[bytes]) -> None:
    """Leave nothing behind: no process of the session, no open pipe."""
    if process.poll() is None:
        _signal_session(process.pid, signal.SIGTERM)
        try:
            process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            _signal_session(process.pid, signal.SIGKILL)
            process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None and not stream.closed:
            stream.close()


def _signal_session(pid: int, number: signal.Signals) -> None:
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return


def _failure(arguments: Sequence[str], address: Address | None, status: int, said: str) -> GitError:
    detail = " ".join((address.redact(said) if address else said).split())
    cause = next((cause for pattern, cause in _CAUSES if address and re.search(pattern, said)), "")
    spoken = [line for line in said.splitlines() if re.match(r"(fatal|error|remote):", line)] or said.splitlines()
    last = spoken[0].partition(": ")[2] or spoken[0] if spoken else f"git ended with status {status}"
    last = address.redact(last) if address else last
    return GitError(f"{_subject(arguments, address)}: {cause or last}", status, detail)


def _subject(arguments: Sequence[str], address: Address | None) -> str:
    return address.shown if address else f"git {arguments[0]}"
