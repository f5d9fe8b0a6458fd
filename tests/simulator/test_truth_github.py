"""The truth about pull requests of GitHub, computed by hand from docs/metrics.md."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.simulator.rows import commit as row

from simulator.github.model import Account as Person, Commit, Company, Event, PullRequest, Repository, Review
from simulator.truth import MeasuredPull
from simulator.truth.github import Account, AILines, merged_pulls, pulls

KIM, LEE = Person("kim", 1, "User", "Kim", "kim@acme.test"), Person("lee", 2, "User", "Lee", "lee@acme.test")
BOT = Person("coderabbitai", 3, "Bot")
OWNER = Person("acme", 9, "Organization")
BEGUN, CREATED, MERGED = "2026-10-19T08:00:00Z", "2026-10-19T10:00:00Z", "2026-10-20T10:00:00Z"
AS_OF = datetime(2026, 10, 25, tzinfo=UTC)
Row = dict[str, Any]


def commit(number: int, at: str = BEGUN, **other: Any) -> Commit:
    sha = f"{number:08x}" + "0" * 32
    made = Commit(sha, at, at, 50, 5, f"Step {number}", "Kim", "kim@acme.test", KIM, ())
    return replace(made, **other)


def review(by: Person | None, at: str | None, **other: Any) -> Review:
    made = Review(1, by, "COMMENTED", at, at or CREATED, 2, None)
    return replace(made, **other)


def pushed_over(before: Commit, at: str = CREATED) -> Event:
    return Event(1, "HeadRefForcePushedEvent", at, KIM, before=before)


def company(*pulls: Row, history: Sequence[Commit] = ()) -> Company:
    repository = Repository(7, OWNER, "web", BEGUN, BEGUN, BEGUN, history=[*history])
    for number, values in enumerate(pulls, 1):
        base = PullRequest(
            repository=repository,
            id=100 + number,
            number=number,
            title=f"Add {number}",
            body="",
            state="MERGED",
            is_draft=False,
            author=KIM,
            created_at=CREATED,
            updated_at=MERGED,
            merged_at=MERGED,
            closed_at=MERGED,
            merged_by=LEE,
            additions=100,
            deletions=10,
            changed_files=1,
            is_cross_repository=False,
            has_head_repository=True,
            head_ref="work",
            base_ref="main",
            merge_commit=commit(900 + number, MERGED),
            labels=[],
            commits=[commit(number)],
            reviews=[],
            events=[],
            requested=[],
        )
        repository.pulls.append(replace(base, **values))
    return Company(OWNER, [KIM, LEE], [repository], MERGED)


def measured(*rows: Row, others: Sequence[Row] = (), as_of: datetime = AS_OF, **values: Any) -> MeasuredPull:
    """Return the first pull request, with these values and these rows of Cursor."""
    return merged_pulls([Account(company(values, *others), as_of)], AILines(rows))[0]


def of_cursor(about: Commit, lines: int, name: str = "", **other: Any) -> Row:
    values = {"repoName": "acme/web", "tabLinesAdded": 0, "composerLinesAdded": lines} | other
    return row(name or about.sha, BEGUN, **values)


# --- times and reviews ------------------------------------------------------------------------------------------------


def test_first_commit_is_the_earliest_by_author_whatever_was_committed_later() -> None:
    rebased = commit(1, BEGUN, committed_at=MERGED)
    pull = measured(commits=[rebased, commit(2, "2026-10-19T09:00:00Z")])
    assert (pull.coding_lead_time, pull.cycle_time, pull.commit_count) == (2.0, 26.0, 2)


def test_first_review_may_be_of_a_bot_and_first_human_review_may_not() -> None:
    reviews = [review(BOT, "2026-10-19T11:00:00Z"), review(LEE, "2026-10-19T13:00:00Z")]
    pull = measured(reviews=reviews)
    assert (pull.pickup_time, pull.pickup_human, pull.review_count, pull.comment_count) == (1.0, 3.0, 2, 4)


@pytest.mark.parametrize(
    "one",
    [
        pytest.param(review(KIM, CREATED), id="by the author"),
        pytest.param(review(LEE, None, state="PENDING"), id="not submitted"),
        pytest.param(review(LEE, "2026-10-25T00:00:01Z"), id="after the reading"),
    ],
)
def test_review_does_not_count(one: Review) -> None:
    pull = measured(reviews=[one])
    assert (pull.review_count, pull.review_rounds, pull.pickup_time) == (0, 0, None)


def test_review_of_a_deleted_account_counts_but_is_no_distinct_reviewer() -> None:
    pull = measured(author=None, reviews=[review(None, CREATED), review(LEE, CREATED), review(LEE, MERGED)])
    assert (pull.review_count, pull.reviewer_count, pull.developer, pull.author_kind) == (3, 1, None, "ghost")


def test_review_after_the_merge_counts_and_makes_the_time_negative() -> None:
    pull = measured(reviews=[review(LEE, "2026-10-20T11:00:00Z")])
    assert (pull.review_after_merge, pull.review_lead_time) == (1, -1.0)


def ready(at: str) -> Event:
    return Event(1, "ReadyForReviewEvent", at, KIM)


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        pytest.param([], 4.0, id="never a draft: since it was opened"),
        pytest.param([ready("2026-10-19T11:00:00Z"), ready("2026-10-19T12:00:00Z")], 2.0, id="the last one before"),
        pytest.param([ready("2026-10-19T11:00:00Z"), ready("2026-10-19T15:00:00Z")], 3.0, id="not one after"),
        pytest.param([ready("2026-10-19T15:00:00Z")], None, id="only after: unknown"),
        pytest.param([Event(1, "ConvertToDraftEvent", CREATED, KIM)], None, id="a draft that was never ready"),
    ],
)
def test_pickup_from_ready(events: list[Event], expected: float | None) -> None:
    assert measured(events=events, reviews=[review(LEE, "2026-10-19T14:00:00Z")]).pickup_from_ready == expected


# --- AI lines ---------------------------------------------------------------------------------------------------------


def ai(pull: MeasuredPull) -> tuple[object, ...]:
    return pull.ai_matched_role, pull.ai_matched_commit_count, pull.ai_matched_commit_share, pull.ai_lines_added


def test_commits_of_the_branch_come_first() -> None:
    before = commit(11, committed_at=CREATED)
    pull = measured(
        of_cursor(commit(1), 30), of_cursor(before, 50), of_cursor(commit(901), 70), events=[pushed_over(before)]
    )
    assert (*ai(pull), pull.ai_ratio, pull.ai_band) == ("branch", 1, 1.0, 30, 0.3, "medium")


def test_commit_before_a_push_by_force_stands_for_the_same_change() -> None:
    later = commit(2, "2026-10-19T09:00:00Z")
    before = commit(12, "2026-10-19T09:00:00Z")
    rows = [of_cursor(commit(1), 30), of_cursor(before, 5)]
    pull = measured(*rows, commits=[commit(1), later], events=[pushed_over(before)])
    assert ai(pull) == ("branch", 2, 1.0, 35)


def test_newest_commit_before_a_push_counts_of_those_of_one_change() -> None:
    first, second = commit(11, committed_at=BEGUN), commit(12, committed_at=CREATED)
    pull = measured(of_cursor(first, 3), of_cursor(second, 4), events=[pushed_over(first), pushed_over(second)])
    assert ai(pull) == ("before_force_push", 1, 1.0, 4)


def test_change_that_left_the_branch_counts_where_nothing_of_the_branch_does() -> None:
    gone = commit(11, "2026-10-18T08:00:00Z")
    rows = [of_cursor(gone, 9), of_cursor(commit(901), 70)]
    assert ai(measured(*rows, events=[pushed_over(gone)])) == ("before_force_push", 1, 1.0, 9)


def test_merge_commit_is_the_last_resort() -> None:
    assert ai(measured(of_cursor(commit(901), 70), commits=[commit(1), commit(2)])) == ("merge", 1, 1.0, 70)


@pytest.mark.parametrize(("count", "lines"), [pytest.param(4, 40, id="80%"), pytest.param(3, None, id="60%")])
def test_lines_are_unknown_below_the_threshold(count: int, lines: int | None) -> None:
    commits = [commit(number, f"2026-10-19T08:0{number}:00Z") for number in range(1, 6)]
    pull = measured(*[of_cursor(each, 10) for each in commits[:count]], commits=commits)
    assert ai(pull) == ("branch", count, count / 5, lines)
    assert (pull.ai_band == "unknown") is (lines is None)


def test_nothing_matched_is_a_share_of_zero_and_not_zero_lines() -> None:
    assert ai(measured()) == (None, 0, 0.0, None)


@pytest.mark.parametrize(
    ("name", "repository", "lines"),
    [
        pytest.param("0000000100", "ACME/Web.git", 30, id="a prefix in the repository"),
        pytest.param("0000001", "acme/web", None, id="a prefix of no commit"),
        pytest.param("000000", "acme/web", None, id="too short"),
        pytest.param("0000000100", "acme/other", None, id="a prefix in another repository"),
        pytest.param("0000000", "acme/web", None, id="a prefix of several commits"),
        pytest.param("", "kim/fork", 30, id="a whole hash in another repository"),
    ],
)
def test_short_hash_is_of_one_commit_of_its_repository(name: str, repository: str, lines: int | None) -> None:
    found = of_cursor(commit(1), 30, name=name, repoName=repository)
    assert measured(found, commits=[commit(1)], others=[{"commits": [commit(2)]}]).ai_lines_added == lines


@pytest.mark.parametrize(
    ("one", "other", "lines"),
    [
        pytest.param({}, {"createdAt": MERGED}, 7, id="the newest"),
        pytest.param({}, {}, 9, id="of equally new ones that of most lines"),
        pytest.param({"repoName": "kim/fork"}, {"createdAt": MERGED}, 7, id="also of two repositories"),
    ],
)
def test_commit_of_two_reports_counts_once(one: Row, other: Row, lines: int) -> None:
    rows = [of_cursor(commit(1), 9, userId="b", **one), of_cursor(commit(1), 7, userId="a", **other)]
    assert measured(*rows).ai_lines_added == lines


# --- reverts, fixes, agents, addresses --------------------------------------------------------------------------------

LATER: Row = {"created_at": "2026-10-21T10:00:00Z", "merged_at": "2026-10-21T11:00:00Z"}


@pytest.mark.parametrize(
    ("other", "how"),
    [
        pytest.param({"head_ref": "revert-1-work", "title": 'Revert "Add 1"'}, "head_branch", id="branch"),
        pytest.param({"title": 'Revert "Add 1"'}, "title", id="title"),
        pytest.param({"body": "Oh.\nReverts acme/web#1"}, "body", id="body"),
        pytest.param({"body": "Reverts acme/other#1"}, None, id="body about another repository"),
        pytest.param({"title": 'Revert "Add 9"'}, None, id="title of none"),
        pytest.param({"head_ref": "revert-1-work", "merged_at": None}, None, id="not merged"),
        pytest.param({"head_ref": "revert-1-work", "merged_at": "2026-10-26T00:00:00Z"}, None, id="merged later"),
    ],
)
def test_pull_request_is_reverted_by_another(other: Row, how: str | None) -> None:
    pull = measured(others=[LATER | other])
    assert (pull.revert_how, pull.is_reverted) == (how, how is not None)


def test_title_of_two_pull_requests_says_nothing() -> None:
    revert = LATER | {"title": 'Revert "Add 1"'}
    assert measured(others=[{"title": "Add 1"}, revert]).is_reverted is False


def test_commit_of_the_default_branch_reverts_by_its_headline() -> None:
    history = [commit(50, message='Revert "Add 1 (#1)" (#3)\n\nThis reverts commit 1.')]
    (pull,) = merged_pulls([Account(company({}, history=history), AS_OF)], AILines([]))
    assert pull.revert_how == "headline"


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        pytest.param(["docs", "Type: Bug"], True, id="in any letter case"),
        pytest.param(["debug"], False, id="not as a part"),
        pytest.param([], False, id="none is known to be none"),
    ],
)
def test_bug_fix_is_by_label(labels: list[str], expected: bool) -> None:
    assert measured(labels=labels).is_bug_fix is expected


CLAUDE: Row = {"author_email": "noreply@anthropic.com", "author": None}


@pytest.mark.parametrize(
    ("values", "agent"),
    [
        pytest.param({"author": Person("copilot-swe-agent", 5, "Bot"), "head_ref": "codex/x"}, "copilot", id="author"),
        pytest.param({"head_ref": "codex/x"}, "codex", id="branch"),
        pytest.param({"commits": [commit(1, **CLAUDE), commit(2, **CLAUDE)]}, "claude", id="all commits"),
        pytest.param({"commits": [commit(1, **CLAUDE), commit(2)]}, None, id="not all commits"),
    ],
)
def test_agent_that_opened_it(values: Row, agent: str | None) -> None:
    assert measured(**values).opened_by_agent == agent


def test_own_address_of_github_is_the_last_resort() -> None:
    newer = commit(2, CREATED, author_email="1+kim@users.noreply.github.com")
    assert measured(commits=[commit(1), newer]).author_email == "kim@acme.test"
    assert measured(commits=[newer]).author_email == "1+kim@users.noreply.github.com"


def test_repository_in_two_accounts_counts_in_the_one_that_read_it_last() -> None:
    one, other = company({}), company({})
    other.account = other.repositories[0].owner = Person("Beta", 8, "Organization")
    found = list(pulls([Account(other, AS_OF.replace(day=26)), Account(one, AS_OF)], AILines([])))
    assert [(each.opened.measured.account, each.opened.measured.repo_name) for each in found] == [("beta", "Beta/web")]
