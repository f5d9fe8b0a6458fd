"""Disturbances by users and machines: a lost or older warehouse, a damaged file, a full disk, a wrong clock.

The rule: after the disturbance and one more plain run, the tables are those of a clean run.
"""

import errno
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from tests.proofs.faults.choices import Choices
from tests.proofs.faults.nature import Ailment
from tests.proofs.faults.world import BUCKET, World

from millrace.tables import CURSOR_SIM

OF_RUNS = ("state/{table}.json", "runs/*/final.json", "runs/*/tasks/{table}.json", "runs/*/plan.json")
OF_BUILDS = ("build/lease.json", "build/requested.json", "state/compared.json")
CONTENTS = (b"", b'{"run_id":', b"[]\n")
_LACKS = (errno.ENOSPC, errno.EROFS, errno.EMFILE, errno.EIO)
_FOR_CALLS = (1, 5, 25)
_AT = ("", "lake.download", "lake.write", "warehouse")
_WRONG_BY = (timedelta(days=4000), timedelta(days=1), timedelta(hours=-3), timedelta(days=-30))


def _with_column(name: str) -> bytes:
    """Return a file of one good row with one more column."""
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"commitHash": ["x"], "userId": ["y"], "repoName": ["z"], name: [1]}), sink)
    return bytes(sink.getvalue())


_ROW = b"commitHash,userId,repoName"  # with its key: only the hostile part keeps a file out
HOSTILE = (
    ("drop/commits/rowid.parquet", _with_column("rowid")),
    ("drop/commits/load.csv", _ROW + b",_load_seq\nx,y,z,99999\n"),
    ("drop/commits/case.csv", _ROW + b",COMMITHASH\nx,y,z,y\n"),
    ("drop/commits/statement.parquet", _with_column('a"); DROP TABLE raw.commits; --')),
    (
        "drop/commits/frozen.ndjson",
        b'{"commitHash": "x", "userId": "y", "repoName": "z", "_extracted_at": "2099-01-01T00:00:00Z"}\n',
    ),
    ("drop/commits/clock.parquet", _with_column("current_timestamp")),
    ("drop/commits/cut.parquet", b"PAR1\x15\x04PAR1"),
    ("drop/commits/deep.ndjson", b'{"a":' * 3000 + b"1" + b"}" * 3000),
    ("drop/nowhere/a.csv", b"a\n1\n"),
    ("drop/commits/\x1b[2J.csv", _ROW + b"\nx,y,z\n"),
)
OPERATION = "a disturbance"
AFTERWARDS = timedelta(hours=25)  # by then a sweep has compared everything


def disturb(world: World, choices: Choices) -> str:
    """Apply one of the disturbances, as drawn; return its name."""
    operations: list[Callable[[World, Choices], str]] = [
        _forget_loads,
        _forget_loads,
        _empty_an_object,
        _remove_an_object,
        _copy_the_lake,
        _lose_parts_and_loads,
        _fail_for_a_while,
        _run_with_a_wrong_clock,
        _drop_a_hostile_file,
    ]
    return operations[choices.draw("what is done to the machine", len(operations))](world, choices)


def _forget_loads(world: World, choices: Choices) -> str:
    """Lose the warehouse, or restore an older one: everything after a load is gone."""
    newest = world.engine.query("SELECT coalesce(max(load_seq), 0) FROM meta.loads")[0][0]
    through = choices.draw("an older warehouse is put back", newest + 1)
    for table in CURSOR_SIM:
        world.engine.change(f"DELETE FROM raw.{table} WHERE _load_seq > {through}")  # noqa: S608
    world.engine.change(f"DELETE FROM meta.loads WHERE load_seq > {through}")  # noqa: S608
    return f"an older warehouse is put back: that of load {through} of {newest}"


def _empty_an_object(world: World, choices: Choices) -> str:
    path = _chosen(world, choices)
    path.write_bytes(CONTENTS[choices.draw("content", len(CONTENTS))])
    return f"an object is damaged: {path.name}"


def _remove_an_object(world: World, choices: Choices) -> str:
    path = _chosen(world, choices)
    path.unlink(missing_ok=True)
    return f"an object is removed: {path.name}"


def _chosen(world: World, choices: Choices) -> Path:
    names = [name.format(table=table) for name in OF_RUNS for table in CURSOR_SIM] + list(OF_BUILDS)
    lake = world.folder / BUCKET
    found = sorted({path for name in names for path in lake.glob(name)})
    return found[choices.draw("which object", len(found))]


def _copy_the_lake(world: World, choices: Choices) -> str:
    """Assign every object another generation, as a copy does."""
    for path in (world.folder / BUCKET).rglob("*"):
        if path.is_file():
            os.utime(path)
    return "the lake is copied"


def _lose_parts_and_loads(world: World, choices: Choices) -> str:
    """Lose a table in the warehouse and in the lake: only the source still has it."""
    table = list(CURSOR_SIM)[choices.draw("which table", len(CURSOR_SIM))]
    for path in (world.folder / BUCKET / "raw" / table).rglob("*.parquet"):
        path.unlink()
    world.engine.change(f"DELETE FROM raw.{table} WHERE _run_id IS NOT NULL")  # noqa: S608
    world.engine.change(f"DELETE FROM meta.loads WHERE table_name = '{table}' AND run_id IS NOT NULL")  # noqa: S608
    return f"a table is lost in the lake and in the warehouse: {table}"


def _fail_for_a_while(world: World, choices: Choices) -> str:
    """Make a run fail at the drawn number of calls, for lack of space, write permission or handles; then free them."""
    lack = _LACKS[choices.draw("what is lacking", len(_LACKS))]
    calls = _FOR_CALLS[choices.draw("for how long", len(_FOR_CALLS))]
    at = _AT[choices.draw("at which calls", len(_AT))]
    world.scheduler.ailment = Ailment(lack, calls, at)
    world.start()
    world.scheduler.run()
    world.scheduler.ailment = None
    return f"{errno.errorcode[lack]}: at {calls} calls {at} of a run"


def _run_with_a_wrong_clock(world: World, choices: Choices) -> str:
    """Run, and perhaps sweep, with a clock that is wrong all the time; then set it right."""
    by = _WRONG_BY[choices.draw("how wrong the clock is", len(_WRONG_BY))]
    world.scheduler.clock.advance(by.total_seconds())
    world.start()
    world.scheduler.run()
    if choices.draw("a sweep with that clock", 2):
        world.sweep()
        world.scheduler.run()
    world.scheduler.clock.advance(-by.total_seconds())
    return f"a clock is wrong: by {by} for a run"


def _drop_a_hostile_file(world: World, choices: Choices) -> str:
    name, content = HOSTILE[choices.draw("which file", len(HOSTILE))]
    world.raw_lake.write(name, content, 0)
    world.scheduler.run()
    return f"a hostile file is dropped: {name!r}"
