"""A plain folder, or some files, as a source of specs: what `validate` and `render` read where no git is asked for."""

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from reconciler.core.model.source import EXECUTABLE, REGULAR, SYMLINK, Commit, Entry, Published, Report, Snapshot
from reconciler.errors import SourceError, UsageError
from reconciler.repository import names

# Where tools keep what is not the author's: thousands of files, none a spec.
SKIPPED_FOLDERS: Final = frozenset({".git", ".hg", ".svn", ".venv", ".tox", ".nox", "node_modules", "__pycache__"})
# More than this is no spec (the parser's own cap is lower): it is listed with its size, and never read to be hashed.
HASH_LIMIT_BYTES: Final = 4 * 1024 * 1024


class FolderSource:
    """Files of the disk. Keeps the port `Source`, but has no commits and publishes nowhere.

    Entries are named relative to the folder when there is one path and it is a folder, else as the paths were given.
    """

    def __init__(self, paths: Sequence[str] = (".",)) -> None:
        self._paths = tuple(os.path.normpath(path) for path in paths) or (".",)
        self._files: dict[str, str] = {}

    def snapshot(self) -> Snapshot:
        """Return all files, in path order, symbolic links unfollowed. SourceError names what cannot be read."""
        single = self._paths[0] if len(self._paths) == 1 and Path(self._paths[0]).is_dir() else ""
        found = {path for given in self._paths for path in _walk(given)}
        named = sorted((_shown(path, single), path) for path in found)
        entries = tuple(entry for name, path in named if (entry := self._entry(name, path)))
        return Snapshot(url=", ".join(self._paths), branch="", revision="", entries=entries)

    def read(self, entries: Sequence[Entry]) -> Mapping[str, bytes]:
        """Return blob -> content, as it is on the disk now."""
        return {entry.blob: _content(self._files[entry.blob], entry.mode) for entry in entries}

    def commits(self, since: str, until: str) -> tuple[Commit, ...]:  # noqa: ARG002 # the port's parameters
        """Return none: a folder has no history."""
        return ()

    def previous(self) -> Report | None:
        """Return None: a folder has no report branch."""
        return None

    def publish(self, report: Report) -> Published:  # noqa: ARG002 # the port's parameter
        """Write nothing, and say so."""
        return Published("", written=False, error="a plain folder has no branch for reports; give --repo")

    def _entry(self, name: str, path: str) -> Entry | None:
        """Return the file's entry; None for what is no file (a socket, a pipe, a device)."""
        try:
            status = os.lstat(path)
        except OSError as error:
            raise _unreadable(path, error) from error
        mode = _mode(status.st_mode)
        if not mode:
            return None
        if status.st_size > HASH_LIMIT_BYTES:
            # Two that differ must not share an id, and equal ids must mean equal bytes: the name and state stand in.
            blob = hashlib.sha1(
                f"{path}\0{status.st_size}\0{status.st_mtime_ns}".encode(), usedforsecurity=False
            ).hexdigest()
        else:
            blob = blob_id(_content(path, mode))
        self._files[blob] = path
        return Entry(name, blob, status.st_size, mode)


def blob_id(content: bytes) -> str:
    """Return git's object id of the content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _walk(given: str) -> Iterator[str]:
    """Yield the files under a path, as strings: `Path` costs more here than all the rest."""
    if not Path(given).is_dir():  # a link to a folder is one: what was asked for may be a link, what it holds may not
        if not os.path.lexists(given):
            raise UsageError(f"{given}: no such file or folder")
        yield given
        return
    for folder, folders, files in os.walk(given, onerror=_refuse):
        links = [name for name in folders if Path(folder, name).is_symlink()]
        folders[:] = sorted(name for name in folders if name not in SKIPPED_FOLDERS and name not in links)
        if folder != given and "pyvenv.cfg" in files:
            folders[:] = []
            continue
        yield from (os.path.join(folder, name) for name in (*files, *links))  # noqa: PTH118 # see above


def _refuse(error: OSError) -> None:
    raise _unreadable(str(error.filename), error) from error


def _unreadable(path: str, error: OSError) -> SourceError:
    return SourceError(f"{path}: cannot be read: {error.strerror or type(error).__name__}")


def _shown(path: str, root: str) -> str:
    named = path.removeprefix(root).lstrip("/") if root and root != "." else path
    return names.printable(os.fsencode(named.removeprefix("./")))


def _mode(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return SYMLINK
    if not stat.S_ISREG(mode):
        return ""
    return EXECUTABLE if mode & stat.S_IXUSR else REGULAR


def _content(path: str, mode: str) -> bytes:
    try:
        return os.fsencode(os.readlink(path)) if mode == SYMLINK else _bytes(path)  # noqa: PTH115 # as in the walk
    except OSError as error:
        raise _unreadable(path, error) from error


def _bytes(path: str) -> bytes:
    with open(path, "rb") as file:  # noqa: PTH123 # as in the walk
        return file.read()
