"""The commands besides the run: the status, the differences, and the next step."""

import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from tests.laptop.conftest import PROJECT, Outcome, run_all

from millrace import runs
from millrace.bus.in_process import LocalBus
from millrace.lake import names
from millrace.lake.local import LocalLake
from millrace.runs import RunRequest
from millrace.tables import TABLES

WORLD = ("--developers", "3", "--days", "20", "--end", "2026-10-20T00:00:00Z")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory after one good run."""
    path = tmp_path_factory.mktemp("data")
    assert run_all(path, *WORLD).code == 0
    return path


def command(place: Path, *arguments: str) -> Outcome:
    """Run `local/run_all.py COMMAND …` on a data directory."""
    return run_all(place, *arguments)


def test_status_before_first_run_suggests_command(tmp_path: Path) -> None:
    outcome = command(tmp_path, "status")
    assert (outcome.code, "type: millrace demo" in outcome.out) == (1, True)


def test_after_a_good_run_status_is_good(place: Path) -> None:
    outcome = command(place, "status", "--json")
    now = json.loads(outcome.out)
    assert (outcome.code, now["health"], now["reasons"], now["store"]) == (0, "live", [], "warehouse")
    assert now["builds"][0]["result"] == "good"
    assert now["builds"][0]["built_through"] == now["built_through"] == now["newest_load_seq"]
    assert (now["lag_events"], now["lag_rows"], now["lag_seconds"]) == (0, 0, 0)


def test_after_a_good_run_source_lake_and_warehouse_agree(place: Path) -> None:
    outcome = command(place, "reconcile", *WORLD)
    assert (outcome.code, outcome.out.count("✓")) == (0, len(TABLES))


@pytest.fixture
def damaged(place: Path) -> Iterator[str]:
    """The key of a row that is deleted from the raw table while the test lasts."""
    with duckdb.connect(str(place / "millrace.duckdb")) as connection:
        connection.execute("create table kept as select * from raw.pull_requests order by number limit 1")
        connection.execute("delete from raw.pull_requests where number in (select number from kept)")
        ((repo_name, number),) = connection.execute("select repo_name, number from kept").fetchall()
    yield f"{repo_name}/{number}"
    with duckdb.connect(str(place / "millrace.duckdb")) as connection:
        connection.execute("insert into raw.pull_requests select * from kept")
        connection.execute("drop table kept")


def test_a_row_that_is_gone_is_named_by_its_key(place: Path, damaged: str) -> None:
    outcome = command(place, "reconcile", *WORLD)
    assert outcome.code == 1
    assert f"1 rows of loaded parts that the warehouse lacks: {damaged}" in outcome.out
    assert f"1 rows of the source that the warehouse lacks: {damaged}" in outcome.out


def test_status_works_while_a_run_is_going_on(place: Path) -> None:
    script = (
        f"import duckdb, sys; c = duckdb.connect({str(place / 'millrace.duckdb')!r}); print(1, flush=True); input()"
    )
    command_line = [sys.executable, "-c", script]
    with subprocess.Popen(command_line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        outcome = command(place, "status")
        writer.communicate("\n")
    assert "read from the published copy" in outcome.out
    assert "complete" in outcome.out


def test_readers_have_the_published_copy_while_a_run_holds_the_warehouse(place: Path) -> None:
    with (place / "running").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with duckdb.connect(str(place / "millrace.duckdb")):
            script = f"import duckdb; print(len(duckdb.connect({str(place / 'published.duckdb')!r}, read_only=True)"
            script += ".execute('select * from mart.velocity').fetchall()))"
            read = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert int(read.stdout) > 0


def test_a_file_in_quarantine_is_listed_shown_and_discarded(place: Path) -> None:
    (place / "lake" / "drop" / "commits").mkdir(parents=True, exist_ok=True)
    (place / "lake" / "drop" / "commits" / "bad.ndjson").write_text('{"commitHash": 5}\n')
    assert run_all(place, "--drops").code == 1
    (entry,) = json.loads(command(place, "quarantine", "list", "--json").out)
    assert "1 objects in quarantine" in command(place, "status").out
    assert '{"commitHash": 5}' in command(place, "quarantine", "show", entry["id"]).out
    retried = command(place, "quarantine", "retry", entry["id"])
    assert (retried.code, "still cannot be loaded" in retried.out) == (1, True)
    assert '"severity"' not in retried.err  # log lines are for a deployment
    assert command(place, "quarantine", "discard", entry["id"], "a", "test").code == 0
    assert "nothing is in quarantine" in command(place, "quarantine").out
    assert command(place, "status").code == 0


@pytest.fixture
def quarantined(place: Path) -> str:
    """Quarantine the reviews part of the last run, and return the id of the run."""
    lake, kept = LocalLake(place / "lake", "lake"), LocalLake(place / "quarantine", "quarantine")
    part = next(stored for stored in lake.list("raw/reviews/"))
    name = names.quarantine_name(part.version)
    told = asdict(part.version) | {"reason": "schema", "message": "a registry that was wrong"}
    kept.write(name, lake.read(part.version.name)[0], 0)
    kept.write(f"{name}.json", json.dumps(told).encode(), 0)
    with duckdb.connect(str(place / "millrace.duckdb")) as connection:
        outcome = "quarantine_reason = 'schema', rows_inserted = 0, rows_quarantined = rows_read"
        connection.execute(f"update meta.loads set {outcome} where name like 'raw/reviews/%'")  # noqa: S608 our own text
        connection.execute("delete from raw.reviews")
    run = json.loads(command(place, "status", "--json").out)["runs"][-1]
    return str(run["run_id"])


@pytest.mark.proof
def test_a_run_adds_up_again_once_its_quarantined_part_was_retried(place: Path, quarantined: str) -> None:
    before = command(place, "reconcile", quarantined)
    (entry,) = json.loads(command(place, "quarantine", "list", "--json").out)
    assert (before.code, before.out.count("✓"), f"{entry['rows']} quarantined" in before.out) == (1, 3, True)
    assert command(place, "quarantine", "retry", entry["id"]).code == 0
    after = command(place, "reconcile", quarantined, "--json")
    reviews = next(line for line in after.report["tables"] if line["table"] == "reviews")
    assert (after.code, reviews["inserted"], reviews["quarantined"], reviews["missing"]) == (0, entry["rows"], 0, 0)
    assert command(place, "reconcile", quarantined).out.count("✓") == 4
    audited = json.loads(command(place, "reconcile", *WORLD, "--json").out)["tables"][3]
    assert audited["in_lake"] == audited["in_warehouse"] == audited["in_source"]
    assert command(place, "build").code == 0


def test_unknown_run_is_reported(place: Path) -> None:
    outcome = command(place, "reconcile", "../20261120T060000Z")
    assert (outcome.code, "there is no run '../20261120T060000Z'" in outcome.err) == (2, True)


def test_a_run_that_was_not_extracted_does_not_add_up(tmp_path: Path) -> None:
    runs.start(LocalLake(tmp_path / "lake", "lake"), LocalBus(), RunRequest(datetime(2026, 11, 20, 6, tzinfo=UTC)))
    outcome = command(tmp_path, "reconcile", "20261120T060000Z")
    assert (outcome.code, outcome.out.count("was not extracted")) == (1, 2)


def test_unknown_quarantine_command_is_reported(place: Path) -> None:
    outcome = command(place, "quarantine", "burn")
    assert outcome.code == 2
    assert "No such command 'burn'" in outcome.err


def test_failed_build_is_reported_and_keeps_last_good_marts_until_rebuilt(place: Path) -> None:
    with duckdb.connect(str(place / "millrace.duckdb")) as connection:
        connection.execute("create table twice as select * from raw.pull_requests limit 1")
        connection.execute("insert into raw.pull_requests select * from twice")
    published = (place / "published.duckdb").stat().st_mtime_ns
    failed = run_all(place, *WORLD, "--json")
    assert failed.code == 1
    assert "unique_grain_stg_pull_requests_repo_name__number" in {
        node["name"] for node in failed.report["build"]["not_good"]
    }
    assert "build" in command(place, "status").out.split("look: ")[1]
    assert (place / "published.duckdb").stat().st_mtime_ns == published
    with duckdb.connect(str(place / "millrace.duckdb")) as connection:
        connection.execute("delete from raw.pull_requests where number in (select number from twice)")
        connection.execute("insert into raw.pull_requests select * from twice")
        connection.execute("drop table twice")
    assert command(place, "build").code == 0
    assert command(place, "status").code == 0
    assert (place / "published.duckdb").stat().st_mtime_ns > published


@pytest.mark.proof
def test_a_build_of_changed_models_alone_has_to_be_forced(place: Path) -> None:
    number = json.loads(command(place, "status", "--json").out)["builds"][0]["number"]
    outcome = command(place, "build")
    assert (outcome.code, outcome.out.startswith("current"), "--force" in outcome.out) == (0, True, True)
    forced = command(place, "build", "--force")
    assert (forced.code, forced.out.startswith("good")) == (0, True)
    assert json.loads(command(place, "status", "--json").out)["builds"][0]["number"] == number + 1


def test_next_run_completes_a_killed_run(tmp_path: Path) -> None:
    command_line = [
        sys.executable,
        "local/run_all.py",
        "--source=cursor-sim",
        "--no-usage",
        "--data-dir",
        str(tmp_path),
        *WORLD,
    ]
    with subprocess.Popen(command_line, cwd=PROJECT, stderr=subprocess.PIPE, text=True, env=os.environ) as process:
        assert process.stderr is not None
        next(line for line in process.stderr if "extract commits" in line)
        process.send_signal(signal.SIGKILL)
    assert "unfinished" in command(tmp_path, "status").out or "complete" in command(tmp_path, "status").out
    assert run_all(tmp_path, *WORLD).code == 0
    after = json.loads(command(tmp_path, "status", "--json").out)
    assert [run["status"] for run in after["runs"]] == ["complete", "complete"]
    assert (after["health"], after["reasons"]) == ("live", [])
