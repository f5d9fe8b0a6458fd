"""One repository that the server never answers for does not keep the run of its account from its end."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.extract.github.mangling import changed, repository_in
from tests.extract.github.reading import NOW
from tests.extract.github.test_runs import ORIGIN, Account

from millrace import runs
from millrace.bus.events import TaskEvent
from millrace.errors import SourceUnavailable
from millrace.extract import task as tasks
from millrace.extract.graphql import TooHeavy
from millrace.extract.task import Extractor
from millrace.runs import RunRequest
from simulator.github import generate

pytestmark = pytest.mark.slow


def at(hours: int) -> Callable[[], datetime]:
    return lambda: NOW + timedelta(hours=hours)


def deliver(account: Account, extractor: Extractor) -> list[type[Exception]]:
    """Deliver each message once, also those that follow; return how some failed, which stay."""
    failures: list[type[Exception]] = []
    tried: list[TaskEvent] = []
    while new := [message for message in account.messages if message not in tried]:
        tried += new
        for message in new:
            try:
                tasks.extract(extractor, message)
                account.messages.remove(message)
            except SourceUnavailable as error:
                failures.append(type(error))
    return failures


@pytest.mark.parametrize("what", ["defaultBranchRef", "pullRequests"])
def test_it_is_unknown_after_hours_without_an_answer(tmp_path: Path, what: str) -> None:
    company = generate(2, 3, seed=5)
    stuck = company.repositories[1]

    def change(body: dict[str, Any]) -> None:
        if repository_in(body).get("nameWithOwner") == stuck.full_name and what in repository_in(body):
            body["errors"] = [{"message": "Something went wrong while executing your query"}]

    with changed(company, change) as (source, github):
        account = Account(tmp_path, github)
        plan = runs.start(account.lake, account, RunRequest(NOW, scope="full"), ORIGIN)
        failures: list[type[Exception]] = []
        for hours in (0, 5, 7):
            failures += deliver(account, Extractor(account.lake, account, source, "acme", at(hours)))
        rows = account.rows(plan.run_id)
    assert account.messages == []
    assert set(failures) == {TooHeavy}
    assert len(failures) == 2  # at once and after five hours
    assert runs.tasks_of(account.lake, plan).waiting == []
    (window,) = [row for row in rows["source_windows"] if row["state"] != "known"]
    assert (window["window"], window["state"]) == (str(stuck.id), "unknown")
    assert "Something went wrong" in window["reason"]
