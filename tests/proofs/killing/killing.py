"""Kill a real run at a place, let a plain run finish the job, and compare with a run that was never killed."""

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import duckdb
from tests.proofs.killing.killable import NOWHERE, PROJECT, KillPoint

from millrace.tables import CURSOR_SIM

WORLD = ("--developers=2", "--days=6", "--end=2026-10-20T00:00:00Z", "--no-limiter")
KILLED = -9
Contents = dict[str, list[tuple[object, ...]]]


@dataclass(frozen=True)
class Run:
    """How a killable run ended: killed, or with an exit code."""

    code: int
    err: str

    @property
    def is_killed(self) -> bool:
        """Return whether it reached the place of its kill."""
        return self.code == KILLED

    @property
    def places(self) -> list[KillPoint]:
        """Return the places that a run which was not killed has passed."""
        last = [KillPoint.parse(text) for text in re.findall(r"^met (.*)$", self.err, re.MULTILINE)]
        return [KillPoint(each.step, number) for each in last for number in range(1, each.number + 1)]


def run(data: Path, place: KillPoint = NOWHERE) -> Run:
    """Run the whole pipeline as a process of its own, with a simulator of its own."""
    command = [sys.executable, "-m", "tests.proofs.killing.killable", str(place), "--data-dir", str(data)]
    command += ["--source=cursor-sim", *WORLD, "--no-usage", "--json"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    return Run(done.returncode, done.stderr)


@dataclass(frozen=True)
class End:
    """The contents of a data directory: every raw and mart row of the published copy, and all unsettled work."""

    rows: Contents
    unsettled: tuple[str, ...]

    @classmethod
    def of(cls, data: Path) -> Self:
        """Read it; the data directory must not be in use."""
        return cls(contents(data), tuple(unsettled(data)))

    def differs(self, clean: "End") -> list[str]:
        """Return the differences from the end of a run that was never killed."""
        tables = sorted(self.rows.keys() | clean.rows.keys())
        rows = [f"{name} has other rows" for name in tables if self.rows.get(name) != clean.rows.get(name)]
        return rows + list(self.unsettled)


def contents(data: Path) -> Contents:
    """Return every raw row (without its stamps and load) and every mart row of the published copy, in order."""
    found: Contents = {}
    with duckdb.connect(str(data / "published.duckdb"), read_only=True) as connection:
        for table in CURSOR_SIM:
            query = f"select * exclude (_extracted_at, _run_id, _load_seq) from raw.{table} order by all"  # noqa: S608
            found[f"raw.{table}"] = connection.execute(query).fetchall()
    return found | marts(data / "published.duckdb")


def marts(database: Path) -> Contents:
    """Return every mart row, in order."""
    found: Contents = {}
    with duckdb.connect(str(database), read_only=True) as connection:
        names = connection.execute("select table_name from information_schema.tables where table_schema = 'mart'")
        for (mart,) in names.fetchall():
            columns = "columns(lambda c: c != '_load_seq')"
            found[f"mart.{mart}"] = connection.execute(f"select {columns} from mart.{mart} order by all").fetchall()  # noqa: S608
    return found


def unsettled(data: Path) -> list[str]:
    """Return unsettled work and wrong sums: runs and builds without an end, versions and rows counted twice."""
    left = [
        f"{plan.parent.name} has no end"
        for plan in (data / "lake" / "runs").glob("*/plan.json")
        if not (plan.parent / "final.json").exists()
    ]
    with duckdb.connect(str(data / "millrace.duckdb"), read_only=True) as connection:
        running = connection.execute("select number from meta.builds where result = 'running'").fetchall()
        twice = connection.execute("select name from meta.loads group by bucket, name, generation having count(*) > 1")
        left += [f"build {number} is running" for (number,) in running]
        left += [f"{name} is in the ledger twice" for (name,) in twice.fetchall()]
        for table in CURSOR_SIM:
            query = (
                f"select count(*), (select sum(rows_inserted) from meta.loads where table_name = ?) from raw.{table}"  # noqa: S608
            )
            rows, inserted = connection.execute(query, [table]).fetchall()[0]
            left += [f"raw.{table} has {rows} rows, {inserted} were inserted"] if rows != inserted else []
    return left
