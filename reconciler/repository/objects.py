"""Read commits, trees and blobs by id from an object store: never a checkout."""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from reconciler.core.model.source import REGULAR, SUBMODULE, Commit, Entry
from reconciler.errors import SourceError, UsageError
from reconciler.repository import address, names
from reconciler.repository.git import GitError, GitRunner

MAX_COMMITS: Final = 1000
_ID: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
# Hash, subject, trailers; NUL stands in no commit message, so it parts them all.
_FORMAT: Final = "--format=%H%x00%s%x00%(trailers:only=true,unfold=true)%x00"


def is_id(name: str) -> bool:
    """Tell whether the name is a full object id."""
    return _ID.fullmatch(name) is not None


def resolve(runner: GitRunner, revision: str) -> str:
    """Return the full id of the commit that the revision names. UsageError when it names none in this store."""
    address.check_revision(revision)
    try:
        found = runner.run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    except GitError as error:
        raise UsageError(f"{revision}: no such revision") from error
    return found.decode("ascii").strip()


def list_tree(runner: GitRunner, revision: str, path: str = "") -> tuple[Entry, ...]:
    """Return the files under the path, in path order, named from the repository's root."""
    where = ("--", f"{path}/") if path else ()
    listed = runner.run("ls-tree", "-r", "-z", "-l", "--full-tree", revision, *where)
    entries = [_entry(line) for line in listed.split(b"\0") if line]
    entries.sort(key=lambda entry: entry.path)
    return tuple(entries)


def read_blobs(runner: GitRunner, entries: Iterable[Entry]) -> dict[str, bytes]:
    """Return blob -> content, each blob read once, all by one process. Submodules hold nothing to read."""
    blobs = sorted({entry.blob for entry in entries if entry.mode != SUBMODULE})
    if not blobs:
        return {}
    answer = runner.run("cat-file", "--batch", stdin="".join(f"{blob}\n" for blob in blobs).encode("ascii"))
    return dict(_batch(answer, len(blobs)))


def read_tree(runner: GitRunner, revision: str) -> Mapping[str, bytes]:
    """Return path -> content of all regular files of a revision."""
    entries = [entry for entry in list_tree(runner, revision) if entry.mode == REGULAR]
    contents = read_blobs(runner, entries)
    return {entry.path: contents[entry.blob] for entry in entries}


def is_ancestor(runner: GitRunner, older: str, newer: str) -> bool:
    """Tell whether one commit stands in the history of the other. An unknown one does not."""
    try:
        runner.run("merge-base", "--is-ancestor", older, newer)
    except GitError as error:
        if error.status < 0:
            raise
        return False
    return True


def log(runner: GitRunner, since: str, until: str) -> tuple[Commit, ...]:
    """Return the commits after `since` up to `until`, newest first; only `until` itself when `since` is ""."""
    span = (f"--max-count={MAX_COMMITS}", f"{since}..{until}") if since else ("--max-count=1", until)
    fields = (
        runner.run("log", "--topo-order", "--no-color", _FORMAT, *span, "--").decode("utf-8", "replace").split("\0")
    )
    records = zip(fields[0::3], fields[1::3], fields[2::3], strict=False)
    return tuple(Commit(revision.strip(), subject, _trailers(lines)) for revision, subject, lines in records)


def count(runner: GitRunner, revision: str) -> int:
    """Return how many commits the revision's history holds."""
    return int(runner.run("rev-list", "--count", revision, "--"))


def _entry(line: bytes) -> Entry:
    meta, _, path = line.partition(b"\t")
    mode, _, blob, size = meta.split()
    return Entry(names.printable(path), blob.decode("ascii"), 0 if size == b"-" else int(size), mode.decode("ascii"))


def _batch(answer: bytes, expected: int) -> Iterable[tuple[str, bytes]]:
    at = 0
    for _ in range(expected):
        end = answer.index(b"\n", at)
        words = answer[at:end].split()
        if len(words) != 3 or words[1] != b"blob":  # noqa: PLR2004 # id, type, size
            raise SourceError(f"{words[0].decode('ascii', 'replace')}: the blob is not in the store")
        size = int(words[2])
        yield words[0].decode("ascii"), answer[end + 1 : end + 1 + size]
        at = end + size + 2


def _trailers(lines: str) -> tuple[tuple[str, str], ...]:
    pairs = (line.partition(":") for line in lines.split("\n") if ":" in line)
    return tuple((token.strip(), value.strip()) for token, _, value in pairs)
