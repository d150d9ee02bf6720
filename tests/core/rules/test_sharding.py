from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import gpu
from reconciler.core.model.spec import SplitMode
from reconciler.core.rules import sharding


def devices(split: tuple[int, ...], units: int) -> list[int]:
    """Return the device of each unit, as llama.cpp gives them: the first whose cumulative share exceeds i/N."""
    total, ends = sum(split), [sum(split[: index + 1]) for index in range(len(split))]
    return [next(index for index, end in enumerate(ends) if end * units > unit * total) for unit in range(units)]


@st.composite
def ranges(draw: st.DrawFn) -> tuple[tuple[int, int], ...]:
    ends = sorted(draw(st.sets(st.integers(0, 125), min_size=2, max_size=8)))
    return tuple((before + 1, last) for before, last in pairwise([-1, *ends]))


@given(ranges())
def test_a_layer_split_places_every_layer_where_it_was_asked_to_be(wanted: tuple[tuple[int, int], ...]) -> None:
    split = sharding.tensor_split(gpu(len(wanted), layer_split=wanted))
    layers = wanted[-1][1] + 1
    assert sum(split) == layers + 1
    placed = devices(split, layers + 1)
    assert placed[-1] == len(wanted) - 1
    for device, (first, last) in enumerate(wanted):
        assert set(placed[first : last + 1]) == {device}
    assert sharding.layer_split_error(wanted, len(wanted)) == ""


@given(st.integers(2, 16))
def test_an_even_split_has_one_share_a_gpu(count: int) -> None:
    assert sharding.tensor_split(gpu(count)) == (1,) * count


@pytest.mark.parametrize("count", [0, 1])
def test_one_gpu_needs_no_split(count: int) -> None:
    assert sharding.tensor_split(gpu(count)) == ()


def test_even_shares_would_put_layer_20_of_40_on_the_first_of_two_gpus() -> None:
    assert devices((1, 1), 41)[20] == 0
    assert devices((20, 21), 41)[20] == 1


def test_an_unsplit_model_has_no_split() -> None:
    assert sharding.tensor_split(gpu(2, split_mode=SplitMode.NONE)) == ()


@pytest.mark.parametrize(
    ("wanted", "count", "word"),
    [
        (((0, 9),), 2, "1 layer ranges for 2 GPUs"),
        (((0, 9), (9, 19)), 2, "overlaps"),
        (((0, 9), (11, 19)), 2, "gap"),
        (((1, 9), (10, 19)), 2, "gap"),
        (((0, 9), (19, 10)), 2, "ends before it begins"),
    ],
)
def test_a_wrong_layer_split_says_what_is_wrong(wanted: tuple[tuple[int, int], ...], count: int, word: str) -> None:
    assert word in sharding.layer_split_error(wanted, count)
