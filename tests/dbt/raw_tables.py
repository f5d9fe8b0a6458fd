"""A warehouse file as the load leaves it: the schemas raw and meta, with a test's rows."""

import random
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from millrace.tables import INSTANT, LOAD_SEQ, TABLES, Table
from millrace.warehouse import source_windows
from millrace.warehouse.duckdb.builds import CREATE

Rows = dict[str, list[dict[str, Any]]]

AS_OF = datetime.fromisoformat("2026-03-20 12:00:00")  # naive, as raw holds instants: UTC
_NAIVE = pa.timestamp("us")
_LEDGER = pa.schema(
    [
        *[(name, pa.string()) for name in ("bucket", "name", "table_name", "run_id", "quarantine_reason")],
        *[
            (name, pa.int64())
            for name in (
                *("generation", "load_seq", "rows_read", "rows_inserted", "rows_updated"),
                *("rows_unchanged", "rows_superseded", "rows_quarantined"),
            )
        ],
        *[(name, _NAIVE) for name in ("extracted_at", "loaded_at")],
    ]
)


def make_warehouse(path: Path, rows: Rows) -> Path:
    """Create the file: raw tables, the view over one, the log of builds, a ledger up to AS_OF of tables with rows."""
    ledger = [
        {"bucket": "lake", "name": name, "generation": 1, "table_name": name, "extracted_at": AS_OF}
        for name, given in rows.items()
        if given
    ]
    with duckdb.connect(path) as connection:
        connection.execute("create schema raw; create schema meta")
        for table in TABLES.values():
            _create(connection, f"raw.{table.name}", raw_schema(table), rows.get(table.name, []))
        _create(connection, "meta.loads", _LEDGER, ledger)
        connection.execute(CREATE)
        connection.execute(source_windows.CREATE)
    return path


def sample_rows() -> Rows:
    """Return the measured repository and three of awkward rows, the same every time."""
    awkward, measured = _awkward_rows(), _measured_rows()
    return {name: [*rows, *measured[name]] for name, rows in awkward.items()} | {"usage_events": usage_rows()}


def usage_rows() -> list[dict[str, Any]]:
    """Return usage events as machines report them: one of each awkward kind, the same every time."""
    at = datetime.fromisoformat
    response = {
        "collector_id": "laptop",
        "user_id": "me@example.com",
        "agent": "claude",
        "session_id": "s1",
        "request_id": "r1",
        "role": "assistant",
        "occurred_at": at("2026-03-09 09:00:00"),
        "project": "work-web",
        "provider": "anthropic",
        "model": "claude-opus-4-5",
        "speed": "standard",
        "input_tokens": 100,
        "output_tokens": 10,
        "cache_read_tokens": 1000,
        "cache_write_5m_tokens": 0,
        "cache_write_1h_tokens": 0,
        "is_estimated": False,
        LOAD_SEQ: 1,
    }
    prompt = {
        name: value
        for name, value in response.items()
        if name not in ("provider", "model", "speed", "request_id") and not name.endswith("_tokens")
    } | {"role": "user", "message_id": "p1", "reported_cost_usd": "0"}
    unknown = {"provider": None, "project": None, "user_id": None, "speed": None, "model": "nobody-knows"}
    guess = {"agent": "cursor", "provider": "cursor", "message_id": "guessed", "request_id": None, "is_estimated": True}
    return [
        prompt,
        prompt | {"message_id": "p2", "project": "only-asked", "session_id": "s2"},
        response | {"message_id": "known"},
        response | {"message_id": "known", "collector_id": "desktop", "output_tokens": 50, LOAD_SEQ: 2},
        response | {"message_id": "copied", "session_id": "fork", "occurred_at": at("2026-03-10 23:30:00")},
        response | {"message_id": "copied", "collector_id": "desktop", "occurred_at": at("2026-03-10 08:00:00")},
        response | {"message_id": "unpriced"} | unknown,
        response | {"message_id": "reported", "reported_cost_usd": "0.123456789012345"} | unknown,
        response | {"message_id": "hour", "cache_write_5m_tokens": None, "cache_write_1h_tokens": 4000},
        response | {"message_id": "hour", "collector_id": "desktop", "cache_write_5m_tokens": 5000},
        response | guess | {"model": "composer-1", "input_tokens": None, "output_tokens": 900},
        response | guess | {"model": "composer-1", "collector_id": "desktop", "is_estimated": False},
        response | guess | {"model": "composer-1", "message_id": "only guessed", "output_tokens": 7},
        response | {"message_id": "no instant", "occurred_at": None},
        response | {"message_id": "absurd", "output_tokens": 10**15},
        response | {"message_id": "half absurd", "output_tokens": -1},
        response | {"message_id": "half absurd", "collector_id": "desktop", LOAD_SEQ: 3},
    ]


def _measured_rows() -> Rows:
    """Return the rows of a repository with one merge, in which everything is known; two people report its commit."""
    at = datetime.fromisoformat
    return {
        "repos": [{"full_name": "acme/web"}],
        "commits": [
            {
                "commitHash": "w1",
                "repoName": "acme/web",
                "userId": "user_9",
                "userEmail": "me@example.com",
                "tabLinesAdded": 10,
                "composerLinesAdded": 20,
                "commitTs": at("2026-03-09 08:00:00"),
                "createdAt": at("2026-03-09 09:00:00"),
            },
            {
                "commitHash": "w1",  # once more, for another person
                "repoName": "acme/web",
                "userId": "user_8",
                "userEmail": "pair@example.com",
                "tabLinesAdded": 1,
                "composerLinesAdded": 2,
                "commitTs": at("2026-03-09 08:30:00"),
                "createdAt": at("2026-03-09 08:45:00"),
            },
        ],
        "pull_requests": [
            {
                "id": 7000,
                "number": 7,
                "repo_name": "acme/web",
                "state": "merged",
                "author_id": "user_9",
                "author_email": "",
                "additions": 40,
                "deletions": 10,
                "commit_ids": ["w1"],
                "created_at": at("2026-03-09 10:00:00"),
                "merged_at": at("2026-03-09 20:00:00"),
            }
        ],
        "reviews": [
            {
                "id": 1,
                "pr_id": 7000,
                "reviewer": "you@example.com",
                "state": "APPROVED",
                "submitted_at": at("2026-03-09 16:00:00"),
                "comments": '[{"body": "Why?"}]',
            },
            {
                "id": 2,
                "pr_id": 7000,
                "reviewer": "me@example.com",
                "state": "approved",
                "submitted_at": at("2026-03-09 11:00:00"),
            },
        ],
    }


def _awkward_rows() -> Rows:
    dice = random.Random(20260320)  # noqa: S311 - made-up rows

    def days_ago(least: float, most: float) -> datetime:
        return AS_OF - timedelta(days=dice.uniform(least, most))

    pulls = [
        {
            "id": number,
            "number": number,
            "repo_name": f"acme/service-{number % 3}",
            "title": dice.choice(["fix: login", "feat: login", None]),
            "state": dice.choice(["merged", "closed", "open"]),
            "author_id": dice.choice(["user_1", "user_2", ""]),
            "author_email": dice.choice(["one@example.com", "", None]),
            "head_branch": dice.choice(["bugfix/1", "feature/1"]),
            "additions": dice.choice([0, 7, 700, None]),
            "deletions": dice.choice([0, 30, 300]),
            "changed_files": dice.choice([1, 2, None]),
            "ai_ratio": dice.choice([dice.random(), None]),
            "tab_lines": dice.choice([3, None]),
            "composer_lines": 4,
            "commit_ids": dice.choice([[f"c{number}"], [], None]),
            "created_at": days_ago(10, 40),
            "merged_at": dice.choice([days_ago(-3, 10), None]),
            "was_reverted": dice.choice([True, False, None]),
            "is_bug_fix": dice.choice([True, False, None]),
        }
        for number in range(1, 121)
    ]
    commits = [
        {
            "commitHash": f"c{number}",
            "repoName": f"acme/service-{number % 3}",
            "userId": "user_1",
            "userEmail": "one@example.com",
            "tabLinesAdded": 2,
            "composerLinesAdded": 5,
            "commitTs": days_ago(9, 41),
        }
        for number in range(1, 121)
    ]
    reviews = [
        {
            "id": number,
            "pr_id": dice.randint(1, 100),
            "reviewer": dice.choice(["one@example.com", "two@example.com", "user_2", None]),
            "state": dice.choice(["approved", "APPROVED", "Pending", "changes_requested"]),
            "submitted_at": days_ago(-3, 10),
            "comments": dice.choice(['[{"body": "Why?"}]', "[]", None]),
        }
        for number in range(1, 201)
    ]
    repos = [{"full_name": f"acme/service-{number}"} for number in range(3)]
    return {"repos": repos, "commits": commits, "pull_requests": pulls, "reviews": reviews}


def _create(connection: duckdb.DuckDBPyConnection, name: str, schema: pa.Schema, rows: list[dict[str, Any]]) -> None:
    connection.register("given", pa.Table.from_pylist(rows, schema))
    connection.execute(f"create table {name} as from given")


def raw_schema(table: Table) -> pa.Schema:
    """Return the table's Parquet schema as raw keeps it: naive instants, and the change sequence as a last column."""
    fields = [field.with_type(_NAIVE) if field.type == INSTANT else field for field in table.schema]
    return pa.schema([*fields, pa.field(LOAD_SEQ, pa.int64())])
