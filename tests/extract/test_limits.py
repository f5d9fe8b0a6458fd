"""GitHub's limits: how long each refusal is waited out, by which of its signs, and when it ends the reading."""

import json
from itertools import repeat

import pytest
from hypothesis import given, strategies as st
from tests.extract.answering import Said
from tests.extract.logged import Logged
from tests.extract.talking import NOW, NOW_S, one_by_one, says, talking

from millrace.errors import RequestRejected, SourceUnavailable
from millrace.extract.deadline import Deadline, OutOfTime
from millrace.extract.limits import Refusals, limit_of

ROWS = says([{"id": 1}])
SECONDARY = {"message": "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}
EXCEEDED = {"message": "API rate limit exceeded for user ID 101."}


def used_up(reset_s: float, status: int = 403, **more: str) -> Said:
    """Return the answer of an exhausted hour, which is reset so many seconds from the server's now."""
    headers = {"X_RateLimit_Limit": "5000", "X_RateLimit_Remaining": "0", "Date": NOW}
    return says(EXCEEDED, status, **headers | {"X_RateLimit_Reset": str(int(NOW_S + reset_s))} | more)


@pytest.mark.parametrize("status", [403, 429])
@pytest.mark.parametrize(
    ("reset_s", "waited_s"),
    [
        pytest.param(1200, 1201, id="twenty minutes"),
        pytest.param(3600, 3601, id="the whole hour"),
        pytest.param(86_400, 3601, id="a day is cut to an hour"),
        pytest.param(0, 1, id="now"),
        pytest.param(-500, 1, id="a time that has passed"),
    ],
)
def test_a_used_up_hour_is_waited_out_until_its_reset(status: int, reset_s: float, waited_s: float) -> None:
    with talking(one_by_one(used_up(reset_s, status), ROWS)) as talk:
        client = talk.client()
        assert client.get("/repos").body == [{"id": 1}]
    assert talk.clock.slept == [waited_s]
    assert (client.stats.requests, client.stats.rate_limited, client.stats.waited_s) == (2, 1, waited_s)


def test_the_hours_of_a_long_reading_do_not_add_up_to_a_failure() -> None:
    with talking(one_by_one(*(turn for _ in range(8) for turn in (used_up(3600), ROWS)))) as talk:
        client = talk.client()
        client.most_imposed_s = 3600
        for _ in range(8):
            client.get("/repos")
    assert sum(talk.clock.slept) == 8 * 3601


def test_an_hour_that_is_used_up_by_others_again_and_again_ends_the_reading() -> None:
    with (
        talking(lambda heard: used_up(1)) as talk,
        pytest.raises(SourceUnavailable, match="limit of an hour is used up 4 times in a row; is it used by something"),
    ):
        talk.client().get("/repos")
    assert talk.clock.slept == [2, 60, 60]


def test_the_longer_wait_counts_when_the_server_names_two() -> None:
    with talking(one_by_one(used_up(60, Retry_After="900"), used_up(900, Retry_After="60"), ROWS)) as talk:
        talk.client().get("/repos")
    assert talk.clock.slept == [900, 901]


@pytest.mark.parametrize("status", [403, 429])
def test_a_secondary_limit_is_waited_out_as_long_as_it_says(status: int) -> None:
    with talking(one_by_one(says(SECONDARY, status, Retry_After="240"), ROWS)) as talk:
        talk.client().get("/repos")
    assert talk.clock.slept == [240]


@pytest.mark.parametrize("status", [403, 429])
@pytest.mark.parametrize(
    "words",
    [
        pytest.param(SECONDARY["message"], id="today's words"),
        pytest.param("You have triggered an abuse detection mechanism.", id="the words of before"),
    ],
)
def test_a_secondary_limit_without_headers_is_a_minute_and_doubles(status: int, words: str) -> None:
    with talking(one_by_one(*repeat(says({"message": words}, status), 5), ROWS)) as talk:
        assert talk.client().get("/repos").body == [{"id": 1}]
    assert talk.clock.slept == [60, 120, 240, 480, 960]


def test_a_secondary_limit_ends_the_reading_after_five_waits() -> None:
    with (
        talking(lambda heard: says(SECONDARY, 403)) as talk,
        pytest.raises(SourceUnavailable, match="over its secondary rate limit 6 times in a row; try again later"),
    ):
        talk.client().get("/repos")
    assert len(talk.heard) == 6


def test_each_request_has_its_own_count_of_refusals() -> None:
    turns = (turn for _ in range(4) for turn in (*repeat(says(SECONDARY, 403), 2), ROWS))
    with talking(one_by_one(*turns)) as talk:
        client = talk.client()
        for _ in range(4):
            client.get("/repos")
    assert talk.clock.slept == [60, 120] * 4


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"X_RateLimit_Limit": "0", "X_RateLimit_Remaining": "0"}, id="a server whose limits are off"),
        pytest.param({"X_RateLimit_Limit": "5000", "X_RateLimit_Remaining": "4999"}, id="some are left"),
        pytest.param({}, id="a server without limits"),
    ],
)
def test_a_403_that_names_no_limit_is_not_waited_out(headers: dict[str, str]) -> None:
    with (
        talking(lambda heard: says({"message": "Resource not accessible"}, 403, **headers)) as talk,
        pytest.raises(RequestRejected, match="Resource not accessible"),
    ):
        talk.client().get("/repos")
    assert (len(talk.heard), talk.clock.slept) == (1, [])


def test_a_wait_beyond_the_deadline_ends_the_delivery_and_is_kept_for_the_next() -> None:
    with talking(one_by_one(used_up(1200), ROWS)) as talk:
        client = talk.client()
        for wait_s in (1201, 1101):
            with pytest.raises(OutOfTime, match=f"has to wait for {wait_s:,} s"):
                client.for_task(deadline=Deadline(talk.clock() + 300, talk.clock)).get("/repos")
            talk.clock.now_s += 100
        assert len(talk.heard) == 1
        talk.clock.now_s += 1100
        assert client.for_task(deadline=Deadline(talk.clock() + 300, talk.clock)).get("/repos").body == [{"id": 1}]
    assert talk.clock.slept == []


@pytest.mark.parametrize(
    ("turn", "problem"),
    [
        pytest.param(used_up(1200), "the key's limit of an hour is used up", id="the primary limit"),
        pytest.param(says(SECONDARY, 403), "over its secondary rate limit", id="the secondary limit"),
        pytest.param(says({}, 503, Retry_After="600"), "status 503", id="maintenance"),
    ],
)
def test_a_long_wait_is_announced_when_it_begins(turn: Said, problem: str) -> None:
    with talking(one_by_one(turn, ROWS)) as talk, Logged() as logged:
        talk.client().get("/repos?author=ann@example.com")
    (line,) = [line for line in logged.text.splitlines() if line.startswith("waiting for the source")]
    assert problem in line
    assert f"'wait_s': {talk.clock.slept[0]:.0f}" in line
    assert "example.com" not in line


def test_a_short_wait_is_not_announced() -> None:
    with talking(one_by_one(says({}, 429, Retry_After="2"), ROWS)) as talk, Logged() as logged:
        talk.client().get("/repos")
    assert "waiting for the source" not in logged.text


SIGNS = {
    "X-RateLimit-Reset": st.one_of(
        st.integers(-10, 10**13).map(str), st.text(st.characters(codec="ascii"), max_size=9)
    ),
    "X-RateLimit-Limit": st.sampled_from(["0", "5000", "", "x"]),
    "X-RateLimit-Remaining": st.sampled_from(["0", "1", "-1", "", "x"]),
    "Date": st.sampled_from([NOW, "", "soon", "Mon, 01 Jan 0001 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT"]),
    "Retry-After": st.sampled_from(["0", "-1", "nan", "1e999", "7", "", NOW, "Fri, 31 Dec 9999 23:59:59 GMT"]),
}


@given(headers=st.fixed_dictionaries({}, optional=SIGNS), status=st.sampled_from([403, 429]), says_so=st.booleans())
def test_whatever_a_refusal_says_its_waits_are_positive_bounded_and_end(
    headers: dict[str, str], status: int, says_so: bool
) -> None:
    limit = limit_of(status, headers, json.dumps(SECONDARY).encode() if says_so else b"{}")
    if limit is None:
        assert status == 403
        return
    refusals = Refusals()
    waits = list(iter(lambda: refusals.wait_s(limit), None))
    assert 3 <= len(waits) <= 50
    assert all(0 < wait_s <= 3601 for wait_s in waits if wait_s is not None)
