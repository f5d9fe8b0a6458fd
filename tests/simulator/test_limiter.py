"""The rate limit: a hundred at once, then a hundred a minute, counted before anything else."""

from collections.abc import Callable

from tests.simulator.client import Client

import simulator
from simulator.limiter import TokenBucket


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_a_hundred_requests_pass_at_once_and_the_next_waits_a_second() -> None:
    bucket = TokenBucket(Clock())
    assert [bucket.take() for _ in range(100)] == [None] * 100
    assert bucket.take() == 1


def test_waiting_one_second_allows_one_request() -> None:
    clock = Clock()
    bucket = TokenBucket(clock)
    for _ in range(100):
        bucket.take()
    clock.now_s += 1.0
    assert [bucket.take() for _ in range(2)] == [None, 1]


def test_long_rest_allows_at_most_a_hundred_requests() -> None:
    clock = Clock()
    bucket = TokenBucket(clock)
    clock.now_s += 3600
    assert [bucket.take() for _ in range(101)][99:] == [None, 1]


def test_requests_without_a_key_and_health_use_up_the_limit(
    world: simulator.World, connect: Callable[[str], Client]
) -> None:
    with simulator.serve(world, limiter=True) as running:
        client = connect(running.url)
        for _ in range(60):
            client.get("/health", None)
            client.get("/repos", None)
        refused = client.get("/repos", None)
    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == "1"
    assert refused.text == '{"error":"Rate limit exceeded"}\n'
    assert running.requests == 121
    assert running.rate_limited >= 15
