"""What people and machines do to a data directory: lose it, put an older one back, empty a file, copy the lake.

The rule: after the disturbance and one more plain run, the tables are those of a clean run.
"""

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from tests.proofs.faults.choices import Choices
from tests.proofs.faults.world import BUCKET, World

from millrace.tables import EXTRACTED

_OF_RUNS = ("state/{table}.json", "runs/*/final.json", "runs/*/tasks/{table}.json", "runs/*/plan.json")
_OF_BUILDS = ("build/lease.json", "build/requested.json", "state/compared.json")
_CONTENTS = (b"", b'{"run_id":', b"[]\n")
AFTERWARDS = timedelta(hours=25)  # by then a sweep has compared everything


def disturb(world: World, choices: Choices) -> str:
    """Do one of these things, as drawn; gives its name."""
    operations: list[Callable[[World, Choices], str]] = [
        _forget_loads,
        _forget_loads,
        _empty_an_object,
        _remove_an_object,
        _copy_the_lake,
        _lose_parts_and_loads,
    ]
    return operations[choices.draw("what is done to the machine", len(operations))](world, choices)


def _forget_loads(world: World, choices: Choices) -> str:
    """Lose the warehouse, or put an older one back: all of what came after a load is gone."""
    newest = world.engine.query("SELECT coalesce(max(load_seq), 0) FROM meta.loads")[0][0]
    through = choices.draw("an older warehouse is put back", newest + 1)
    for table in EXTRACTED:
        world.engine.change(f"DELETE FROM raw.{table} WHERE _load_seq > {through}")  # noqa: S608
    world.engine.change(f"DELETE FROM meta.loads WHERE load_seq > {through}")  # noqa: S608
    return f"the warehouse of load {through} of {newest} is put back"


def _empty_an_object(world: World, choices: Choices) -> str:
    path = _chosen(world, choices)
    path.write_bytes(_CONTENTS[choices.draw("content", len(_CONTENTS))])
    return f"{path.name} is damaged"


def _remove_an_object(world: World, choices: Choices) -> str:
    path = _chosen(world, choices)
    path.unlink(missing_ok=True)
    return f"{path.name} is removed"


def _chosen(world: World, choices: Choices) -> Path:
    names = [name.format(table=table) for name in _OF_RUNS for table in EXTRACTED] + list(_OF_BUILDS)
    lake = world.folder / BUCKET
    found = sorted({path for name in names for path in lake.glob(name)})
    return found[choices.draw("which object", len(found))]


def _copy_the_lake(world: World, choices: Choices) -> str:
    """Give every object another generation, as a copy does."""
    for path in (world.folder / BUCKET).rglob("*"):
        if path.is_file():
            os.utime(path)
    return "the lake is copied"


def _lose_parts_and_loads(world: World, choices: Choices) -> str:
    """Lose a table in the warehouse and in the lake: only the source has it."""
    table = list(EXTRACTED)[choices.draw("which table", len(EXTRACTED))]
    for path in (world.folder / BUCKET / "raw" / table).rglob("*.parquet"):
        path.unlink()
    world.engine.change(f"DELETE FROM raw.{table} WHERE _run_id IS NOT NULL")  # noqa: S608
    world.engine.change(f"DELETE FROM meta.loads WHERE table_name = '{table}' AND run_id IS NOT NULL")  # noqa: S608
    return f"{table} is lost in the lake and in the warehouse"
