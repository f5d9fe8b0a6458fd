"""The cases of `tests/golden/usage-cases`: each as a home folder, what is right, and what the collector makes of it."""

import json
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from millrace.collect.machine import Machine
from millrace.collect.parsers.agents import AGENTS
from millrace.config import CollectConfig

FOLDER = Path(__file__).resolve().parents[2] / "golden" / "usage-cases"
CURSOR = ".config/Cursor/User/globalStorage/state.vscdb"
KILO = ".local/share/kilo/kilo.db"
_ZONES = {"19-claude-days-of-the-user": "America/New_York"}
_TOKENS = {
    "input": "input_tokens",
    "output": "output_tokens",
    "cache_read": "cache_read_tokens",
    "cache_write_5m": "cache_write_5m_tokens",
    "cache_write_1h": "cache_write_1h_tokens",
}

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Counts:
    """The responses, tokens and prompts of a home."""

    responses: int
    prompts: int
    input: int
    output: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int

    def times(self, factor: int) -> "Counts":
        """Return the counts with more tokens in each response."""
        tokens = {name: getattr(self, name) * factor for name in _TOKENS}
        return Counts(responses=self.responses, prompts=self.prompts, **tokens)

    @classmethod
    def of(cls, rows: Sequence[Row]) -> "Counts":
        """Return the counts of usage events; what is unknown adds nothing."""
        responses = [row for row in rows if row["role"] == "assistant"]
        tokens = {name: sum(row[column] or 0 for row in responses) for name, column in _TOKENS.items()}
        return cls(responses=len(responses), prompts=len(rows) - len(responses), **tokens)


@dataclass(frozen=True, slots=True)
class Case:
    """One case. `cost_usd` is None where any known cost, and an unknown one, is right."""

    name: str
    counts: Counts
    cost_usd: Decimal | None

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a run; `{home}` stands for the home."""
        path = FOLDER / self.name / "env.json"
        given = json.loads(path.read_text()) if path.exists() else {}
        return given | ({"TZ": _ZONES[self.name]} if self.name in _ZONES else {})

    def write(self, home: Path) -> None:
        """Write the home folder of the case, with the databases and links that the repository does not hold."""
        source = FOLDER / self.name
        home.mkdir(parents=True)
        if (source / "home").exists():
            shutil.copytree(source / "home", home, dirs_exist_ok=True)
        if (source / "rows.jsonl").exists():
            rows = [json.loads(line) for line in (source / "rows.jsonl").read_text().splitlines()]
            write_cursor(home / CURSOR, [(row["key"], row["value"]) for row in rows])
        if (source / "kilo.sql").exists():
            write_database(home / KILO, (source / "kilo.sql").read_text())
        links = json.loads((source / "links.json").read_text()) if (source / "links.json").exists() else {}
        for path, target in links.items():
            link = home / Path(path).relative_to("home")
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(target, target_is_directory=True)


def _case(folder: Path) -> Case:
    expected = json.loads((folder / "expected.json").read_text(), parse_float=Decimal)
    counts = Counts(**{name: expected[name] for name in ("responses", "prompts", *_TOKENS)})
    cost = expected["cost_usd"]
    return Case(folder.name, counts, None if cost is None else Decimal(cost))


CASES = [_case(path.parent) for path in sorted(FOLDER.glob("*/expected.json"))]


def write_cursor(path: Path, rows: Sequence[tuple[str, str | None]]) -> None:
    """Write Cursor's database with these rows."""
    table = "create table {} (key text unique on conflict replace, value blob)"
    write_database(path, ";".join(table.format(name) for name in ("ItemTable", "cursorDiskKV")))
    with closing(sqlite3.connect(path)) as database, database:
        database.executemany("insert into cursorDiskKV values (?, ?)", rows)


def write_database(path: Path, script: str) -> None:
    """Write a database by a script of SQL."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as database:
        database.executescript(script)


def machine_of(home: Path, state: Path, user: str = "ada@example.com", environment: Row | None = None) -> Machine:
    """Return the machine that `millrace collect --home HOME` reads."""
    given = {name: value.replace("{home}", str(home)) for name, value in (environment or {}).items()}
    config = CollectConfig(is_off=False, lake=None, user=user, hash_key=None, state=None, environment=given)
    return Machine(home, config, frozenset(AGENTS), state)


def sent(state: Path) -> list[Row]:
    """Return what a warehouse has of the files in the spool: the last row of each key that is not withdrawn."""
    files = sorted(state.glob("spool/*.parquet"))
    rows = [row for file in files for row in pq.read_table(file).to_pylist()]
    last = {(row["agent"], row["message_id"], row["request_id"]): row for row in rows}
    return [row for row in last.values() if not row["is_withdrawn"]]
