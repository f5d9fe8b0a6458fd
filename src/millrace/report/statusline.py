"""One line for Claude Code's status line: model, costs of the session, of today and of the active block, and its pace.

The input is documented at https://code.claude.com/docs/en/statusline. Nothing is written and no lock is taken: the
store is only read, and what the session's transcript has beyond it is read into memory.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from millrace.collect.checkpoints import CheckpointStore
from millrace.collect.chunks import BadFile, LogProgress, read_chunks
from millrace.collect.following import progress_of
from millrace.collect.machine import Machine
from millrace.collect.parsers.agents import AGENTS
from millrace.collect.parsers.event import UsageEvent, resolve
from millrace.collect.parsers.fields import MalformedError, read_cost, read_id
from millrace.collect.parsers.reading import LogState
from millrace.collect.records import to_event, to_row
from millrace.errors import MillraceError
from millrace.prices import RateCard, to_picodollars
from millrace.report.blocks import BLOCK_US, HOUR_US, MINUTE_US, Block, blocks
from millrace.report.opening import has_state
from millrace.report.sums import Pricing, Row, Sums
from millrace.report.tables import dollars, money
from millrace.report.tallies import Selection
from millrace.report.zones import Zone
from millrace.terminal import printable

MOST_BYTES = 1 << 20
"""The most bytes of the input, and of a text in it that is shown or opened."""
_MOST_UNREAD_BYTES = 4 << 20
_PATIENCE_S = 0.1
_LOOK_BACK_US = (24 * HOUR_US, 7 * 24 * HOUR_US, 35 * 24 * HOUR_US)
_LAST_INSTANT_S = 253_402_300_800
_CLAUDE = Selection(agents=frozenset(("claude",)))
_LONGEST_NAME = 40


@dataclass(frozen=True, slots=True)
class Session:
    """What Claude Code says of a session; None where it does not, or in another form."""

    model: str | None = None
    session_id: str | None = None
    transcript: Path | None = None
    cost: int | None = None
    resets_at_us: int | None = None

    @classmethod
    def parse(cls, text: bytes) -> "Session":
        """Return the session of an input; an empty one when it is no JSON object."""
        try:
            fields = _object(json.loads(text, parse_float=Decimal))
        except (ValueError, ArithmeticError, RecursionError):
            return cls()
        model, limits = _object(fields.get("model")), _object(_object(fields.get("rate_limits")).get("five_hour"))
        path = _text(fields.get("transcript_path"))
        return cls(
            model=_text(model.get("display_name")) or _text(model.get("id")),
            session_id=_id(fields),
            transcript=Path(path) if path else None,
            cost=_cost(_object(fields.get("cost"))),
            resets_at_us=_instant_us(limits.get("resets_at")),
        )


def line(session: Session, machine: Machine, zone: Zone, now: datetime, typed: Path | None = None) -> str:
    """Return the line, at the prices of the rate card and of a file of typed ones; what is not known is left out."""
    now_us = int(now.timestamp() * 1_000_000)
    parts = [] if session.model is None else [printable(session.model)[:_LONGEST_NAME]]
    try:
        rows, is_whole = _rows(session, machine, zone, now_us)
        pricing = Pricing(RateCard.load(typed))
        parts += _told(session, rows, pricing, zone, now_us, is_whole)
    except (MillraceError, OSError):
        parts += [] if session.cost is None else [f"{dollars(session.cost)} session"]
    return " | ".join(parts) or "millrace: nothing is known yet"


def _told(
    session: Session, rows: list[Row], pricing: Pricing, zone: Zone, now_us: int, is_whole: bool
) -> Iterator[str]:
    own, today = Sums(is_lower_bound=not is_whole), Sums(is_lower_bound=not is_whole)
    day = zone.day(now_us)
    for row in rows:
        cost = pricing.cost(row)
        if row[0] == "claude" and row[3] == session.session_id:
            own.add(row, cost)
        if zone.day(row[5]) == day:
            today.add(row, cost)
    if own.n_cost and is_whole:
        yield f"{money(own)} session"
    elif session.cost is not None:
        yield f"{dollars(session.cost)} session"
    yield f"{money(today)} today"
    found = blocks(rows, zone, pricing, _CLAUDE, now_us)
    if found and found[-1].is_active:
        yield from _block(found[-1], session.resets_at_us, now_us)


def _block(block: Block, resets_at_us: int | None, now_us: int) -> Iterator[str]:
    is_given = resets_at_us is not None and now_us < resets_at_us <= now_us + BLOCK_US
    end_us = resets_at_us if is_given and resets_at_us is not None else block.end_us
    left = (end_us - now_us) // MINUTE_US
    yield f"{money(block.sums)} block, {left // 60} h {left % 60:02} min left"
    pace = block.pace(now_us)
    if pace.cost_per_hour is not None:
        yield f"{dollars(pace.cost_per_hour)}/h"


def _rows(session: Session, machine: Machine, zone: Zone, now_us: int) -> tuple[list[Row], bool]:
    """Return the events that the line needs, and whether the transcript was read to its end."""
    if not has_state(machine.state):
        unread, is_whole = _unread(session, None)
        return [to_row(event) for event in resolve(unread)], is_whole
    midnight = _midnight_us(zone, now_us)
    with closing(CheckpointStore.look(machine.state, _PATIENCE_S)) as store:
        unread, is_whole = _unread(session, store)
        rows: list[Row] = []
        for back_us in _LOOK_BACK_US:
            since_us = min(midnight, now_us - back_us)
            rows = list(store.recent(since_us, session.session_id))
            if _begins_with_a_gap(rows, since_us):
                break
    if unread:
        known = [to_event(tuple(row)) for row in rows]
        rows = [to_row(event) for event in resolve([*known, *unread])]
    return rows, is_whole


def _begins_with_a_gap(rows: list[Row], since_us: int) -> bool:
    """Return whether the first block since an instant is certain: none that began before may last until then."""
    before = since_us
    for at in sorted(row[5] for row in rows if row[0] == "claude" and row[4] != "user" and row[5] >= since_us):
        if at - before >= BLOCK_US:
            return True
        before = at
    return False


def _unread(session: Session, store: CheckpointStore | None) -> tuple[list[UsageEvent], bool]:
    """Return the events of the transcript that the store does not have, and whether these are all."""
    path = session.transcript
    if path is None or path.suffix.lower() != ".jsonl":
        return [], True
    known = None if store is None else store.log_at(os.fsencode(path.resolve()))
    progress: LogProgress | None = None if known is None or not known.state else progress_of(known)
    try:
        left = path.stat().st_size - (0 if progress is None else progress.state.offset_bytes)
        if left > _MOST_UNREAD_BYTES:
            return [], False
        fresh = LogState(_file_id(path))
        return [
            event for chunk in read_chunks(path, AGENTS["claude"], fresh, progress) for event in chunk.reading.events
        ], True
    except FileNotFoundError:  # the first line is not written yet
        return [], True
    except (BadFile, OSError, ValueError):
        return [], False


def _midnight_us(zone: Zone, now_us: int) -> int:
    """Return an instant before which it was not today; a change of the clocks may make it an hour early."""
    local = zone.local(now_us)
    past = (local.hour * 60 + local.minute) * MINUTE_US
    return now_us - past - 2 * HOUR_US


def _object(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) < MOST_BYTES and "\0" not in value else None


def _instant_us(seconds: object) -> int | None:
    if not isinstance(seconds, int | Decimal) or not 0 < seconds < _LAST_INSTANT_S:
        return None
    return int(seconds) * 1_000_000


def _id(fields: Mapping[str, object]) -> str | None:
    """Return the session's id as the store has it."""
    try:
        return read_id(fields, "session_id")
    except MalformedError:
        return None


def _file_id(path: Path) -> str | None:
    return _id({"session_id": path.stem})


def _cost(fields: Mapping[str, object]) -> int | None:
    try:
        cost = read_cost(fields, "total_cost_usd")
    except MalformedError:
        return None
    return None if cost is None else to_picodollars(cost)
