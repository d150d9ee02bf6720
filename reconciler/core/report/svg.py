"""fleet.svg: nodes, their GPUs and what sits on them; without nodes, the services with the GPUs they ask for.

Written by hand and by whole pixels, so that equal fleets are equal bytes. Colour helps, and never tells anything alone.
"""

import html
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from reconciler.core.model.health import Phase
from reconciler.core.model.outcome import Outcome
from reconciler.core.model.report import ServiceState
from reconciler.core.report import facts, markdown, table

WIDTH: Final = 960
"""About what GitHub gives a README's picture, so that text keeps its size."""
_MARGIN: Final = 16
_GAP: Final = 12
_COLUMNS: Final = 3
_CARD: Final = (WIDTH - 2 * _MARGIN - (_COLUMNS - 1) * _GAP) // _COLUMNS
_PAD: Final = 12
_LINE: Final = 18
_SQUARE: Final = 14
_STEP: Final = 17
_IN_ROW: Final = (_CARD - 2 * _PAD) // _STEP
_GLYPH: Final = 8
_GLYPHS: Final[Mapping[str, int]] = {"title": 11, "name": 9}
"""Pixels of an average character, by style, of the widest font in use: fonts differ, and text must stay in its card."""
_CARDS: Final = 120
"""Of each kind; a picture of more is a wall, and the table has them all."""
_ENTRIES: Final = 12
"""Services named on one card; a CPU node may hold a hundred."""
_SQUARES: Final = 64
"""On one card; more GPUs than that on one node are told as a number."""

_TONES: Final[Mapping[Phase, str]] = {
    Phase.READY: "well",
    Phase.RENDERED: "well",
    Phase.INVALID: "bad",
    Phase.FAILED: "bad",
    Phase.DEGRADED: "bad",
    Phase.HELD: "held",
    Phase.WAITING_FOR_GPU: "wait",
    Phase.PENDING: "wait",
    Phase.DOWNLOADING: "busy",
    Phase.LOADING: "busy",
    Phase.SUSPENDED: "off",
    Phase.STOPPED: "off",
}

_STYLE: Final = (
    "text{font:13px -apple-system,'Segoe UI',Helvetica,Arial,sans-serif;fill:#1f2328}"
    ".title{font-size:16px;font-weight:600}.name{font-weight:600}.dim{fill:#59636e}"
    ".page{fill:#ffffff}.card{fill:#f6f8fa;stroke:#d1d9e0}.free{fill:none;stroke:#818b98}"
    ".well{fill:#1a7f37}.bad{fill:#cf222e}.held{fill:#8250df}.wait{fill:#bf8700}.busy{fill:#0969da}.off{fill:#818b98}"
    "@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.dim{fill:#9198a1}"
    ".page{fill:#0d1117}.card{fill:#151b23;stroke:#3d444d}.free{stroke:#656c76}"
    ".well{fill:#3fb950}.bad{fill:#f85149}.held{fill:#ab7df8}.wait{fill:#d29922}.busy{fill:#4493f8}.off{fill:#656c76}}"
)

_LEGEND: Final = (
    ("well", "Ready, Rendered"),
    ("busy", "Downloading, Loading"),
    ("wait", "WaitingForGPU, Pending"),
    ("held", "Held"),
    ("bad", "Invalid, Failed, Degraded"),
    ("off", "Suspended, Stopped"),
    ("free", "GPU without a pod of ours"),
)


@dataclass(frozen=True, slots=True)
class _Entry:
    """One line of a card: a dot of the tone (none for ""), then the text."""

    tone: str
    text: str


@dataclass(frozen=True, slots=True)
class _Card:
    """One box. `squares` are tones, one a GPU; `note` stands under them and says what the squares cannot."""

    title: str
    note: str
    squares: tuple[str, ...]
    entries: tuple[_Entry, ...]

    @property
    def height(self) -> int:
        """Pixels from its upper edge to its lower one."""
        return 2 * _PAD + _LINE * (2 + len(self.entries)) + _block(self.squares)


def _block(squares: Sequence[str]) -> int:
    """Return the pixels that the squares' rows take, with a little air below."""
    rows = -(-min(len(squares), _SQUARES) // _IN_ROW)
    return rows * _STEP + 4 if rows else 0


def render(outcome: Outcome, states: tuple[ServiceState, ...]) -> bytes:
    """Return fleet.svg. Text is escaped, and cut to its card."""
    nodes = facts.nodes(outcome, states)
    cluster = markdown.line(facts.cluster(outcome), markdown.NAME)
    count, _, phases = table.headline(states).partition(": ")
    title = f"{cluster}: {count}" if cluster else count
    placed = {node.name for node in nodes}
    adrift = [state for state in states if not placed.intersection(state.nodes)]
    sections = (
        ("Nodes and what sits on them", [_node(node, states) for node in nodes]),
        ("Services on no node" if nodes else "Services", [_service(state) for state in adrift]),
    )
    page = WIDTH - 2 * _MARGIN
    lines = [_text(_MARGIN, 32, title, "title", page), _text(_MARGIN, 54, phases, "", page)]
    height = 66 if phases else 44
    for heading, cards in sections:
        if cards:
            drawn, height = _section(heading, cards, height)
            lines += drawn
    shown = {_TONES[state.phase] for state in states} | ({"free"} if nodes else set())
    legend, height = _legend([one for one in _LEGEND if one[0] in shown], height)
    return _document(f"{title}: {phases}" if phases else title, [*lines, *legend], height)


def _document(title: str, body: Iterable[str], height: int) -> bytes:
    size = f'width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
    lines = (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-labelledby="title">',
        f'<title id="title">{html.escape(markdown.line(title), quote=False)}</title>',
        f"<style>{_STYLE}</style>",
        f'<rect class="page" width="{WIDTH}" height="{height}" rx="8"/>',
        *body,
        "</svg>",
    )
    return ("\n".join(lines) + "\n").encode()


def _node(node: facts.GpuNode, states: Iterable[ServiceState]) -> _Card:
    """Return a node's card: its GPUs, each in the tone of the service that asked for it, and the services below."""
    here = [(state, state.nodes.count(node.name)) for state in states if node.name in state.nodes]
    taken = [_TONES[state.phase] for state, pods in here for _ in range(min(pods * state.gpus, _SQUARES))]
    total = sum(gpus.count for gpus in node.gpus)
    free = max(0, total - sum(pods * state.gpus for state, pods in here))
    squares = (*taken, *("free" for _ in range(min(free, _SQUARES))))
    offers = ", ".join(table.of(gpus.count, gpus.resource) for gpus in node.gpus) or "no GPU"
    state = "" if node.ready else ", not ready"
    state += "" if node.schedulable else ", cordoned"
    entries = tuple(_Entry(_TONES[one.phase], _on_node(one, pods)) for one, pods in here[:_ENTRIES])
    if len(here) > _ENTRIES:
        entries = (*entries, _Entry("", f"and {len(here) - _ENTRIES} more"))
    return _Card(node.name, f"{offers}{state}", squares, entries)


def _on_node(state: ServiceState, pods: int) -> str:
    asked = f", {pods * state.gpus} GPU" if state.gpus else ""
    several = f", {pods} pods" if pods > 1 else ""
    return f"{state.id}: {state.phase}{several}{asked}"


def _service(state: ServiceState) -> _Card:
    """Return the card of a service that is on no node: the GPUs that all its replicas ask for."""
    tone = _TONES[state.phase]
    replicas = f", {state.desired} replicas" if state.desired > 1 else ""
    squares = (tone,) * min(state.gpus * max(1, state.desired), _SQUARES + 1)
    cause = (_Entry("", state.cause),) if state.cause else ()
    return _Card(str(state.id), f"{table.gpus(state)}{replicas}", squares, (_Entry(tone, state.phase.value), *cause))


def _section(heading: str, cards: Sequence[_Card], top: int) -> tuple[list[str], int]:
    """Return the heading and its cards in rows, each as high as its highest card, and where the next thing begins."""
    more = f", {_CARDS} of {len(cards)}" if len(cards) > _CARDS else ""
    lines = [_text(_MARGIN, top + 18, f"{heading}{more}", "dim", WIDTH - 2 * _MARGIN)]
    top += 28
    shown = cards[:_CARDS]
    for start in range(0, len(shown), _COLUMNS):
        row = shown[start : start + _COLUMNS]
        height = max(card.height for card in row)
        for column, card in enumerate(row):
            lines += _drawn(card, _MARGIN + column * (_CARD + _GAP), top, height)
        top += height + _GAP
    return lines, top


def _drawn(card: _Card, left: int, top: int, height: int) -> list[str]:
    inside = _CARD - 2 * _PAD
    lines = [
        f'<rect class="card" x="{left}" y="{top}" width="{_CARD}" height="{height}" rx="6"/>',
        _text(left + _PAD, top + _PAD + 12, card.title, "name", inside),
    ]
    counted = f" ({_SQUARES} drawn)" if len(card.squares) > _SQUARES else ""
    lines.append(_text(left + _PAD, top + _PAD + _LINE + 12, f"{card.note}{counted}", "dim", inside))
    below = top + _PAD + 2 * _LINE
    squares = card.squares[:_SQUARES]
    for position, tone in enumerate(squares):
        row, column = divmod(position, _IN_ROW)
        lines.append(_square(left + _PAD + column * _STEP, below + row * _STEP + 2, tone))
    below += _block(squares)
    for position, entry in enumerate(card.entries):
        base = below + position * _LINE
        if entry.tone:
            lines.append(f'<circle class="{entry.tone}" cx="{left + _PAD + 5}" cy="{base + 9}" r="4"/>')
        lines.append(_text(left + _PAD + 16, base + 13, entry.text, "", inside - 16))
    return lines


def _square(left: int, top: int, tone: str) -> str:
    return f'<rect class="{tone}" x="{left}" y="{top}" width="{_SQUARE}" height="{_SQUARE}" rx="3"/>'


def _legend(used: Iterable[tuple[str, str]], top: int) -> tuple[list[str], int]:
    """Return the legend, wrapped to the page, and the height of the whole picture."""
    left, base = _MARGIN, top + 8
    lines: list[str] = []
    for tone, meaning in used:
        width = 20 + _GLYPH * len(meaning) + 8
        if left + width > WIDTH - _MARGIN:
            left, base = _MARGIN, base + _LINE + 4
        lines.append(_square(left, base, tone))
        lines.append(_text(left + 20, base + 12, meaning, "dim", width))
        left += width
    return lines, base + _SQUARE + _MARGIN


def _text(left: int, base: int, raw: str, style: str, width: int) -> str:
    named = f' class="{style}"' if style else ""
    room = width // _GLYPHS.get(style, _GLYPH)
    return f'<text{named} x="{left}" y="{base}">{html.escape(_cut(raw, room), quote=False)}</text>'


def _cut(raw: str, room: int) -> str:
    """Return the text in so many columns; East Asian characters take two."""
    flat = markdown.line(raw, markdown.MESSAGE)
    if _columns(flat) <= room:
        return flat
    shown = ""
    for char in flat:
        if _columns(shown + char) >= room:
            break
        shown += char
    return f"{shown.rstrip()}…"


def _columns(text: str) -> int:
    wide = Counter(unicodedata.east_asian_width(char) in {"W", "F"} for char in text)
    return wide[False] + 2 * wide[True]
