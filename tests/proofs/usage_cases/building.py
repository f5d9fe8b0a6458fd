"""The events of all cases in the marts: their homes are sent to one lake, as of 28 users, and built once."""

from decimal import Decimal
from pathlib import Path

import duckdb
from tests import warm
from tests.proofs.usage_cases.cases import CASES, Case, Row, machine_of

from millrace.collect.shipping import ship
from millrace.lake.local import LocalLake
from millrace.laptop.data_dir import DataDir


def built(folder: Path) -> dict[str, list[Row]]:
    """Return the rows of `usage_events` of each case."""
    directory = DataDir(folder / "data")
    for case in CASES:
        case.write(folder / case.name)
        machine = machine_of(folder / case.name, folder / f"{case.name} state", _user_of(case), case.environment)
        with machine.collector() as collector:
            collector.collect()
            ship(machine.spool, LocalLake(directory.lake, "lake"), collector.collector_id)
    done = warm.run("millrace", "run", "--drops", "--data-dir", str(directory.root))
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    with duckdb.connect(str(directory.published), read_only=True) as database:
        table = database.execute("select * from mart.usage_events order by occurred_at, event_id")
        names = [column[0] for column in table.description or ()]
        rows = [dict(zip(names, row, strict=True)) for row in table.fetchall()]
    return {case.name: [row for row in rows if row["user_id"] == _user_of(case)] for case in CASES}


def costs(rows: list[Row]) -> list[Decimal | None]:
    """Return the costs of the responses; None is unknown."""
    return [row["cost_usd"] for row in rows if row["role"] == "assistant"]


def _user_of(case: Case) -> str:
    return f"case{case.name[:2]}@example.com"
