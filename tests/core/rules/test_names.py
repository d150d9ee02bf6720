import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.rules import names

LABEL_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
SPEC_NAME = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?", fullmatch=True)


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("llama-3.1-8b", "llama-3-1-8b"),
        ("7b", "m-7b"),
        ("Qwen_2.5", "qwen-2-5"),
        ("a" * 80, "a" * 63),
        ("7" * 63, f"m-{'7' * 61}"),
        ("-a-", "a"),
        ("...", ""),
        ("", ""),
        ("模型", ""),
        (f"{'a' * 62}.b", "a" * 62),
    ],
)
def test_a_name_becomes_a_dns_label(name: str, label: str) -> None:
    assert names.dns_label(name) == label


@given(st.text())
def test_a_dns_label_is_valid_or_empty_and_stays_what_it_is(name: str) -> None:
    label = names.dns_label(name)
    assert label == "" or names.is_dns_label(label)
    assert names.dns_label(label) == label


@given(SPEC_NAME)
def test_a_name_of_a_spec_is_a_dns_label_and_a_label_value(name: str) -> None:
    assert names.is_dns_label(names.dns_label(name))
    value = names.label_value(name)
    assert LABEL_VALUE.fullmatch(value)
    assert len(value) <= 63
    assert names.label_value(value) == value


@given(SPEC_NAME, SPEC_NAME)
def test_two_names_are_two_label_values(one: str, other: str) -> None:
    assert (names.label_value(one) == names.label_value(other)) == (one == other)


@pytest.mark.parametrize("name", ["", "A", "1a", "a-", "a.b", "a" * 64, "a\n", "-a"])
def test_what_is_no_dns_label(name: str) -> None:
    assert not names.is_dns_label(name)
