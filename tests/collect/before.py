"""States, homes and lakes of commit 5b5ff0c, the last one that sent each copy of a response as an event of its own.

`tests/golden/usage_before.zip` has them, a folder for each case of `tests/golden/usage-cases`. They were made by that
commit's own code:

    git archive --prefix=before/ 5b5ff0c | tar x -C /tmp
    python -m tests.collect.before /tmp/before tests/golden/usage-cases
"""

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from tests.collect.machine import Machine

from millrace.collect.chunks import stat_log
from millrace.collect.parsers.agents import AGENTS

_LATER = datetime(2026, 12, 1, tzinfo=UTC)
GOLDEN = Path(__file__).parents[1] / "golden" / "usage_before.zip"


def make(tree: Path, cases: Path) -> None:
    """Collect the home of each case with the code in `tree`, and write what is there afterwards."""
    with tempfile.TemporaryDirectory() as folder, ZipFile(GOLDEN, "w", ZIP_DEFLATED) as golden:
        for case in sorted(path for path in cases.iterdir() if (path / "home").is_dir()):
            place = Path(folder, case.name)
            shutil.copytree(case / "home", place / "home", symlinks=True)
            command = [sys.executable, "-m", "millrace", "collect", "--home", str(place / "home")]
            paths = os.pathsep.join(str(tree / name) for name in ("src", "local"))
            environment = {"PATH": os.environ["PATH"], "PYTHONPATH": paths, "MILLRACE_COLLECT_STATE": f"{place}/state"}
            environment |= {"MILLRACE_COLLECT_USER": "dev@example.com"}
            subprocess.run([*command, "--lake", f"file://{place}/lake"], env=environment, cwd=tree, check=True)
            for path in sorted(place.rglob("*")):
                name = f"{case.name}/{path.relative_to(place)}"
                if path.is_symlink():
                    link = ZipInfo(name)
                    link.external_attr = 0o120777 << 16
                    golden.writestr(link, os.readlink(path))
                elif path.is_file():
                    golden.write(path, name)


def names() -> list[str]:
    """Return the names of the cases."""
    with ZipFile(GOLDEN) as golden:
        return sorted({name.partition("/")[0] for name in golden.namelist()})


def restored(case: str, folder: Path) -> Machine:
    """Return the machine of a case, in whose state the logs are where they are now."""
    with ZipFile(GOLDEN) as golden:
        for one in golden.infolist():
            name, _, rest = one.filename.partition("/")
            path = folder / rest
            if name == case:
                path.parent.mkdir(parents=True, exist_ok=True)
                if one.external_attr >> 16 == 0o120777:
                    path.symlink_to(golden.read(one).decode())
                else:
                    path.write_bytes(golden.read(one))
    machine = Machine(folder, now=lambda: _LATER)
    with closing(sqlite3.connect(machine.state / "state.sqlite")) as state, state:
        for log, agent, path in state.execute("select log, agent, path from logs").fetchall():
            now = machine.home / os.fsdecode(path).partition(f"/{case}/home/")[2]
            seen = stat_log(now, AGENTS[agent])
            assert seen is not None
            values = (os.fsencode(now), seen.identity, seen.text, log)
            state.execute("update logs set path = ?, identity = ?, seen = ? where log = ?", values)
    return machine


if __name__ == "__main__":
    make(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve())
