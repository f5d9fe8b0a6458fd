"""The budget of requests: a burst, then the pace of the source's own limit."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from tests.extract.answering import KEY, URL, Answering, Clock, Said

import simulator
from millrace.extract.auth import Basic
from millrace.extract.budget import RateBudget
from millrace.extract.deadline import Deadline, OutOfTime
from millrace.extract.http_client import SourceClient
from simulator.api import DEFAULT_KEY
from simulator.limiter import TokenBucket

ROWS = Said(body=b'[{"full_name": "acme/web"}]')


@pytest.mark.parametrize(("per_minute", "burst", "requests_"), [(100, 95, 400), (20, 1, 100), (6000, 50, 1000)])
def test_a_budget_spends_its_burst_and_then_keeps_the_pace(per_minute: float, burst: int, requests_: int) -> None:
    clock = Clock()
    budget = RateBudget(per_minute, burst, clock, clock.sleep)
    waited_s = sum(budget.take() for _ in range(requests_))
    assert waited_s == pytest.approx(60 * (requests_ - burst) / per_minute, rel=0.01)
    assert clock.now_s - 1000 == pytest.approx(waited_s)
    assert len(clock.slept) == requests_ - burst


def test_a_budget_without_a_pace_never_waits() -> None:
    clock = Clock()
    budget = RateBudget(None, 1, clock, clock.sleep)
    assert [budget.take() for _ in range(1000)] == [0.0] * 1000
    assert clock.slept == []


def test_a_rest_refills_the_budget_to_its_burst_and_no_further() -> None:
    clock = Clock()
    budget = RateBudget(60, 10, clock, clock.sleep)
    clock.now_s += 3600
    assert [budget.take() for _ in range(11)] == [0.0] * 10 + [pytest.approx(1.0)]


def test_a_refusal_empties_the_burst() -> None:
    clock = Clock()
    budget = RateBudget(60, 10, clock, clock.sleep)
    budget.refused(2.0)
    assert [budget.take(), budget.take(), budget.take()] == [0.0, 0.0, pytest.approx(1.0)]  # two arrived in two seconds


def test_threads_share_one_budget() -> None:
    clock = Clock()
    budget = RateBudget(60, 40, clock, lambda wait_s: None)  # the clock does not move: each wait shows its position
    with ThreadPoolExecutor(8) as threads:
        waits = list(threads.map(lambda number: budget.take(), range(400)))
    assert sorted(waits) == [0.0] * 40 + [pytest.approx(n + 1) for n in range(360)]


def test_the_pace_hardly_ever_meets_the_sources_own_limit() -> None:
    clock = Clock()
    bucket = TokenBucket(clock)
    limited = Said(429, b'{"error":"Rate limit exceeded"}', {"Retry-After": "1"})
    adapter = Answering(lambda request: ROWS if bucket.take() is None else limited)
    session = requests.Session()
    session.mount("http://", adapter)
    budget = RateBudget(100, 95, clock, clock.sleep)
    client = SourceClient(URL, Basic(KEY), budget, session=session, sleep=clock.sleep)
    [client.get("/repos") for _ in range(600)]
    assert client.stats.rate_limited <= 2
    assert clock.now_s - 1000 == pytest.approx(60 * (600 - 95) / 100, rel=0.01)


def test_a_budget_that_another_client_has_spent_recovers_at_the_sources_pace() -> None:
    clock = Clock()
    bucket = TokenBucket(clock)
    [bucket.take() for _ in range(100)]
    limited = Said(429, b"{}", {"Retry-After": "1"})
    adapter = Answering(lambda request: ROWS if bucket.take() is None else limited)
    session = requests.Session()
    session.mount("http://", adapter)
    client = SourceClient(URL, Basic(KEY), RateBudget(100, 95, clock, clock.sleep), session=session, sleep=clock.sleep)
    [client.get("/repos") for _ in range(50)]
    assert client.stats.rate_limited <= 2
    assert clock.now_s - 1000 == pytest.approx(50 * 0.6, rel=0.05)


def test_against_the_real_limiter_a_burst_passes_without_a_refusal(small_world: simulator.World) -> None:
    with simulator.serve(small_world, limiter=True) as running, requests.Session() as session:
        session.trust_env = False
        client = SourceClient(running.url, Basic(DEFAULT_KEY), RateBudget(100, 95), session=session)
        [client.get("/repos") for _ in range(97)]
        assert running.rate_limited == client.stats.rate_limited == 0
    assert client.stats.waited_s > 0


def test_everybody_who_shares_a_refused_budget_waits_too() -> None:
    clock = Clock()
    budget = RateBudget(None, 1, clock, clock.sleep)
    with pytest.raises(OutOfTime):
        budget.refused(3000, Deadline(clock.now_s + 60, clock))
    assert budget.take() == pytest.approx(3000)
    assert budget.take() == 0


def test_a_short_refusal_does_not_end_a_long_one() -> None:
    clock = Clock()
    budget = RateBudget(60, 10, clock, clock.sleep)
    with pytest.raises(OutOfTime):
        budget.refused(3000, Deadline(clock.now_s + 60, clock))
    budget.refused(2)
    assert budget.take() == pytest.approx(2998)
