"""Which files of two revisions can matter for what changes between them, so that no others need be parsed.

Those that differ; those that say Fleet; and of the others those in which a name stands that one of the files so far
defines or refers to. A name is found however its separators are written, since names that differ in these alone
collide. What may hide a name (a backslash in it) is taken along. More files than needed are slower, fewer are wrong.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from reconciler.core.model.source import Entry
from reconciler.core.spec.drafts import File, ServiceDraft
from reconciler.core.spec.select import is_fleet

_MOST_DIFFERING: Final = 200
"""With more files that differ, looking for all their names takes longer than parsing everything."""

_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,253}")
_SURE: Final = 61
"""Characters of a name that its DNS label keeps in any case: 63 with `m-` before them."""

_DROPPED: Final = bytes(byte for byte in range(256) if not chr(byte).isascii() or not chr(byte).isalnum())
_LOWER: Final = bytes(ord(chr(byte).lower()) if byte < 128 else byte for byte in range(256))  # noqa: PLR2004  # ASCII

Sides = tuple[Sequence[Entry], Sequence[Entry]]


def differing(sides: Sides) -> frozenset[str]:
    """Return the paths whose content or kind is not the same on both sides."""
    before, after = ({entry.path: (entry.blob, entry.mode) for entry in side} for side in sides)
    return frozenset(path for path in {*before, *after} if before.get(path) != after.get(path))


def related(sides: Sides, contents: Mapping[str, bytes], parse: Callable[[Entry], File]) -> frozenset[str] | None:
    """Return the paths that can matter, None when all can. `contents` maps blob -> content, of every entry."""
    changed = differing(sides)
    if len(changed) > _MOST_DIFFERING or any(is_fleet(path) for path in changed):
        return None
    entries = [entry for side in sides for entry in side]
    if any(b"Fleet" in contents[entry.blob] for entry in entries if entry.path in changed):
        return None
    same = {entry.path: contents[entry.blob] for entry in sides[1] if entry.path not in changed}
    always = {path for path, text in same.items() if is_fleet(path) or b"Fleet" in text or b"\\" in text}
    found = set(changed | always)
    seen: set[str] = set()
    coming = [entry for entry in entries if entry.path in found]
    plain = {path: text.translate(_LOWER, _DROPPED) for path, text in same.items() if path not in found}
    while coming:
        names = {name for entry in coming for name in _names(parse(entry))} - seen
        if not all(_NAME.fullmatch(name) for name in names):
            return None
        seen |= names
        fresh = _holding(names, plain, same)
        for path in fresh:
            del plain[path]
        found |= fresh
        coming = [entry for entry in sides[1] if entry.path in fresh]
    return frozenset(found)


def _names(file: File) -> Iterable[str]:
    yield from (head.name for head in file.named if head.name)
    for draft in file.drafts:
        if isinstance(draft, ServiceDraft):
            yield from (name for name in (draft.model, draft.draft_model) if name)


def _holding(names: Iterable[str], plain: Mapping[str, bytes], texts: Mapping[str, bytes]) -> set[str]:
    found: set[str] = set()
    for name in names:
        characters, pattern = _sought(name)
        if characters:
            found |= {path for path, text in plain.items() if characters in text and pattern.search(texts[path])}
    return found


def _sought(name: str) -> tuple[bytes, re.Pattern[bytes]]:
    """Return a name's letters and digits, and them as a word of its own with any separators in it.

    Of a DNS label only what it keeps, without the `m-` that it adds. A long name is cut, so more may follow it.
    """
    short = re.sub(r"^m-(?=[0-9])", "", name.lower())[:_SURE]
    characters = short.encode("ascii").translate(None, _DROPPED)
    joined = rb"[^A-Za-z0-9]*".join(re.escape(bytes([byte])) for byte in characters)
    end = rb"" if len(name) >= _SURE else rb"(?![A-Za-z0-9])"
    return characters, re.compile(rb"(?<![A-Za-z0-9])" + joined + end, re.IGNORECASE)
