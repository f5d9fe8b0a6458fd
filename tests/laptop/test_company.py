"""The simulated company of a demo: one world, read from its GitHub, its Cursor and its developers' machines."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests.laptop.test_kinds import hold, millrace, refused

import simulator
from millrace.laptop import claims, company
from millrace.laptop.data_dir import DataDir
from millrace.laptop.kinds import Note
from millrace.laptop.source import SourceOptions
from simulator.github import truth
from simulator.github.of_world import company_of
from simulator.instants import parse_instant, to_datetime

FIRST, LATER = "2026-10-20T00:00:00Z", "2026-10-23T00:00:00Z"
WORLD = ("--developers", "3", "--days", "12", "--seed", "4")
Query = Callable[[str], list[tuple[Any, ...]]]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of a company after a run, and another one three days later."""
    root = tmp_path_factory.mktemp("company") / "data"
    for end in (FIRST, LATER):
        run(root, end)
    return root


def run(root: Path, end: str) -> dict[str, dict[str, Any]]:
    """Run a company until an instant, without building; return the lines of its tables."""
    done = millrace("run", *WORLD, "--end", end, "--data-dir", str(root), "--no-usage", "--no-build", "--json")
    assert done.code == 0, done.err
    return {line["table"]: line for line in done.report["tables"]}


@pytest.fixture(scope="module")
def query(place: Path) -> Query:
    """The working warehouse of the company."""

    def rows(sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(place / "millrace.duckdb"), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    return rows


@pytest.fixture(scope="module")
def world() -> simulator.World:
    """The world at the end: its first day is that of the first run."""
    end = to_datetime(parse_instant(LATER))
    return simulator.generate(developers=3, days=15, seed=4, end=end, full_hashes=True)


def test_github_has_every_pull_request_of_the_world(query: Query, world: simulator.World) -> None:
    rows = truth.rows(company_of(world))["github_pull_requests"]
    expected = {(row["repo_id"], row["number"], row["state"], row["additions"]) for row in rows}
    assert {*query("select repo_id, number, state, additions from raw.github_pull_requests")} == expected


def test_cursor_has_every_commit_by_its_whole_hash(query: Query, world: simulator.World) -> None:
    expected = {(row["commitHash"], row["tabLinesAdded"], row["composerLinesAdded"]) for row in world.commits.rows}
    found = {*query('select "commitHash", "tabLinesAdded", "composerLinesAdded" from raw.commits')}
    assert found == expected
    assert {len(row[0]) for row in found} == {40}


def test_only_github_has_pull_requests(query: Query) -> None:
    for table in ("repos", "pull_requests", "reviews"):
        assert query(f"select count(*) from raw.{table}") == [(0,)], table  # noqa: S608 our own names


def test_most_commits_of_cursor_are_in_pull_requests_of_github(query: Query) -> None:
    ((both, of_cursor),) = query(
        'select count(*) filter (exists (from raw.github_pull_request_commits where sha = "commitHash")), count(*)'
        " from raw.commits"
    )
    assert of_cursor * 0.9 < both <= of_cursor


def test_second_run_reads_what_changed(place: Path) -> None:
    lines = run(place, LATER)
    new = {table for table, line in lines.items() if line["inserted"] or line["updated"]}
    assert new == {"source_windows"}
    assert all(lines[table]["known"] for table in ("commits", "github_pull_requests"))


def test_demo_reconciles_with_its_sources(place: Path) -> None:
    done = millrace("reconcile", *WORLD, "--end", LATER, "--data-dir", str(place))
    assert (done.code, "Complete github acme-corp: 2 of 2 repositories complete" in done.out) == (0, True), done.out
    assert "✓ commits        source " in done.out


def test_first_day_of_a_company_stays(tmp_path: Path) -> None:
    data_dir, world = DataDir(tmp_path), SourceOptions(developers=3, days=12, end=FIRST)
    for source in company.sources(world, data_dir):
        bound = source.binding
        claims.claim(data_dir, source.kind, bound.source, bound.account, bound.objects)
    assert company.sources(SourceOptions(developers=3, days=12, end=LATER), data_dir)[0].days == 12  # no row is there
    hold(data_dir, "20261020T060000Z-acme-corp")
    cursor, github = company.sources(SourceOptions(developers=3, days=12, end=LATER), data_dir)
    assert (cursor.days, github.company.days) == (15, 15)
    assert github.source.endswith(f"since {date(2026, 10, 8)}")
    assert company.sources(SourceOptions(developers=3, days=30, end=LATER), data_dir)[0].days == 30


@pytest.mark.parametrize("other", [("--seed", "5"), ("--developers", "4")])
def test_another_company_is_refused(place: Path, other: tuple[str, str]) -> None:
    done = millrace("demo", *WORLD, *other, "--data-dir", str(place))
    assert refused(done, f"{place} holds another simulated company", f"rm -r {place}"), done.err


def test_cursor_sim_beside_a_company_is_refused(place: Path) -> None:
    done = millrace("run", "--source", "cursor-sim", *WORLD, "--data-dir", str(place))
    assert refused(done, f"{place} holds another simulated company"), done.err


def test_company_beside_cursor_sim_writes_nothing(tmp_path: Path) -> None:
    data_dir = DataDir(tmp_path)
    claims.claim(data_dir, "demo", SourceOptions(developers=3, seed=4).name)
    hold(data_dir, "20261020T060000Z", "pull_requests")
    before = data_dir.read_note()
    done = millrace("demo", *WORLD, "--data-dir", str(tmp_path))
    assert refused(done, "holds another simulated company, or the one of an earlier version"), done.err
    assert isinstance(before, Note)
    assert data_dir.read_note() == before


def test_cost_per_merged_pull_request_is_filled_without_a_map(tmp_path: Path) -> None:
    done = millrace("demo", *WORLD, "--end", FIRST, "--data-dir", str(tmp_path))
    assert (done.code, "mart.cost_per_merged_pr" in done.out) == (0, True), done.err
    assert [*(tmp_path / "lake" / "drop").rglob("*.csv")] == []
    with duckdb.connect(str(tmp_path / "published.duckdb"), read_only=True) as marts:
        costs = marts.sql(
            "select developer, count(cost_per_merged_pr) from mart.cost_per_merged_pr where repo_name is not null"
            " group by 1 having count(cost_per_merged_pr) > 0"
        ).fetchall()
        matched = marts.sql(
            "select sum(total_tokens) filter (repository_gap is null) / sum(total_tokens) from mart.usage_coverage"
        ).fetchall()
        gaps = {gap for (gap,) in marts.sql("select distinct repository_gap from mart.usage_coverage").fetchall()}
        known = marts.sql("select count(ai_lines_added) / count(*) from mart.merged_pull_requests").fetchall()
    assert {developer for developer, _ in costs} <= {"dev001", "dev002", "dev003"}
    assert len(costs) > 1
    assert 0.7 < matched[0][0] < 1
    assert gaps == {None, "no_remote", "no_folder"}
    assert known[0][0] > 0.9
