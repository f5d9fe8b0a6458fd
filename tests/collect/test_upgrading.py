"""A state of the version before becomes one of this version, and then equals what this version collects alone."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.collect.before import names, restored
from tests.collect.machine import Machine, Row, outputs, response

from millrace.collect.checkpoints import CheckpointStore
from millrace.errors import ConfigError

_OF_A_RUN = ("collector_id", "_extracted_at", "is_withdrawn")


def in_force(machine: Machine) -> list[Row]:
    """Return the rows that count, without what differs from run to run; what an old file does not say is no bound."""
    rows = [row for row in machine.merged() if not row.get("is_withdrawn")]
    nothing = {"region": None, "web_searches": None, "repository": None}
    rows = [nothing | row | {"is_lower_bound": bool(row.get("is_lower_bound"))} for row in rows]
    return [{name: row[name] for name in sorted(row) if name not in _OF_A_RUN} for row in rows]


def alone(machine: Machine, folder: Path) -> Machine:
    """Return a machine with a copy of the home, on which nothing was collected."""
    other = Machine(folder)
    shutil.copytree(machine.home, other.home, symlinks=True)
    return other


@pytest.mark.parametrize("case", names())
def test_a_home_that_the_version_before_collected_equals_one_collected_alone(case: str, tmp_path: Path) -> None:
    machine = restored(case, tmp_path / "before")
    assert machine.collect().gone_rules == {}
    machine.ship()
    other = alone(machine, tmp_path / "alone")
    other.run()
    assert in_force(machine) == in_force(other)
    assert machine.collect().batches == []


@pytest.mark.parametrize("case", names())
def test_the_events_of_a_home_that_is_gone_stay(case: str, tmp_path: Path) -> None:
    machine = restored(case, tmp_path)
    shutil.rmtree(machine.home)
    machine.home.mkdir()
    result = machine.collect()
    machine.ship()
    counted = in_force(machine)
    assert {row["message_id"] for row in counted} == {row["message_id"] for row in machine.merged()}
    assert set(result.gone_rules.values()) == ({1} if counted else set())
    with closing(CheckpointStore.open(machine.state)) as store:
        assert store.gone_rules() == result.gone_rules
        assert len(list(store.current())) == len(counted)


def test_a_side_question_that_was_sent_several_times_is_withdrawn(tmp_path: Path) -> None:
    machine = restored("02-claude-btw-replays-with-new-request-id", tmp_path)
    assert len(machine.merged()) == 7
    assert machine.collect().withdrawn == 3
    machine.ship()
    assert len(in_force(machine)) == 4


def test_a_state_of_before_keeps_its_collector_id(tmp_path: Path) -> None:
    machine = restored("32-codex-spawned-sub-agent-replays-parent", tmp_path)
    (before,) = {row["collector_id"] for row in machine.sent()}
    machine.run()
    assert {row["collector_id"] for row in machine.sent()} == {before}


def test_an_upgrade_that_is_stopped_starts_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = restored("02-claude-btw-replays-with-new-request-id", tmp_path)

    def stop(store: CheckpointStore) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(CheckpointStore, "commit", stop)
        with pytest.raises(KeyboardInterrupt):
            machine.collect()
    assert machine.collect().withdrawn == 3


def statements_of_before(state: Path) -> None:
    """Do what the version before does when it opens a state."""
    with closing(sqlite3.connect(state / "state.sqlite", isolation_level=None)) as connection:
        if connection.execute("select value from meta where name = 'collector_id'").fetchall():
            return
        connection.execute("insert or replace into meta values (?, ?)", ("collector_id", "new"))


@pytest.mark.parametrize("is_upgraded", [True, False])
def test_a_version_before_is_refused_by_a_newer_state(tmp_path: Path, is_upgraded: bool) -> None:
    machine = restored("06-claude-priority-tier-is-not-fast-mode", tmp_path) if is_upgraded else Machine(tmp_path)
    if is_upgraded:
        statements_of_before(machine.state)
    machine.run()
    with pytest.raises(sqlite3.IntegrityError, match="a newer version of millrace has upgraded this state"):
        statements_of_before(machine.state)


def test_a_newer_format_is_refused_with_the_next_step(machine: Machine) -> None:
    machine.log("claude").write_bytes(response("m1"))
    machine.run()
    with closing(sqlite3.connect(machine.state / "state.sqlite")) as connection, connection:
        connection.execute("update about set value = '3' where name = 'format'")
    with pytest.raises(ConfigError, match="expected format 2 or older, got 3; update this one"):
        machine.collect()
    assert outputs(machine.merged()) == {"m1": 7}
