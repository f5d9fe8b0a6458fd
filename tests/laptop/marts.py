"""Compare the marts of a warehouse with the simulator's truth, cell by cell."""

import math
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

import simulator.truth
from simulator import World
from simulator.truth import MeasuredPull
from simulator.truth.measured import TIMES

_WEEKLY = ("source", "account", "week", "repo_name")
GRAINS = {
    "merged_pull_requests": ("source", "account", "pull_request_key"),
    "velocity": _WEEKLY,
    "developer_velocity": (*_WEEKLY, "developer"),
    "review_costs": _WEEKLY,
    "quality": _WEEKLY,
    "ai_impact": (*_WEEKLY, "ai_band"),
    "implausible_values": ("source", "account", "table_name", "reason"),
}
HOURS = (*TIMES, "pickup_from_ready", "pickup_human")
# The measures of a pull request; its other columns are the source's own, and not in the truth. Times are hours.
MEASURED = {f"{field.name}_hours" if field.name in HOURS else field.name: field.name for field in fields(MeasuredPull)}
Row = dict[str, Any]


def differences(warehouse: Path, world: World) -> tuple[int, list[str]]:
    """Return the number of compared cells, and each that differs from the truth (doubles at 1e-9 relative)."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        query = "select max(extracted_at) from meta.loads where table_name = 'pull_requests'"
        as_of: datetime = connection.execute(query).fetchall()[0][0].replace(tzinfo=UTC)
        pulls = [_measured(pull) for pull in simulator.truth.merged_pulls(world, as_of)]
        truth = simulator.truth.marts(world, as_of) | {"merged_pull_requests": pulls}
        truth["implausible_values"] = simulator.truth.implausible_values(world)
        found: list[str] = []
        cells = 0
        for mart, grain in GRAINS.items():
            built, expected = _by_key(_rows(connection, mart), grain), _by_key(truth[mart], grain)
            found += [f"{mart} {key}: only on one side" for key in built.keys() ^ expected.keys()]
            for key in built.keys() & expected.keys():
                cells += len(expected[key])
                found += _unequal(f"{mart} {key}", built[key], expected[key])
    return cells, found


def _measured(pull: MeasuredPull) -> Row:
    return {column: getattr(pull, name) for column, name in MEASURED.items()}


def _rows(connection: duckdb.DuckDBPyConnection, mart: str) -> list[Row]:
    columns = ", ".join(MEASURED) if mart == "merged_pull_requests" else "*"
    cursor = connection.execute(f"select {columns} from mart.{mart}")  # noqa: S608 our own names
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _by_key(rows: list[Row], grain: tuple[str, ...]) -> dict[tuple[Any, ...], Row]:
    return {tuple(row[name] for name in grain): row for row in rows}


def _unequal(place: str, built: Row, expected: Row) -> list[str]:
    if built.keys() != expected.keys():
        return [f"{place}: columns {built.keys() ^ expected.keys()}"]
    return [
        f"{place}.{name}: {built[name]!r} is not {expected[name]!r}"
        for name in built
        if not _same(built[name], expected[name])
    ]


def _same(one: object, other: object) -> bool:
    if isinstance(one, float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=1e-9)
    return one == other
