"""The copy for readers: complete or absent, never blocking a build, and never of an older build."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest
from tests.build.world import World

from millrace.errors import TransientError
from millrace.warehouse import BuildRow, Fenced

READER = """
import sys
import duckdb
path, connection = sys.argv[1], None
for line in sys.stdin:
    if line.strip() == "open":
        connection and connection.close()
        connection = duckdb.connect(path, read_only=True)
    print(connection.execute("SELECT load_seq FROM mart").fetchall()[0][0], flush=True)
"""


def build(world: World) -> BuildRow:
    """Build as a job does, up to the step before publishing."""
    world.load()
    noted = world.warehouse.start_build(1, "a", None)
    world.fill_mart()
    return world.warehouse.end_build(noted, True, 1.0, ())


@pytest.fixture
def ask(world: World) -> Iterator["Ask"]:
    process = subprocess.Popen(
        [sys.executable, "-c", READER, world.warehouse.published_path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        yield Ask(process)


class Ask:
    """Another process that reads the published file on request."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def __call__(self, what: str) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


def test_another_process_reads_while_the_warehouse_is_being_written_and_published(world: World, ask: "Ask") -> None:
    world.warehouse.publish(build(world))
    with duckdb.connect(world.folder / "millrace.duckdb") as writer:
        writer.execute("BEGIN; CREATE TABLE half_a_build AS SELECT 1")
        assert ask("open") == 1
    world.warehouse.publish(build(world))
    assert ask("read on") == 1  # an open reader keeps its version
    assert ask("open") == 2


def test_published_build_records_its_built_through(world: World) -> None:
    built = build(world)
    world.warehouse.publish(built)
    assert world.warehouse.published() == built == world.last()
    assert (built.number, built.built_through, built.result) == (1, 1, "good")


def test_before_the_first_good_build_nothing_is_published(world: World) -> None:
    assert world.warehouse.published() is None


def test_unreadable_published_file_is_published_again(world: World) -> None:
    world.request()
    world.run()
    world.warehouse.published_path.write_bytes(b"no database")
    assert world.run().state == "current"
    assert world.warehouse.published() == world.last()


def test_leftover_partial_copy_does_not_block_publishing(world: World) -> None:
    aside = world.warehouse.published_path.with_name("published.duckdb.aside")
    aside.write_bytes(b"half")
    world.warehouse.publish(build(world))
    assert (world.published_load_seq(), aside.exists()) == (1, False)


def test_a_disk_that_fails_leaves_the_old_copy_and_the_next_job_publishes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.warehouse.publish(build(world))
    world.request()

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", failing_in(world.warehouse.published_path.parent))
        with pytest.raises(OSError, match="No space"):
            world.run()
    assert (world.published_load_seq(), world.last().built_through) == (1, 2)
    assert (world.run().state, world.published_load_seq()) == ("current", 2)


def failing_in(folder: Path) -> Callable[[int], None]:
    """Make only the copy fail, not the lake's objects."""
    sync = os.fsync

    def fsync(handle: int) -> None:
        if Path(os.readlink(f"/proc/self/fd/{handle}")).parent == folder:
            raise OSError(28, "No space left on device")
        sync(handle)

    return fsync


def test_a_copy_that_cannot_be_made_may_succeed_later(world: World) -> None:
    built = build(world)
    world.warehouse.published_path.with_name("published.duckdb.aside.wal").mkdir()
    with pytest.raises((TransientError, OSError)):
        world.warehouse.publish(built)
    world.warehouse.published_path.with_name("published.duckdb.aside.wal").rmdir()
    world.warehouse.publish(built)
    assert world.warehouse.published() == built


# The guarantees of the build log, on either engine.


def test_a_build_with_an_older_token_can_neither_start_nor_end(world: World) -> None:
    older = world.warehouse.start_build(1, "a", None)
    newer = world.warehouse.start_build(2, "b", None)
    with pytest.raises(Fenced):
        world.warehouse.start_build(1, "a", None)
    with pytest.raises(Fenced):
        world.warehouse.end_build(older, True, 1.0, ())
    assert world.results() == ["abandoned", "running"]
    world.warehouse.end_build(newer, True, 1.0, ())
    assert world.results() == ["abandoned", "good"]


def test_the_newest_load_sequence_is_that_of_the_newest_load(world: World) -> None:
    assert world.warehouse.newest_load_seq() == 0
    assert world.load() == world.warehouse.newest_load_seq() == 1


def test_build_log_lists_newest_builds_first(world: World) -> None:
    noted = []
    for number in range(3):
        world.now += timedelta(minutes=number)
        noted.append(build(world))
    assert world.warehouse.last_builds(2) == [noted[2], noted[1]]


def test_the_views_of_a_warehouse_work_in_its_copy(world: World) -> None:
    built = build(world)
    with duckdb.connect(world.folder / "millrace.duckdb") as connection:
        connection.execute("CREATE SCHEMA staging")
        connection.execute('CREATE VIEW staging.stg AS SELECT load_seq FROM "millrace"."main"."mart"')
    world.warehouse.publish(built)
    with duckdb.connect(world.warehouse.published_path, read_only=True) as connection:
        assert connection.execute("SELECT load_seq FROM staging.stg").fetchall() == [(1,)]
