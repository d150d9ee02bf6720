import math
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.core.rules import yamltext


class Dumper(yaml.CSafeDumper):
    """What PyYAML itself would write, asked for the whole document."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True


def literal(dumper: Any, text: str) -> Any:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, "|" if "\n" in text else None)


Dumper.add_representer(str, literal)

TEXTS = st.one_of(
    st.text(alphabet="ab :#-?{}[]&*!|>'\"%@`,\n\r\t0x1.é\u2028\x85~=<", max_size=12),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
    st.sampled_from(
        ["", "null", "~", "yes", "0o7", "1e3", "12:30", "2026-01-01", "=", "<<", "a: b", "- a", "x" * 200, "a " * 80]
    ),
)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=12,
)


@settings(max_examples=500, deadline=None)
@given(documents=st.lists(VALUES, max_size=3), order=st.sampled_from(["sorted", "as given"]))
def test_the_text_is_pyyamls_byte_for_byte(documents: list[Any], order: str) -> None:
    sort_keys = order == "sorted"
    expected = yaml.dump_all(documents, Dumper=Dumper, sort_keys=sort_keys, allow_unicode=True, width=10_000)
    assert yamltext.dump(documents, sort_keys=sort_keys) == expected


def test_a_line_that_pyyaml_would_fold_is_left_to_it() -> None:
    document = {"a": {"b": "word " * 3_000 + "end"}}
    assert yamltext.dump([document]) == yaml.dump(document, Dumper=Dumper, width=10_000)
    assert yamltext.dump([document]).count("\n") > 1


def test_one_and_true_are_told_apart() -> None:
    assert yamltext.dump([{"a": 1, "b": True, "c": 1.0}]) == "a: 1\nb: true\nc: 1.0\n"
    assert yamltext.dump([{"c": 0.0, "d": -0.0}]) == "c: 0.0\nd: -0.0\n"
    assert math.isnan(yaml.safe_load(yamltext.dump([{"n": math.nan}]))["n"])


def test_a_long_text_stands_as_it_reads_wherever_it_is() -> None:
    script = "set -e\n\nif true; then\n  echo\nfi\n"
    found = yamltext.dump([{"spec": {"args": [["sh", script]], "env": [{"value": script}]}}])
    assert "    - |\n      set -e\n\n      if true; then\n        echo\n" in found
    assert yaml.safe_load(found)["spec"]["env"][0]["value"] == script


@pytest.mark.parametrize("items", [(), ("a",), ({"b": ()},)])
def test_a_tuple_is_a_list(items: tuple[Any, ...]) -> None:
    assert yaml.safe_load(yamltext.dump([{"k": items}])) == {"k": yamltext.plain(items)}
