"""Which files of a repository are specs, told from their names, sizes and modes alone."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from reconciler.core.model.problem import Problem, Severity
from reconciler.core.model.source import SUBMODULE, SYMLINK, Entry
from reconciler.core.spec.options import Options

_SPEC: Final = re.compile(r"(?:.*\.)?llm\.ya?ml")
_LOCK: Final = re.compile(r"llm\.lock\.ya?ml")
_FLEET: Final = ("fleet.yaml", "fleet.yml")


@dataclass(frozen=True, slots=True)
class Selection:
    """The spec files to read, in path order, and what is wrong with those that must not be read."""

    entries: tuple[Entry, ...]
    problems: tuple[Problem, ...]


def select(entries: Iterable[Entry], options: Options) -> Selection:
    """Return the spec files among the entries. Nothing is read.

    Specs are `llm.yaml` and `*.llm.yaml` (also `.yml`) under the path, what the include patterns match there, and one
    `fleet.yaml` in the path's folder, else in the repository's root. A lock file is none. A symlink, or a file over the
    cap, is a problem; where other kinds are ignored, a symlink that only a pattern matches is passed over.
    """
    entries = tuple(entries)
    folder = options.path.removeprefix("./").strip("/")
    patterns = tuple(_pattern(glob) for glob in options.include)
    fleet = _fleet({entry.path for entry in entries}, folder)
    chosen: list[Entry] = []
    problems: list[Problem] = []
    for entry in entries:
        named = entry.path in (fleet, folder) or _is_named(entry.path, folder)
        inside = _relative(entry.path, folder) is not None
        if entry.mode == SUBMODULE:
            if inside and not options.ignore_other_kinds:
                problems.append(_submodule(entry))
        elif named or (inside and _matches(entry.path, folder, patterns)):
            problem = _refusal(entry, options, named=named)
            if problem:
                problems.append(problem)
            elif entry.mode != SYMLINK:
                chosen.append(entry)
    return Selection(tuple(sorted(chosen, key=lambda entry: entry.path)), tuple(sorted(problems)))


def _relative(path: str, folder: str) -> str | None:
    if not folder:
        return path
    return path[len(folder) + 1 :] if path.startswith(f"{folder}/") else None


def is_fleet(path: str) -> bool:
    """Tell whether a file's name is that of the Fleet."""
    return path.rpartition("/")[2] in _FLEET


def _fleet(paths: set[str], folder: str) -> str:
    places = [f"{folder}/{name}" for name in _FLEET] if folder else []
    return next((path for path in (*places, *_FLEET) if path in paths), _FLEET[0])


def _is_named(path: str, folder: str) -> bool:
    return _relative(path, folder) is not None and _SPEC.fullmatch(path.rpartition("/")[2]) is not None


def _matches(path: str, folder: str, patterns: tuple[re.Pattern[str], ...]) -> bool:
    if _LOCK.fullmatch(path.rpartition("/")[2]):
        return False
    candidates = {path, _relative(path, folder) or path}
    return any(pattern.fullmatch(candidate) for pattern in patterns for candidate in candidates)


def _submodule(entry: Entry) -> Problem:
    message = "this is a git submodule: specs in it are not read; keep them in this repository"
    return Problem(entry.path, 0, 0, "", "submodule", message, Severity.WARNING)


def _refusal(entry: Entry, options: Options, *, named: bool) -> Problem | None:
    if entry.mode == SYMLINK:
        if options.ignore_other_kinds and not named:
            return None
        message = "this is a symbolic link: links are not followed; put the file itself here"
        return Problem(entry.path, 0, 0, "", "symlink", message)
    cap = options.caps.scan_bytes if options.ignore_other_kinds else options.caps.bytes
    if entry.size > cap:
        message = f"the file has {entry.size:,} bytes, more than the {cap:,} that a spec file may have; split it"
        return Problem(entry.path, 0, 0, "", "file-too-large", message)
    return None


def _pattern(glob: str) -> re.Pattern[str]:
    """Return a glob as a pattern: `**` crosses folders, `*` and `?` do not."""
    text, index = "", 0
    glob = glob.removeprefix("./")
    while index < len(glob):
        if glob.startswith("**/", index):
            text, index = text + "(?:.*/)?", index + 3
        elif glob.startswith("**", index):
            text, index = text + ".*", index + 2
        else:
            text += {"*": "[^/]*", "?": "[^/]"}.get(glob[index], re.escape(glob[index]))
            index += 1
    return re.compile(text)
