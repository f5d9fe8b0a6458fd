"""Limits: points an hour and a minute on a clock that moves, one request of GraphQL at a time."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.simulator.github.client import PULLS, GitHubClient
from tests.simulator.github.conftest import Serve

from simulator.github import Clock
from simulator.github.limits import GRAPHQL_POINTS_PER_MINUTE, Minute, Window
from simulator.github.times import instant, seconds

START = "2026-11-01T12:00:00Z"
ASKED = {"owner": "acme", "name": "shop", "field": "CREATED_AT", "direction": "ASC"}


def test_instant_is_inverse_of_seconds() -> None:
    assert instant(seconds(START)) == START


def test_budget_is_full_again_an_hour_after_first_use() -> None:
    clock = Clock(START)
    window = Window("core", 2, clock)

    spent = [window.spend(1) for _ in range(3)]
    clock.advance(3599)
    before = window.spend(1)
    clock.advance(1)

    assert spent == [True, True, False]
    assert (before, window.spend(1)) == (False, True)


def test_minute_frees_points_one_after_another() -> None:
    clock = Clock(START)
    minute = Minute(2, clock)

    first = minute.spend(1)
    clock.advance(30)
    second, third = minute.spend(1), minute.spend(1)
    clock.advance(30)

    assert (first, second, third) == (None, None, 31)
    assert minute.spend(1) is None


def test_exhausted_budget_of_rest_is_403_until_reset(serve: Serve) -> None:
    client = serve(budget=2)
    statuses = [client.get("/user").status_code for _ in range(3)]
    refused = client.get("/user")

    assert statuses == [200, 200, 403]
    assert refused.headers["X-RateLimit-Remaining"] == "0"
    assert "Retry-After" not in refused.headers
    client.served.clock.advance(int(refused.headers["X-RateLimit-Reset"]) - client.served.clock.now_s())
    assert client.get("/user").status_code == 200
    assert client.served.log.while_limited == 2


def test_exhausted_budget_of_graphql_is_200_with_error(serve: Serve) -> None:
    client = serve(budget=3)
    client.ask(PULLS, **ASKED, first=50)
    response = client.post(PULLS, **ASKED, first=50)

    assert response.json()["errors"][0]["type"] == "RATE_LIMITED"
    assert response.headers["X-RateLimit-Remaining"] == "0"
    assert client.get("/rate_limit").json()["resources"]["graphql"]["remaining"] == 0
    assert client.get("/user").status_code == 200  # the budgets are two


def test_more_than_900_requests_a_minute_are_a_secondary_limit(serve: Serve) -> None:
    client = serve()

    statuses = [client.get("/user").status_code for _ in range(901)]
    refused = client.get("/user")

    assert statuses == [200] * 900 + [403]
    assert "secondary rate limit" in refused.json()["message"]
    client.served.clock.advance(int(refused.headers["Retry-After"]))
    assert client.get("/user").status_code == 200


def test_graphql_has_2000_points_a_minute() -> None:
    minute = Minute(GRAPHQL_POINTS_PER_MINUTE, Clock(START))

    assert [minute.spend(1) for _ in range(2000)] == [None] * 2000
    assert minute.spend(1) == 61


def test_server_without_limits_never_refuses(serve: Serve) -> None:
    client = serve(budget=1, has_limits=False)

    assert {client.get("/user").status_code for _ in range(20)} == {200}


def test_answers_move_clock(serve: Serve) -> None:
    client = serve(response_s=2.0, node_s=0.001)

    client.ask(PULLS, **ASKED, first=10)

    assert client.served.clock.now_s() - seconds(START) == pytest.approx(2 + 1.21)


def test_date_of_answer_is_that_of_clock(serve: Serve) -> None:
    client = serve()
    client.served.clock.advance(3600)

    response = client.get("/user")

    assert response.headers["Date"] == "Sun, 01 Nov 2026 13:00:00 GMT"
    assert int(response.headers["X-RateLimit-Reset"]) == seconds("2026-11-01T14:00:00Z")


def test_own_server_may_show_limits_of_zero(serve: Serve) -> None:
    client = serve(has_limits=False, shows_limits_of_zero=True)

    headers = client.get("/user").headers

    assert (headers["X-RateLimit-Limit"], headers["X-RateLimit-Remaining"]) == ("0", "0")
    assert client.ask("{ rateLimit { limit remaining cost } }")["rateLimit"] == {"limit": 0, "remaining": 0, "cost": 1}


def test_requests_at_the_same_time_are_counted(serve: Serve) -> None:
    client = serve()
    barrier = threading.Barrier(4)

    def ask(_: int) -> int:
        own = GitHubClient(client.served)
        barrier.wait()
        return sum(own.post(PULLS, **ASKED, first=40).status_code for _ in range(5))

    assert client.served.log.most_at_once == 0
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, range(4))) == [1000] * 4
    assert client.served.log.most_at_once > 1


def test_log_has_operation_points_and_digest_of_each_request(serve: Serve) -> None:
    client = serve()
    for first in (50, 50, 20):
        client.ask(PULLS, **ASKED, first=first)
    client.get("/user")
    one, same, other, rest = client.served.log.requests

    assert (one.method, one.path, one.operation, one.points, one.status) == ("POST", "/graphql", "Pulls", 3, 200)
    assert one.digest == same.digest != other.digest
    assert (rest.method, rest.path, rest.operation, rest.points) == ("GET", "/user", "", 1)
    assert [each.number for each in client.served.log.requests] == [1, 2, 3, 4]
