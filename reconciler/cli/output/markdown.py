"""One comment on a pull request: what a reviewer must see stands first, the rest folds, and the size never fails.

Everything that comes from specs, or from a server, is escaped or stands in a fence: a comment must not mention people,
link anywhere or close what it stands in.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import singledispatch
from typing import Any, Final

from reconciler.cli.answer import Difference
from reconciler.cli.output import summary, text
from reconciler.core.model.change import Action, Change
from reconciler.core.model.review import Fate, ServiceReview

MARKER: Final = "<!-- llmkube-diff -->"
"""The comment's first line, by which the next run finds it again."""

LIMIT: Final = 65_536
"""What GitHub takes, in characters; GitLab takes a million. We count bytes, which are never fewer."""

_TABLE: Final = 24_000
"""Bytes that the table of services may take, so that something is left for the fields."""
_OBJECT: Final = 8_000
"""Bytes that one service's objects may take."""
_FOOT: Final = 1_500
"""Bytes kept for what was left out and for the plan's hash."""
_HALF: Final = 2
_SIGNS: Final = {Fate.ADDED: "\u2795", Fate.REMOVED: "\u2796", Fate.CHANGED: "\u270f\ufe0f", Fate.STAYS: "\u23f8\ufe0f"}


@dataclass(slots=True)
class _Page:
    """Text under a limit. `left_out` counts what did not fit, by what it is."""

    limit: int
    lines: list[str] = field(default_factory=list)
    size: int = 0
    left_out: dict[str, int] = field(default_factory=dict)

    def put(self, lines: Sequence[str], what: str, room: int = 0) -> bool:
        """Add the lines if they fit (within `room` bytes, where it is given), else count them as left out."""
        size = sum(len(line.encode()) + 1 for line in lines)
        if self.size + size > min(self.limit, room or self.limit):
            self.left_out[what] = self.left_out.get(what, 0) + 1
            return False
        self.lines += lines
        self.size += size
        return True


@singledispatch
def render(value: Any) -> str:
    """Return the answer as GitHub's Markdown, never above the limit of a comment."""
    raise TypeError(f"{type(value).__name__} has no Markdown")


@render.register
def _difference(value: Difference) -> str:
    if value.live is None:
        return f"{MARKER}\n{_part(value, LIMIT - len(MARKER) - 1)}"
    room = (LIMIT - len(MARKER) - 2) // _HALF
    return f"{MARKER}\n{_part(value, room)}\n{_part(value.live, room)}"


def _part(value: Difference, limit: int) -> str:
    page = _Page(limit - _FOOT)
    page.put([f"### llmkube: {_plain(summary.headline(value))}", ""], "headline")
    page.put([f"`{_code(value.before)}` \u2192 `{_code(value.after)}`", ""], "names")
    for note in value.notes:
        page.put([f"> {_plain(note)}", ""], "notes")
    services = summary.ordered(value.review)
    _put_problems(page, value)
    _put_table(page, services)
    lines = [f"- {_plain(line)}" for line in summary.totals(value.review)]
    if lines:
        page.put([*lines, ""], "totals")
    by_service: dict[object, list[Change]] = {}
    for change in value.changes:
        if change.action is not Action.KEEP or change.foreign:
            by_service.setdefault(change.service, []).append(change)
    for service in services:
        page.put(_folded(service, by_service.get(service.id, [])), "services' fields")
    return "\n".join([*page.lines, *_foot(value, page.left_out)]) + "\n"


def _put_problems(page: _Page, value: Difference) -> None:
    if not value.problems:
        return
    count = len(value.problems)
    page.put([f"<details open><summary>{count} problem{'s' if count > 1 else ''} in specs</summary>", ""], "problems")
    for problem in value.problems:
        page.put([f"- {_plain(str(problem))}"], "problems", page.limit // 4)
    page.put(["", "</details>", ""], "ends")


def _put_table(page: _Page, services: Sequence[ServiceReview]) -> None:
    if not services:
        return
    page.put(["| | service | what happens | devices | place |", "|---|---|---|---|---|"], "services")
    for service in services:
        cells = (
            _SIGNS[service.fate],
            f"`{_code(str(service.id))}`",
            "<br>".join(_plain(said) for said in _happens(service)),
            _plain(summary.asks(service)),
            _plain(summary.places(service)),
        )
        page.put([f"| {' | '.join(cells)} |"], "services", min(_TABLE, page.limit * 2 // 3))
    page.put([""], "ends")


def _happens(service: ServiceReview) -> Iterator[str]:
    yield summary.effect(service)
    yield from (f"replaced: {said}" for said in service.replaced)
    yield from (f"held: {said}" for said in dict.fromkeys(held.hold.message for held in service.held))


def _folded(service: ServiceReview, changes: Sequence[Change]) -> list[str]:
    """Return the fields of one service's objects, folded; long ones are cut, and say so."""
    lines: list[str] = []
    size = 0
    every = [line for change in changes for line in _object(change)]
    for line in every:
        size += len(line.encode()) + 1
        if size > _OBJECT:
            lines.append(f"… {len(every) - len(lines)} lines more")
            break
        lines.append(line)
    fence = "`" * max(3, 1 + max((len(run) for line in lines for run in re.findall(r"`+", line)), default=0))
    what = _plain(f"{service.id}: {summary.effect(service)}")
    return [f"<details><summary>{what}</summary>", "", f"{fence}diff", *lines, fence, "", "</details>", ""]


def _object(change: Change) -> Iterator[str]:
    word = "held, " if change.hold else ""
    yield f"@@ {word}{change.action} {change.key} @@"
    for found in change.fields:
        sign = {"add": "+", "remove": "-"}.get(found.kind, "!")
        yield f"{sign} {text.field_line(found)}"
    yield from (f"# taken back: {taken}" for taken in change.takeovers)
    yield from (f"# beside our fields: {found}" for found in change.foreign)


def _foot(value: Difference, left_out: dict[str, int]) -> Iterator[str]:
    told = [f"{count} {what}" for what, count in left_out.items() if what != "ends"]
    if told:
        yield f"_Left out, since a comment has a limit: {', '.join(told)}. `llmkube diff` prints all of it._"
        yield ""
    yield f"<sub>{summary.plan(value)}</sub>"


def _plain(said: str) -> str:
    """Return text that Markdown shows as it is: nothing in it is markup, HTML, a mention or a link."""
    line = " ".join("".join(char if char.isprintable() else " " for char in said).split())
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    line = re.sub(r"([\\`*_{}\[\]|#~])", r"\\\1", line)
    return line.replace("@", "@\u200b").replace("://", ":\u200b//").replace("www.", "www\u200b.")


def _code(said: str) -> str:
    """Return text for a code span in a table: a backtick or a bar would end it."""
    return "".join(char if char.isprintable() and char not in "`|" else "'" for char in said)
