"""The waits after a refusal for a limit: how long the source says, and how long it is asked to."""

import time
from email.utils import formatdate

import pytest
from hypothesis import given, settings, strategies as st
from tests.extract.answering import Said, client_of, in_turn

from millrace.errors import SourceUnavailable

ROWS = Said(body=b'[{"full_name": "acme/web"}]')


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("header", "waited_s"),
    [
        pytest.param("7", 7, id="seconds"),
        pytest.param("0.25", 0.25, id="a part of a second"),
        pytest.param("3600", 3600, id="an hour"),
        pytest.param("86400", 3600, id="a day is cut to an hour"),
        pytest.param("1e999", 3600, id="without end is cut to an hour"),
        pytest.param("Fri, 31 Dec 9999 23:59:59 GMT", 3600, id="a date far away is cut to an hour"),
    ],
)
def test_retry_after_is_obeyed_and_capped(status: int, header: str, waited_s: float) -> None:
    asked = client_of(in_turn(Said(status, headers={"Retry-After": header}), ROWS))
    asked.client.get("/repos")
    assert asked.clock.slept == [waited_s]
    assert asked.client.stats.waited_s == waited_s


def test_retry_after_may_be_a_date() -> None:
    asked = client_of(in_turn(Said(429, headers={"Retry-After": formatdate(time.time() + 60, usegmt=True)}), ROWS))
    asked.client.get("/repos")
    assert asked.clock.slept == [pytest.approx(60, abs=2)]


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("soon", id="a word"),
        pytest.param("", id="nothing"),
        pytest.param("nan", id="not a number"),
        pytest.param("-5", id="a negative number"),
        pytest.param("0", id="no time at all"),
        pytest.param("Mon, 01 Jan 2024 00:00:00 GMT", id="a date that has passed by our clock"),
        pytest.param("Mon, 01 Jan 2024 00:00:00 +99999999999999", id="a zone that is no number"),
        pytest.param("Mon, 99 Foo 2024", id="a day that is none"),
    ],
)
def test_invalid_retry_after_uses_default_wait(header: str) -> None:
    asked = client_of(in_turn(Said(429, headers={"Retry-After": header}), ROWS))
    asked.client.get("/repos")
    assert asked.clock.slept == [2.0]


@given(header=st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"), max_size=40))
@settings(max_examples=60, deadline=None)
def test_no_retry_after_makes_the_client_fail_or_wait_for_ever(header: str) -> None:
    asked = client_of(in_turn(Said(429, headers={"Retry-After": header}), ROWS))
    asked.client.get("/repos")
    assert 0 < asked.clock.slept[0] <= 3600


def test_refusals_without_retry_after_wait_longer_and_longer_up_to_a_cap() -> None:
    asked = client_of(in_turn(*[Said(429)] * 6, ROWS))
    asked.client.get("/repos")
    assert asked.clock.slept == [2, 4, 8, 16, 20, 20]
    assert (asked.client.stats.requests, asked.client.stats.rate_limited, asked.client.stats.retries) == (7, 6, 0)


def test_a_source_that_only_ever_refuses_is_unavailable() -> None:
    asked = client_of(in_turn(Said(429)))
    with pytest.raises(SourceUnavailable, match="over its rate limit 51 times in a row; lower MILLRACE_REQUESTS_PER_M"):
        asked.client.get("/repos")
    assert len(asked.adapter.asked) == 51


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Retry-After": "3"}, id="a secondary limit"),
        pytest.param({"X-RateLimit-Remaining": "0", "Retry-After": "3"}, id="a primary limit"),
    ],
)
def test_403_with_retry_time_is_a_rate_limit(headers: dict[str, str]) -> None:
    asked = client_of(in_turn(Said(403, headers=headers), ROWS))
    asked.client.get("/repos")
    assert (asked.clock.slept, asked.client.stats.rate_limited) == ([3], 1)


def test_403_with_nothing_remaining_uses_default_wait() -> None:
    asked = client_of(in_turn(Said(403, headers={"X-RateLimit-Remaining": "0"}), ROWS))
    asked.client.get("/repos")
    assert (asked.clock.slept, asked.client.stats.rate_limited) == ([2.0], 1)
