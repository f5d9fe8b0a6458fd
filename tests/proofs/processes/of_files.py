"""Users' actions on files: remove them, cut and damage them, restore older ones, copy, move and drop them."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from random import Random

from tests.proofs.faults.disturbing import CONTENTS, HOSTILE, OF_BUILDS, OF_RUNS
from tests.proofs.processes.workplace import Workplace

from millrace.tables import CURSOR_SIM

_LEAST_BYTES = 10


def remove(place: Workplace, path: Path, dice: Random) -> str:
    """Remove a file."""
    path.unlink(missing_ok=True)
    return f"{path.name} is removed"


def cut(place: Workplace, path: Path, dice: Random) -> str:
    """Cut a file at any place."""
    if not path.exists():
        return f"there is no {path.name}"
    size = int(path.stat().st_size * dice.choice((0.0, dice.random(), 0.99)))
    with path.open("r+b") as file:
        file.truncate(size)
    return f"{path.name} is cut to {size:,} bytes"


def damage(place: Workplace, path: Path, dice: Random) -> str:
    """Flip bytes, at one place or at many."""
    if not path.exists() or path.stat().st_size < _LEAST_BYTES:
        return f"there is no {path.name}"
    size, times = path.stat().st_size, dice.choice((1, 20, 400))
    with path.open("r+b") as file:
        for _ in range(times):
            at = dice.randrange(size)
            file.seek(at)
            byte = file.read(1)[0]
            file.seek(at)
            file.write(bytes([byte ^ dice.randrange(1, 256)]))
    return f"{times} bytes of {path.name} are turned over"


def put_back(place: Workplace, path: Path, dice: Random) -> str:
    """Copy a file, let something happen, and restore the copy."""
    if not path.exists():
        return f"there is no {path.name}"
    older = place.folder / "older"
    shutil.copy2(path, older)
    place.logs.change(dice)
    name = dice.choice(("collect", "collect", "run --full-refresh"))
    place.do_plainly(name)
    shutil.copy2(older, path)
    older.unlink()
    return f"{path.name} is that of before {name}"


def on(name: str, change: Callable[[Workplace, Path, Random], str]) -> Callable[[Workplace, Random], str]:
    """Return the operation that changes a file of the data directory: `warehouse`, or `published`."""
    return lambda place, dice: change(place, getattr(place.place, name), dice)


def remove_notes(place: Workplace, dice: Random) -> str:
    """Remove the cursors of the source, or also all records of builds and runs."""
    names = dice.choice((("state",), ("state", "build"), ("state", "build", "runs")))
    for name in names:
        shutil.rmtree(place.place.lake / name, ignore_errors=True)
    return f"{' and '.join(names)} of the lake are removed"


def empty_an_object(place: Workplace, dice: Random) -> str:
    """Damage one of our JSON objects."""
    names = [name.format(table=table) for name in OF_RUNS for table in CURSOR_SIM] + list(OF_BUILDS)
    found = sorted({path for name in names for path in place.place.lake.glob(name)})
    found += [path for path in [place.data / "source.json"] if path.exists()] * 2
    if not found:
        return "there is no object"
    path, content = dice.choice(found), dice.choice(CONTENTS)
    path.write_bytes(content)
    return f"{path.relative_to(place.data)} is {content!r}"


def remove_state(place: Workplace, dice: Random) -> str:
    """Remove a collector's state, or all of its folder."""
    if dice.random() < 0.5:
        shutil.rmtree(place.place.collector, ignore_errors=True)
        return "the folder of the collectors is removed"
    return remove(place, place.place.collector / "state.sqlite", dice)


def damage_state(place: Workplace, dice: Random) -> str:
    """Cut or damage a collector's state, this one's or that of a simulated developer."""
    found = sorted(place.place.collector.rglob("state.sqlite"))
    if not found:
        return "there is no state"
    path = dice.choice(found)
    said = (cut if dice.random() < 0.4 else damage)(place, path, dice)
    return f"{path.parent.name}: {said}"


def copy_data(place: Workplace, dice: Random) -> str:
    """Copy the data directory as users do, and continue in the copy."""
    options = dice.choice(("-a", "-r"))
    there = place.data.with_name(f"{place.data.name}-copied")
    if place.data.exists():
        subprocess.run(["cp", options, str(place.data), str(there)], check=True)
    place.move(there)
    return f"cp {options}"


def move_data(place: Workplace, dice: Random) -> str:
    """Move the data directory."""
    if place.data.is_mount() or not place.data.exists():
        return copy_data(place, dice)
    there = place.folder / "elsewhere" / f"{place.data.name}-moved"
    there.parent.mkdir(exist_ok=True)
    place.data.rename(there)
    place.move(there)
    return "mv"


def change_logs(place: Workplace, dice: Random) -> str:
    """Change logs once or twice, perhaps with a collector run in between."""
    done = [place.logs.change(dice)]
    if dice.random() < 0.5:
        if dice.random() < 0.3:
            place.do_plainly("collect")
        done.append(place.logs.change(dice))
    return ", ".join(done)


def drop_hostile_file(place: Workplace, dice: Random) -> str:
    """Drop a file that must not be loaded."""
    name, content = dice.choice(HOSTILE)
    path = place.place.lake / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    command = dice.choice(("run --no-build", "collect", "build"))
    place.do_plainly(command)
    return f"{name!a}, then {command}"
