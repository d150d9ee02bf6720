"""Hostile names, messages and paths: they show as they are, and break out of nothing."""

import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from reconciler.core import report
from reconciler.core.model.change import Action, Hold, HoldReason
from reconciler.core.model.health import Phase, ServiceHealth
from reconciler.core.model.objects import ServiceId
from reconciler.core.model.problem import Problem
from reconciler.core.model.spec import Origin
from reconciler.core.report import markdown, table
from report_fleets import ALL_GOOD, MIXED
from report_outcomes import NAMESPACE, Scene, node, ready, service

RENDERER = MarkdownIt("commonmark").enable("table")

CELL = re.compile(r"(?:\\.|[^|\\])*")
"""GitHub's own rule: a pipe behind a backslash does not end a cell, nor does one behind an escaped backslash's pair."""

HOSTILE = st.text(st.sampled_from("|`\\<>[]()*_~$&#!\n\r\t \u2028\u202e\x00\ud800ab/.:-"), max_size=40) | st.text(
    max_size=40
)


def hostile(name: str, message: str) -> Scene:
    wanted = service("x")
    named = replace(
        wanted,
        id=ServiceId(NAMESPACE, name),
        origin=Origin(f"models/{name}/llm.yaml", 3),
        model=replace(wanted.model, id=ServiceId(NAMESPACE, name)),
    )
    return Scene(
        (service("safe", 1), named),
        {"safe": ServiceHealth(Phase.DEGRADED, message, message, 1, 2, (name,))},
        (node(name, 2),),
        (Problem(name, 1, 1, f"/{name}", "odd", message),),
        incomplete=message,
        held={"safe": (Action.UPDATE, Hold(HoldReason.REFUSED, message))},
        foreign={"safe": (message,)},
        cluster=name,
        branch=name,
    )


def cells(row: str) -> list[str]:
    parts, rest = [], row
    while rest:
        found = CELL.match(rest)
        assert found is not None
        parts.append(found[0])
        rest = rest[found.end() + 1 :]
    return parts[1:]


@settings(max_examples=150, deadline=None)
@given(HOSTILE, HOSTILE)
@example("a|b", "| a | b |")
@example("a\\|b", "`x`\\`|")
@example("\\", "<img src=x onerror=alert(1)>")
@example("`", "![x](javascript:alert(1)) https://evil.example www.evil.example")
def test_hostile_text_never_breaks_out_of_the_table(name: str, message: str) -> None:
    page = report.build(hostile(name, message).outcome(), None).files["README.md"].decode()
    rows = [line for line in page.splitlines() if line.startswith("|")]
    assert len(rows) == 4
    assert all(len(cells(row)) == len(table.COLUMNS) for row in rows)
    assert "<" not in page
    headings = [line for line in page.splitlines() if line.startswith("#")]
    assert headings[0].startswith("# LLM services")
    assert set(headings[1:]) <= {
        "## What needs you",
        "## The fleet",
        "## Problems in specs",
        "## Other hands",
        "## How to read this",
    }


@settings(max_examples=100, deadline=None)
@given(HOSTILE, HOSTILE)
@example("# heading", "- item")
def test_what_a_renderer_makes_of_hostile_text_has_the_same_shape(name: str, message: str) -> None:
    page = report.build(hostile(name, message).outcome(), None).files["README.md"].decode()
    shown = RENDERER.render(page)
    counts = [shown.count(tag) for tag in ("<table>", "<tr>", "<th>", "<td>", "<h1>", "<img")]
    assert counts == [1, 3, len(table.COLUMNS), 2 * len(table.COLUMNS), 1, 1]
    assert not any(tag in shown for tag in ("<a ", "<h3", "<hr", "<ol", "<pre", "<script"))


@settings(max_examples=100, deadline=None)
@given(HOSTILE, HOSTILE)
def test_whatever_is_said_every_file_stays_readable(name: str, message: str) -> None:
    built = report.build(hostile(name, message).outcome(), None)
    ET.fromstring(built.files["fleet.svg"])  # noqa: S314  # our own picture
    for path, content in built.files.items():
        content.decode()
        if path.endswith(".yaml"):
            assert list(yaml.safe_load_all(content))
    assert not isinstance(report.read_status(built.files["status.json"]), Problem)
    assert report.build(hostile(name, message).outcome(), built).files == built.files


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("a|b", r"a\|b"),
        ("<b>&amp;", "&lt;b&gt;&amp;amp;"),
        ("[x](y)", r"\[x\](y)"),
        ("two\nlines\u2028three", "two lines three"),
        ("https://evil.example", r"https\://evil.example"),
        ("www.evil.example", r"www\.evil.example"),
        ("# no heading", r"\# no heading"),
        ("- no item", r"\- no item"),
        ("1. no list", r"1\. no list"),
        ("-1 is less than 0.5", "-1 is less than 0.5"),
        ("right\u202eleft", "right left"),
    ],
)
def test_text_shows_as_it_is(raw: str, shown: str) -> None:
    assert markdown.text(raw) == shown


@pytest.mark.parametrize("raw", ["a`b", "a|b", "a\\b", "<b>"])
def test_what_could_end_a_code_span_is_no_code(raw: str) -> None:
    assert not markdown.code(raw).startswith("`")


def test_code_within_prose_stays_code() -> None:
    assert markdown.prose("Set `replicas: 2` | and push") == r"Set `replicas: 2` \| and push"


def test_a_long_message_is_cut() -> None:
    assert len(markdown.text("x" * 5000)) == markdown.MESSAGE
    assert markdown.text("x" * 5000).endswith("…")


def test_services_that_share_a_reason_are_told_together() -> None:
    hold = Hold(HoldReason.SUSPENDED, "the fleet is suspended: moving")
    scene = replace(ALL_GOOD, updated=(), held={one.id.name: (Action.UPDATE, hold) for one in ALL_GOOD.services})
    page = report.build(scene.outcome(), None).files["README.md"].decode()
    assert page.count("The fleet is suspended") == 1


def test_what_is_most_urgent_stands_first() -> None:
    page = report.build(MIXED.outcome(), None).files["README.md"].decode()
    items = [line.split()[1] for line in page.splitlines() if line.startswith("- ") and "**llm/" in line]
    assert items == ["Failed", "Failed", "Degraded", "WaitingForGPU"]


def test_rows_are_plain_text_for_any_table() -> None:
    found = report.rows(report.fleet(Scene((service("a|b", 2),), {"a|b": ready("n", "n")}).outcome()))
    assert found == (
        ("llm/a|b", "Ready", "a|b-model", "2 × nvidia.com/gpu", "2/2", "n ×2", "models/a|b/llm.yaml:1"),  # noqa: RUF001
    )
