"""The place of a schedule: a desk that records its commands, and their reports of the state and of the repair."""

import json
import re
import shlex
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
from tests.proofs.killing.killing import Contents, contents, marts
from tests.proofs.killing.random_kills import MILLRACE, Desk, ends
from tests.proofs.processes.abilities import CLOCK
from tests.proofs.processes.forked import Forked, asked
from tests.proofs.processes.logs import Logs
from tests.proofs.processes.mounts import Mounts

from millrace.cli.output import FAILED
from millrace.laptop.data_dir import DataDir

_NAMED = re.compile(r"millrace (run|build|rebuild|collect)((?: --?[a-z-]+(?: '[^']*'| [^\s;,\"'-][^\s;,\"']*)?)*)")
_STATE = re.compile(r"the state in (\S+) is damaged.*; remove (\S+) there")
_NOTE = re.compile(r"error: (\S+) is damaged: it names no source; remove it")
_OBJECT = re.compile(r"the object (\S+) is damaged")
_FLAGS = ("--full-refresh", "--force")


@dataclass(frozen=True)
class Answer:
    """How a plain run and a plain collect ended, the status after them, and their whole output."""

    codes: tuple[int, ...]
    health: str
    said: str

    @property
    def is_green(self) -> bool:
        """Return whether a user sees no next step."""
        return not any(self.codes) and self.health == "live"

    def __str__(self) -> str:
        return f"exit codes {self.codes}, {self.health}"


class Workplace(Desk):
    """A desk at which faults happen; `wrong` are errors that no fault may cause."""

    def __init__(self, folder: Path, is_remembered: bool) -> None:
        super().__init__(folder)
        self.folder = folder
        self.mounts = Mounts(folder)
        self.logs = Logs(self.home, is_remembered)
        self.story: list[str] = []
        self.wrong: list[str] = []
        self._since = time.monotonic()

    @property
    def commands(self) -> dict[str, tuple[str, ...]]:
        """The commands of a desk, and more."""
        known = super().commands
        at = f"--data-dir={self.data}"
        more = {f"{name} --no-build": (*known[name], "--no-build") for name in ("run", "run --full-refresh")}
        more |= {f"build{flag}": (*MILLRACE, "build", at, *flag.split()) for flag in ("", " --force")}
        more |= {"rebuild --force": (*MILLRACE, "rebuild", at, "--force")}
        return known | more | {"status": (*MILLRACE, "status", "--json", at)}

    @property
    def place(self) -> DataDir:
        """The parts of the data directory."""
        return DataDir(self.data)

    def do(self, name: str, clock: str | None = None) -> int:
        """Run a command to its end, perhaps with another clock; return its exit code."""
        process = self.start(name, prefix_of(clock))
        self.heed(name, ends(process, self))
        return process.returncode

    def do_plainly(self, name: str) -> int:
        """Run a command without faults; return its exit code."""
        process = Forked(self.commands[name], self.environment, self.folder / "said")
        self.heed(name, ends(process, self))
        return FAILED if process.returncode is None else process.returncode

    def heed(self, name: str, wrong: Sequence[str]) -> None:
        """Record how a command ended."""
        said = self.said.strip().splitlines()
        tail = [line for line in said if "error" in line.lower() or line.startswith("look:")] or said[-1:]
        seconds, self._since = time.monotonic() - self._since, time.monotonic()
        self.story.append(f"{name} ({seconds:.0f} s): {' | '.join(line[:300] for line in tail[-3:])}")
        self.wrong += [f"{name}: {each}" for each in wrong]

    def answer(self) -> Answer:
        """Run and collect as usual, and read the status."""
        codes, said = [], []
        for name in ("run", "collect"):
            codes.append(self.do_plainly(name))
            said.append(self.said)
        self.do_plainly("status")
        told = self.said
        found = json.loads(told[told.index("{") : told.rindex("}") + 1]) if "{" in told else {}
        checks = [each for each in found.get("checks", ()) if each["code"] != "no_price"]
        said += [*found.get("reasons", ()), *(f"{each['text']}; {each['remedy']}" for each in checks)]
        return Answer(tuple(codes), found.get("health", f"no status: {told[-500:]}"), "\n".join(said))

    def repair(self, answer: Answer) -> Iterator[str]:
        """Run the named repairs, one after the other; yield each."""
        for folder, name in sorted(set(_STATE.findall(answer.said))):
            Path(folder, name).unlink(missing_ok=True)
            yield f"remove {name}"
        for name in sorted(set(_NOTE.findall(answer.said))):
            Path(name).unlink(missing_ok=True)
            yield f"remove {Path(name).name}"
        for name in sorted(set(_OBJECT.findall(answer.said))):
            (self.place.lake / name).unlink(missing_ok=True)
            yield f"remove {name}"
        for name in named(answer.said):
            self.do_plainly(name)
            yield name

    def contents(self) -> Contents | str:
        """Return the rows of the published copy and of the warehouse, or why they cannot be read."""
        return asked(self._contents, self.folder)

    def _contents(self) -> Contents | str:
        try:
            of_warehouse = marts(self.place.warehouse)
            return contents(self.data) | {f"warehouse: {name}": rows for name, rows in of_warehouse.items()}
        except duckdb.Error as error:
            return str(error).splitlines()[0]

    def move(self, data: Path) -> None:
        """Continue in another data directory."""
        self.data = data

    def copy_from(self, template: Path) -> None:
        """Copy the contents of an earlier data directory."""
        shutil.copytree(template, self.data)


def named(said: str) -> list[str]:
    """Return the commands that a text names as the next step, in order."""
    found = []
    for verb, options in _NAMED.findall(said):
        flags = [flag for flag in _FLAGS if flag in shlex.split(options)]
        found.append(" ".join((verb, *flags)))
    return list(dict.fromkeys(found))


def prefix_of(clock: str | None) -> tuple[str, ...]:
    """Return the command that starts another one with another clock."""
    if clock is None:
        return ()
    return ("env", *(f"{name}={value}" for name, value in CLOCK.items()), "faketime", "-f", clock)
