"""The marts of a large account of GitHub: seconds and peak memory of the build, and of its SQL without dbt.

The simulator makes the account, with drafts, pushes by force, agents and reverts by turns, and Cursor's rows about most
of its commits. Rows are loaded as those of a first full run. Build and SQL are processes of their own.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
from tests.proofs.github import cursor

from bench.building import Built
from bench.measuring import Figure
from millrace import wiring
from millrace.arrow import to_batch
from millrace.lake import ObjectVersion
from millrace.laptop.data_dir import DataDir
from millrace.laptop.project import PROJECT
from millrace.runs import run_id_of
from millrace.tables import TABLES
from millrace.warehouse import Batch
from simulator.github import Company, Knobs, generate, oddities, truth
from simulator.github.truth import Row

_SIZES = ((5, 2_000), (50, 2_000))  # repositories, pull requests of each before some are reverted
_PEOPLE = 4  # of each repository
_END = datetime(2026, 1, 31, 12, tzinfo=UTC)
_READ = _END + timedelta(hours=1)
_SHOWN = 3


def github() -> Iterator[Figure]:
    """Measure both sizes."""
    for repositories, pulls in _SIZES:
        with tempfile.TemporaryDirectory() as folder:
            place = DataDir(Path(folder, "data"))
            rows = fill(place, repositories, pulls, Path(folder))
            yield from _built(place, f"{repositories} x {pulls:,} pull requests", rows, Path(folder))


def _built(place: DataDir, what: str, rows: dict[str, int], folder: Path) -> Iterator[Figure]:
    whole, marts = _run("dbt", place, folder), _marts(place)
    alone, same = _run("sql", place, folder), _marts(place)
    if marts != same:
        raise RuntimeError(f"expected the same marts without dbt, got {same} and not {marts}")
    slowest = sorted(alone.models.items(), key=lambda each: -each[1])[:_SHOWN]
    seconds = {
        "models": f"{sum(whole.models.values()):.1f} s",
        "tests": f"{whole.tests_s:.1f} s",
        "published after": f"{whole.published_s:.1f} s",
        "slowest SQL": ", ".join(f"{name} {s:.1f} s" for name, s in slowest),
        "rows": ", ".join(f"{count:,} {name}" for name, count in rows.items()),
    }
    floor_is = "its SQL without dbt and tests"
    yield Figure(f"build of {what}", whole.seconds, "s", alone.seconds, floor_is, notes=seconds)
    limit = {"limit of DuckDB": place.build_config().memory}
    yield Figure(f"its peak: {what}", whole.peak_bytes / 1e6, "MB", alone.peak_bytes / 1e6, floor_is, notes=limit)


def _run(how: str, place: DataDir, folder: Path) -> Built:
    file = folder / f"{how}.json"
    command = [sys.executable, "-m", "bench.building", how, str(place.root), str(file)]
    subprocess.run(command, cwd=PROJECT, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 our own command
    return Built(**json.loads(file.read_text()))


def _marts(place: DataDir) -> dict[str, int]:
    """Return the number of rows of each mart."""
    with duckdb.connect(str(place.warehouse), read_only=True) as connection:
        names = connection.execute("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'mart'").fetchall()
        counts = {name: connection.execute(f"SELECT count(*) FROM mart.{name}").fetchall() for (name,) in names}  # noqa: S608
    return {name: rows for name, ((rows,),) in counts.items()}


def fill(place: DataDir, repositories: int, pulls: int, folder: Path) -> dict[str, int]:
    """Load the raw tables of an account, each as one object; return the number of rows of each."""
    company = generate(repositories, pulls, people=_PEOPLE * repositories, end=_text(_END))
    oddities.apply(company, Knobs(eventful=True))
    run_id = run_id_of(_READ, company.account.login)
    with ExitStack() as stack:
        writers: dict[str, pq.ParquetWriter] = {}
        for repository in company.repositories:
            for name, rows in _tables(replace(company, repositories=[repository])).items():
                table = TABLES[name]
                if name not in writers:
                    writer = pq.ParquetWriter(folder / f"{name}.parquet", table.schema, compression="zstd")
                    writers[name] = stack.enter_context(writer)
                writers[name].write_batch(to_batch(rows, table, _READ, run_id))
    config = place.load_config()
    warehouse = wiring.duckdb_at(config.warehouse, config.memory)
    warehouse.ensure_tables()
    loaded = {}
    for name in writers:
        path = folder / f"{name}.parquet"
        batch = Batch(ObjectVersion("lake", path.name, 1), TABLES[name], path, _READ, run_id)
        loaded[name] = warehouse.load(batch).rows_inserted
    warehouse.close()
    return loaded


def _tables(company: Company) -> dict[str, list[Row]]:
    tables = truth.rows(company)
    return tables | {"commits": cursor.rows_of(company), "source_windows": list(_windows(company))}


def _windows(company: Company) -> Iterator[Row]:
    for repo_id, totals in truth.totals(company).items():
        for what, count in totals.items():
            yield {
                "source": "github",
                "account": company.account.login,
                "object": what,
                "window": str(repo_id),
                "state": "known",
                "row_count": count,
                "source_total": count,
                "settled_at": _text(_READ),
                "read_at": _text(_READ),
            }


def _text(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
