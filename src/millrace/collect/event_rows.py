"""The events in a collector's state: a row for each log and request that reported one, billed as `billing` resolves."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, groupby, islice
from typing import cast

from millrace.collect.billing import (
    BATCH,
    EPOCH,
    EVENT,
    READING,
    RULES,
    SOURCE,
    Key,
    Settled,
    StoredRow,
    Withdrawal,
    billed,
    settle,
)
from millrace.collect.parsers.event import merge
from millrace.collect.records import COLUMNS, Row, to_event, to_row, with_repository
from millrace.collect.state_file import StateFile
from millrace.collect.state_format import PENDING

_ROW = ", ".join(COLUMNS)
_STORED = f"{_ROW}, source, epoch, batch, reading, rules"
_KEYS_AT_ONCE = 500
_MESSAGES_AT_ONCE = 5_000

_SAVE = f"insert or replace into events ({_STORED}) values ({', '.join('?' * (EVENT + 5))})"  # noqa: S608
_REMOVE = "delete from events where agent = ? and message_id = ? and request_id = ? and source = ?"
_WITHDRAW = f"insert or replace into withdrawn ({_ROW}, live, batch) values ({', '.join('?' * (EVENT + 2))})"  # noqa: S608
_RETURN = "delete from withdrawn where agent = ? and message_id = ? and request_id = ?"
_DUE = f"""with due as (
        select distinct agent, message_id from events
        where {PENDING} and (agent, message_id) > (:agent, :message) and (:since is null or occurred_at >= :since)
        order by agent, message_id limit {_MESSAGES_AT_ONCE}
    )
    select {_STORED} from due join events using (agent, message_id) order by agent, message_id"""  # noqa: S608
# The event that takes the place of a withdrawn one may be older than `since`: then both wait.
_WITHDRAWALS = f"""select {_ROW} from withdrawn where batch is null and (:since is null or not exists (
        select 1 from events where events.agent = withdrawn.agent and events.message_id = withdrawn.message_id
        and {PENDING.replace("batch", "events.batch")} and events.occurred_at < :since
    ))"""  # noqa: S608
_UNMADE = f"""select events.agent, message_id, request_id, source from events cross join logs on log = source
    where unmade is not null and events.reading >= unmade and events.reading < logs.reading
    and (events.agent, message_id) >= (?, ?) order by events.agent, message_id limit {_MESSAGES_AT_ONCE}"""  # noqa: S608
_COPIES = """select agent, message_id from events group by agent, message_id
    having count(*) > 1 and min(request_id) != max(request_id)"""
_OLDER = """select source, min(rules) from events where not exists (
        select 1 from events as other where other.agent = events.agent and other.message_id = events.message_id
        and other.rules > events.rules
    ) group by source"""

_RECENT = f"""select {_STORED} from events where (agent, message_id) in (
        select agent, message_id from events where occurred_at >= ? or session_id = ?
    ) order by agent, message_id"""  # noqa: S608


@dataclass(slots=True)
class Changes:
    """How many billed events were new, changed or unchanged when events were merged into the store."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0


@dataclass(slots=True)
class _Writes:
    """Rows to write, to remove, to withdraw, and keys that are not withdrawn any more."""

    rows: list[Sequence[object]] = field(default_factory=list)
    removed: list[Row] = field(default_factory=list)
    withdrawn: list[Sequence[object]] = field(default_factory=list)
    returned: list[Key] = field(default_factory=list)

    def add(self, stored: Sequence[StoredRow], now: Mapping[Key, StoredRow], change: Settled) -> None:
        """Add a settled change; `now` has the rows by message, request and source."""
        before = {_place(row): row for row in stored}
        for place, row in now.items():
            settled = (*row[:BATCH], change.batches[row[:3]], *row[BATCH + 1 :])
            if settled != before.pop(place, None):
                self.rows.append(settled)
        self.removed.extend(before)
        self.withdrawn.extend((*one.row, one.live, one.batch) for one in change.withdrawn)
        self.returned.extend(change.returned)


class EventRows:
    """The tables `events` and `withdrawn`."""

    def __init__(self, file: StateFile) -> None:
        self._file = file

    def save(self, events: Sequence[Row], read: tuple[int, int, int, int]) -> Changes:
        """Merge events with distinct keys, of one agent, into those of a log, an epoch, a reading and rules."""
        changes, writes = Changes(), _Writes()
        by_message: dict[str, list[Row]] = {}
        for event in events:
            by_message.setdefault(cast(str, event[1]), []).append(event)
        self._file.begin()
        with self._file.trusting():
            known, withdrawn = self._known(events, by_message)
            for message, told in by_message.items():
                stored, gone = known.get(message, ()), withdrawn.get(message, {})
                if len(told) == 1 and not stored and not gone:
                    writes.rows.append(_with(told[0], None, read))
                    changes.new += 1
                    continue
                now = {_place(row): row for row in stored}
                for event in told:
                    place = (*event[:3], read[0])
                    now[place] = _with(event, now.get(place), read)
                change = settle(stored, list(now.values()), gone)
                writes.add(stored, now, change)
                _count(changes, change, len(told))
        self._write(writes)
        return changes

    def drop_unmade(self) -> None:
        """Remove the rows that logs made before, and did not make when they were read again."""
        if not self._file.query("select 1 from logs where unmade is not null limit 1"):
            return
        place: tuple[object, object] = ("", "")
        while unmade := self._file.query(_UNMADE, place):
            place = unmade[-1][:2]
            for agent, rows in groupby(unmade, key=lambda row: row[0]):
                self._settle(agent, list(rows))
        self._file.write("update logs set unmade = null where unmade is not null")

    def settle_copies(self) -> None:
        """Withdraw the copies that a version without resolution has sent as events of their own."""
        # The events that remain were sent without what their copies say.
        self._file.write(f"update events set batch = -batch where batch > 0 and (agent, message_id) in ({_COPIES})")  # noqa: S608
        for agent, messages in groupby(self._file.query(_COPIES), key=lambda row: row[0]):
            self._settle(agent, [(agent, message) for _, message in messages])

    def older(self) -> dict[int, int]:
        """Return the oldest rules of the events of each log, unless there are newer ones for them."""
        return dict(self._file.query(_OLDER))

    def current(self) -> Iterator[Row]:
        """Yield the billed events in the order of their messages."""
        return self._billed(f"select {_STORED} from events order by agent, message_id")  # noqa: S608

    def recent(self, since_us: int, session_id: str | None) -> Iterator[Row]:
        """Yield the billed events of messages with a row that occurred since then, or in a session."""
        return self._billed(_RECENT, (since_us, session_id))

    def _billed(self, sql: str, values: Sequence[object] = ()) -> Iterator[Row]:
        rows = self._file.stream(sql, values)
        with self._file.trusting():
            for same in _messages(rows):
                if len(same) == 1:
                    yield same[0][:EVENT]
                else:
                    yield from billed(same).values()

    def pending(self, since: int | None, limit: int) -> Iterator[list[Row]]:
        """Yield pending events and withdrawals, at most `limit` at a time, each row with whether it is withdrawn.

        Events that occurred before `since`, in microseconds since 1970, are left out. The rows of one list may be saved
        as a batch before the next is taken.
        """
        rows = chain(self._pending_events(since), self._pending_withdrawals(since))
        while page := list(islice(rows, limit)):
            yield page

    def n_pending(self) -> int:
        """Return how many billed events are in no batch."""
        sql = f"select count(*) from (select distinct agent, message_id, request_id from events where {PENDING})"  # noqa: S608
        return cast(int, self._file.query(sql)[0][0])

    def save_batch(self, rows: Iterable[Row], number: int) -> None:
        """Record that rows of `pending` are in a batch."""
        where = "where agent = ? and message_id = ? and request_id = ?"
        by_kind: tuple[list[Row], list[Row]] = ([], [])
        for row in rows:
            by_kind[bool(row[-1])].append((number, *row[:3]))
        self._file.write_all(f"update events set batch = ? {where}", by_kind[False])  # noqa: S608
        self._file.write_all(f"update withdrawn set batch = ? {where}", by_kind[True])  # noqa: S608

    def forget_batches(self) -> None:
        """Make every event and every withdrawal pending again."""
        self._file.write("update events set batch = -batch where batch > 0")
        self._file.write("update withdrawn set batch = null where batch is not null")

    def send_repositories_again(self) -> None:
        """Make every event with a repository pending again."""
        known = "select agent, message_id from events where repository is not null"
        self._file.write(f"update events set batch = -batch where batch > 0 and (agent, message_id) in ({known})")  # noqa: S608

    def _pending_events(self, since: int | None) -> Iterator[Row]:
        place = {"agent": "", "message": "", "since": since}
        while rows := self._file.query(_DUE, place):
            place |= {"agent": rows[-1][0], "message": rows[-1][1]}
            with self._file.trusting():
                for same in _messages(rows):
                    pending = {row[:3] for row in same if row[BATCH] is None or cast(int, row[BATCH]) < 0}
                    for key, row in billed(same).items():
                        if key in pending and (since is None or cast(int, row[5]) >= since):
                            yield (*row, 0)

    def _pending_withdrawals(self, since: int | None) -> Iterator[Row]:
        yield from [(*row, 1) for row in self._file.query(_WITHDRAWALS, {"since": since})]

    def _settle(self, agent: str, places: Sequence[Row]) -> None:
        """Settle messages without their rows at `places`, which are of one agent."""
        left_out = set(places)
        messages = list(dict.fromkeys(cast(str, place[1]) for place in places))
        writes = _Writes()
        with self._file.trusting():
            stored, withdrawn = self._rows(agent, messages), self._withdrawals(agent, messages)
            for message, rows in stored.items():
                now = {_place(row): row for row in rows if _place(row) not in left_out}
                writes.add(rows, now, settle(rows, list(now.values()), withdrawn.get(message, {})))
        self._write(writes)

    def _known(
        self, events: Sequence[Row], messages: Collection[str]
    ) -> tuple[dict[str, list[StoredRow]], dict[str, dict[Key, Withdrawal]]]:
        if not events:
            return {}, {}
        agent = cast(str, events[0][0])
        return self._rows(agent, messages), self._withdrawals(agent, messages)

    def _rows(self, agent: str, messages: Collection[str]) -> dict[str, list[StoredRow]]:
        """Return the stored rows of some messages."""
        known: dict[str, list[StoredRow]] = {}
        for row in self._of_messages(f"select {_STORED} from events", agent, messages):  # noqa: S608
            known.setdefault(cast(str, row[1]), []).append(row)
        return known

    def _withdrawals(self, agent: str, messages: Collection[str]) -> dict[str, dict[Key, Withdrawal]]:
        """Return the withdrawals of some messages."""
        known: dict[str, dict[Key, Withdrawal]] = {}
        if self._file.query("select 1 from withdrawn limit 1"):
            for row in self._of_messages(f"select {_ROW}, live, batch from withdrawn", agent, messages):  # noqa: S608
                withdrawal = Withdrawal(row[:EVENT], cast(int, row[EVENT]), cast(int | None, row[EVENT + 1]))
                known.setdefault(cast(str, row[1]), {})[row[:3]] = withdrawal
        return known

    def _of_messages(self, select: str, agent: str, messages: Collection[str]) -> Iterator[Row]:
        ids = iter(messages)
        while some := list(islice(ids, _KEYS_AT_ONCE)):
            sql = f"{select} where agent = ? and message_id in ({', '.join('?' * len(some))})"
            yield from self._file.query(sql, (agent, *some))

    def _write(self, writes: _Writes) -> None:
        for sql, rows in (
            (_REMOVE, writes.removed),
            (_SAVE, writes.rows),
            (_RETURN, writes.returned),
            (_WITHDRAW, writes.withdrawn),
        ):
            if rows:
                self._file.write_all(sql, rows)


def _place(row: StoredRow) -> Row:
    return (*row[:3], row[SOURCE])


def _with(event: Row, stored: StoredRow | None, read: tuple[int, int, int, int]) -> StoredRow:
    """Return the row of an event for a log, merged with a stored row of the same epoch, reading and rules."""
    log, epoch, reading, rules = read
    if stored is not None and (stored[EPOCH], stored[READING], stored[RULES]) == (epoch, reading, rules):
        event = to_row(merge(to_event(stored[:EVENT]), to_event(event)))
    elif stored is not None:
        event = with_repository(event, (stored,))
    return (*event, log, epoch, None, reading, rules)


def _count(changes: Changes, change: Settled, told: int) -> None:
    """Add the change of one message with `told` events read."""
    new = max(len(change.after) - len(change.before), 0)
    changed = sum(change.before.get(key) != row for key, row in change.after.items()) - new
    changes.new, changes.changed = changes.new + new, changes.changed + changed
    changes.unchanged += max(told - new - changed, 0)


def _messages(rows: Iterable[StoredRow]) -> Iterator[list[StoredRow]]:
    """Yield the rows of each message; those of one message are beside each other."""
    same: list[StoredRow] = []
    agent = message = None
    for row in rows:
        if row[1] != message or row[0] != agent:
            if same:
                yield same
            same, (agent, message) = [], row[:2]
        same.append(row)
    if same:
        yield same
