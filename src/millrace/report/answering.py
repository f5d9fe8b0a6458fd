"""A report as it was asked for: which events, in which rows, in which form."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

from millrace.prices import RateCard
from millrace.report import formats, tables
from millrace.report.blocks import RECENT_US, Block, blocks
from millrace.report.sums import Pricing, Row
from millrace.report.tallies import KINDS, Kind, Selection, Tally, since_of, tally
from millrace.report.zones import Zone

Table = Kind | Literal["blocks"]
TABLES: tuple[Table, ...] = (*KINDS, "blocks")
CLAUDE = frozenset(("claude",))


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for. `last` counts periods, sessions or blocks; for projects, repositories and models days."""

    table: Table
    selection: Selection
    zone: Zone
    last: int | None = None
    is_broken_down: bool = False
    is_active: bool = False
    is_recent: bool = False


class Answer(Protocol):
    """A report in each form."""

    def lines(self, width: int | None) -> Iterator[str]:
        """Yield it as text for a terminal of this width; None where there is none."""
        ...

    def to_json(self) -> dict[str, Any]:
        """Return it for JSON."""
        ...

    def to_csv(self) -> str:
        """Return its rows as CSV."""
        ...


def answer(request: Request, rows: Iterable[Row], card: RateCard) -> Answer:
    """Return the report of these events, at the prices of a rate card."""
    pricing = Pricing(card)
    if request.table == "blocks":
        return _blocks(request, rows, pricing)
    selection, last, kind = request.selection, request.last, request.table
    if last is not None and kind != "session":
        since = since_of(kind, request.zone.today(), last)
        selection = replace(selection, since=max(since, selection.since or since))
    made = tally(rows, kind, request.zone, pricing, selection)
    if last is not None and kind == "session":
        made.lines = made.lines[-last:]
    return _Tallied(made, request.is_broken_down)


def _blocks(request: Request, rows: Iterable[Row], pricing: Pricing) -> Answer:
    now_us = int(datetime.now(UTC).timestamp()) * 1_000_000
    selection = request.selection
    if selection.agents is None:  # only Claude's limits have these windows
        selection = replace(selection, agents=CLAUDE)
    found = blocks(rows, request.zone, pricing, selection, now_us)
    if request.is_active:
        found = [block for block in found if block.is_active]
    if request.is_recent:
        found = [block for block in found if block.end_us > now_us - RECENT_US]
    return _Blocks(found[-(request.last or len(found)) :], request.zone, now_us)


@dataclass(frozen=True, slots=True)
class _Tallied:
    made: Tally
    is_broken_down: bool

    def lines(self, width: int | None) -> Iterator[str]:
        return tables.lines(self.made, width, self.is_broken_down)

    def to_json(self) -> dict[str, Any]:
        return formats.to_json(self.made, self.is_broken_down)

    def to_csv(self) -> str:
        return formats.to_csv(self.made, self.is_broken_down)


@dataclass(frozen=True, slots=True)
class _Blocks:
    found: Sequence[Block]
    zone: Zone
    now_us: int

    def lines(self, width: int | None) -> Iterator[str]:
        return tables.of_blocks(self.found, self.zone, self.now_us, width)

    def to_json(self) -> dict[str, Any]:
        return formats.blocks_to_json(self.found, self.zone, self.now_us)

    def to_csv(self) -> str:
        return formats.blocks_to_csv(self.found, self.zone)
