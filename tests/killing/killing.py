"""Kill a real run at step after step, let a plain run finish the job, and compare with a run that was never killed."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import duckdb

from millrace.tables import TABLES

PROJECT = Path(__file__).resolve().parents[2]
WORLD = ("--developers=2", "--days=6", "--end=2026-10-20T00:00:00Z", "--no-limiter", "--json")


@dataclass(frozen=True)
class Run:
    """How a killable run ended; `steps` is known only of one that was not killed."""

    code: int
    steps: int
    err: str


def run(data: Path, kill_at: int = 0) -> Run:
    """Run the whole pipeline as a process of its own."""
    command = [sys.executable, "-m", "tests.killing.killable", str(kill_at), "--data-dir", str(data), *WORLD]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    steps = [int(line.split()[1]) for line in done.stderr.splitlines() if line.startswith("steps ")]
    return Run(done.returncode, steps[0] if steps else 0, done.stderr)


def contents(data: Path) -> dict[str, list[tuple[object, ...]]]:
    """Give every raw row (without when and how it came) and every mart row of the published copy, in order."""
    found: dict[str, list[tuple[object, ...]]] = {}
    with duckdb.connect(str(data / "published.duckdb"), read_only=True) as connection:
        for table in TABLES:
            query = f"select * exclude (_extracted_at, _run_id, _load_seq) from raw.{table} order by all"  # noqa: S608
            found[f"raw.{table}"] = connection.execute(query).fetchall()
        marts = connection.execute("select table_name from information_schema.tables where table_schema = 'mart'")
        for (mart,) in marts.fetchall():
            found[f"mart.{mart}"] = connection.execute(f"select * from mart.{mart} order by all").fetchall()  # noqa: S608
    return found


def unsettled(data: Path) -> list[str]:
    """Name what still waits: runs without an end, builds without one, versions in the ledger twice."""
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
    return left
