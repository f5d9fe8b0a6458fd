"""Cases of the corpus, as files in a home, arrive in the lake as the events of the case; `parsers` reads them all."""

import json
from collections.abc import Iterator

import pyarrow.parquet as pq
import pytest
from tests.collect.machine import Machine, Row, cursor_database, key_of, put, response
from tests.collect.parsers.corpus import CASES, Case

from millrace.collect.parsers.agents import AGENTS
from millrace.tables import TABLES

FIELDS = (
    "agent", "session_id", "message_id", "request_id", "role", "project", "provider", "model", "speed",
    "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens",
    "reasoning_tokens", "is_estimated", "region", "web_searches", "is_lower_bound",
)  # fmt: skip


def written(machine: Machine, case: Case) -> Iterator[None]:
    """Write the logs of a case, one after the other; of Cursor, one row after the other."""
    if case.agent.name == "cursor":
        database = cursor_database(machine.log("cursor"))
        for line in case.logs[0].splitlines():
            put(database, rows_of(line))
            yield
        database.close()
        return
    for number, log in enumerate(case.logs):
        is_one = len(case.logs) == 1 or case.agent.is_document
        machine.log(case.agent.name, (case.session_id or "no id") if is_one else f"{number}").write_bytes(log)
        yield


def rows_of(line: bytes) -> list[tuple[str, str]]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return []
    is_row = isinstance(row, dict) and "key" in row and not isinstance(row["value"], dict)
    return [(row["key"], row["value"])] if is_row else []


def as_expected(row: Row) -> Row:
    instant = row["occurred_at"].isoformat().replace("+00:00", "Z")
    return {name: row[name] for name in FIELDS} | {"occurred_at": instant, "cost_usd": row["reported_cost_usd"]}


def events(case: Case) -> list[Row]:
    found = case.expected["events"]
    assert isinstance(found, list)
    return sorted(found, key=key_of)


# The most comprehensive case of each agent, and those of several logs.
RICHEST = [
    max((case for case in CASES if case.agent.name == agent), key=lambda case: (len(case.logs), len(events(case))))
    for agent in AGENTS
]
SEVERAL = [case for case in CASES if len(case.logs) > 1 and not case.agent.is_document]


@pytest.mark.parametrize("case", RICHEST, ids=str)
def test_sent_rows_match_golden_case(machine: Machine, case: Case) -> None:
    for _ in written(machine, case):
        machine.run()
    assert [as_expected(row) for row in machine.merged()] == events(case)
    assert machine.collect().batches == []


@pytest.mark.parametrize("case", SEVERAL, ids=str)
def test_complete_logs_match_golden_case_also_when_read_again(machine: Machine, case: Case) -> None:
    assert len(list(written(machine, case))) == len(case.logs)
    assert [as_expected(row) for row in machine.run()] == events(case)
    machine.force()
    tick = machine.collect()
    assert (tick.lines, tick.new) == (case.expected["lines"], 0)
    machine.ship()
    assert [as_expected(row) for row in machine.merged()] == events(case)


def test_a_file_has_the_schema_of_the_table(machine: Machine) -> None:
    machine.log("claude").write_bytes(response("m1"))
    machine.collect()
    file = next(machine.spool.glob("*.parquet"))
    assert pq.read_schema(file).equals(TABLES["usage_events"].schema)
    assert pq.ParquetFile(file).metadata.row_group(0).column(0).compression == "ZSTD"
