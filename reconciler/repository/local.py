"""A clone on the disk as a source of specs, read as it is: nothing is fetched, no ref and no file of it changes."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from reconciler.core.model.source import Commit, Entry, Published, Report, Snapshot
from reconciler.errors import SourceError, UsageError
from reconciler.repository import address, objects
from reconciler.repository.git import GitError, GitRunner, OnCommand, ignore


class LocalSource:
    """The commits of a clone, for `diff --from main --to HEAD` in a checkout. Keeps the port `Source`.

    What is not committed is not seen. Of the clone's configuration nothing is obeyed that could start a program.
    """

    def __init__(self, where: str = ".", path: str = "", on_command: OnCommand = ignore) -> None:
        self._directory = git_directory(Path(where))
        self._path = address.check_path(path)
        self._runner = GitRunner(self._directory, on_command=on_command)

    def snapshot(self) -> Snapshot:
        """Return all files of HEAD. SourceError when there is no commit yet."""
        try:
            head = objects.resolve(self._runner, "HEAD")
        except UsageError as error:
            raise SourceError(f"{self._directory}: the repository has no commits yet; make a first one") from error
        return self._listed(self._branch(), head)

    def at(self, revision: str) -> Snapshot:
        """Return all files of a revision, as git names them. UsageError when it names none."""
        return self._listed(revision, objects.resolve(self._runner, revision))

    def read(self, entries: Sequence[Entry]) -> Mapping[str, bytes]:
        """Return blob -> content, in one batch."""
        return objects.read_blobs(self._runner, entries)

    def commits(self, since: str, until: str) -> tuple[Commit, ...]:
        """Return the commits after `since` up to `until`, newest first; only `until` when `since` is no ancestor."""
        address.check_revision(until)
        known = bool(since) and objects.is_ancestor(self._runner, address.check_revision(since), until)
        return objects.log(self._runner, since if known else "", until)

    def previous(self) -> Report | None:
        """Return None: reports are read from the remote alone."""
        return None

    def publish(self, report: Report) -> Published:  # noqa: ARG002 # the port's parameter
        """Write nothing, and say so."""
        return Published("", written=False, error="a local clone is only read; give the repository's URL to --repo")

    def _branch(self) -> str:
        try:
            return self._runner.run("symbolic-ref", "--quiet", "--short", "HEAD").decode("utf-8", "replace").strip()
        except GitError:
            return "HEAD"  # detached, as CI systems check out

    def _listed(self, name: str, revision: str) -> Snapshot:
        return Snapshot(str(self._directory), name, revision, objects.list_tree(self._runner, revision, self._path))


def git_directory(where: Path) -> Path:
    """Return the git directory that a folder belongs to, looking upwards. UsageError when there is none."""
    start = where.absolute()
    for folder in (start, *start.parents):
        candidate = folder / ".git"
        if candidate.is_dir():
            return candidate
        if candidate.is_file():  # a linked worktree, or a submodule
            pointed = candidate.read_text(encoding="utf-8", errors="replace").removeprefix("gitdir:").strip()
            return (folder / pointed).resolve()
        if (folder / "HEAD").is_file() and (folder / "objects").is_dir():
            return folder
    raise UsageError(f"{where}: neither this folder nor one above it is a git repository")
