"""Windows of five hours, as Claude's limits have them, with the pace of the present one.

A block begins at the full hour (UTC) of its first event and lasts five hours; the next event after its end begins the
next one.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from millrace.report.sums import Pricing, Row, Sums
from millrace.report.tallies import Selection, total
from millrace.report.zones import Zone

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
BLOCK_US = 5 * HOUR_US
RECENT_US = 3 * 24 * HOUR_US


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a block is used, since its first event, and what that makes at its end. Costs are in 1e-12 USD."""

    tokens_per_minute: float
    cost_per_hour: int | None
    projected_tokens: int
    projected_cost: int | None


@dataclass(slots=True)
class Block:
    """One window; instants are microseconds since 1970. `is_active`: the present instant is within it."""

    start_us: int
    first_us: int
    last_us: int
    is_active: bool = False
    by_model: dict[str | None, Sums] = field(default_factory=dict)

    @property
    def end_us(self) -> int:
        """The instant at which it ends."""
        return self.start_us + BLOCK_US

    @property
    def sums(self) -> Sums:
        """The sums of all models."""
        return total(self.by_model.values())

    @property
    def models(self) -> list[str]:
        """The names of the models."""
        return sorted(name for name in self.by_model if name is not None)

    def pace(self, now_us: int) -> Pace:
        """Return the pace from the first event until now, at least a minute."""
        sums = self.sums
        spent = max(now_us - self.first_us, MINUTE_US)
        left = max(self.end_us - now_us, 0)
        cost = sums.cost if sums.n_cost else None
        return Pace(
            sums.total_tokens * MINUTE_US / spent,
            None if cost is None else cost * HOUR_US // spent,
            sums.total_tokens + sums.total_tokens * left // spent,
            None if cost is None else cost + cost * left // spent,
        )


def blocks(rows: Iterable[Row], zone: Zone, pricing: Pricing, selection: Selection, now_us: int) -> list[Block]:
    """Return the blocks of the selected responses, in the order of time.

    Blocks are made of all responses of the selected agents, projects and models; days select whole blocks by their
    start. A block ends at a full hour, so events of one minute are never in two.
    """
    whole = Selection(agents=selection.agents, project=selection.project, model=selection.model)
    minutes: dict[int, Block] = {}
    for row in rows:
        at = row[5]
        if row[4] == "user" or not whole.has(row, zone.day(at)):
            continue
        start = at - at % MINUTE_US
        minute = minutes.get(start)
        if minute is None:
            minute = minutes[start] = Block(start, at, at)
        minute.first_us, minute.last_us = min(minute.first_us, at), max(minute.last_us, at)
        minute.by_model.setdefault(row[8], Sums()).add(row, pricing.cost(row))
    found: list[Block] = []
    for _, minute in sorted(minutes.items()):
        if not found or minute.first_us >= found[-1].end_us:
            start = minute.first_us - minute.first_us % HOUR_US
            found.append(Block(start, minute.first_us, minute.last_us, start <= now_us < start + BLOCK_US))
        block = found[-1]
        block.last_us = max(block.last_us, minute.last_us)
        for model, sums in minute.by_model.items():
            block.by_model.setdefault(model, Sums()).merge(sums)
    return [block for block in found if _is_selected(zone, block, selection)]


def _is_selected(zone: Zone, block: Block, selection: Selection) -> bool:
    day = zone.day(block.start_us)
    return (selection.since is None or day >= selection.since) and (selection.until is None or day <= selection.until)


def gap_us(before: Block, after: Block) -> int | None:
    """Return the time without a response between two blocks; None when it is shorter than a block."""
    between = after.first_us - before.last_us
    return between if between > BLOCK_US else None
