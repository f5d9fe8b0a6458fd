"""Marts of a warehouse against the truth of what was read into it, cell by cell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

from tests.proofs.parity.comparing import compare
from tests.proofs.parity.engines import Engine

from simulator import truth
from simulator.github import Company
from simulator.truth import MeasuredPull, merged_pulls
from simulator.truth.github import Account, AILines, implausible_values, pulls
from simulator.truth.marts import aggregated
from simulator.truth.opened import agent_pull_requests, opened_pulls
from simulator.world import World

GRAINS = {
    "merged_pull_requests": ("source", "account", "repo_name", "number"),
    "velocity": ("source", "account", "week", "repo_name"),
    "developer_velocity": ("source", "account", "week", "repo_name", "developer"),
    "review_costs": ("source", "account", "week", "repo_name"),
    "quality": ("source", "account", "week", "repo_name"),
    "ai_impact": ("source", "account", "week", "repo_name", "ai_band"),
    "agent_pull_requests": ("source", "account", "week", "repo_name", "opened_by", "agent"),
    "implausible_values": ("source", "account", "table_name", "reason"),
}
Row = Mapping[str, Any]
_AS_OF = {"github": ("github_pull_requests", "source_windows"), "cursor-sim": ("pull_requests",)}


@dataclass(frozen=True)
class Read:
    """What was read: companies of GitHub, the last read one last, and a world of cursor-sim."""

    companies: Sequence[Company]
    world: World
    account: str


@dataclass(frozen=True)
class Checked:
    """The outcome: how many cells were compared, each that differs, and columns that the truth does not have."""

    cells: int
    differences: list[str]
    unknown: dict[str, set[str]]


def check(engine: Engine, read: Read) -> Checked:
    """Compare every row and cell of the delivery marts with the truth."""
    expected = _truth(engine, read)
    cells, found, unknown = 0, [], {}
    for mart, grain in GRAINS.items():
        rows = engine.rows(f"mart.{mart}")
        names = {name for row in rows[:1] for name in row}
        columns = {row["source"]: row.keys() for row in expected[mart]}
        unknown[mart] = names.difference(*columns.values())
        known = [{name: row[name] for name in row if name in columns.get(row["source"], row)} for row in rows]
        compared = compare(mart, grain, known, expected[mart])
        cells += compared.cells
        found += [str(each) for each in compared.differences]
    return Checked(cells, found, unknown)


def _truth(engine: Engine, read: Read) -> dict[str, list[dict[str, Any]]]:
    loads = engine.rows("meta.loads")
    accounts = [Account(each, as_of(loads, "github", each.account.login)) for each in read.companies]
    of_github = list(pulls(accounts, AILines(read.world.commits.rows)))
    of_sim = (read.world, as_of(loads, "cursor-sim", read.account), read.account)
    merged = [each for each in of_github if each.opened.outcome == "merged"]
    merged_of_sim = merged_pulls(*of_sim)
    return {
        **aggregated([*(each.opened.measured for each in merged), *merged_of_sim]),
        "agent_pull_requests": agent_pull_requests([*(each.opened for each in of_github), *opened_pulls(*of_sim)]),
        "merged_pull_requests": [
            *(_row(each.opened.measured) | each.own for each in merged),
            *map(_row, merged_of_sim),
        ],
        "implausible_values": [*truth.implausible_values(read.world, read.account), *implausible_values(accounts)],
    }


def as_of(loads: Sequence[Row], source: str, account: str) -> datetime:
    """Return the newest instant at which the tables of an account were extracted."""
    at: datetime = max(
        row["extracted_at"]
        for row in loads
        if row["table_name"] in _AS_OF[source]
        and row["extracted_at"]
        and (source != "github" or row["run_id"].partition("Z-")[2] == account)
    )
    return at.replace(tzinfo=UTC)


def _row(pull: MeasuredPull) -> dict[str, Any]:
    return {_column(field.name): getattr(pull, field.name) for field in fields(MeasuredPull)}


def _column(name: str) -> str:
    is_time = name.endswith("_time") or name.startswith("pickup_")
    return f"{name}_hours" if is_time else name
