"""Each fixture marks its problems in place.

`# ^ code [code …]` means the column of the caret, in the last line above that is no such mark; `# expect: code @ 3:7`
means that line and column. `# options: {…}` sets options and caps. A file `*.entries.yaml` lists entries to select.
"""

import ast
import dataclasses
import json
import re
from pathlib import Path

import pytest
import yaml

from reconciler import resources
from reconciler.core import spec
from reconciler.core.model.problem import Problem
from reconciler.core.model.source import Entry
from reconciler.core.spec.codes import CODES

FIXTURES = Path(__file__).parents[2] / "data" / "specs" / "problems"
SOURCES = Path(spec.__file__).parent
CARET = re.compile(r"\s*#\s*\^ ([a-z0-9 -]+)")
EXPLICIT = re.compile(r"\s*# expect: ([a-z0-9-]+) @ (\d+):(\d+)")
OPTIONS = re.compile(r"\s*# options: (.*)")


def text_of(content: bytes) -> str:
    encoding = "utf-16" if content.startswith(b"\xff\xfe") else "utf-8-sig"
    return content.decode(encoding, errors="replace")


def expected(content: bytes) -> list[tuple[int, int, str]]:
    found, target = [], 0
    for number, line in enumerate(text_of(content).splitlines(), 1):
        if mark := EXPLICIT.match(line):
            found.append((int(mark[2]), int(mark[3]), mark[1]))
        elif mark := CARET.match(line):
            found += [(target, line.index("^") + 1, code) for code in mark[1].split()]
        else:
            target = number
    return sorted(found)


def options_of(content: bytes) -> spec.Options:
    for line in text_of(content).splitlines():
        if mark := OPTIONS.match(line):
            said = json.loads(mark[1])
            caps = spec.Caps(**said.pop("caps", {}))
            return spec.Options(caps=caps, **{key: tuple(value) for key, value in said.items()})
    return spec.Options()


def problems_of(fixture: Path) -> tuple[Problem, ...]:
    content = fixture.read_bytes()
    options = options_of(content)
    if fixture.name.endswith(".entries.yaml"):
        return spec.select([Entry(blob="", **entry) for entry in yaml.safe_load(content)], options).problems
    file = spec.parse_file("llm.yaml", content, resources.schemas(), options)
    return spec.link([file], options, resources.flags()).problems


ALL = sorted(FIXTURES.glob("*.yaml"))


@pytest.mark.parametrize("fixture", ALL, ids=lambda fixture: fixture.stem)
def test_a_fixture_has_the_problems_that_it_marks(fixture: Path) -> None:
    found = problems_of(fixture)
    assert sorted((p.line, p.column, p.code) for p in found) == expected(fixture.read_bytes()), "\n".join(
        map(str, found)
    )


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_kind_of_problem_has_a_fixture(code: str) -> None:
    codes = {name for fixture in ALL for _, _, name in expected(fixture.read_bytes())}
    assert code in codes


@pytest.mark.parametrize("fixture", ALL, ids=lambda fixture: fixture.stem)
def test_a_fixture_is_named_after_one_of_its_problems(fixture: Path) -> None:
    codes = {code for _, _, code in expected(fixture.read_bytes())}
    assert any(fixture.name.startswith(code) for code in codes)


def test_the_source_emits_no_other_kind_of_problem() -> None:
    emitters = {"Finding", "Problem", "Fault", "say", "warn", "_stop", "_fault", "_error", "_warn", "_RefusedError"}
    paths = [*SOURCES.glob("*.py"), SOURCES.parent / "rules" / "llamacpp.py"]
    emitted = set()
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in emitters:
                words = [arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
                emitted |= {word for word in words[:3] if re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", word)}
    assert emitted <= set(CODES)
    assert len(emitted) > 40


def test_a_problem_is_one_line_that_says_where_and_what() -> None:
    problem = problems_of(FIXTURES / "out-of-range.yaml")[0]
    assert str(problem).startswith("llm.yaml:14:13: error: -1 is less than the minimum of 0 (/spec/replicas)")


def test_every_message_fits_one_line() -> None:
    for fixture in ALL:
        for problem in problems_of(fixture):
            assert "\n" not in problem.message
            assert dataclasses.asdict(problem)["message"]
