"""GraphQL: an answer is whole or an error, each error is the right one, and one request is sent at a time."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.extract.answering import Said
from tests.extract.talking import NOW, NOW_S, TOKEN, Heard, one_by_one, says, talking

from millrace.errors import RequestRejected, SourceUnavailable, UnexpectedResponse
from millrace.extract.deadline import Deadline, OutOfTime
from millrace.extract.graphql import GraphQL, NotFound, PageSize, TooHeavy
from millrace.extract.http_client import RequestStats

QUERY = "query Pulls($first:Int!){viewer{login}}"
DATA = {"viewer": {"login": "kim"}}
PARTIAL = {"repository": {"pullRequests": {"nodes": [{"number": 1}, None]}}}
TIMEOUT = (
    "Something went wrong while executing your query. This may be the result of a timeout, or it could be a GitHub "
    "bug. Please include `A39E:65C2:1A9544:24A927:612669EE` when reporting this issue."
)
IN_TIME = "We couldn't respond to your request in time. Sorry about that. Please try resubmitting your request."


def failed(message: str, type_: str | None = None, data: object = None, **more: object) -> Said:
    """Return an answer with one error; with data, unless it is None."""
    error = {"message": message} | ({} if type_ is None else {"type": type_}) | more
    return says({"errors": [error]} | ({} if data is None else {"data": data}))


def test_the_query_and_its_variables_are_posted_and_the_data_is_returned() -> None:
    with talking(lambda heard: says({"data": DATA})) as talk:
        assert GraphQL(talk.client()).ask(QUERY, {"first": 50, "after": None}) == DATA
        assert GraphQL(talk.client(), "/api/graphql").ask(QUERY, {}) == DATA
    assert talk.paths == ["POST /graphql", "POST /api/graphql"]
    assert talk.heard[0].body == {"query": QUERY, "variables": {"first": 50, "after": None}}


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(says({"message": "Bad Gateway"}, 502), id="502"),
        pytest.param(Said(502, b"<html>Unicorn!</html>", {"Content-Type": "text/html"}), id="502 as a page"),
        pytest.param(says({"message": IN_TIME}, 504), id="504"),
        pytest.param(says({"data": None, "errors": [{"message": TIMEOUT}]}), id="a time-out with status 200"),
        pytest.param(says({"data": None, "errors": [{"message": TIMEOUT}]}, 502), id="a time-out with status 502"),
        pytest.param(failed(IN_TIME), id="not in time, with status 200"),
        pytest.param(failed("Resource limits for this query exceeded.", data=PARTIAL), id="resource limits in words"),
        pytest.param(failed("No.", "RESOURCE_LIMITS_EXCEEDED", {"user": None}), id="resource limits by type"),
        pytest.param(failed("up to 1,050,050 nodes", "MAX_NODE_LIMIT_EXCEEDED"), id="more nodes than are allowed"),
        pytest.param(failed("Something broke", data=PARTIAL), id="part of the data, no type"),
        pytest.param(failed("Something broke", "INTERNAL", PARTIAL), id="part of the data, another type"),
        pytest.param(says({"data": PARTIAL, "errors": ["text"]}), id="part of the data and an error that is a text"),
        pytest.param(says({"data": PARTIAL, "errors": {"message": "x"}}), id="part of the data and an object"),
    ],
)
def test_an_answer_that_was_too_heavy_is_used_in_no_part_and_not_asked_for_again(said: Said) -> None:
    with talking(lambda heard: said) as talk:
        with pytest.raises(TooHeavy) as caught:
            GraphQL(talk.client()).ask(QUERY, {})
        assert (len(talk.heard), talk.clock.slept) == (1, [])
    assert isinstance(caught.value, SourceUnavailable)  # a later attempt may succeed
    assert str(caught.value).startswith(f"{talk.url}/graphql: ")


def test_heavy_answers_in_a_row_are_waited_out_a_little_longer_each_time() -> None:
    storm = [says({}, 502)] * 4
    with talking(one_by_one(*storm, says({"data": DATA}), says({}, 502), says({"data": DATA}))) as talk:
        graphql = GraphQL(talk.client())
        for turn in range(7):
            if turn in (4, 6):
                graphql.ask(QUERY, {})
            else:
                with pytest.raises(TooHeavy):
                    graphql.ask(QUERY, {})
    bounds = [1, 2, 4, 8, 1]
    assert [0.5 * most <= slept <= most for slept, most in zip(talk.clock.slept, bounds, strict=True)] == [True] * 5


@pytest.mark.parametrize("status", [500, 503])
def test_another_fault_of_the_server_is_asked_again(status: int) -> None:
    with talking(one_by_one(says({}, status), says({"data": DATA}))) as talk:
        assert GraphQL(talk.client()).ask(QUERY, {}) == DATA
    assert len(talk.clock.slept) == 1


RESET = {"X_RateLimit_Limit": "5000", "X_RateLimit_Remaining": "0", "Date": NOW}


@pytest.mark.parametrize("type_", ["RATE_LIMIT", "RATE_LIMITED"])
@pytest.mark.parametrize("data", [None, {"repository": None}])
def test_points_that_are_used_up_are_waited_out_until_their_reset(type_: str, data: object) -> None:
    body = {"data": data, "errors": [{"type": type_, "message": "API rate limit exceeded for user ID 101."}]}
    limited = says(body, 200, **RESET | {"X_RateLimit_Reset": str(NOW_S + 900)})
    with talking(one_by_one(limited, says({"data": DATA}))) as talk:
        client = talk.client()
        assert GraphQL(client).ask(QUERY, {}) == DATA
    assert (talk.clock.slept, client.stats.rate_limited) == ([901], 1)


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(failed("You have exceeded a secondary rate limit. Please wait."), id="200, in words"),
        pytest.param(failed("API rate limit exceeded", "RATE_LIMITED"), id="200, a limit that names no time"),
        pytest.param(says({"message": "You have exceeded a secondary rate limit."}, 403), id="403"),
    ],
)
def test_a_secondary_limit_is_waited_out_by_minutes(said: Said) -> None:
    with talking(one_by_one(said, said, says({"data": DATA}))) as talk:
        assert GraphQL(talk.client()).ask(QUERY, {}) == DATA
    assert talk.clock.slept == [60, 120]


def test_an_object_that_is_not_there_is_named_with_its_place_and_the_servers_words() -> None:
    words = "Could not resolve to a Repository with the name 'acme/gone'."
    with (
        talking(lambda heard: failed(words, "NOT_FOUND", {"repository": None}, path=["repository"])) as talk,
        pytest.raises(NotFound, match="Could not resolve to a Repository with the name 'acme/gone'") as caught,
    ):
        GraphQL(talk.client()).ask(QUERY, {})
    assert (caught.value.path, caught.value.status) == (("repository",), 404)


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        pytest.param(
            {"type": "FORBIDDEN", "message": "Resource protected", "extensions": {"saml_failure": True}},
            "'Resource protected'; authorise the key for the single sign-on of the organisation",
            id="single sign-on",
        ),
        pytest.param(
            {"type": "FORBIDDEN", "message": "Resource not accessible by personal access token"},
            "'Resource not accessible by personal access token'; grant the key that right",
            id="no right",
        ),
        pytest.param(
            {"type": "INSUFFICIENT_SCOPES", "message": "requires one of the following scopes: ['read:org']"},
            "grant the key that right",
            id="no scope",
        ),
    ],
)
def test_a_refusal_has_the_servers_words_and_what_the_key_lacks(error: dict[str, Any], advice: str) -> None:
    with (
        talking(lambda heard: says({"data": {"organization": None}, "errors": [error]})) as talk,
        pytest.raises(RequestRejected, match=advice) as caught,
    ):
        GraphQL(talk.client()).ask(QUERY, {})
    assert (caught.value.status, isinstance(caught.value, NotFound)) == (403, False)


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(
            failed("Field 'x' doesn't exist on type 'PullRequest'", extensions={"code": "undefinedField"}),
            id="a field that the server does not have",
        ),
        pytest.param(says({"data": None}), id="neither data nor errors"),
        pytest.param(says([]), id="a list"),
        pytest.param(says({"data": [1]}), id="data that is a list"),
    ],
)
def test_an_answer_beside_the_contract_is_a_terminal_error(said: Said) -> None:
    with talking(lambda heard: said) as talk:
        with pytest.raises(UnexpectedResponse, match=f"^{talk.url}/graphql: "):
            GraphQL(talk.client()).ask(QUERY, {})
        assert len(talk.heard) == 1


def test_of_several_errors_a_smaller_page_is_tried_first() -> None:
    errors = [{"type": "NOT_FOUND", "message": "gone"}, {"type": "RESOURCE_LIMITS_EXCEEDED", "message": "too much"}]
    with talking(lambda heard: says({"data": PARTIAL, "errors": errors})) as talk, pytest.raises(TooHeavy):
        GraphQL(talk.client()).ask(QUERY, {})


def test_no_message_repeats_the_token() -> None:
    with (
        talking(lambda heard: failed(f"bad {TOKEN}", "FORBIDDEN")) as talk,
        pytest.raises(RequestRejected, match=r"'bad \*\*\*'") as caught,
    ):
        GraphQL(talk.client()).ask(QUERY, {})
    assert TOKEN not in str(caught.value)


def cost(points: object, left: object, **more: object) -> dict[str, object]:
    limit = {"cost": points, "remaining": left, "resetAt": "2026-10-31T13:00:00Z", **more}
    return {"rateLimit": limit, **DATA}


def test_the_points_of_each_answer_are_counted_also_of_one_that_is_not_used() -> None:
    broken = {"data": cost(3, 4993), "errors": [{"message": "Resource limits for this query exceeded."}]}
    with talking(one_by_one(says({"data": cost(2, 4996)}), says(broken), says({"data": cost(1, 4992)}))) as talk:
        stats = RequestStats()
        graphql = GraphQL(talk.client()).for_task(stats, Deadline())
        graphql.ask(QUERY, {})
        with pytest.raises(TooHeavy):
            graphql.ask(QUERY, {})
        graphql.ask(QUERY, {})
    assert (stats.points, stats.points_left, stats.points_reset_at) == (6, 4992, "2026-10-31T13:00:00Z")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(DATA, id="not asked for"),
        pytest.param(DATA | {"rateLimit": None}, id="a server without limits"),
        pytest.param(cost(0, 0, limit=0), id="a server whose limits are off"),
        pytest.param(cost("2", "4998"), id="texts"),
        pytest.param(cost(True, False), id="flags"),
        pytest.param(cost(-5, None), id="a negative cost"),
    ],
)
def test_points_that_nobody_counts_are_unknown(data: dict[str, object]) -> None:
    with talking(lambda heard: says({"data": data})) as talk:
        client = talk.client()
        assert GraphQL(client).ask(QUERY, {}) == data
    assert (client.stats.points, client.stats.points_left) == (0, None)


def test_organisations_that_are_left_out_are_noted_for_the_task() -> None:
    partial = says({"data": DATA}, X_GitHub_SSO="partial-results; organizations=1")
    with talking(one_by_one(partial, says({"data": DATA}))) as talk:
        graphql = GraphQL(talk.client())
        task = graphql.for_task(RequestStats(), Deadline())
        before = task.is_partial
        task.ask(QUERY, {})
        task.ask(QUERY, {})
    assert (before, task.is_partial, task.for_task(RequestStats(), Deadline()).is_partial) == (False, True, False)


def test_tasks_ask_one_at_a_time() -> None:
    at_once, most = [0], [0]
    moving = threading.Lock()

    def answer(heard: Heard) -> Said:
        with moving:
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
        threading.Event().wait(0.02)
        with moving:
            at_once[0] -= 1
        return says({"data": DATA})

    with talking(answer) as talk, ThreadPoolExecutor(4) as threads:
        graphql = GraphQL(talk.client())
        tasks = [graphql.for_task(RequestStats(), Deadline()) for _ in range(8)]
        assert list(threads.map(lambda task: task.ask(QUERY, {}), tasks)) == [DATA] * 8
    assert most == [1]


def test_a_task_that_waits_for_another_ends_at_its_deadline() -> None:
    is_asked, may_end = threading.Event(), threading.Event()

    def answer(heard: Heard) -> Said:
        is_asked.set()
        may_end.wait(10)
        return says({"data": DATA})

    with talking(answer) as talk, ThreadPoolExecutor(1) as threads:
        graphql = GraphQL(talk.client())
        first = threads.submit(graphql.ask, QUERY, {})
        is_asked.wait(10)
        with pytest.raises(OutOfTime):
            graphql.for_task(RequestStats(), Deadline(talk.clock() + 0.05, talk.clock)).ask(QUERY, {})
        may_end.set()
        assert first.result(10) == DATA
    assert len(talk.heard) == 1


def heavy(size: PageSize) -> int:
    size.halve(TooHeavy("too heavy"))
    return size.value


def test_a_page_that_is_too_heavy_is_halved_down_to_one_row() -> None:
    size = PageSize(50)
    assert [size.value] + [heavy(size) for _ in range(6)] == [50, 25, 12, 6, 3, 1, 1]
    with pytest.raises(TooHeavy, match="too heavy"):
        size.halve(TooHeavy("too heavy"))


def test_a_page_grows_again_after_ten_good_ones() -> None:
    size = PageSize(50)
    heavy(size)
    heavy(size)
    sizes = []
    for _ in range(25):
        size.succeeded()
        sizes.append(size.value)
    assert sizes == [12] * 9 + [25] * 10 + [50] * 6


def test_good_pages_in_between_do_not_count_after_a_heavy_one() -> None:
    size = PageSize(50)
    heavy(size)
    for _ in range(9):
        size.succeeded()
    heavy(size)
    size.succeeded()
    assert size.value == 12


def test_no_size_is_asked_for_again_after_it_was_too_heavy_twice() -> None:
    size = PageSize(50)
    asked = []
    for _ in range(200):
        asked.append(size.value)
        if size.value == 50:
            heavy(size)
        else:
            size.succeeded()
    assert asked.count(50) == 2
    assert set(asked[-100:]) == {25}
