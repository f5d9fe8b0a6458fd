"""Rows of Kilo's database are read as they are written and updated; what changed is read again, and nothing else."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st
from tests.collect.machine import Machine, outputs, response

from millrace.collect.message_rows import read_rows
from millrace.collect.parsers.naming import Owner

SCHEMA = """
create table session (id text primary key, parent_id text, directory text not null);
create table message (id text primary key, session_id text, time_created integer, time_updated integer, data text);
create table part (id text primary key, message_id text, data text);
create index parts on part (message_id);
"""
START = 1_795_168_860_000


def kilo(path: Path, is_wal: bool = False) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(f"pragma journal_mode = {'wal' if is_wal else 'delete'}")
    connection.executescript(SCHEMA)
    connection.execute("insert into session values ('ses_1', null, '/home/ada/shop')")
    connection.execute("insert into session values ('ses_2', 'ses_1', '/home/ada/shop')")
    return connection


def answer(second: int, output: int, is_ended: bool = True, **more: object) -> str:
    time = {"created": START + second * 1000} | ({"completed": START + second * 1000 + 500} if is_ended else {})
    tokens = {"input": 2 * output, "output": output, "reasoning": 0, "cache": {"read": 0, "write": 0}}
    return json.dumps({"role": "assistant", "modelID": "glm-5", "time": time, "tokens": tokens, "cost": 0} | more)


def prompt(second: int) -> str:
    return json.dumps({"role": "user", "time": {"created": START + second * 1000}})


def put(
    database: sqlite3.Connection, number: int, data: str | bytes | None, session: str = "ses_1", at: int = 0
) -> None:
    database.execute(
        """insert into message values (?, ?, ?, ?, ?) on conflict (id) do update
            set data = excluded.data, time_updated = excluded.time_updated""",
        (f"msg_{number}", session, START + number, START + (at or number), data),
    )


def place(machine: Machine) -> Path:
    return machine.home / ".local/share/kilo/kilo.db"


def told(machine: Machine) -> dict[str, int]:
    return {row["request_id"]: row["output_tokens"] for row in machine.run() if row["role"] == "assistant"}


def numbers(lines: bytes) -> list[str]:
    return [json.loads(line)["id"] for line in lines.splitlines()]


def test_row_that_streams_is_read_again_until_it_ends(machine: Machine) -> None:
    with closing(kilo(place(machine), is_wal=True)) as database:
        put(database, 1, prompt(1))
        put(database, 2, answer(2, 0, is_ended=False))
        assert told(machine) == {}
        put(database, 3, answer(3, 30))
        put(database, 2, answer(2, 5, is_ended=False), at=50)
        assert told(machine) == {"msg_2": 5, "msg_3": 30}
        put(database, 4, answer(4, 40), at=60)
        put(database, 2, answer(2, 20), at=20)  # its clock went back
        assert told(machine) == {"msg_2": 20, "msg_3": 30, "msg_4": 40}
        assert machine.collect().read == 0


def test_rows_of_a_later_run_have_no_owner_in_their_project(machine: Machine) -> None:
    machine.owner = Owner.of([], ["ada.lovelace"])
    with closing(kilo(place(machine))) as database:
        database.execute("update session set directory = '/srv/ada.lovelace/shop'")
        put(database, 1, answer(1, 10))
        machine.run()
        put(database, 2, answer(2, 20))
        assert [row["project"] for row in machine.run()] == ["shop", "shop"]


def test_row_that_had_ended_is_read_again_when_it_is_updated(machine: Machine) -> None:
    with closing(kilo(place(machine))) as database:
        for number in (1, 2, 3):
            put(database, number, answer(number, number))
        told(machine)
        put(database, 1, answer(1, 10), at=100)
        assert told(machine) == {"msg_1": 10, "msg_2": 2, "msg_3": 3}


def test_only_changed_and_new_rows_are_read(tmp_path: Path) -> None:
    path = tmp_path / "kilo.db"
    with closing(kilo(path)) as database:
        for number in range(1, 101):
            put(database, number, answer(number, 1, is_ended=number != 50))
        (first,) = read_rows(path, 0, "", 1 << 20, 1 << 20)
        put(database, 101, prompt(101))
        put(database, 7, answer(7, 2), at=200)
        (second,) = read_rows(path, first.last, first.fingerprint, 1 << 20, 1 << 20)
    assert len(numbers(first.lines)) == 100
    assert (numbers(second.lines), second.is_anew) == (["msg_7", "msg_50", "msg_100", "msg_101"], False)


@pytest.mark.parametrize("change", ["delete from message where rowid = 3", "delete from message where rowid > 1"])
def test_rows_that_got_numbers_of_deleted_ones_are_read(machine: Machine, change: str) -> None:
    with closing(kilo(place(machine))) as database:
        for number in (1, 2, 3):
            put(database, number, answer(number, number))
        told(machine)
        database.execute(change)
        for number in (4, 5):
            put(database, number, answer(number, number))
        assert told(machine) == {f"msg_{number}": number for number in range(1, 6)}


def test_prompts_are_of_people_only(machine: Machine) -> None:
    parts: dict[int, list[dict[str, object]]] = {
        1: [],
        2: [{"type": "text", "text": "x"}],
        3: [{"type": "text", "text": "x", "synthetic": True}],
        4: [{"type": "text", "synthetic": True}, {"type": "text", "text": "x"}],
        5: [{"type": "compaction", "auto": True}],
        6: [{"type": "subtask", "prompt": "x"}],
        7: [{"type": "file", "url": "data:"}],
        8: [{"type": "file", "url": "data:"}, {"type": "text", "synthetic": True}],
        9: [{"type": "text", "text": "x", "ignored": True}],
    }
    with closing(kilo(place(machine))) as database:
        for number, of_message in parts.items():
            for place_, part in enumerate(of_message):
                row = (f"p{number}.{place_}", f"msg_{number}", json.dumps(part))
                database.execute("insert into part values (?, ?, ?)", row)
            put(database, number, prompt(number))
        put(database, 10, prompt(10), session="ses_2")
        put(database, 11, answer(11, 3), session="ses_2")
    rows = machine.run()
    assert {row["request_id"] for row in rows if row["role"] == "user"} == {
        f"msg_{number}" for number in (1, 2, 4, 6, 7)
    }
    assert {row["project"] for row in rows} == {"shop"}
    assert [row["session_id"] for row in rows if row["role"] == "assistant"] == ["ses_2"]


@pytest.mark.parametrize("missing", ["session", "part"])
def test_database_without_other_tables_is_read(machine: Machine, missing: str) -> None:
    with closing(kilo(place(machine))) as database:
        database.execute(f"drop table {missing}")
        put(database, 1, prompt(1))
        put(database, 2, answer(2, 7))
    assert len(machine.run()) == 2


@pytest.mark.parametrize(
    "schema",
    [
        pytest.param("create view message as select 1 as id", id="a view"),
        pytest.param("create view MESSAGE as select 1 as id", id="a view in capitals"),
        pytest.param("create virtual table message using fts5(id, session_id, data)", id="a virtual table"),
        pytest.param("create table message (id text, data text as (hex(zeroblob(1000))))", id="a computed column"),
        pytest.param("create table message (id primary key, session_id, data) without rowid", id="without numbers"),
        pytest.param("create table message (id text)", id="without columns"),
        pytest.param("create table other (id text)", id="without the table"),
        pytest.param(
            SCHEMA + "drop table session; create view session as with recursive c(x) as "  # noqa: S608 a schema of the test
            "(select 1 union all select x + 1 from c) select x as id, x as parent_id, x as directory from c",
            id="an endless view of sessions",
        ),
        pytest.param(SCHEMA + "drop table part; create view PART as select 1 as message_id", id="a view of parts"),
    ],
)
def test_database_that_is_not_kilos_is_a_bad_file(machine: Machine, schema: str) -> None:
    place(machine).parent.mkdir(parents=True)
    with closing(sqlite3.connect(place(machine))) as database:
        database.executescript(schema)
    machine.log("claude").write_bytes(response("m1"))
    result = machine.collect()
    machine.ship()
    assert list(result.bad_files) == [place(machine)]
    assert outputs(machine.merged()) == {"m1": 7}


def test_triggers_of_a_database_do_not_run_and_nothing_is_written(machine: Machine) -> None:
    with closing(kilo(place(machine))) as database:
        database.execute("create trigger t after insert on message begin update message set data = 'x'; end")
        database.execute("drop trigger t")
        database.execute("create trigger t after update on message begin delete from message; end")
        put(database, 1, answer(1, 7))
    before = place(machine).read_bytes()
    assert told(machine) == {"msg_1": 7}
    assert place(machine).read_bytes() == before


HOSTILE: list[str | bytes | None] = [
    None, "", "x", "[]", "{}", b"\xff\xfe", b"\x00" * 100, "[" * 100_000, '{"role":' * 10_000, '{"role": "assistant"',
    '{"role": "assistant", "tokens": {"input": 1e999}}', '{"role": ["assistant"]}', '{"role": "user", "time": 7}',
    answer(1, 10**15), answer(1, 5, cost="free"), answer(1, 5, modelID=7), answer(1, 5, path=[1]),
]  # fmt: skip


@pytest.mark.parametrize("place_", range(len(HOSTILE)))
def test_hostile_value_is_counted_and_stops_no_other_row(machine: Machine, place_: int) -> None:
    with closing(kilo(place(machine))) as database:
        put(database, 1, HOSTILE[place_])
        put(database, 2, answer(2, 7))
        database.execute("insert into part values ('p', 'msg_1', ?)", (HOSTILE[place_],))
        result = machine.collect()
        machine.ship()
    assert (result.bad_files, sum(result.skipped.values())) == ({}, 1)
    assert [row["output_tokens"] for row in machine.merged()] == [7]


def test_value_over_the_limit_is_cut_and_counted(tmp_path: Path, machine: Machine) -> None:
    with closing(kilo(place(machine))) as database:
        put(database, 1, answer(1, 5, padding="x" * (33 << 20)))
        put(database, 2, answer(2, 7))
    assert machine.collect().skipped == {("kilocode", "too_large"): 1}
    (chunk,) = read_rows(place(machine), 0, "", 1 << 30, 100)
    assert len(chunk.lines) < 2000


def test_values_that_would_fill_the_memory_are_counted_and_stop_no_other_row(machine: Machine) -> None:
    with closing(kilo(place(machine))) as database:
        database.execute("insert into message values ('msg_1', 'ses_1', 1, 1, zeroblob(200000000))")
        put(database, 2, answer(2, 7))
        put(database, 3, prompt(3))
        database.execute("insert into part values ('p', 'msg_3', zeroblob(200000000))")
        database.execute("insert into message values ('msg_4', zeroblob(200000000), 1, 1, '{}')")
        put(database, 5, answer(5, 8))
    assert machine.collect().skipped == {("kilocode", "too_large"): 3}
    assert told(machine) == {"msg_2": 7, "msg_5": 8}


def test_slow_database_is_interrupted(tmp_path: Path) -> None:
    path = tmp_path / "kilo.db"
    with closing(kilo(path)) as database:
        database.execute("begin")
        for number in range(20_000):
            put(database, number, prompt(1))
        database.execute("commit")
    with pytest.raises(sqlite3.OperationalError, match="interrupted"):
        list(read_rows(path, 0, "", 1 << 30, 1 << 20, patience_s=-1.0))


steps = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(1, 12), st.integers(0, 9), st.booleans()),
        st.tuples(st.just("delete"), st.integers(1, 12), st.just(0), st.just(False)),
        st.tuples(st.just("read"), st.integers(1, 400), st.just(0), st.just(False)),
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(steps)
def test_rows_read_at_any_time_are_those_of_the_last_state(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, int, bool]]
) -> None:
    path = tmp_path_factory.mktemp("kilo") / "kilo.db"
    seen: dict[str, str] = {}
    last, fingerprint = 0, ""

    def read(chunk_bytes: int) -> Iterator[None]:
        nonlocal last, fingerprint
        for chunk in read_rows(path, last, fingerprint, chunk_bytes, 1 << 20):
            seen.update({row["id"]: row["data"] for row in map(json.loads, chunk.lines.splitlines())})
            last, fingerprint = chunk.last, chunk.fingerprint
            yield

    with closing(kilo(path)) as database:
        for clock, (step, number, output, is_ended) in enumerate(steps, start=100):
            if step == "put":
                put(database, number, answer(number, output, is_ended), at=clock)
            elif step == "delete":
                database.execute("delete from message where id = ?", (f"msg_{number}",))
            else:
                next(read(number))  # stopped after one chunk, as by a crash
        list(read(1 << 20))
        now = dict(database.execute("select id, data from message"))
    assert {row_id: seen.get(row_id) for row_id in now} == now


def test_fingerprint_of_another_form_reads_all(tmp_path: Path) -> None:
    path = tmp_path / "kilo.db"
    with closing(kilo(path)) as database:
        put(database, 1, answer(1, 1))
    for fingerprint in ("", "x", "[]", "[1, 2]", '["msg_1", "x", []]', '["msg_1", 1, [null]]'):
        (chunk,) = read_rows(path, 1, fingerprint, 1 << 20, 1 << 20)
        assert (numbers(chunk.lines), chunk.is_anew) == (["msg_1"], True)
