"""Rows of a real database of Cursor yield the same events in whatever parts and order they are read."""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest
from tests.collect.machine import Machine, Row, cursor_database, put
from tests.collect.parsers.corpus import CASES, Case

from millrace.collect.cursor_rows import read_rows
from millrace.collect.parsers import cursor
from millrace.collect.parsers.event import EventKey, UsageEvent, merge_all
from millrace.collect.parsers.reading import LogState, ParserLimits

LIMIT = 1 << 20
START = datetime(2026, 11, 20, 10, tzinfo=UTC)
OPUS = "claude-4.5-opus-high-thinking"


def lines_of(path: Path, limit: int = LIMIT) -> list[Row]:
    content = b"".join(rows.lines for rows in read_rows(path, 0, "", LIMIT, limit))
    return [json.loads(line) for line in content.splitlines()]


def events_of(path: Path, last: int = 0, fingerprint: str = "") -> dict[EventKey, UsageEvent]:
    content = b"".join(rows.lines for rows in read_rows(path, last, fingerprint, LIMIT, LIMIT))
    return merge_all(cursor.read(content, LogState()).events)


def write(path: Path, rows: Iterable[tuple[str, object]]) -> None:
    with closing(cursor_database(path)) as database:
        database.execute("begin")
        put(database, [(key, json.dumps(value)) for key, value in rows])
        database.execute("commit")


def bubble(kind: int, text: str, minute: int, counts: tuple[int, int] = (0, 0), **more: object) -> Row:
    at = (START + timedelta(minutes=minute)).isoformat().replace("+00:00", "Z")
    return {
        "type": kind,
        "text": text,
        "createdAt": at,
        "tokenCount": {"inputTokens": counts[0], "outputTokens": counts[1]},
    } | more


def composer(bubbles: Sequence[tuple[str, Row]], cents: int, context: int, **more: object) -> Row:
    return {
        "createdAt": round(START.timestamp() * 1000),
        "modelConfig": {"modelName": OPUS},
        "contextTokensUsed": context,
        "usageData": {OPUS: {"costInCents": cents, "amount": 1}} if cents else {},
        "fullConversationHeadersOnly": [{"bubbleId": name, "type": value["type"]} for name, value in bubbles],
    } | more


def cents(events: dict[EventKey, UsageEvent]) -> Decimal:
    return sum((event.cost_usd or Decimal(0) for event in events.values()), Decimal(0)) * 100


def turns(random: Random) -> list[tuple[str, Row]]:
    """Return the bubbles of a conversation: prompts, steps without text, and answers, some without an instant."""
    found = []
    is_counted = random.random() < 0.3
    for number in range(random.randrange(1, 9)):
        kind = random.choice((1, 2, 2))
        text = random.choice(("", "x" * random.randrange(1, 200)))
        counts = (random.randrange(1, 9000), random.randrange(1, 900)) if is_counted and kind == 2 and text else (0, 0)
        model = random.choice((None, None, "gpt-5-high", "grok-4.6"))
        value = bubble(kind, text, number, counts, **({"modelInfo": {"modelName": model}} if model else {}))
        if random.random() < 0.2:
            value.pop("createdAt")
        found.append((f"{number:08x}-b", value))
    return found


def conversations(random: Random) -> list[tuple[str, object]]:
    rows: list[tuple[str, object]] = []
    for number in range(random.randrange(1, 5)):
        name, bubbles = f"{number:08x}-c", turns(random)
        rows += [(f"bubbleId:{name}:{bubble_id}", value) for bubble_id, value in bubbles if random.random() < 0.9]
        rows.append((f"composerData:{name}", composer(bubbles, random.randrange(0, 200), random.randrange(0, 90_000))))
    random.shuffle(rows)
    return rows


WITH_COMPOSER = [
    case
    for case in CASES
    if case.agent.name == "cursor" and b'"key": "composerData:' in case.logs[0] and "broken" not in case.name
]


@pytest.mark.parametrize("case", WITH_COMPOSER, ids=str)
def test_database_yields_the_lines_of_the_corpus(tmp_path: Path, case: Case) -> None:
    expected = [json.loads(line) for line in case.logs[0].splitlines()]
    with closing(cursor_database(tmp_path / "state.vscdb")) as database:
        put(database, [(row["key"], row["value"]) for row in expected])
    found = lines_of(tmp_path / "state.vscdb")
    assert sorted(found, key=lambda row: str(row["key"])) == sorted(expected, key=lambda row: str(row["key"]))


@pytest.mark.parametrize("seed", range(40))
def test_reading_stopped_after_any_row_yields_the_same_events(tmp_path: Path, seed: int) -> None:
    random, path = Random(f"{seed}/stopped"), tmp_path / "state.vscdb"  # noqa: S311
    write(path, conversations(random))
    found: list[UsageEvent] = []
    last, fingerprint = 0, ""
    while (chunk := next(iter(read_rows(path, last, fingerprint, 1, LIMIT)))).last != last:
        found += cursor.read(chunk.lines, LogState()).events
        last, fingerprint = chunk.last, chunk.fingerprint
    assert merge_all(found) == events_of(path)


@pytest.mark.parametrize("seed", range(40))
def test_order_of_rows_changes_no_event(tmp_path: Path, seed: int) -> None:
    random = Random(f"{seed}/order")  # noqa: S311
    rows = conversations(random)
    write(tmp_path / "one.vscdb", rows)
    write(tmp_path / "other.vscdb", random.sample(rows, len(rows)))
    assert events_of(tmp_path / "one.vscdb") == events_of(tmp_path / "other.vscdb")


@pytest.mark.parametrize("seed", range(20))
def test_conversation_read_while_it_grows_yields_the_events_of_its_end(tmp_path: Path, seed: int) -> None:
    random, path = Random(f"{seed}/growing"), tmp_path / "state.vscdb"  # noqa: S311
    found: list[UsageEvent] = []
    bubbles: list[tuple[str, Row]] = []
    last, fingerprint = 0, ""
    for number in range(random.randrange(2, 8)):
        bubbles.append((f"b{number}", bubble(1 + number % 2, "x" * 40, number)))
        name, value = bubbles[-1]
        write(path, [(f"bubbleId:C1:{name}", value), ("composerData:C1", composer(bubbles, 10 * number, 900 * number))])
        if random.random() < 0.7:
            for chunk in read_rows(path, last, fingerprint, LIMIT, LIMIT):
                found += cursor.read(chunk.lines, LogState()).events
                last, fingerprint = chunk.last, chunk.fingerprint
    whole = events_of(path)
    assert merge_all([*found, *events_of(path, last, fingerprint).values()]) == whole
    assert cents(whole) == 10 * (len(bubbles) - 1)


def test_cost_and_context_are_counted_once_and_move_no_answer(machine: Machine) -> None:
    bubbles = [(f"b{n}", bubble(1 + n % 2, "x" * 40, n * 60 * 24)) for n in range(6)]
    write(
        machine.log("cursor"),
        [*((f"bubbleId:C1:{n}", b) for n, b in bubbles), ("composerData:C1", composer(bubbles, 37, 48_000))],
    )
    answers = [row for row in machine.run() if row["role"] == "assistant"]
    assert [row["reported_cost_usd"] for row in answers] == ["0.37", "0", "0"]
    assert [row["input_tokens"] for row in answers] == [48_000, None, None]
    assert [row["occurred_at"].day for row in answers] == [21, 23, 25]
    assert {row["model"] for row in answers} == {OPUS}


def test_change_is_read_without_the_rows_of_others(tmp_path: Path) -> None:
    path = tmp_path / "state.vscdb"
    others = [(f"bubbleId:other{n}:b1", bubble(2, "UNRELATED" * 300, 1)) for n in range(2000)]
    mine = [("b1", bubble(2, "x" * 40, 1))]
    write(path, [*others, ("bubbleId:C1:b1", mine[0][1]), ("composerData:C1", composer(mine, 5, 100))])
    *_, end = read_rows(path, 0, "", LIMIT, LIMIT)
    write(path, [("composerData:C1", composer(mine, 37, 48_000))])
    content = bytearray(path.read_bytes())
    for start in range(0, len(content), 4096):
        page = content[start : start + 4096]
        if b"UNRELATED" in page and b"C1" not in page:
            content[start : start + 4096] = bytes(4096)
    path.write_bytes(content)
    (event,) = events_of(path, end.last, end.fingerprint).values()
    assert (event.tokens.input_tokens, str(event.cost_usd)) == (48_000, "0.37")
    with pytest.raises(sqlite3.DatabaseError):  # the other rows are unreadable indeed
        events_of(path)


def test_conversation_of_thousands_of_bubbles_is_counted_once(tmp_path: Path) -> None:
    bubbles = [(f"b{n}", bubble(1 + n % 2, "x" * 40, n)) for n in range(6000)]
    write(
        tmp_path / "state.vscdb",
        [*((f"bubbleId:C1:{n}", b) for n, b in bubbles), ("composerData:C1", composer(bubbles, 37, 48_000))],
    )
    events = events_of(tmp_path / "state.vscdb")
    assert (len(events), cents(events)) == (6000, Decimal(37))


def test_conversation_over_the_size_limit_is_counted_and_its_answers_stay(tmp_path: Path) -> None:
    bubbles = [("b1", bubble(2, "x" * 40, 1))]
    large = composer(bubbles, 37, 48_000, text="x" * 5000)
    write(tmp_path / "state.vscdb", [("bubbleId:C1:b1", bubbles[0][1]), ("composerData:C1", large)])
    content = b"".join(rows.lines for rows in read_rows(tmp_path / "state.vscdb", 0, "", LIMIT, 3000))
    reading = cursor.read(content, LogState(), ParserLimits(line_bytes=3000))
    assert (len(reading.events), reading.skipped) == (1, {"too_large": 1})


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b'{"type": 2, "text": "x", "createdAt": 1e999}', id="an endless number"),
        pytest.param(b'{"type": 2, "text": "\xff", "createdAt": 1}', id="no UTF-8"),
        pytest.param(b'{"type": 2, "createdAt": ' + b"[" * 900 + b"]" * 900 + b"}", id="nested"),
        pytest.param(b'{"type": 2, "createdAt": "' + b"9" * 90_000 + b'"}', id="long"),
        pytest.param(b'{"type": 2, "createdAt": NaN}', id="no number"),
        pytest.param(b'{"type": {}, "tokenCount": [], "modelInfo": 7, "timingInfo": "x"}', id="wrong types"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"", id="nothing"),
        pytest.param(None, id="deleted"),
    ],
)
def test_broken_rows_stop_no_other_row(tmp_path: Path, value: bytes | None) -> None:
    bubbles = [("b1", bubble(2, "x" * 40, 1))]
    good = json.dumps(composer(bubbles, 37, 48_000))
    with closing(cursor_database(tmp_path / "state.vscdb")) as database:
        put(database, [("composerData:C2", value), ("bubbleId:C1:b0", value), ("bubbleId:C2:b0", value)])
        put(database, [("bubbleId:C1:b1", json.dumps(bubbles[0][1])), ("composerData:C1", good)])
    (event,) = (e for e in events_of(tmp_path / "state.vscdb").values() if e.message_id == "C1:b1")
    assert (event.tokens.input_tokens, event.tokens.output_tokens) == (48_000, 10)
