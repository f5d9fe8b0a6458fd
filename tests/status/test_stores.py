"""The store that is read, the report when none can be read, and the report of its state."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from pydantic import TypeAdapter
from tests.status.conftest import World, event

from millrace import runs
from millrace.bus.in_process import LocalBus
from millrace.collect import lock
from millrace.lake.local import LocalLake
from millrace.laptop import status
from millrace.laptop.data_dir import DataDir
from millrace.laptop.project import PROJECT
from millrace.runs import RunRequest
from millrace.status import text
from millrace.status.state import Status
from millrace.status.store import MARTS

LEASE = '{"token": 9, "holder": "a", "expires_at": "%s"}'
HOLD = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print(1, flush=True); input()"


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the warehouse open in another process."""
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        yield
        holder.communicate("\n")


def test_every_mart_of_the_dbt_project_is_one_of_the_status() -> None:
    models = (PROJECT / "jobs" / "dbt-runner" / "dbt" / "models" / "marts").glob("*.sql")
    assert {model.stem for model in models} <= set(MARTS)


def test_the_json_is_the_contract(world: World) -> None:
    now = world.look()
    told = json.loads(now.to_json())
    assert told == json.loads(TypeAdapter(Status).dump_json(now))
    names = "health reasons as_of built_through newest_load_seq lag_events lag_rows lag_seconds watcher marts events "
    names += "coverage sources runs last_complete builds in_quarantine store store_error"
    assert list(told) == [*names.split(), "checks", "is_simulated", "completeness"]
    assert list(told["watcher"]) == ["running", "pid", "last_refresh_at", "seconds_since_refresh"]
    assert list(told["marts"][0]) == ["name", "watermark", "is_current", "rows", "last_refresh_at"]
    assert list(told["sources"][0]) == [
        "table",
        "last_extracted_at",
        "seconds_since",
        "rows",
        "is_silent",
        "is_connected",
    ]
    of_build = ["number", "result", "built_through", "started_at", "finished_at", "seconds", "met_damage"]
    assert list(told["builds"][0]) == of_build
    assert told["builds"][0]["started_at"].endswith("Z")
    unpriced = "agent provider model responses tokens speed region context gap"
    assert list(told["coverage"]["unpriced"][0]) == unpriced.split()
    assert list(told["checks"][0]) == ["code", "text", "remedy"]


def test_reasons_are_the_first_checks_each_with_its_remedy(world: World) -> None:
    world.fail_a_build()
    now = world.look(7200)
    assert now.reasons == (f"build 2 failed; type: millrace build --data-dir {world.place.root}",)
    assert [check.code for check in now.checks] == ["build_failed", "no_price"]
    assert now.reasons[0] == str(now.checks[0])


def test_a_fast_response_without_a_price_is_named_as_fast(world: World) -> None:
    opus = {"provider": "anthropic", "model": "claude-opus-4-5-20251101"}
    world.drop("usage_events", [event(50, **opus, speed="fast"), event(51, **opus, input_tokens=900)])
    world.refresh()
    fast = next(each for each in world.look().coverage.unpriced if each.model == opus["model"])
    assert (fast.speed, fast.context, fast.gap, fast.responses, fast.tokens) == ("fast", 0, "speed", 1, 110)
    name = "claude anthropic claude-opus-4-5-20251101, speed fast (the model has no price at this speed)"
    assert f"  no price: {name}: 110 tokens" in "\n".join(text.lines(world.look()))


def test_response_in_region_without_a_price_is_named_with_it(world: World) -> None:
    opus = {"provider": "anthropic", "model": "claude-opus-4-5-20251101"}
    world.drop("usage_events", [event(50, **opus, region="us"), event(51, **opus, region="global")])
    world.refresh()
    (regional,) = [each for each in world.look().coverage.unpriced if each.model == opus["model"]]
    assert (regional.region, regional.gap, regional.responses) == ("us", "region", 1)
    assert "speed standard, region us (the model has no price in this region)" in "\n".join(text.lines(world.look()))


def test_repositories_of_every_source_are_counted(world: World) -> None:
    before = world.look().coverage.repositories
    world.drop("repos", [{"full_name": "acme/old"}])
    world.drop("github_repos", [{"account": "acme", "repo_id": number} for number in (1, 2)])
    assert world.look().coverage.repositories == before + 3


def test_events_and_coverage_are_counted_and_blank_names_have_one(world: World) -> None:
    now = world.look()
    assert (now.events.total, now.events.newest_load_seq) == (6, 1)
    assert now.events.by_provider == {"anthropic": 4, "claude": 1, "unknown": 1}
    assert now.events.by_cost_source == {"rate_card": 4, "prompt": 1, "unknown": 1}
    assert (now.coverage.projects, now.coverage.projects_with_mart) == (1, 1)
    (unpriced,) = now.coverage.unpriced
    assert (unpriced.model, unpriced.responses, unpriced.tokens) == ("nobody-knows", 1, 110)
    assert {source.table: source.rows for source in now.sources}["commits"] == 3


def test_implausible_values_are_one_line(world: World) -> None:
    assert "implausible:" not in "\n".join(text.lines(world.look()))
    with duckdb.connect(world.place.warehouse) as connection:
        rows = "('cursor-sim', '', 'commits', 'before_1990', 1, 1), ('cursor-sim', '', 'reviews', 'before_1990', 2, 2)"
        connection.execute(f"insert into mart.implausible_values values {rows}")  # noqa: S608 our own text
    assert world.look().coverage.values_made_unknown == 3
    assert "  implausible: 3 values of the sources are unknown; mart.implausible_values" in text.lines(world.look())


def test_unchanged_repeated_event_adds_no_lag(world: World) -> None:
    world.drop("usage_events", [event(9, model="nobody-knows")])
    assert (world.look().lag_events, world.look().health) == (0, "live")


def test_a_mart_that_is_not_there_counts_as_nothing(world: World) -> None:
    with duckdb.connect(world.place.warehouse) as connection:
        connection.execute("drop table mart.usage_events cascade; drop table mart.velocity cascade")
    now = world.look()
    assert (now.health, now.events.total, now.coverage.projects) == ("live", 0, 0)
    assert next(mart for mart in now.marts if mart.name == "velocity").rows is None


def test_published_copy_is_read_while_warehouse_is_held(world: World) -> None:
    with held(world.place.warehouse):
        now = world.look()
    assert (now.store, now.store_error, now.health, now.events.total) == ("published", None, "live", 6)


def test_published_copy_is_read_while_data_directory_is_locked(world: World) -> None:
    with world.place.lock():
        assert world.look().store == "published"
    assert world.look().store == "warehouse"


def test_run_waits_for_short_read_of_warehouse(world: World) -> None:
    script = (
        "import duckdb, sys, time; c = duckdb.connect(sys.argv[1], read_only=True); print(1, flush=True); "
        "time.sleep(0.2); c.close(); input()"
    )
    command = [sys.executable, "-c", script, str(world.place.warehouse)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as looking:
        assert looking.stdout is not None
        looking.stdout.readline()
        assert world.warehouse.newest_load_seq() == 2
        looking.communicate("\n")
    world.warehouse.close()


def test_copy_older_than_request_has_unknown_lag(world: World) -> None:
    world.use(3)
    with held(world.place.warehouse):
        now, later = world.look(-600), world.look(60)
    assert (now.health, later.health) == ("syncing", "stale")
    assert (later.lag_events, later.lag_rows, later.lag_seconds) == (None, None, None)
    assert "published through 2, 3 is requested" in later.reasons[0]


def test_while_a_build_is_going_on_the_marts_are_syncing(world: World) -> None:
    world.use(3)
    lake = LocalLake(world.place.lake, "lake")
    (world.place.lake / "build" / "lease.json").unlink()
    expires_at = (datetime.now(UTC) + timedelta(minutes=5)).isoformat()
    lake.write("build/lease.json", (LEASE % expires_at).encode(), 0)
    with held(world.place.warehouse):
        now = world.look(60)
    assert (now.health, now.store) == ("syncing", "published")
    assert now.reasons[0].startswith("a build is going on")


def test_a_build_whose_process_died_is_an_error(world: World) -> None:
    world.warehouse.start_build(99, "test", None)
    world.warehouse.close()
    now = world.look()
    assert (now.health, now.builds[0].result) == ("error", "running")
    assert "was never ended, its process died" in now.reasons[0]


@pytest.mark.parametrize("name", ["millrace.duckdb", "published.duckdb"])
def test_broken_file_is_an_error_and_lake_facts_are_reported(world: World, name: str) -> None:
    runs.start(LocalLake(world.place.lake, "lake"), LocalBus(), RunRequest(datetime.now(UTC)))
    if name == "published.duckdb":
        world.place.warehouse.unlink()
    (world.place.root / name).write_bytes(b"no database " * 4096)
    now = world.look()
    assert (now.health, now.store, now.lag_events, now.newest_load_seq) == ("error", None, None, None)
    assert name in (now.store_error or "")
    assert now.reasons[0].startswith(f"the warehouse cannot be read: {now.store_error}; ")
    assert (len(now.runs), now.runs[0].status, len(now.marts)) == (1, "unfinished", len(MARTS))


def test_a_folder_that_does_not_exist_is_empty_and_is_not_made(tmp_path: Path) -> None:
    now = status.status_of(DataDir(tmp_path / "data"))
    assert (now.health, now.store, now.store_error) == ("empty", None, None)
    assert [check.code for check in now.checks] == ["nothing_yet", "nothing_collected"]
    assert now.checks[0].text == f"nothing was built in {tmp_path / 'data'} yet"
    assert (now.events.total, now.runs, now.builds, now.lag_events) == (0, (), (), 0)
    assert list(tmp_path.iterdir()) == []


def test_a_store_without_events_is_live(tmp_path: Path) -> None:
    world = World(DataDir(tmp_path))
    world.commit()
    world.build()
    now = world.look()
    assert (now.health, now.reasons, now.events.total) == ("live", (), 0)
    assert [check.code for check in now.checks] == ["nothing_collected"]


def test_before_the_first_publication_a_process_at_work_is_syncing(world: World) -> None:
    world.place.published.unlink()
    with world.place.lock():
        now = world.look()
    assert (now.health, [check.code for check in now.checks][:1]) == ("syncing", ["at_work"])
    assert "is at work in" in now.checks[0].text


def test_the_first_run_is_syncing_until_it_does_not_end(tmp_path: Path) -> None:
    place = DataDir(tmp_path)
    runs.start(LocalLake(place.lake, "lake"), LocalBus(), RunRequest(datetime.now(UTC)))
    killed = status.status_of(place)
    assert (killed.health, "has not ended" in "".join(killed.reasons)) == ("error", True)
    place.running.write_text(str(os.getpid()))
    now = status.status_of(place)
    place.running.write_text("999999999")
    late = status.status_of(place, datetime.now(UTC) + timedelta(hours=2))
    assert (now.health, now.store_error) == ("syncing", None)
    assert (late.health, "nothing was built" in (late.store_error or "")) == ("error", True)


@pytest.mark.parametrize(
    "note",
    [
        pytest.param(None, id="no note"),
        pytest.param("", id="an empty note"),
        pytest.param("999999999", id="a process that is gone"),
        pytest.param(f"{os.getpid()}\nanother birth", id="a later process of its number"),
        pytest.param("a process", id="no number"),
    ],
)
def test_run_whose_process_is_gone_is_not_going_on(world: World, note: str | None) -> None:
    with world.place.lock():
        started = runs.start(LocalLake(world.place.lake, "lake"), LocalBus(), RunRequest(datetime.now(UTC)))
        assert world.look().health == "syncing"
    world.place.running.unlink()
    if note is not None:
        world.place.running.write_text(note)
    now = world.look()
    assert (now.health, [check.code for check in now.checks][:1]) == ("stale", ["run_unfinished"])
    assert f"run {started.run_id} has not ended" in now.reasons[0]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="when a process was born is known from /proc")
def test_later_process_with_the_number_of_a_killed_run_is_another(world: World) -> None:
    with world.place.lock():
        runs.start(LocalLake(world.place.lake, "lake"), LocalBus(), RunRequest(datetime.now(UTC)))
        note = world.place.process.read_text()
        assert world.place.running.read_text() == str(os.getpid())  # scripts read it
    world.place.process.write_text(note.replace(str(os.getpid()), "1", 1))  # which exists on every machine
    assert [check.code for check in world.look().checks][:1] == ["run_unfinished"]


@pytest.mark.parametrize(
    "harm",
    [
        pytest.param(Path.unlink, id="gone"),
        pytest.param(lambda path: path.write_bytes(b""), id="empty"),
        pytest.param(lambda path: path.write_bytes(path.read_bytes()[:5000]), id="cut"),
        pytest.param(lambda path: path.write_bytes(b"x" * 20000), id="no database"),
        pytest.param(lambda path: path.write_bytes(bytes(4096) + path.read_bytes()[4096:]), id="without its head"),
        pytest.param(lambda path: (path.unlink(), path.mkdir()), id="a folder in its place"),
    ],
)
def test_unreadable_copy_is_not_live(world: World, harm: Callable[[Path], object]) -> None:
    assert world.look().health == "live"
    harm(world.place.published)
    now = world.look()
    assert (now.health, [check.code for check in now.checks][:1]) == ("stale", ["readers_behind"])


def test_a_failed_run_is_an_error_until_the_next(world: World) -> None:
    lake = LocalLake(world.place.lake, "lake")
    plan = runs.start(lake, LocalBus(), RunRequest(datetime.now(UTC)))
    runs.fail(lake, plan.run_id, "commits was not extracted")
    now = world.look()
    assert (now.health, now.last_complete) == ("error", None)
    assert "failed: commits was not extracted" in now.reasons[0]


def test_table_without_recent_extraction_is_silent(world: World) -> None:
    with duckdb.connect(world.place.warehouse) as connection:
        connection.execute("update meta.loads set run_id = 'r' where table_name = 'commits'")
    now, later = world.look(), world.look(37 * 3600)
    assert (now.health, later.health) == ("live", "stale")
    assert [check.code for check in later.checks][:1] == ["table_silent"]
    assert later.checks[0].text == "nothing was extracted of commits for 37 h"
    assert [source.table for source in later.sources if source.is_silent] == ["commits"]


@pytest.mark.parametrize(("table", "silent"), [("github_repos", ["github_repos"]), ("github_reviews", [])])
def test_tables_of_repositories_may_be_quiet_while_nothing_changes(world: World, table: str, silent: list[str]) -> None:
    with duckdb.connect(world.place.warehouse) as connection:
        connection.execute("update meta.loads set run_id = 'r', table_name = ? where table_name = 'commits'", [table])
    later = world.look(37 * 3600)
    assert table in [source.table for source in later.sources]
    assert [source.table for source in later.sources if source.is_silent] == silent


def test_a_collector_is_seen_by_its_process_and_its_lock_is_left_alone(world: World) -> None:
    with lock.holding(world.place.collector):
        assert world.look().watcher.pid == os.getpid()
    assert (world.look().watcher.running, world.look().watcher.pid) == (False, None)
    (world.place.collector / "collector.pid").write_text("999999999")  # a killed process
    assert world.look().watcher.running is False
    (world.place.collector / "collector.lock").unlink(missing_ok=True)
    world.look()
    assert not (world.place.collector / "collector.lock").exists()


@pytest.mark.parametrize("note", ["999999999", "1\nanother birth", "no number", "999999999\nits birth"])
def test_watcher_that_died_makes_the_status_stale(world: World, note: str) -> None:
    world.place.collector.mkdir(exist_ok=True)
    (world.place.collector / "watcher.pid").write_text(note)
    now = world.look()
    assert (now.health, [check.code for check in now.checks][:1]) == ("stale", ["watcher_died"])
    (world.place.collector / "watcher.pid").unlink()
    assert world.look().health == "live"


def test_quarantine_is_counted_without_writing_warehouse(world: World) -> None:
    (world.place.lake / "drop" / "commits" / "bad.parquet").write_bytes(b"none")
    stamp = world.place.warehouse.stat().st_mtime_ns
    quarantine = LocalLake(world.place.quarantine, "quarantine")
    quarantine.write("quarantine/0123456789abcdef-7", b"none", 0)
    now = world.look()
    assert (now.in_quarantine, now.health, now.needs_attention) == (1, "stale", True)
    quarantine.write("quarantine/0123456789abcdef-7.discarded.json", b"{}", 0)
    assert world.look().in_quarantine == 0
    assert world.place.warehouse.stat().st_mtime_ns == stamp
