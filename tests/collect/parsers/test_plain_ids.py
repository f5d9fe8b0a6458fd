"""Ids of the usual forms skip the search for words, and keep the result that it would have."""

import re

import pytest
from hypothesis import given, settings, strategies as st

from millrace.collect.parsers import naming

parts = (
    st.sampled_from([*sorted(naming._WORDS), "alex", "invoices", "deadbeef", "01ARZ3NDEKTSV4RRFFQ69G5FAV"])
    | st.text("0123456789abcdefABCDEF", max_size=20)
    | st.text("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=14, max_size=30)
    | st.text(max_size=4)
)
ids = st.lists(st.tuples(parts, st.sampled_from("-_.:")), max_size=6).map(lambda pairs: "".join(map("".join, pairs)))


@settings(max_examples=3000, deadline=None, derandomize=True)
@given(ids | ids.map(lambda value: value[:-1]))
def test_an_id_of_a_usual_form_has_no_words(value: str) -> None:
    if naming._PLAIN_ID.fullmatch(value):
        assert naming._has_no_words(value)
    else:
        assert naming.id_name(value) == (value if naming._has_no_words(value) else naming.hashed(value))


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("0e8b7c1c-2222-4222-8222-000000000001", id="uuid"),
        pytest.param("msg_01XFDUDYJgAACzvnptvVoYEL", id="message of the API"),
        pytest.param("req_msg_0e8b7c1c-2222-4222-8222-000000000001_7", id="two prefixes"),
        pytest.param("0e8b7c1c-2222-4222-8222-000000000001:10.20.0.5.1", id="counter of Codex"),
    ],
)
def test_a_usual_id_takes_the_short_way(value: str) -> None:
    assert isinstance(naming._PLAIN_ID.fullmatch(value), re.Match)


def test_an_id_with_a_word_after_a_prefix_is_hashed() -> None:
    assert naming.id_name("msg_alexdoe") == naming.hashed("msg_alexdoe")
