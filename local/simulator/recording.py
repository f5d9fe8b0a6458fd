"""A world of recorded rows: the distinct rows of a recorded extraction, by any routes."""

import gzip
import json
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path

from simulator import gojson
from simulator.instants import format_instant, to_ns
from simulator.world import Row, World

# A row is recognized by a field that only its table has.
_TABLE_OF_FIELD = {"commitHash": "commits", "head_branch": "pull_requests", "submitted_at": "reviews"}


def world_from_recording(path: str | Path) -> World:
    """Return the world of a `full-*.jsonl.gz` file of {path, status, headers, body} lines; now is its last Date.

    Raises ValueError when the file has no row at all or is not a recording.
    """
    try:
        return _world(Path(path))
    except (KeyError, TypeError, EOFError) as missing:
        raise ValueError(f"{path} is no recording of path, status, headers and body: {missing!r}") from missing


def _world(path: Path) -> World:
    tables: dict[str, dict[str, Row]] = {name: {} for name in ("commits", "pull_requests", "reviews")}
    repos: dict[str, None] = {}
    members: list[Row] = []
    end_ns = 0
    for answer in _answers(path):
        end_ns = max(end_ns, to_ns(parsedate_to_datetime(answer["headers"]["Date"])))
        value = json.loads(answer["body"])
        if isinstance(value, dict) and "teamMembers" in value:
            members = value["teamMembers"]
            continue
        for row in _rows_of(value):
            if "full_name" in row:
                repos[row["full_name"]] = None
            for name, table in _TABLE_OF_FIELD.items():
                if name in row:
                    tables[table][gojson.dumps(row)] = row
    if not any(tables.values()):
        raise ValueError(f"{path} is a recording without rows")
    return World.of(
        commits=tables["commits"].values(),
        pull_requests=sorted(tables["pull_requests"].values(), key=lambda row: int(row["id"])),
        reviews=sorted(tables["reviews"].values(), key=lambda row: int(row["id"])),
        members=members,
        repos=repos,
        end=format_instant(end_ns),
    )


def _answers(path: Path) -> Iterator[Row]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            answer = json.loads(line)
            if answer["status"] == 200:
                yield answer


def _rows_of(value: object) -> list[Row]:
    if isinstance(value, dict):
        value = value.get("items", value.get("data", [value]))
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []
