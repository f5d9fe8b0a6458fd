"""The cost of each case is right in the marts: all homes are sent to one lake, as of 28 users, and built once."""

import os
from decimal import Decimal

import duckdb
import pytest
from tests import warm
from tests.proofs.usage_cases.cases import CASES, Case, machine_of

from millrace.collect.shipping import ship
from millrace.lake.local import LocalLake
from millrace.laptop.data_dir import DataDir

Costs = dict[str, list[Decimal | None]]

_NOT_YET = frozenset(
    (
        *("01", "02", "06", "07", "08", "09", "10", "11", "13", "17"),
        *("31", "32", "33", "36", "39", "51", "61", "62", "64"),
    )
)
"""The numbers of the cases whose cost is still wrong."""


def user_of(case: Case) -> str:
    return f"case{case.name[:2]}@example.com"


@pytest.fixture(scope="module")
def costs(tmp_path_factory: pytest.TempPathFactory) -> Costs:
    """The cost of each response, by its user; None is unknown."""
    folder = tmp_path_factory.mktemp("cases")
    directory = DataDir(folder / "data")
    for case in CASES:
        case.write(folder / case.name)
        machine = machine_of(folder / case.name, folder / f"{case.name} state", user_of(case), case.environment)
        with machine.collector() as collector:
            collector.collect()
            ship(machine.spool, LocalLake(directory.lake, "lake"), collector.collector_id)
    # The command loads what is in the lake, and builds; its own home is empty.
    (folder / "empty").mkdir()
    command = ("collect", "--data-dir", str(directory.root), "--home", str(folder / "empty"))
    done = warm.run("millrace", *command, environment={**os.environ, "MILLRACE_COLLECT_USER": "none@example.com"})
    assert done.returncode == 0, done.stdout + done.stderr
    found: Costs = {}
    with duckdb.connect(str(directory.published), read_only=True) as database:
        rows = database.execute("select user_id, cost_usd from mart.usage_events where role = 'assistant'").fetchall()
    for user, cost in rows:
        found.setdefault(user, []).append(None if cost is None else Decimal(str(cost)))
    return found


def is_right(case: Case, found: list[Decimal | None]) -> bool:
    """Return whether all costs are known and add up; where none is given, whether none is 0."""
    if case.cost_usd is None:
        return len(found) == case.counts.responses and all(cost is None or cost > 0 for cost in found)
    return None not in found and abs(sum(filter(None, found), Decimal(0)) - case.cost_usd) < Decimal("1e-8")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_cost_is_right_unless_it_is_listed_as_wrong(costs: Costs, case: Case) -> None:
    found = costs.get(user_of(case), [])
    assert is_right(case, found) is (case.name[:2] not in _NOT_YET), found
