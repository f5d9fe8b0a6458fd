"""A database or document that was made to block the collector is reported, and stops no other log."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.collect.machine import ENDLESS, Machine, bubble, cursor_database, outputs, put, request, response

from millrace.collect.cursor_rows import read_rows
from millrace.collect.parsers import reading
from millrace.collect.parsers.agents import AGENTS
from millrace.collect.parsers.reading import LogState


@pytest.mark.parametrize(
    "schema",
    [
        pytest.param(ENDLESS, id="an endless view"),
        pytest.param("create view CURSORDISKKV as select 1 as rowid, 'x' as key, 'y' as value", id="a small view"),
        pytest.param("create virtual table cursorDiskKV using fts5(key, value)", id="a virtual table"),
        pytest.param(
            "create table cursorDiskKV (key text, value text as (hex(zeroblob(1000)))); "
            "insert into cursorDiskKV (key) values ('bubbleId:a:1')",
            id="a computed column",
        ),
        pytest.param("create table other (key, value)", id="no such table"),
        pytest.param(
            "create table cursorDiskKV (key primary key, value) without rowid; "
            "insert into cursorDiskKV values ('bubbleId:a:1', '{}')",
            id="a table without numbers",
        ),
    ],
)
def test_database_without_plain_table_is_a_bad_file(machine: Machine, schema: str) -> None:
    with closing(sqlite3.connect(machine.log("cursor"))) as database:
        database.executescript(schema)
    machine.log("claude").write_bytes(response("m1"))
    result = machine.collect()
    machine.ship()
    assert list(result.bad_files) == [machine.log("cursor")]
    assert outputs(machine.merged()) == {"m1": 7}


def test_slow_database_read_is_interrupted(tmp_path: Path) -> None:
    path = tmp_path / "state.vscdb"
    with closing(cursor_database(path)) as database:
        database.execute("begin")
        put(database, ((f"other:{number}", "x") for number in range(100_000)))
        database.execute("commit")
    with pytest.raises(sqlite3.OperationalError, match="interrupted"):
        list(read_rows(path, 0, "", 1 << 20, 1 << 20, patience_s=-1.0))


def test_time_that_the_reader_takes_is_not_the_databases(tmp_path: Path) -> None:
    path = tmp_path / "state.vscdb"
    with closing(cursor_database(path)) as database:
        put(database, [(f"bubbleId:C1:B{number}", bubble(number)) for number in range(3)])
    assert len(list(read_rows(path, 0, "", 1, 1 << 20))) == 4


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"[" + b"{}," * 1_000_001 + b"{}]", id="empty objects"),
        pytest.param(b"[" + b"[]," * 1_000_001 + b"[]]", id="empty arrays"),
        pytest.param(b"[" + b"1.5," * 1_000_001 + b"1]", id="numbers"),
        pytest.param(b'[{"a":[' + b'"x",' * 1_000_001 + b"1]}]", id="texts in one element"),
    ],
)
@pytest.mark.parametrize("agent", [name for name, agent in AGENTS.items() if agent.is_document])
def test_a_document_of_too_many_values_is_counted(agent: str, content: bytes) -> None:
    assert AGENTS[agent].read(content, LogState("T1")).skipped == {"too_large": 1}


def test_a_text_of_too_many_values_within_an_element_is_counted() -> None:
    element = request(1, 5) | {"text": "[" + "{}," * 1_000_001 + "{}]"}
    assert AGENTS["cline"].read(json.dumps([element]).encode(), LogState("T1")).skipped == {"too_large": 1}


def test_a_line_of_too_many_values_is_counted_and_the_next_one_read() -> None:
    bomb = b'{"a":[' + b"{}," * 1_000_001 + b"{}]}\n"
    found = AGENTS["claude"].read(bomb + response("m1"), LogState("S1"))
    assert (found.skipped, len(found.events)) == ({"too_large": 1}, 1)


def test_brackets_and_commas_within_texts_are_no_values() -> None:
    element = request(1, 5)
    code = {"ts": 1, "type": "say", "say": "text", "text": '{[,"\\' * 500_000}
    found = AGENTS["cline"].read(json.dumps([element, code]).encode(), LogState("T1"))
    assert (found.used, found.skipped) == (2, {})


def test_a_torn_line_with_many_beginnings_is_given_up_after_some(monkeypatch: pytest.MonkeyPatch) -> None:
    tries = 0

    class Counting:
        def raw_decode(self, text: str, place: int = 0) -> tuple[object, int]:
            nonlocal tries
            tries += place > 0
            value, end = json.JSONDecoder().raw_decode(text, place)
            return value, end

        def decode(self, text: str) -> object:
            return json.JSONDecoder().decode(text)

    monkeypatch.setattr(reading, "_DECODER", Counting())
    assert AGENTS["claude"].read(b'{"a' * 50_000 + b"\n", LogState("S1")).skipped == {"not_json": 1}
    assert tries == 1000
