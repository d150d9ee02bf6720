"""Write reports to a branch of their own: built by plumbing, pushed with lease, built anew when someone was faster."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from reconciler.core.model.source import Published, Report
from reconciler.errors import PublishError, SourceError
from reconciler.repository import objects
from reconciler.repository.address import Address
from reconciler.repository.git import GitError, GitRunner

# Fetched reports stand under a name that no fetch of the source branch ever writes.
_FETCHED: Final = "refs/llmkube/report"
_BUILT: Final = "refs/llmkube/built"
# Each attempt loses only to a writer who won: five in a row is a fight, and the next tick tries again.
_ATTEMPTS: Final = 5
_UNSAFE: Final = re.compile(r"(^|/)(\.{0,2}|\.git)(/|$)|[\x00-\x1f\x7f]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ReportBranch:
    """Where reports go, in whose name, and how long their history may grow before it is squashed."""

    address: Address
    branch: str
    author: str
    squash_beyond: int

    @property
    def ref(self) -> str:
        """The full name of the branch on the remote."""
        return f"refs/heads/{self.branch}"


class Publisher:
    """One report branch, and what was last seen on it."""

    def __init__(self, runner: GitRunner, where: ReportBranch, between: Callable[[], None]) -> None:
        self._runner = runner
        self._where = where
        self._between = between
        self._tip = ""
        self._report: Report | None = None

    def saw(self, tip: str) -> None:
        """Take note of the branch's head on the remote; "" for no branch. Reads nothing yet."""
        if tip != self._tip:
            self._tip, self._report = tip, None

    def look(self) -> str:
        """Ask the remote for the branch's head, and return it; "" for no branch."""
        listed = self._runner.run(
            "ls-remote", "--", self._where.address.url, self._where.ref, address=self._where.address
        )
        lines = [line.split("\t") for line in listed.decode("utf-8", "replace").splitlines()]
        self.saw(next((tip for tip, ref in lines if ref == self._where.ref), ""))
        return self._tip

    def previous(self) -> Report | None:
        """Return the report at the head that was last seen, fetched when it is new. None when there is no branch."""
        if self._tip and self._report is None:
            self._fetch()
            message = self._runner.run("log", "--max-count=1", "--format=%B", self._tip, "--").decode(
                "utf-8", "replace"
            )
            self._report = Report(objects.read_tree(self._runner, self._tip), message.strip() + "\n")
        return self._report

    def publish(self, report: Report) -> Published:
        """Write the report on top of whatever the branch holds. What git refuses is in the answer, never raised."""
        try:
            return self._attempts(report)
        except (SourceError, PublishError) as error:
            return Published(self._tip, written=False, error=str(error))

    def _attempts(self, report: Report) -> Published:
        for _ in range(_ATTEMPTS):
            previous = self.previous()
            if previous is not None and dict(previous.files) == dict(report.files):
                return Published(self._tip, written=False)
            if (refused := self._write(report)) is None:
                return Published(self._tip, written=True)
            lost = self._tip
            if self.look() == lost:
                raise refused
        raise PublishError(
            f"{self._where.branch}: others pushed in each of {_ATTEMPTS} attempts; the next tick tries again"
        )

    def _write(self, report: Report) -> GitError | None:
        """Build and push. Return git's refusal; None when the report stands. A refused squash is tried as a commit."""
        squash = bool(self._tip) and objects.count(self._runner, self._tip) >= self._where.squash_beyond
        refused: GitError | None = None
        for parent in ("", self._tip) if squash else (self._tip,):
            built = self._build(report, parent)
            self._between()
            if (refused := self._push(built)) is None:
                self._tip, self._report = built, report
                return None
        return refused

    def _build(self, report: Report, parent: str) -> str:
        """Return the id of a commit of exactly these files, made by one process."""
        stream = _stream(report, parent, self._where.author)
        self._runner.run("fast-import", "--quiet", "--force", "--done", "--date-format=now", stdin=stream)
        return objects.resolve(self._runner, _BUILT)

    def _push(self, built: str) -> GitError | None:
        lease = f"--force-with-lease={self._where.ref}:{self._tip}"
        target = f"{built}:{self._where.ref}"
        address = self._where.address
        try:
            self._runner.run("push", "--quiet", "--no-verify", lease, "--", address.url, target, address=address)
        except GitError as error:
            return error
        return None

    def _fetch(self) -> None:
        address = self._where.address
        refspec = f"+{self._where.ref}:{_FETCHED}"
        self._runner.run(
            "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--", address.url, refspec, address=address
        )
        # Someone may have pushed since the head was seen: what was fetched is what the next push must replace.
        self._tip = objects.resolve(self._runner, _FETCHED)


def _stream(report: Report, parent: str, author: str) -> bytes:
    """Return what `git fast-import` is to read. Source: https://git-scm.com/docs/git-fast-import#_input_format."""
    message = report.message.encode()
    lines = [f"reset {_BUILT}\n".encode()] if not parent else []
    lines += [f"commit {_BUILT}\ncommitter {author} now\ndata {len(message)}\n".encode(), message, b"\n"]
    lines += [f"from {parent}\ndeleteall\n".encode()] if parent else [b"deleteall\n"]
    for path, content in _checked(report.files).items():
        lines += [f"M 100644 inline {_quoted(path)}\ndata {len(content)}\n".encode(), content, b"\n"]
    return b"".join([*lines, b"done\n"])


def _checked(files: Mapping[str, bytes]) -> Mapping[str, bytes]:
    for path in files:
        if _UNSAFE.search(path):
            raise PublishError(f"{path!r} is not a path that a report may have")
    return dict(sorted(files.items()))


def _quoted(path: str) -> str:
    return '"' + path.replace("\\", "\\\\").replace('"', '\\"') + '"'
