"""A full, locked or damaged state ends with an error that has a next step, and no event is lost."""

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from tests.collect.machine import Machine, outputs, response

from millrace.cli import main as cli
from millrace.collect.checkpoints import DDL, CheckpointStore
from millrace.collect.state_file import FILE, StateFile
from millrace.errors import ConfigError, TransientError

LINES = b"".join(response(f"m{number}") for number in range(400))


def test_full_disk_is_reported_and_collect_completes_after_space_is_freed(machine: Machine) -> None:
    machine.log("claude").write_bytes(LINES)
    with closing(CheckpointStore.open(machine.state)):
        pass
    connection = sqlite3.connect(machine.state / FILE, isolation_level=None)
    with closing(CheckpointStore(StateFile(connection, machine.state, DDL))) as store:
        collector = machine.collector(store)
        pages = connection.execute("pragma page_count").fetchone()[0]
        connection.execute(f"pragma max_page_count = {pages + 2}")
        with pytest.raises(TransientError, match=r"full; nothing is lost"):
            collector.collect()
        assert list(machine.spool.glob("*")) == []
        connection.execute("pragma max_page_count = 100000")
        assert collector.collect().new == 400
    assert len(outputs(machine.run())) == 400


def test_locked_state_is_reported(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.log("claude").write_bytes(LINES)
    machine.run()
    with closing(sqlite3.connect(machine.state / FILE, isolation_level=None)) as other:
        other.execute("begin exclusive")
        monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, timeout=0))
        with pytest.raises(TransientError, match="locked"):
            machine.collect()


def flipped(state: Path, dice: random.Random) -> None:
    content = bytearray(state.read_bytes())
    for _ in range(2000):
        content[dice.randrange(4096, len(content))] = 0xFF
    state.write_bytes(content)


def garbled(state: Path, dice: random.Random) -> None:
    content = bytearray(state.read_bytes())
    for _ in range(300):
        content[dice.randrange(len(content))] = dice.randrange(256)
    state.write_bytes(content)


def zeroed(state: Path, dice: random.Random) -> None:
    content = bytearray(state.read_bytes())
    page = dice.randrange(1, len(content) // 4096) * 4096
    content[page : page + 4096] = bytes(4096)
    state.write_bytes(content)


def cut(state: Path, dice: random.Random) -> None:
    state.write_bytes(state.read_bytes()[: dice.randrange(1, state.stat().st_size)])


@pytest.mark.parametrize("damage", [flipped, garbled, zeroed, cut])
@pytest.mark.parametrize("seed", range(6))
def test_damaged_state_error_explains_repair(
    machine: Machine,
    damage: Callable[[Path, random.Random], None],
    seed: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MILLRACE_COLLECT_STATE", str(machine.state))
    log = machine.log("claude")
    log.write_bytes(LINES)
    command = ["collect", "--home", str(machine.home), "--lake", f"file://{machine.folder}/lake"]
    assert cli.main(command) == 0
    damage(machine.state / FILE, random.Random(f"{damage.__name__} {seed}"))  # noqa: S311 a test's dice
    log.write_bytes(LINES + response("m9999"))
    for _ in range(2):
        code = cli.main(command)
        said = capsys.readouterr().err
        assert code in (0, 2)
        assert code == 0 or (said.count("\n") == 1 and "remove state.sqlite there, and all logs are read again" in said)
    (machine.state / FILE).unlink()
    assert cli.main(command) == 0
    assert "m9999" in outputs(machine.sent())


def test_values_that_a_state_cannot_hold_are_damage(machine: Machine) -> None:
    log = machine.log("claude")
    log.write_bytes(LINES)
    machine.run()
    with closing(sqlite3.connect(machine.state / FILE)) as connection, connection:
        connection.execute("update logs set state = '{'")
    log.write_bytes(LINES + response("m9999"))
    with pytest.raises(ConfigError, match="all logs are read again"):
        machine.collect()
