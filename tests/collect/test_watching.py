"""A change of a log is reported within seconds, wherever and whenever its folder was created."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import watchfiles
from tests.collect.machine import Machine, bubble, cursor_database, put, response
from tests.collect.test_message_rows import answer, kilo, put as put_message

from millrace.collect.discovery import Root, discover
from millrace.collect.parsers.agents import AGENTS
from millrace.collect.watcher import EVERYTHING, watch

PATIENCE_S = 300.0


class Watching:
    """A watch in a thread; `changed` returns the reported paths, without reports that mean everything."""

    def __init__(self, roots: Callable[[], list[Root]], every_s: float = 600) -> None:
        self.stop, self.told = threading.Event(), queue.Queue[set[Path] | None]()
        self.thread = threading.Thread(target=self._watch, args=(roots, every_s))
        self.thread.start()

    def _watch(self, roots: Callable[[], list[Root]], every_s: float) -> None:
        for changed in watch(roots, self.stop, every_s, look_s=0.2):
            self.told.put(changed)

    def everything(self, times: int = 1) -> None:
        """Wait until all logs were reported as changed a few times."""
        while times:
            times -= self.told.get(timeout=PATIENCE_S) is EVERYTHING

    def changed(self) -> set[Path]:
        deadline = time.monotonic() + PATIENCE_S
        while (told := self.told.get(timeout=max(deadline - time.monotonic(), 0.01))) is EVERYTHING:
            pass
        return told


@pytest.fixture
def watching(machine: Machine) -> Iterator[Callable[..., Watching]]:
    """Starts a watch of the machine's logs, which ends with the test."""
    started: list[Watching] = []

    def start(every_s: float = 600) -> Watching:
        started.append(Watching(lambda: discover(machine.home, {}, "linux", AGENTS), every_s))
        return started[-1]

    yield start
    for one in started:
        one.stop.set()
        one.thread.join(PATIENCE_S)
        assert not one.thread.is_alive()


def append(path: Path, line: bytes) -> None:
    with path.open("ab") as file:
        file.write(line)


def test_growing_log_is_reported(machine: Machine, watching: Callable[..., Watching]) -> None:
    log = machine.log("claude")
    log.write_bytes(response("m1"))
    watch = watching()
    watch.everything(2)
    append(log, response("m2"))
    assert watch.changed() == {log}


def test_log_in_folder_created_later_is_reported(machine: Machine, watching: Callable[..., Watching]) -> None:
    watch = watching()
    watch.everything(2)
    log = machine.log("codex")  # no folder of any agent existed
    watch.everything(2)  # found, and watched
    append(log, response("m1"))
    assert watch.changed() == {log}
    log = machine.log("claude")  # the second agent's
    watch.everything(2)
    append(log, response("m1"))
    assert watch.changed() == {log}


def test_new_folder_below_watched_one_is_reported(machine: Machine, watching: Callable[..., Watching]) -> None:
    machine.log("claude")
    watch = watching()
    watch.everything(2)
    log = machine.home / ".claude/projects/-w-new/S1.jsonl"
    log.parent.mkdir()
    append(log, response("m1"))
    assert watch.changed() & {log, log.parent}


def test_recreated_folder_is_watched_again(machine: Machine, watching: Callable[..., Watching]) -> None:
    log = machine.log("codex")
    folder = machine.home / ".codex/sessions"
    watch = watching()
    watch.everything(2)
    folder.rename(folder.with_name("away"))
    log.parent.mkdir(parents=True)
    watch.everything(2)
    append(log, response("m1"))
    assert watch.changed() == {log}


def test_burst_of_changes_is_reported_once_or_twice(machine: Machine, watching: Callable[..., Watching]) -> None:
    log = machine.log("claude")
    log.write_bytes(b"")
    watch = watching()
    watch.everything(2)
    for number in range(5):
        append(log, response(f"m{number}"))
    assert watch.changed() == {log}
    time.sleep(1)
    assert watch.told.qsize() <= 1


def test_the_log_beside_cursors_database_counts_as_the_database(
    machine: Machine, watching: Callable[..., Watching]
) -> None:
    path = machine.log("cursor")
    database = cursor_database(path, is_wal=True)
    watch = watching()
    watch.everything(2)
    put(database, [("bubbleId:C1:B1", bubble(1))])
    assert watch.changed() == {path}
    database.close()


def test_file_that_is_not_a_log_is_not_reported(machine: Machine, watching: Callable[..., Watching]) -> None:
    log = machine.log("claude")
    watch = watching()
    watch.everything(2)
    append(log.with_name("notes.md"), b"x")
    time.sleep(0.6)
    append(log, response("m1"))
    assert watch.changed() == {log}


def test_full_scan_is_reported_periodically(machine: Machine, watching: Callable[..., Watching]) -> None:
    machine.log("claude")
    watch = watching(every_s=0.5)
    assert all(watch.told.get(timeout=PATIENCE_S) is EVERYTHING for _ in range(5))


def test_a_watcher_that_fails_is_started_again(
    machine: Machine, watching: Callable[..., Watching], monkeypatch: pytest.MonkeyPatch
) -> None:
    original, calls = watchfiles.watch, 0

    def failing(*paths: Path, **options: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise OSError("no more files can be watched")
        return original(*paths, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(watchfiles, "watch", failing)
    log = machine.log("claude")
    log.write_bytes(b"")
    watch = watching()
    watch.everything(3)
    append(log, response("m1"))
    assert watch.changed() == {log}


def test_the_log_beside_kilos_database_counts_as_the_database(
    machine: Machine, watching: Callable[..., Watching]
) -> None:
    path = machine.home / ".local/share/kilo/kilo.db"
    with closing(kilo(path, is_wal=True)) as database:
        watch = watching()
        watch.everything(2)
        put_message(database, 1, answer(1, 5))
        assert watch.changed() == {path}


def test_configured_database_outside_its_folder_is_watched(machine: Machine) -> None:
    path = machine.home / "mine.db"
    with closing(kilo(path, is_wal=True)) as database:
        environ = {"KILO_DB": str(path)}
        watch = Watching(lambda: discover(machine.home, environ, "linux", AGENTS))
        try:
            watch.everything(2)
            put_message(database, 1, answer(1, 5))
            assert watch.changed() == {path}
        finally:
            watch.stop.set()
            watch.thread.join(PATIENCE_S)


def test_growing_log_behind_a_link_is_reported(machine: Machine, watching: Callable[..., Watching]) -> None:
    folder = machine.home / "elsewhere"
    folder.mkdir(parents=True)
    machine.log("claude").parent.with_name("-shop").symlink_to(folder)
    log = folder / "S1.jsonl"
    log.write_bytes(b"")
    watch = watching()
    watch.everything(2)
    append(log, response("m1"))
    assert watch.changed() == {log}


def test_link_made_later_is_followed(machine: Machine, watching: Callable[..., Watching]) -> None:
    log = machine.home / "elsewhere/S1.jsonl"
    log.parent.mkdir(parents=True)
    project = machine.log("claude").parent.with_name("-shop")
    watch = watching()
    watch.everything(2)
    project.symlink_to(log.parent)
    watch.everything(2)
    append(log, response("m1"))
    changed = watch.changed()
    while changed == {project}:  # the link itself, reported late
        changed = watch.changed()
    assert changed == {log}
