"""Text as values: what YAML means here, and input that means harm."""

import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler import resources
from reconciler.core import spec
from reconciler.core.spec.loading import Builder, FastLoader, PureLoader, compose
from reconciler.core.spec.scalars import NotANumberError, plain

HEAD = b"apiVersion: inference.llmkube.dev/v1alpha1\nkind: Model\nmetadata: {name: m}\n"
SECONDS = 15.0
"""Far above what any of these takes (at most about 1 s), far below what a bomb would."""


def load(text: str) -> Any:
    builder = Builder(spec.Caps())
    values = [builder.build(root) for root in compose(text.encode(), spec.Caps())]
    assert not builder.faults, builder.faults
    return values[0]


def parse(content: bytes, **options: Any) -> spec.File:
    return spec.parse_file("llm.yaml", content, resources.schemas(), spec.Options(**options))


@pytest.mark.parametrize("text", ["yes", "no", "on", "off", "y", "12:30", "2026-11-25", "1.2.3", "=", "1_a", "-"])
def test_what_only_old_yaml_takes_for_something_else_stays_text(text: str) -> None:
    assert plain(text) == text


@pytest.mark.parametrize(
    ("text", "value"),
    [("12", 12), ("-3", -3), ("0644", 420), ("0o17", 15), ("0x1F", 31), ("1_000", 1000), ("1e3", 1000.0), (".5", 0.5)],
)
def test_numbers_are_read_as_kubernetes_reads_them(text: str, value: float) -> None:
    assert plain(text) == value


@pytest.mark.parametrize(
    "text", ["1e999999999", "-1e400", "9" * 30, "9" * 100_000, "0x" + "f" * 17, ".inf", "-.INF", ".NaN"]
)
def test_a_number_that_nothing_can_hold_is_refused(text: str) -> None:
    with pytest.raises(NotANumberError):
        plain(text)


def test_null_is_a_field_left_out() -> None:
    assert load("{a: null, b: ~, c: , d: 1}") == {"d": 1}


def test_keys_are_their_text() -> None:
    assert load("{1: a, true: b, on: c, 2026-11-25: d}") == {"1": "a", "true": "b", "on": "c", "2026-11-25": "d"}


def test_a_merge_key_gives_way_to_what_stands_beside_it() -> None:
    assert load("{base: &b {x: 1, y: 2}, here: {<<: *b, y: 3}}")["here"] == {"x": 1, "y": 3}


def test_the_first_of_several_merged_mappings_wins() -> None:
    assert load("{a: &a {x: 1}, b: &b {x: 2, y: 2}, here: {<<: [*a, *b]}}")["here"] == {"x": 1, "y": 2}


def test_the_loader_without_c_reads_the_same() -> None:
    text = b"a: [1, yes, '2', ~, {b: !!str 3}]\nc: &c {d: 1.5}\ne: *c\n"
    roots = [next(compose(text, spec.Caps(), loader)) for loader in (FastLoader, PureLoader)]
    assert len({repr(Builder(spec.Caps()).build(root)) for root in roots}) == 1


def test_an_anchor_in_a_document_serves_in_it() -> None:
    document = HEAD + b"spec: {source: &s https://example.com/m.gguf, quantization: *s}\n"
    assert len(parse(document).drafts) == 1


def test_yamls_own_tags_are_read() -> None:
    assert load("{a: !!str 1, b: !!int 2, c: !!float 1, d: !!bool true}") == {"a": "1", "b": 2, "c": 1, "d": True}


@pytest.mark.parametrize("content", [b"", b"\n\n", b"# nothing\n", b"---\n---\n...\n", b"\xef\xbb\xbf"])
def test_a_file_without_a_document_is_a_warning(content: bytes) -> None:
    assert [(p.code, p.severity) for p in parse(content).problems] == [("empty-file", "error")]


def test_an_empty_document_between_others_is_passed_over() -> None:
    document = HEAD + b"spec: {source: https://example.com/m.gguf}\n"
    assert len(parse(b"---\n# header\n---\n" + document + b"---\n").drafts) == 1


BOMBS = {
    "aliases": b"a: &a [x,x,x,x,x,x,x,x,x]\n"
    + b"".join(b"%c: &%c [%s]\n" % (c, c, b",".join([b"*%c" % (c - 1)] * 9)) for c in range(98, 106)),
    "deep flow": b"[" * 200_000,
    "deep flow, closed": b"[" * 100_000 + b"]" * 100_000,
    "deep mappings": b"{a: " * 100_000,
    "deep list": b"- " * 200_000,
    "deep keys": b"? " * 200_000,
    "deep block": b"\n".join(b" " * i + b"a:" for i in range(1_000)),
    "many values": b"- 1\n" * 150_000,
    "many documents": b"--- 1\n" * 150_000,
    "many anchors": b"".join(b"- &a%d 1\n" % i for i in range(60_000)),
    "many keys": b"".join(b"k%d: 1\n" % i for i in range(60_000)),
    "one key often": b"k: 1\n" * 90_000,
    "merges": b"a: &a {x: 1}\nb:\n" + b"  <<: *a\n" * 50_000,
    "long number": b"9" * 900_000,
    "long float": b"1." + b"0" * 900_000,
    "underscores": b"1" + b"_" * 900_000,
    "long text": b'"' + b"x" * 1_000_000 + b'"',
    "recursion": b"&a [*a, *a]",
    "a merge with itself": b"&a {<<: *a}",
    "tag": b"!!python/object/apply:os.system ['true']",
    "directive": b"%YAML 9.9\n---\na: 1\n",
    "tabs": b"a:\n\t- b\n",
    "binary": bytes(range(256)) * 100,
    "surrogate": b'"\\ud800"',
}


@pytest.mark.parametrize("bomb", sorted(BOMBS))
def test_hostile_text_is_a_problem_soon(bomb: str) -> None:
    content = HEAD + b"spec: {source: https://example.com/m.gguf}\n---\n" + BOMBS[bomb]
    start = time.perf_counter()
    file = parse(content)
    assert time.perf_counter() - start < SECONDS
    assert file.problems


@pytest.mark.parametrize("bomb", sorted(BOMBS))
def test_hostile_text_inside_a_spec_is_a_problem_soon(bomb: str) -> None:
    inner = b"\n  ".join(BOMBS[bomb].splitlines())
    start = time.perf_counter()
    file = parse(HEAD + b"spec:\n  source: https://example.com/m.gguf\n  more:\n  " + inner + b"\n")
    assert time.perf_counter() - start < SECONDS
    assert file.problems


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=200))
def test_no_bytes_break_the_parser(tail: bytes) -> None:
    assert parse(HEAD + tail).path == "llm.yaml"


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(alphabet="abc:- \n\t{}[],&*!|>'\"#%?<1.~@`", max_size=80))
def test_no_text_breaks_the_parser(tail: str) -> None:
    assert parse(HEAD + b"spec:\n  source: " + tail.encode()).path == "llm.yaml"


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60))
def test_no_text_breaks_the_reading_of_a_source(source: str) -> None:
    import json  # noqa: PLC0415  # JSON strings are YAML

    file = parse(HEAD + b"spec: {source: " + json.dumps(source).encode() + b"}\n")
    assert file.drafts or file.problems
