import yaml
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.rules import yamltext

NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8"), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(NAMES, VALUES, max_size=4))
def test_what_is_written_reads_as_it_was(value: dict[str, object]) -> None:
    assert yaml.safe_load(yamltext.dump_object(value)) == value


def test_equal_objects_are_written_alike_whatever_the_order_of_their_keys() -> None:
    assert yamltext.dump_object({"b": 1, "a": [True]}) == yamltext.dump_object({"a": [True], "b": 1})


def test_a_number_is_not_taken_for_an_equal_one_of_another_kind() -> None:
    assert yamltext.dump_object({"a": 1}) == "a: 1\n"
    assert yamltext.dump_object({"a": True}) == "a: true\n"


def test_a_script_is_a_literal_block_and_a_shared_value_stands_twice() -> None:
    shared = {"x": "1"}
    text = yamltext.dump([{"run": "a\nb\n", "one": shared, "two": shared}])
    assert text == "one:\n  x: '1'\nrun: |\n  a\n  b\ntwo:\n  x: '1'\n"


def test_half_a_surrogate_pair_is_written_as_a_question_mark() -> None:
    assert yamltext.dump([{"a": "\ud800"}]) == "a: '?'\n"
