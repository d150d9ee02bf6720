import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.rules import quantities


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("500m", "0.5"),
        ("2", "2"),
        ("1.5", "1.5"),
        (".5", "0.5"),
        ("1.", "1"),
        ("+1", "1"),
        ("4Gi", str(4 << 30)),
        ("1k", "1000"),
        ("1Ki", "1024"),
        ("1e3", "1000"),
        ("1E3", "1000"),
        ("1E", "1e18"),
        ("1Ei", str(1 << 60)),
        ("100n", "1e-7"),
        ("0", "0"),
    ],
)
def test_a_quantity_is_a_number(text: str, number: str) -> None:
    assert quantities.parse(text) == Decimal(number)


@pytest.mark.parametrize(
    "text", ["", "x", "1 Gi", "1GI", "1gi", "1K", "1e", "--1", "1e1e1", "1Gib", "\u0661", "1e999999999", "0x1"]
)
def test_what_is_no_quantity_is_none(text: str) -> None:
    assert quantities.parse(text) is None


@given(st.text(alphabet="0123456789.+-eEkKMGTPinum", max_size=8))
def test_what_the_schema_lets_through_can_be_read(text: str) -> None:
    if re.search(quantities.PATTERN, text) and not re.search(r"[eE][+-]?[0-9]{2,}$", text):
        assert quantities.parse(text) is not None


@pytest.mark.parametrize(("cpu", "threads"), [("", None), ("100m", 1), ("1", 1), ("2500m", 2), ("16", 16), ("0", 1)])
def test_threads_are_whole_cores_and_at_least_one(cpu: str, threads: int | None) -> None:
    assert quantities.whole_cores(cpu) == threads
