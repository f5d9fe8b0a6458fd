"""The company of a world: each row of its truth is that of the world, where GitHub's contract has a place for it."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.simulator.github.conftest import Serve
from tests.simulator.github.reading import read_everything
from tests.simulator.github.test_truth import sorted_rows, true_rows
from tests.simulator.rows import commit, pull, review

import simulator
from simulator.github import truth
from simulator.github.of_world import company_of
from simulator.happening import full_hash

END = datetime(2026, 11, 1, 12, tzinfo=UTC)
Row = dict[str, Any]
Tables = dict[str, list[Row]]


def second(text: str) -> str:
    return f"{datetime.fromisoformat(text):%Y-%m-%dT%H:%M:%SZ}"


def login(email: str) -> str:
    return "dependabot" if "[bot]" in email else email.partition("@")[0].partition("+")[0]


@pytest.fixture(scope="module")
def world() -> simulator.World:
    """Twelve developers, among them one without an e-mail on their pull requests, and a bot."""
    return simulator.generate(developers=12, days=60, seed=7, clone_share=0.1, end=END)


@pytest.fixture(scope="module")
def tables(world: simulator.World) -> Tables:
    """The truth of the world's company."""
    return truth.rows(company_of(world))


@pytest.fixture(scope="module")
def pulls(tables: Tables) -> dict[int, Row]:
    """The pull requests of the company by number, without those that revert others."""
    every = {row["number"]: row for row in tables["github_pull_requests"]}
    return {key: row for key, row in every.items() if not row["head_branch"].startswith("revert-")}


def happened(row: Row, name: str) -> str | None:
    at = row.get(name)
    return second(at) if at and datetime.fromisoformat(at) <= END else None


def test_pull_requests_are_those_of_world(world: simulator.World, pulls: dict[int, Row]) -> None:
    expected = {}
    for row in world.pulls.rows:
        ends = {name: happened(row, name) for name in ("merged_at", "closed_at")}
        expected[row["number"]] = (
            row["id"],
            row["repo_name"],
            second(row["created_at"]),
            ends["merged_at"],
            ends["merged_at"] or ends["closed_at"],
            row["state"] if any(ends.values()) else "open",
            row["additions"],
            row["deletions"],
            row["commit_count"],
            row.get("changed_files") or 1,
        )
    columns = ("id", "repo_name", "created_at", "merged_at", "closed_at", "state")
    sizes = ("additions", "deletions", "commit_count", "changed_files")
    assert {number: tuple(row[name] for name in columns + sizes) for number, row in pulls.items()} == expected


def test_authors_are_those_of_world_but_for_the_app_of_an_agent(world: simulator.World, pulls: dict[int, Row]) -> None:
    emails = {row["userId"]: row["userEmail"] for row in world.commits.rows}
    expected = {}
    for row in world.pulls.rows:
        of_app = pulls[row["number"]]["author_id"] == "cursor"
        known = login(emails[row["author_id"]]) if row["author_id"] else None
        expected[row["number"]] = "cursor" if of_app else known
    assert {number: row["author_id"] for number, row in pulls.items()} == expected
    kinds = Counter(row["author_kind"] for row in pulls.values())
    assert kinds["ghost"] == sum(not row["author_id"] for row in world.pulls.rows) > 0
    assert {row["author_id"] for row in pulls.values() if row["author_kind"] == "bot"} == {"dependabot", "cursor"}


def test_agents_open_some_pull_requests_with_much_ai(world: simulator.World, pulls: dict[int, Row]) -> None:
    shares = {row["number"]: row.get("ai_ratio") for row in world.pulls.rows}
    by = {number: row["head_branch"].partition("/")[0] for number, row in pulls.items()}
    of_cursor = {number for number, agent in by.items() if agent == "cursor"}
    much = {number for number, share in shares.items() if share is not None and share >= 0.6}
    assert {number for number in of_cursor if shares[number] is not None} < much
    assert 0.3 < len(of_cursor) / len(much) < 0.7
    assert {"codex", "claude"} < set(by.values())


def test_reviews_are_the_submitted_ones_of_world(world: simulator.World, tables: Tables) -> None:
    expected = Counter[tuple[Any, ...]]()
    for row in world.reviews.rows:
        if row["state"].lower() != "pending" and happened(row, "submitted_at"):
            comments = len(row.get("comments") or ())
            expected[row["pr_id"], login(row["reviewer"]), second(row["submitted_at"]), comments] += 1
    found = [(r["pr_id"], r["reviewer"], r["submitted_at"], r["comment_count"]) for r in tables["github_reviews"]]
    assert Counter(found) == expected


def test_only_own_reviews_are_comments(world: simulator.World, tables: Tables) -> None:
    authors = {row["id"]: row["author_id"] for row in tables["github_pull_requests"]}
    own = [row for row in tables["github_reviews"] if row["reviewer"] == authors[row["pr_id"]]]
    assert own
    assert [row for row in tables["github_reviews"] if row["state"] == "commented"] == own


def test_every_reported_commit_of_a_pull_request_is_known_by_its_hash(world: simulator.World, tables: Tables) -> None:
    of_pulls = {row["sha"]: row["number"] for row in tables["github_pull_request_commits"] if row["role"] != "merge"}
    lost = []
    rebased = {row["number"] for row in tables["github_pull_request_events"] if row["before_sha"]}
    for row in world.pulls.rows:
        for name in row.get("commit_ids") or ():
            if of_pulls.get(full_hash(name)) != row["number"]:
                lost.append(row["number"])
    unknown = _of_unknown_commits(world)
    several = {row["number"] for row in world.pulls.rows if row["commit_count"] > 1}
    assert {*lost} - unknown <= rebased & several  # GitHub names only the last commit before a force push
    assert len(rebased) > 20


def _of_unknown_commits(world: simulator.World) -> set[int]:
    known = {row["commitHash"] for row in world.commits.rows}
    return {row["number"] for row in world.pulls.rows if set(row.get("commit_ids") or ()) - known}


def test_commits_have_time_size_and_author_of_world(world: simulator.World, tables: Tables) -> None:
    reported = {full_hash(row["commitHash"]): row for row in world.commits.rows}
    found = [row for row in tables["github_commits"] if row["sha"] in reported]
    assert len(found) > 0.9 * len(reported)
    for row in found:
        of_world = reported[row["sha"]]
        assert row["authored_at"] == second(of_world["commitTs"])
        assert (row["additions"], row["deletions"]) == (of_world["totalLinesAdded"], of_world["totalLinesDeleted"])
        assert row["author_email"] in (of_world["userEmail"], "cursoragent@cursor.com")


def test_pull_requests_without_named_commits_have_those_of_their_branch(
    world: simulator.World, tables: Tables, pulls: dict[int, Row]
) -> None:
    unnamed = {row["number"] for row in world.pulls.rows if not row.get("commit_ids")} | _of_unknown_commits(world)
    listed = Counter(row["number"] for row in tables["github_pull_request_commits"] if row["role"] == "branch")
    reported = {full_hash(row["commitHash"]) for row in world.commits.rows}
    roles = [
        row for row in tables["github_pull_request_commits"] if row["number"] in unnamed and row["role"] != "merge"
    ]
    assert unnamed
    assert {number: listed[number] for number in unnamed} == {n: pulls[n]["commit_count"] for n in unnamed}
    assert {row["number"] for row in roles if row["sha"] in reported} == unnamed


def test_identities_are_those_of_the_team(world: simulator.World, tables: Tables) -> None:
    expected = {(login(member["email"]), member["email"]) for member in world.members}
    assert {(row["account_id"], row["email"]) for row in tables["identities"]} == expected


def test_bug_fixes_are_labelled(world: simulator.World, pulls: dict[int, Row]) -> None:
    fixes = {row["number"] for row in world.pulls.rows if row.get("is_bug_fix")}
    assert fixes
    assert {number for number, row in pulls.items() if "bug" in row["labels"]} == fixes


def test_what_was_reverted_has_a_revert_in_githubs_own_form(world: simulator.World, tables: Tables) -> None:
    every = {(row["repo_id"], row["number"]): row for row in tables["github_pull_requests"]}
    found, merged = Counter[int](), 0
    for (repo_id, _), row in every.items():
        if row["head_branch"].startswith("revert-"):
            of = every[repo_id, int(row["head_branch"].split("-")[1])]
            assert row["title"] == f'Revert "{of["title"]}"'
            assert row["body"] == f"Reverts {of['repo_name']}#{of['number']}"
            assert (row["additions"], row["deletions"]) == (of["deletions"], of["additions"])
            if row["merged_at"]:
                found[of["number"]] += 1
                merged += 1
    branches = {row["sha"] for row in tables["github_pull_request_commits"]}
    headlines = [row["headline"] for row in tables["github_commits"] if row["sha"] not in branches]
    direct = [int(text.rpartition("(#")[2].rstrip(')"')) for text in headlines if text.startswith("Revert ")]
    reverted = {row["number"] for row in world.pulls.rows if row.get("was_reverted")}
    unflagged = {row["number"] for row in world.pulls.rows if "was_reverted" not in row}
    assert set(found.values()) == {1}
    assert direct
    assert merged > len(direct)
    assert ({*found} | {*direct}) - unflagged == reverted
    assert {*found}.isdisjoint(direct)
    assert not [r for r in every.values() if r["title"].startswith("Revert ") and "revert-" not in r["head_branch"]]


def test_merges_are_squashed_or_have_two_parents(tables: Tables) -> None:
    commits = {row["sha"]: row for row in tables["github_commits"]}
    merged = [row for row in tables["github_pull_requests"] if row["merged_at"]]
    squashed = [row for row in merged if commits[row["merge_commit_sha"]]["parent_count"] == 1]
    assert all(commits[row["merge_commit_sha"]]["additions"] == row["additions"] for row in squashed)
    assert 0.8 < len(squashed) / len(merged) < 1


def test_same_world_is_same_company(world: simulator.World, tables: Tables) -> None:
    assert truth.rows(company_of(world)) == tables


def test_full_hashes_are_the_same_company() -> None:
    short, full = (simulator.generate(developers=5, days=20, end=END, full_hashes=each) for each in (False, True))
    assert {len(row["commitHash"]) for row in full.commits.rows} == {40}
    assert truth.rows(company_of(full)) == truth.rows(company_of(short))


@pytest.mark.parametrize("hours", [1, 24, 24 * 9])
def test_later_end_changes_only_what_has_a_later_time(hours: int) -> None:
    end = END - timedelta(days=10)
    days = (1 + timedelta(hours=hours + 12) // timedelta(days=1)) if hours % 24 else hours // 24
    before, after = (
        truth.rows(company_of(simulator.generate(developers=8, days=40 + more, seed=3, end=at)))
        for more, at in ((0, end), (days if hours >= 24 else 0, end + timedelta(hours=hours)))
    )
    now = f"{end:%Y-%m-%dT%H:%M:%SZ}"
    changed = {row["id"] for row in after["github_pull_requests"] if row["updated_at"] > now}
    assert changed
    for table, key in (("github_pull_requests", "id"), ("github_reviews", "pr_id")):
        kept = [row for row in after[table] if row[key] not in changed]
        assert kept == [row for row in before[table] if row[key] not in changed], table
    for table in ("github_pull_request_events", "github_pull_request_commits"):
        numbers = {row["number"] for row in after["github_pull_requests"] if row["id"] in changed}
        kept = [row for row in after[table] if row["number"] not in numbers]
        assert kept == [row for row in before[table] if row["number"] not in numbers], table
    later = {row["event_id"]: row for row in after["github_pull_request_events"]}
    for row in before["github_pull_request_events"]:
        assert later[row["event_id"]]["at"] == row["at"]


def test_naive_client_reads_truth_of_a_world(serve: Serve) -> None:
    company = company_of(simulator.generate(developers=3, days=8, end=END))
    company.account.login = "acme"  # whose rows the client asks for
    client = serve(company)
    assert sorted_rows(read_everything(client)) == true_rows(client.served.company)


def test_rows_of_a_hand_are_a_company() -> None:
    rows = [pull(7, "2026-10-20T10:00:00Z", state="merged", merged_at="2026-10-21T10:00:00Z", was_reverted=True)]
    rows[0] |= {"base_branch": "main", "commit_ids": ["0123456789ab"]}
    world = simulator.World.of(
        commits=[commit("0123456789ab", "2026-10-20T09:00:00Z")],
        pull_requests=rows,
        reviews=[review(1, 107, "2026-10-20T11:00:00Z")],
        repos=["acme/web"],
        end="2026-10-25T00:00:00Z",
    )
    tables = truth.rows(company_of(world))
    assert tables["github_pull_requests"][0]["author_id"] == "ann"
    assert [(row["reviewer"], row["state"]) for row in tables["github_reviews"]] == [("bob", "approved")]
    assert 'Revert "feat: something (#7)"' in [row["headline"] for row in tables["github_commits"]]


def test_repositories_of_two_owners_are_refused() -> None:
    world = simulator.World.of(repos=["acme/web", "other/web"], end="2026-10-25T00:00:00Z")
    with pytest.raises(ValueError, match="expected repositories of one owner"):
        company_of(world)
