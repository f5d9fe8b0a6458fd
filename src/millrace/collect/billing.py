"""The billed events of one message: its rows in the store, of all logs and requests, resolved by the rules."""

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import NamedTuple, cast

from millrace.collect.parsers.event import merge, resolve
from millrace.collect.records import COLUMNS, REPOSITORY, Row, to_event, to_row, with_repository

StoredRow = Row
"""The columns of an event, then source, epoch, batch, reading and rules.

`batch` is the same in all rows of a key. It is None while the event is pending and was not sent before, minus the
number of the batch that has its earlier values while it is pending again, and the number of its batch otherwise. It is
0 when the rows are copies that are billed under the key of another request.
"""
Key = Row

EVENT = len(COLUMNS)
SOURCE, EPOCH, BATCH, READING, RULES = range(EVENT, EVENT + 5)


class Withdrawal(NamedTuple):
    """An event that does not exist any more. `live` is its batch before that; `batch` is None until it is sent."""

    row: Row
    live: int
    batch: int | None


class Settled(NamedTuple):
    """The change of one message: its events before and after, the batch of each key, and its withdrawals."""

    before: dict[Key, Row]
    after: dict[Key, Row]
    batches: dict[Key, int | None]
    withdrawn: list[Withdrawal]
    returned: list[Key]


def billed(rows: Sequence[StoredRow]) -> dict[Key, Row]:
    """Return the billed events of all rows of one message, by their keys."""
    if len(rows) == 1:
        return {rows[0][:3]: rows[0][:EVENT]}
    by_key: dict[Key, list[StoredRow]] = {}
    for row in rows:
        by_key.setdefault(row[:3], []).append(row)
    if len(by_key) < 2:
        return {key: merged(same) for key, same in by_key.items()}
    newest = max(cast(int, row[RULES]) for row in rows)
    events = [(row, to_event(row)) for row in map(merged, by_key.values())]
    both = resolve(event for _, event in events)
    if any(row[RULES] != newest for row in rows):
        of_newest = {row[:3] for row in rows if row[RULES] == newest}
        present = resolve(event for row, event in events if row[:3] in of_newest)
        both = both if len(both) > len(present) else present  # older rules only tell what newer ones do not
    return {row[:3]: row for row in map(to_row, both)}


def merged(rows: Sequence[StoredRow]) -> Row:
    """Return rows of one key as one event: those of older rules, or of an older epoch, are left out."""
    newest = max((row[RULES], row[EPOCH]) for row in rows)
    # A resumed or forked session copies its history: most of the rows are equal, and merging those changes nothing.
    distinct = {row[:EVENT] for row in rows if (row[RULES], row[EPOCH]) == newest}
    row = next(iter(distinct)) if len(distinct) == 1 else to_row(reduce(merge, map(to_event, distinct)))
    return row if row[REPOSITORY] is not None else with_repository(row, rows)


def settle(stored: Sequence[StoredRow], now: Sequence[StoredRow], known: Mapping[Key, Withdrawal]) -> Settled:
    """Return what a change of one message's rows, from `stored` to `now`, does to its billed events.

    `known` are the message's withdrawals so far.
    """
    before, after = billed(stored), billed(now)
    batches = {row[:3]: cast(int | None, row[BATCH]) for row in stored}
    change = Settled(before, after, {}, [], [])
    for row in now:
        change.batches[row[:3]] = 0
    for key, row in after.items():
        sent, was = batches.get(key), before.get(key)
        if key in known:
            change.returned.append(key)
            if known[key].batch is None:  # the warehouse has not heard of it
                sent, was = known[key].live, known[key].row
        change.batches[key] = sent if was == row else -abs(sent) if sent else None
    for key, sent in batches.items():
        if sent and key not in after:
            row = before.get(key) or merged([row for row in stored if row[:3] == key])
            change.withdrawn.append(Withdrawal(row, sent, None))
    return change
