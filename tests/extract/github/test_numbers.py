"""Packed sets of numbers."""

import pytest
from hypothesis import given, strategies as st

from millrace.extract.sources.github.numbers import packed, unpacked


@given(st.sets(st.integers(min_value=-(2**40), max_value=2**62)))
def test_unpacked_is_the_inverse_of_packed(numbers: set[int]) -> None:
    assert unpacked(packed(numbers)) == numbers


def test_ten_thousand_numbers_take_less_than_forty_kilobytes() -> None:
    assert len(packed(range(1, 30_000, 3))) < 40_000


@pytest.mark.parametrize("text", ["x", "AAAA", "é"])
def test_another_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"packed|ASCII|codec"):
        unpacked(text)
