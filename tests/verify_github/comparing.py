"""What GitHub says of a repository, beside what was read of it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
from tests.verify_github.api import Api


@dataclass(frozen=True, slots=True)
class Line:
    """One comparison: what GitHub has, and what is here."""

    what: str
    at_github: object
    here: object

    @property
    def is_same(self) -> bool:
        """Whether both are the same."""
        return self.at_github == self.here


@dataclass(frozen=True, slots=True)
class Read:
    """The rows of one repository in a warehouse."""

    warehouse: Path
    account: str
    repo_id: int

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query, in which $account and $repo_id are those of the repository."""
        with duckdb.connect(str(self.warehouse), read_only=True) as connection:
            return connection.execute(sql, {"account": self.account, "repo_id": self.repo_id}).fetchall()

    def pull_requests(self) -> dict[int, tuple[str, datetime, int, int]]:
        """Return state, last change, and number of reviews and commits of each pull request."""
        rows = self.query(
            """
            SELECT number, state, updated_at,
                (SELECT count(*) FROM raw.github_reviews AS r WHERE r.account = p.account AND r.pr_id = p.id),
                (SELECT count(*) FROM raw.github_pull_request_commits AS c
                 WHERE c.account = p.account AND c.repo_id = p.repo_id AND c.number = p.number AND c.role = 'branch')
            FROM raw.github_pull_requests AS p WHERE account = $account AND repo_id = $repo_id"""
        )
        return {row[0]: (row[1], _instant(row[2]), row[3], row[4]) for row in rows}

    def commits(self) -> set[str]:
        """Return the hashes of all commits."""
        rows = self.query("SELECT sha FROM raw.github_commits WHERE account = $account AND repo_id = $repo_id")
        return {row[0] for row in rows}

    def windows(self) -> list[tuple[Any, ...]]:
        """Return object, state, rows, total and reason of what was noted of the repository and of the account."""
        return self.query(
            """
            SELECT object, name, state, row_count, source_total, reason FROM raw.source_windows
            WHERE account = $account AND ("window" = 'all' OR "window" = CAST($repo_id AS VARCHAR))
            ORDER BY object"""
        )


def compare(api: Api, read: Read) -> list[Line]:
    """Return the comparisons; those of single rows leave out what changed at GitHub since it was read."""
    pulls, commits = read.pull_requests(), read.commits()
    states = [state for state, *_ in pulls.values()]
    noted = {row[0]: row[3] for row in read.windows()}
    lines = [
        Line("pull requests", api.count("pulls?state=all"), len(pulls)),
        Line("open pull requests", api.count("pulls?state=open"), states.count("open")),
        Line("closed or merged pull requests", api.count("pulls?state=closed"), len(states) - states.count("open")),
        Line("commits of the default branch", api.count("commits"), noted.get("commits")),
    ]
    newest = api.newest("pulls?state=all&sort=updated&direction=desc")
    same = {row["number"]: row for row in newest if _is_unchanged(row, pulls)}
    lines.append(_line("state of the newest pull requests", {n: _state(row) for n, row in same.items()}, pulls, 0))
    heads = {row["sha"] for row in api.newest("commits")}
    lines.append(Line("newest commits of the default branch", len(heads), len(heads & commits)))
    if (found := api.lists()) is not None:
        lines.append(Line("merged pull requests", found["merged"]["totalCount"], states.count("merged")))
        nodes = [node for node in found["pullRequests"]["nodes"] if _is_unchanged(node, pulls)]
        for place, what in ((2, "reviews"), (3, "commits")):
            counts = {node["number"]: node[what]["totalCount"] for node in nodes}
            lines.append(_line(f"{what} of the newest pull requests", counts, pulls, place))
    return lines


def _line(what: str, at_github: dict[int, Any], pulls: dict[int, Any], place: int) -> Line:
    """Return the comparison of a value of single pull requests: how many there are, and those that differ."""
    differ = [number for number, value in at_github.items() if pulls[number][place] != value]
    shown = ", ".join(f"#{number}" for number in differ[:5])
    return Line(
        what, f"{len(at_github)} the same", f"{len(differ)} differ: {shown}" if differ else f"{len(at_github)} the same"
    )


def _is_unchanged(row: dict[str, Any], pulls: dict[int, Any]) -> bool:
    """Return whether a pull request has not changed since it was read; one that is not here has not."""
    changed_at = _instant(row.get("updatedAt") or row["updated_at"])
    known = pulls.get(row["number"])
    return known is not None and known[1] == changed_at


def _state(row: dict[str, Any]) -> str:
    return "merged" if row["merged_at"] else str(row["state"])


def _instant(value: Any) -> datetime:
    instant = datetime.fromisoformat(value) if isinstance(value, str) else value
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
