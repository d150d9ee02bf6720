"""Text that is safe in GitHub's Markdown. Names, messages and paths come from specs and servers: all are hostile."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

MESSAGE: Final = 400
"""Characters of a message that are shown: four lines of a page. The whole one is where it came from."""
NAME: Final = 120
"""Characters of a name or path that are shown: more would push the other columns off the page."""

_PLAIN: Final = re.compile(r"[A-Za-z0-9 ._/:@=+,()%*#!?;~{}\[\]'\"-]+")
"""What may stand in a code span, where a backslash escapes nothing but a table's pipe."""

_SPAN: Final = re.compile(r"`([^`]+)`")
_MARKUP: Final = re.compile(r"([\\`*_\[\]|~$])")
_BLOCK: Final = re.compile(r"^(\d*)([#+=.)-])(?=[#=-]*(?: |$))")
"""What makes a heading or a list of a line, when it begins with it: also inside an item of a list."""
_ENTITY: Final = re.compile(r"&(?=[#A-Za-z])")
_SCHEME: Final = re.compile(r":(?=//)")
_WWW: Final = re.compile(r"(?i)\b(www)\.")

_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
"""Unicode categories that break lines, turn the writing direction, show nothing, or are no characters (U+FFFE)."""


def line(raw: str, limit: int = MESSAGE) -> str:
    """Return the text on one line, without invisible characters, cut to so many characters. Escapes nothing."""
    visible = "".join(" " if unicodedata.category(char) in _INVISIBLE else char for char in raw[: 4 * limit])
    flat = " ".join(visible.split())
    return flat if len(flat) <= limit else f"{flat[: limit - 1].rstrip()}…"


def text(raw: str, limit: int = MESSAGE) -> str:
    """Return the text so that it shows as it is, wherever it stands inside a line or a table's cell."""
    flat = _ENTITY.sub("&amp;", line(raw, limit))
    flat = _MARKUP.sub(r"\\\1", flat).replace("<", "&lt;").replace(">", "&gt;")
    return _BLOCK.sub(r"\1\\\2", _WWW.sub(r"\1\\.", _SCHEME.sub(r"\\:", flat)))


def prose(raw: str, limit: int = MESSAGE) -> str:
    """Return the text with its `code` kept as code where that is harmless, all else as it is."""
    parts = _SPAN.split(line(raw, limit))
    return "".join(code(part) if position % 2 else _between(part) for position, part in enumerate(parts))


def _between(part: str) -> str:
    """Escape what stands between two pieces of code, keeping the blanks at its ends."""
    inner = text(part)
    before = " " if inner and part[0] == " " else ""
    after = " " if part.endswith(" ") else ""
    return f"{before}{inner}{after}"


def code(raw: str, limit: int = NAME) -> str:
    """Return the text as code; as plain text where a code span could be broken out of. "" is a dash."""
    flat = line(raw, limit)
    if not flat:
        return "-"
    return f"`{flat}`" if _PLAIN.fullmatch(flat.removesuffix("…")) else text(flat, limit)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table. The cells are Markdown already."""
    head = [f"| {' | '.join(columns)} |", f"|{'|'.join(' --- ' for _ in columns)}|"]
    return head + [f"| {' | '.join(row)} |" for row in rows]
