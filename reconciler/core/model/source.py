"""What a source of specs holds: entries without text, and the commits that brought them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

REGULAR: Final = "100644"
EXECUTABLE: Final = "100755"
SYMLINK: Final = "120000"
SUBMODULE: Final = "160000"


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a snapshot, unread.

    `path` is relative to the repository root (to the folder, for a plain folder), with `/`. `blob` is git's object id
    of the content, `size` is in bytes (0 for a submodule), `mode` is git's, one of the constants of this module.
    """

    path: str
    blob: str
    size: int
    mode: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All files of one revision, in path order.

    `revision` is the commit's full id; empty for a plain folder, which has none. `url` is the repository's address with
    any user name and password taken out, or the folder's path.
    """

    url: str
    branch: str
    revision: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit of the source branch, as the guard reads it: trailers are `(token, value)`, in order."""

    revision: str
    subject: str
    trailers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """A tree of files (path -> bytes) for the status branch, and the message of the commit that brings it."""

    files: Mapping[str, bytes]
    message: str


@dataclass(frozen=True, slots=True)
class Published:
    """What became of a report. `revision` is the status branch's head after it; empty when there is none.

    `error` is set when git refused it; the apply stands all the same.
    """

    revision: str
    written: bool
    error: str = ""
