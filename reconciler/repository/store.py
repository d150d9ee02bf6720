"""A remote repository as a source of specs: a bare store of objects, and never a checkout."""

import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, NoReturn, Self
from urllib.parse import unquote

from reconciler.core.model.source import Commit, Entry, Published, Report, Snapshot
from reconciler.errors import SourceError, UsageError
from reconciler.ports import Stop
from reconciler.repository import address, objects
from reconciler.repository.address import Address, Credentials
from reconciler.repository.git import GitError, GitRunner, OnCommand, Ssh, ignore
from reconciler.repository.publish import Publisher, ReportBranch

_HEADS: Final = "refs/heads/"
_CONFIG: Final = "llmkube.config"
_SOURCE: Final = "refs/llmkube/source"
_UNFIT_IN_NAME: Final = re.compile(r"[<>\x00-\x1f\x7f]")
# How many branches an error names.
_SHOWN_BRANCHES: Final = 10
_SHA256_DIGITS: Final = 64


@dataclass(frozen=True, slots=True)
class GitSettings:
    """Where specs come from and reports go. Built by the command line; nothing of it can be widened by git.

    `branch` "" is the remote's HEAD, `path` "" all of the repository, `status_branch` "" is
    `llmkube-status/<cluster_name>`, `report_url` "" is `url`. `directory` is where the bare store is kept, ours alone;
    "" makes a private one, removed at close. `depth` is how many commits the first fetch brings: enough to find the
    last applied one in nearly all cases, the rest of the history follows only when it is asked for; 0 fetches all.
    """

    url: str
    branch: str = ""
    path: str = ""
    cluster_name: str = "default"
    status_branch: str = ""
    report_url: str = ""
    credentials: Credentials = field(default_factory=Credentials)
    report_credentials: Credentials | None = None
    ssh: Ssh = field(default_factory=Ssh)
    directory: str = ""
    timeout_seconds: float = 120.0
    author_name: str = "llmkube-reconciler"
    author_email: str = "llmkube-reconciler@users.noreply.invalid"
    depth: int = 100
    squash_beyond: int = 500


def _nothing() -> None:
    """Do nothing between a report's build and its push."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """Where a test or a metric may look in: after each git command, and between a report's build and its push."""

    on_command: OnCommand = ignore
    before_push: Callable[[], None] = _nothing


_NO_HOOKS: Final = Hooks()


class GitSource:
    """One branch of a remote repository, and the branch of its reports. Keeps the port `Source`."""

    def __init__(self, settings: GitSettings, hooks: Hooks = _NO_HOOKS) -> None:
        self._settings = settings
        self._remote = address.parse(settings.url, settings.credentials)
        self._path = address.check_path(settings.path)
        self._branch = settings.branch and address.check_branch(settings.branch)
        reports = _report_branch(settings, self._remote)
        self._private = "" if settings.directory else tempfile.mkdtemp(prefix="llmkube-git-")
        self._runner = _runner(
            settings, Path(settings.directory or self._private), (self._remote, reports.address), hooks
        )
        self._reports = reports
        self._publisher = Publisher(self._runner, reports, hooks.before_push)
        self._snapshot: Snapshot | None = None
        self._seen = False
        self._opened = False
        self._inherited = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove the private store. A given directory stays, for the next start."""
        if self._private:
            shutil.rmtree(self._private, ignore_errors=True)

    def heed(self, stop: Stop) -> None:
        """From now on, give up waiting for the remote when the stop is requested: with a SourceError."""
        self._runner.stop = stop

    def snapshot(self) -> Snapshot:
        """Return all files of the head of the branch. One ls-remote; fetches and lists only what is new.

        SourceError when it cannot; UsageError when there is no such branch.
        """
        branch, head = self._look()
        if self._snapshot is None or self._snapshot.revision != head or self._snapshot.branch != branch:
            try:
                self._snapshot = self._fetched(branch)
            except (GitError, UsageError):
                # A store that an earlier process left may be broken: killed in mid-write, or out of space.
                if not self._inherited:
                    raise
                self._empty()
                self._open((head,))
                self._snapshot = self._fetched(branch)
            self._inherited = False
        return self._snapshot

    def at(self, revision: str) -> Snapshot:
        """Return all files of a revision: a commit id, a branch, a tag, or what git derives of these (`main~2`)."""
        address.check_revision(revision)
        if self._snapshot is None:
            self.snapshot()
        found = self._find(revision)
        return Snapshot(self._remote.shown, revision, found, self._list(found))

    def read(self, entries: Sequence[Entry]) -> Mapping[str, bytes]:
        """Return blob -> content, in one batch."""
        return objects.read_blobs(self._runner, entries)

    def commits(self, since: str, until: str) -> tuple[Commit, ...]:
        """Return the commits after `since` up to `until`, newest first; only `until` when `since` is no ancestor."""
        address.check_revision(until)
        known = bool(since) and self._has_ancestor(address.check_revision(since), until)
        return objects.log(self._runner, since if known else "", until)

    def previous(self) -> Report | None:
        """Return the report at the head of the report branch, as the last snapshot saw it. None when there is none."""
        self._look_for_reports()
        return self._publisher.previous()

    def publish(self, report: Report) -> Published:
        """Write the report to the report branch. Equal files, no commit; a refusal is in the answer."""
        try:
            self._look_for_reports()
        except SourceError as error:
            return Published("", written=False, error=str(error))
        return self._publisher.publish(report)

    def _fetched(self, branch: str) -> Snapshot:
        """Fetch the branch. Someone may have pushed since it was looked at: what came is what is listed."""
        self._fetch_head(branch)
        head = objects.resolve(self._runner, _SOURCE)
        return Snapshot(self._remote.shown, branch, head, self._list(head))

    def _look(self) -> tuple[str, str]:
        """Return the branch's name and head, by one ls-remote that also sees the report branch."""
        wanted = f"{_HEADS}{self._branch}" if self._branch else "HEAD"
        refs = self._ls_remote("--symref", "--", self._remote.url, wanted, self._reports.ref)
        self._open(refs.values())
        self._seen = self._reports.address == self._remote
        if self._seen:
            self._publisher.saw(refs.get(self._reports.ref, ""))
        if wanted not in refs:
            self._explain_missing()
        return refs.get("ref: HEAD", wanted).removeprefix(_HEADS), refs[wanted]

    def _look_for_reports(self) -> None:
        """Find the report branch's head where no snapshot did: before the first one, or in another repository."""
        if not self._seen:
            tip = self._publisher.look()
            self._open((tip,))
            self._seen = True

    def _ls_remote(self, *arguments: str) -> dict[str, str]:
        """Return ref -> id; what HEAD points at stands under `ref: HEAD`."""
        answer = self._runner.run("ls-remote", *arguments, address=self._remote).decode("utf-8", "replace")
        pairs = [line.partition("\t") for line in answer.splitlines()]
        symbolic, plain = [p for p in pairs if p[0].startswith("ref: ")], [p for p in pairs if "ref: " not in p[0]]
        targets = {f"ref: {name}": value.removeprefix("ref: ") for value, _, name in symbolic}
        return targets | {name: value for value, _, name in plain}

    def _explain_missing(self) -> NoReturn:
        """Say why there is no such branch, in an ls-remote of its own: this is the way of the error alone."""
        refs = self._ls_remote("--heads", "--", self._remote.url)
        names = sorted(ref.removeprefix(_HEADS) for ref in refs if ref != self._reports.ref)
        if not names:
            raise SourceError(f"{self._remote.shown}: the repository has no commits yet; push a first one")
        there = ", ".join(names[:_SHOWN_BRANCHES]) + (", \u2026" if len(names) > _SHOWN_BRANCHES else "")
        what = f"there is no branch {self._branch}" if self._branch else "its HEAD names no branch that exists"
        raise UsageError(f"{self._remote.shown}: {what}; the branches are: {there}")

    def _open(self, ids: Iterable[str]) -> None:
        """Make the store at the first use, of the remote's kind of ids. Remove the locks that a killed process left."""
        if self._opened:
            return
        directory = self._runner.directory
        if (directory / "objects").is_dir():
            self._inherited = True
            for lock in [*directory.glob("*.lock"), *directory.glob("refs/**/*.lock")]:
                lock.unlink(missing_ok=True)
        else:
            kind = "sha256" if any(len(name) == _SHA256_DIGITS for name in ids) else "sha1"
            self._runner.run("init", "--quiet", "--bare", "--template=", f"--object-format={kind}")
        self._opened = True

    def _empty(self) -> None:
        """Remove all that git keeps in the store."""
        for path in self._runner.directory.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != _CONFIG:
                path.unlink()
        self._opened = self._inherited = False

    def _fetch_head(self, branch: str) -> None:
        source = "HEAD" if branch == "HEAD" else f"{_HEADS}{branch}"
        refspecs = [f"+{source}:{_SOURCE}"]
        fresh = not any((self._runner.directory / name).exists() for name in (_SOURCE, "packed-refs"))
        depth = [f"--depth={self._settings.depth}"] if fresh and self._settings.depth else []
        try:
            self._fetch(*depth, refspecs=refspecs)
        except GitError as error:
            if not depth or "shallow" not in error.detail:
                raise
            self._fetch(refspecs=refspecs)

    def _fetch(self, *options: str, refspecs: Sequence[str]) -> None:
        fixed = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules")
        self._runner.run("fetch", *fixed, *options, "--", self._remote.url, *refspecs, address=self._remote)

    def _fetch_past(self) -> bool:
        """Fetch the history that the first fetch left out. False when there is none left to fetch."""
        if self._snapshot is None or not (self._runner.directory / "shallow").exists():
            return False
        branch = self._snapshot.branch
        source = "HEAD" if branch == "HEAD" else f"{_HEADS}{branch}"
        self._fetch("--unshallow", refspecs=[f"+{source}:{_SOURCE}"])
        return True

    def _has_ancestor(self, older: str, newer: str) -> bool:
        if objects.is_ancestor(self._runner, older, newer):
            return True
        return self._fetch_past() and objects.is_ancestor(self._runner, older, newer)

    def _find(self, revision: str) -> str:
        """Return the commit that the name means: in this branch's history, or another branch or tag of the remote."""
        name, steps = _steps(revision)
        if steps:
            return self._after_steps(self._find(name), steps)
        if revision == "HEAD":
            return objects.resolve(self._runner, _SOURCE)
        wanted = (f"{_HEADS}{revision}", f"refs/tags/{revision}")
        refs = {} if objects.is_id(revision) else self._ls_remote("--", self._remote.url, *wanted)
        for ref in wanted:
            if ref in refs:
                self._fetch(refspecs=[f"+{ref}:{ref}"])
                return objects.resolve(self._runner, ref)
        return self._after_steps(revision, "")

    def _after_steps(self, name: str, steps: str) -> str:
        try:
            return objects.resolve(self._runner, name + steps)
        except UsageError:
            if not self._fetch_past():
                raise
        return objects.resolve(self._runner, name + steps)

    def _list(self, revision: str) -> tuple[Entry, ...]:
        return objects.list_tree(self._runner, revision, self._path)


def _steps(revision: str) -> tuple[str, str]:
    """Return the name, and the steps back that follow it: `main~2^` is `main`, `~2^`."""
    at = min((revision.find(mark) for mark in "~^" if mark in revision), default=len(revision))
    return revision[:at], revision[at:]


def _report_branch(settings: GitSettings, remote: Address) -> ReportBranch:
    credentials = settings.report_credentials or settings.credentials
    elsewhere = address.parse(settings.report_url, credentials) if settings.report_url else remote
    if elsewhere.origin != remote.origin and settings.report_credentials is None:
        # A token goes to the server that it was given for, and to no other.
        elsewhere = address.parse(settings.report_url, Credentials())
    branch = address.check_branch(settings.status_branch or f"llmkube-status/{settings.cluster_name}")
    if elsewhere == remote and branch == settings.branch:
        raise UsageError(f"{branch}: reports must not go to the branch that specs come from")
    name = _UNFIT_IN_NAME.sub("", f"{settings.author_name}").strip()
    email = _UNFIT_IN_NAME.sub("", settings.author_email).strip()
    return ReportBranch(elsewhere, branch, f"{name} <{email}>", settings.squash_beyond)


def _runner(settings: GitSettings, directory: Path, remotes: Sequence[Address], hooks: Hooks) -> GitRunner:
    """Return git on the store, and claim the store's directory by a file of ours: git's configuration for all of it.

    It says that a remote which is a folder may belong to another user: the program at the remote's end does not hear
    what we tell git in the environment. UsageError when the directory holds what is not ours.
    """
    folders = sorted({unquote(remote.url.removeprefix("file://")) for remote in remotes if remote.scheme == "file"})
    safe = [folder for name in folders for folder in (name, f"{name}/.git")]
    lines = ["[safe]\n", *(f"\tdirectory = {_config_value(name)}\n" for name in safe)]
    config = directory / _CONFIG
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not config.exists() and any(directory.iterdir()):
            raise UsageError(f"{directory}: not empty, and no store of ours; give a directory of its own")
        config.write_text("".join(lines), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{directory}: cannot be the store: {error.strerror or type(error).__name__}") from error
    return GitRunner(directory, settings.timeout_seconds, settings.ssh, str(config), hooks.on_command)


def _config_value(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
