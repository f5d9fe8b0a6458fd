"""A repository that an account had, and that is no longer listed, is not called complete."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.extract.github.reading import NOW, Read, read, request_of, source_of
from tests.extract.github.test_runs import ORIGIN, Account

from millrace import runs
from millrace.lake.names import CursorKey
from millrace.runs import Cursor, RunRequest
from simulator.github import Company, Knobs, generate, served

pytestmark = pytest.mark.slow
REPOS = "github_repos"


def listed(company: Company, mark: Mapping[str, Any] | None, knobs: Knobs | None = None, **other: Any) -> Read:
    with served(company, knobs) as github:
        return read(source_of(github), request_of(REPOS, company, mark=mark, **other))


def windows(result: Read) -> dict[tuple[str, str], tuple[str, str]]:
    return {
        (row["object"], row["window"]): (row["state"], row.get("reason", ""))
        for row in result.windows
        if row["window"] != "all"
    }


def mark_of(result: Read) -> Mapping[str, Any]:
    assert result.outcome is not None
    assert result.outcome.mark is not None
    return result.outcome.mark


def test_a_repository_that_this_token_does_not_see_any_more_is_refused() -> None:
    before = generate(3, 2, seed=5)
    gone = before.repositories[1]
    mark = mark_of(listed(before, None))
    after = generate(3, 2, seed=5)
    del after.repositories[1]
    found = windows(listed(after, mark))
    assert set(found) == {("pull_requests", str(gone.id)), ("commits", str(gone.id))}
    assert {state for state, _ in found.values()} == {"refused"}
    reason = found["pull_requests", str(gone.id)][1]
    assert "no longer lists" in reason
    assert gone.full_name in reason


def test_a_repository_that_is_not_chosen_any_more_is_provisional() -> None:
    company = generate(3, 2, seed=5)
    mark = mark_of(listed(company, None))
    chosen = company.repositories[0].name
    found = windows(listed(company, mark, repositories=(chosen,)))
    assert {key[1] for key in found} == {str(each.id) for each in company.repositories[1:]}
    assert {state for state, _ in found.values()} == {"provisional"}
    assert "MILLRACE_REPOSITORIES" in found["commits", str(company.repositories[1].id)][1]


def test_a_list_that_is_not_complete_says_nothing_about_others() -> None:
    company = generate(3, 2, seed=5)
    mark = mark_of(listed(company, None))
    hidden = company.repositories[1].name
    result = listed(company, mark, Knobs(sso_hidden=(hidden,)))
    assert {state for state, _ in windows(result).values()} == {"refused"}
    assert result.outcome is not None
    assert result.outcome.mark is None  # the next run compares with the same names


@pytest.mark.parametrize("damage", [{}, {"names": 5}, {"names": {"x": 1}}, {"names": None}], ids=str)
def test_a_damaged_mark_is_none(damage: Mapping[str, Any]) -> None:
    result = listed(generate(2, 2, seed=5), damage)
    assert windows(result) == {}
    assert len(mark_of(result)["names"]) == 2


@pytest.mark.parametrize("full_refresh", [False, True])
def test_it_is_noticed_by_any_run(tmp_path: Path, full_refresh: bool) -> None:
    company = generate(2, 2, seed=5)
    with served(company) as github:
        account = Account(tmp_path, github)
        cursor = Cursor("2026-01-01", NOW.isoformat(), {}, marks={"": {"names": {"99": "acme/gone"}}})
        account.lake.write(str(CursorKey(REPOS, "acme")), cursor.to_json(), if_generation=0)
        plan = runs.start(account.lake, account, RunRequest(NOW, full_refresh=full_refresh, scope="full"), ORIGIN)
        account.run("full")
        rows = account.rows(plan.run_id)["source_windows"]
    assert [row["state"] for row in rows if row["window"] == "99"] == ["refused", "refused"]
