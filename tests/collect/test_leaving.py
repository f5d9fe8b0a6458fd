"""No text, code, address or path of a log leaves the machine, in a file or in its name."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.collect.machine import Machine, cursor_database, put
from tests.collect.parsers.corpus import CASES, Case
from tests.collect.parsers.test_privacy import SECRETS, poisonings

from millrace.collect.identity import Privacy
from millrace.collect.parsers.agents import AGENTS
from millrace.tables import TABLES

MOST = 400  # logs of an agent that are written


def poison(machine: Machine, agent: str) -> None:
    """Write logs with a secret in some field of some line: a sample of those of the parsers' test."""
    logs = list(zip(*(poisonings(agent, secret) for secret in SECRETS), strict=True))
    stored: list[tuple[str, str]] = []
    for number, each in enumerate(logs[:: max(1, len(logs) // MOST)]):
        secret, lines = SECRETS[number % len(SECRETS)], each[number % len(SECRETS)]
        if agent == "cursor":
            rows = [line for line in lines if isinstance(line, dict)]
            texts = [(str(row.get("key")), row.get("value")) for row in rows]
            stored += [(f"{key}{number}", value if isinstance(value, str) else secret) for key, value in texts]
        elif AGENTS[agent].is_document:
            machine.log(agent, f"T{number}").write_text(json.dumps(lines))
        else:
            machine.log(agent, f"S{number}").write_bytes(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
    if stored:
        database = cursor_database(machine.log(agent))
        database.execute("begin")
        put(database, stored)
        database.execute("commit")
        database.close()


def leaving(machine: Machine) -> str:
    """Return all values of all columns that are sent, and the objects' names."""
    machine.collect()
    names = [stored.version.name for stored in machine.ship().sent]
    tables = [pq.read_table(machine.folder / "lake" / name) for name in names]
    values = [str(value) for table in tables for column in table.columns for value in column.to_pylist()]
    return "\n".join([*names, *values, *(str(table.schema.metadata) for table in tables)])


@pytest.mark.parametrize("agent", AGENTS)
def test_secrets_in_a_log_do_not_leave(machine: Machine, agent: str) -> None:
    machine.privacy = Privacy("a key")
    poison(machine, agent)
    said = leaving(machine)
    assert said
    assert [secret for secret in SECRETS if secret in said] == []
    assert machine.user_id not in said.splitlines()


def test_with_a_key_neither_user_nor_project_can_be_read(machine: Machine) -> None:
    case = next(case for case in CASES if str(case) == "claude/a_project_below_a_home")
    machine.user_id, machine.privacy = "alex.doe@example.com", Privacy("a key")
    write_logs(machine, case)
    rows = machine.run()
    assert {row["user_id"] for row in rows} == {Privacy("a key").named("alex.doe@example.com")}
    assert all(row["project"] is None or row["project"].startswith("h-") for row in rows)
    assert any(row["project"] for row in rows)


def test_without_a_key_they_are_as_they_are(machine: Machine) -> None:
    case = next(case for case in CASES if str(case) == "claude/a_project_below_a_home")
    write_logs(machine, case)
    assert {row["user_id"] for row in machine.run()} == {"dev@example.com"}


def write_logs(machine: Machine, case: Case) -> None:
    for number, log in enumerate(case.logs):
        machine.log(case.agent.name, f"S{number}").write_bytes(log)


def test_only_the_columns_of_the_table_leave(machine: Machine) -> None:
    poison(machine, "claude")
    machine.collect()
    file: Path = next(machine.spool.iterdir())
    schema: pa.Schema = pq.read_schema(file)
    assert schema.names == TABLES["usage_events"].schema.names
    assert not schema.metadata
