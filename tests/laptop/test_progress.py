"""What a run shows of its log."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from millrace import log
from millrace.laptop.progress import ProgressLog
from millrace.laptop.repositories import Repositories


def test_unforeseen_error_is_shown_with_its_place(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressLog():
        try:
            raise KeyError("key")
        except KeyError as error:
            log.unforeseen("load", error, str(error))
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "KeyError" in line]
    assert "load: KeyError: 'key'" in line
    assert "test_progress.py" in line


def test_long_request_is_shown_against_the_rows_of_the_source(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("millrace.laptop.progress._HEARTBEAT_S", -1.0)
    with ProgressLog() as progress:
        progress.expect({"commits": 700, "reviews": 1300})
        log.debug("rows read", table="commits", rows=500)
        log.debug("asking", path="/analytics/commits", requests=7)
    assert "asking /analytics/commits, 7 requests so far, 500 of 2,000 rows" in capsys.readouterr().err


def test_a_long_wait_for_the_source_is_shown_when_it_begins(capsys: pytest.CaptureFixture[str]) -> None:
    ends_at = datetime.now().astimezone() + timedelta(seconds=1200)
    with ProgressLog():
        log.info("waiting for the source", path="/repos", problem="over its rate limit", wait_s=1200)
        log.info("waiting for the source", path="/repos", problem="status 500", wait_s=12)
    long, short = capsys.readouterr().err.splitlines()
    assert long in {f"  over its rate limit; going on at {ends_at + timedelta(minutes=n):%H:%M}" for n in (0, 1)}
    assert short == "  status 500; waiting for 12 s"


def page(done: int, total: int | None, points: int, left: int | None = 4000, name: str = "acme/shop") -> dict[str, Any]:
    task_id = f"github_pull_requests__{len(name)}"
    of = {"table": "github_pull_requests", "task_id": task_id, "repository": name}
    return of | {"done": done, "total": total, "points": points, "points_left": left}


def extracted(task_id: str, rows: int) -> dict[str, Any]:
    of = {"table": task_id.partition("__")[0], "task_id": task_id, "plan": "graphql full", "rows": rows}
    return of | {"requests": 3, "known": 0, "retries": 0, "rate_limited": 0, "waited_s": 0.0}


def test_pages_of_a_repository_are_shown_with_the_points_and_the_time_left(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("millrace.laptop.progress._HEARTBEAT_S", -1.0)
    now = iter([0.0, 60.0])
    with ProgressLog() as progress:
        progress.repositories = Repositories(clock=lambda: next(now))
        progress.repositories.expect({"acme/shop": 1000, "acme/web": 1100}, 5000)
        log.debug("page read", **page(100, 1000, 3))
        log.debug("page read", **page(300, 1000, 9))
        log.info("extracted", **extracted("github_pull_requests__9", 301))
    assert capsys.readouterr().err.splitlines() == [
        "  acme/shop: 100 of 1,000 pull requests · 4,000 points left",
        "  acme/shop: 300 of 1,000 pull requests · 4,000 points left · about 9 min left",
        "  acme/shop pull requests: 301 rows · 3 requests · graphql full plan",
    ]


def test_time_left_has_the_hours_that_the_points_take() -> None:
    now = iter([0.0, 60.0])
    read = Repositories(clock=lambda: next(now))
    read.expect({"acme/shop": 100_000}, 5000)
    read.page(page(1000, 100_000, 100, left=4900))
    # 98,000 more need 9,800 points: 4,800 are left, so 5,000 are waited for.
    assert read.page(page(2000, 100_000, 200, left=4800)).endswith("· about 1 h 38 min left")
    now = iter([0.0, 1.0])
    read = Repositories(clock=lambda: next(now))
    read.expect({"acme/shop": 100_000}, 5000)
    read.page(page(1000, 100_000, 100, left=4900))
    assert read.page(page(2000, 100_000, 200, left=4800)).endswith("· about 1 h left")


def test_pages_of_the_first_days_promise_no_time(capsys: pytest.CaptureFixture[str]) -> None:
    read = Repositories()
    read.expect({"acme/shop": 1000}, None)
    assert read.page(page(300, None, 0, left=None)) == "acme/shop: 300 pull requests"


def test_a_repository_without_news_is_not_shown_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressLog():
        log.info("extracted", **extracted("github_pull_requests__9", 1))
    assert capsys.readouterr().err == ""
