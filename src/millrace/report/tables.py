"""A report as lines of text: a table as wide as the terminal, or a full one where there is none."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from millrace.prices import RateCard
from millrace.report.blocks import HOUR_US, MINUTE_US, Block, Pace, gap_us
from millrace.report.formats import to_json
from millrace.report.sums import Pricing, Sums, to_usd
from millrace.report.tallies import COLUMNS, Selection, Tally, since_of, tally
from millrace.report.zones import Zone, local_zone as local_zone
from millrace.terminal import printable

if TYPE_CHECKING:
    from millrace.collect.checkpoints import CheckpointStore

COMPACT_BELOW = 120
_GAP = "  "
_LEAST_MODELS = 12
_HEADS = {"day": "Day", "week": "Week", "month": "Month", "agent": "Agent", "session_id": "Session"}
_HEADS |= {"project": "Project", "repository": "Repository", "model": "Model"}
_NOUNS = {"daily": "day", "weekly": "week", "monthly": "month", "session": "session"}
_NOUNS |= {"project": "project", "repository": "repository", "model": "model"}
_CENT = Decimal("0.01")
_MOST_NAMED = 5
_MOST_MODELS = 3
"""How many models a row names; --breakdown names each."""


def daily(store: "CheckpointStore", zone: str, last: int, card: RateCard, width: int | None = None) -> str:
    """Return the table of the days of a zone with usage: of the last `last` days, today included."""
    return "\n".join(lines(last_days(store, zone, last, card), width))


def daily_rows(store: "CheckpointStore", zone: str, last: int, card: RateCard) -> list[dict[str, Any]]:
    """Return the rows of `daily` for JSON."""
    rows: list[dict[str, Any]] = to_json(last_days(store, zone, last, card), is_broken_down=False)["rows"]
    return rows


def last_days(store: "CheckpointStore", zone: str, last: int, card: RateCard) -> Tally:
    """Return the report of the last days of a zone."""
    where = Zone.named(zone)
    selection = Selection(since=since_of("daily", where.today(), last))
    return tally(store.current(), "daily", where, Pricing(card), selection)


def lines(made: Tally, width: int | None, is_broken_down: bool = False) -> Iterator[str]:
    """Yield the lines of a report; `width` is the terminal's, None where there is none."""
    columns = COLUMNS[made.kind]
    has_models = made.kind != "model"
    head = [_HEADS[name] for name in columns] + ["Last used"] * (made.kind == "session") + ["Models"] * has_models
    rows: list[_Row] = []
    for line in made.lines:
        names = [_named(part) for part in line.key]
        if made.kind == "session":
            names.append(made.zone.day(line.last_us).isoformat())
        models = [_listed(line.models)] if has_models else []
        rows.append(_Row([*names, *models], line.sums))
        if is_broken_down and has_models:
            for model, sums in sorted(line.by_model.items(), key=lambda pair: (-pair[1].cost, str(pair[0]))):
                rows.append(_Row([*[""] * len(names), f"- {_named(model)}"], sums))
    yield f"Usage by {_NOUNS[made.kind]}{_chosen(made.selection)}, {_zone(made.zone)}"
    yield ""
    if not rows:
        yield "nothing was used in these days; `millrace report` has all"
        return
    yield from _table(head, rows, made.totals, width)
    yield from notes(made.totals, made.unpriced)


def of_blocks(found: Sequence[Block], zone: Zone, now_us: int, width: int | None) -> Iterator[str]:
    """Yield the lines of a report of blocks."""
    yield f"Usage by block of five hours, {_zone(zone)}"
    yield ""
    if not found:
        yield "there is no block in this range"
        return
    rows: list[_Row] = []
    for place, block in enumerate(found):
        gap = gap_us(found[place - 1], block) if place else None
        if gap is not None:
            rows.append(_Row([f"({gap // HOUR_US} h without)", "-"], None))
        rows.append(
            _Row([f"{_time(zone, block.start_us)}{' active' * block.is_active}", _listed(block.models)], block.sums)
        )
    totals = Sums()
    for block in found:
        totals.merge(block.sums)
    yield from _table(["Begins", "Models"], rows, totals, width)
    for block in found:
        if block.is_active:
            yield ""
            yield from _pace(block, zone, now_us)
    unpriced: dict[str | None, int] = {}
    for block in found:
        for model, sums in block.by_model.items():
            if sums.n_cost < sums.assistant_message_count:
                unpriced[model] = unpriced.get(model, 0) + sums.unpriced_tokens
    yield from notes(totals, unpriced)


def notes(totals: Sums, unpriced: dict[str | None, int]) -> Iterator[str]:
    """Yield what the marks in a table mean, and what has no price."""
    told = []
    if totals.is_lower_bound:
        told.append("≥ at least: a log does not say how many tokens more")
    if totals.n_cost and unpriced:
        told.append("≥ at least: a part of the responses has no known cost")
    if totals.is_estimated:
        told.append("≈ estimated from the length of texts")
    if told or unpriced:
        yield ""
    yield from told
    if unpriced:
        tokens = sum(unpriced.values())
        names = ", ".join(_named(model) for model in list(unpriced)[:_MOST_NAMED])
        more = f" and {len(unpriced) - _MOST_NAMED} more" if len(unpriced) > _MOST_NAMED else ""
        yield f"unknown cost: {tokens:,} tokens of {names}{more}; `millrace doctor` lists models without a price"


def money(sums: Sums) -> str:
    """Return a cost with its marks: $1.20, ≥$1.20, ≈$1.20, or unknown."""
    if not sums.is_cost_known:
        return "unknown"
    return ("≥" if sums.is_cost_lower_bound else "") + ("≈" if sums.is_cost_estimated else "") + dollars(sums.cost)


def dollars(cost: int) -> str:
    """Return an amount of 1e-12 USD for people: never zero where something was paid."""
    usd = to_usd(cost)
    return "<$0.01" if 0 < usd < _CENT / 2 else f"${usd:,.2f}"


def count(tokens: int, is_short: bool = False) -> str:
    """Return a number of tokens with separators, or in short: 1.2M."""
    if not is_short or tokens < 10_000:
        return f"{tokens:,}"
    for size, letter in ((10**12, "T"), (10**9, "B"), (10**6, "M")):
        if tokens >= size:
            return f"{tokens / size:,.2f}{letter}"
    return f"{tokens / 1000:,.1f}k"


@dataclass(frozen=True, slots=True)
class _Row:
    """The texts at the left of a row, and its sums; None: a row without numbers."""

    texts: list[str]
    sums: Sums | None


def _table(head: list[str], rows: Sequence[_Row], totals: Sums, width: int | None) -> Iterator[str]:
    is_compact = width is not None and width < COMPACT_BELOW
    numbers = ["Input", "Output", "Total", "Cost"] if is_compact else [
        "Input", "Cache write", "Cache read", "Output", "Total", "Cost",
    ]  # fmt: skip
    last = _Row(["Total", *[""] * (len(head) - 1)], totals)
    cells = [[*row.texts, *_numbers(row.sums, is_compact)] for row in [*rows, last]]
    sizes = [max(len(row[place]) for row in [[*head, *numbers], *cells]) for place in range(len(head) + len(numbers))]
    if width is not None:
        _fit(sizes, head, width)
    for number, row in enumerate([[*head, *numbers], *cells]):
        if number in (1, len(cells)):
            yield _GAP.join("-" * size for size in sizes)
        yield _GAP.join(
            _cut(text, size).ljust(size) if place < len(head) else text.rjust(size)
            for place, (text, size) in enumerate(zip(row, sizes, strict=True))
        ).rstrip()


def _numbers(sums: Sums | None, is_compact: bool) -> list[str]:
    if sums is None:
        return [""] * (4 if is_compact else 6)
    bound = "≥" if sums.is_lower_bound else "≈" if sums.is_estimated else ""
    total = "unknown" if sums.is_lower_bound and not sums.total_tokens else bound + count(sums.total_tokens, is_compact)
    if is_compact:
        came_in = sums.input_tokens + sums.cache_read_tokens + sums.cache_write_tokens
        return [count(came_in, True), count(sums.output_tokens, True), total, money(sums)]
    parts = (sums.input_tokens, sums.cache_write_tokens, sums.cache_read_tokens, sums.output_tokens)
    return [*map(count, parts), total, money(sums)]


def _fit(sizes: list[int], head: list[str], width: int) -> None:
    """Narrow the widest texts at the left until the table fits, or they are as narrow as they may be."""
    while sum(sizes) + len(_GAP) * (len(sizes) - 1) > width:
        place = max(range(len(head)), key=lambda place: sizes[place])
        if sizes[place] <= _LEAST_MODELS:
            return
        sizes[place] -= 1


def _cut(text: str, size: int) -> str:
    return text if len(text) <= size else text[: size - 1] + "…"


def _pace(block: Block, zone: Zone, now_us: int) -> Iterator[str]:
    pace: Pace = block.pace(now_us)
    sums = block.sums
    left = max(block.end_us - now_us, 0) // MINUTE_US
    yield f"active until {_time(zone, block.end_us)}, {left // 60} h {left % 60:02} min left"
    spent = "unknown cost" if pace.cost_per_hour is None else f"{_bound(sums)}{dollars(pace.cost_per_hour)} an hour"
    yield f"pace: {pace.tokens_per_minute:,.0f} tokens a minute, {spent}"
    cost = "unknown cost" if pace.projected_cost is None else f"{_bound(sums)}{dollars(pace.projected_cost)}"
    yield f"at its end, at this pace: {pace.projected_tokens:,} tokens, {cost}"


def _bound(sums: Sums) -> str:
    return "≥" if sums.is_cost_lower_bound else ""


def _listed(models: Sequence[str]) -> str:
    """Return the first models, the dearest, and how many more there are."""
    more = [f"+{len(models) - _MOST_MODELS} more"] if len(models) > _MOST_MODELS else []
    return ", ".join([*map(printable, models[:_MOST_MODELS]), *more]) or "-"


def _named(name: str | None) -> str:
    return "(unknown)" if name is None else printable(name)


def _zone(zone: Zone) -> str:
    return f"days of {printable(zone.name)}"


def _time(zone: Zone, at_us: int) -> str:
    return f"{zone.local(at_us):%Y-%m-%d %H:%M}"


def _chosen(selection: Selection) -> str:
    said = [
        f" since {selection.since}" if selection.since else "",
        f" until {selection.until}" if selection.until else "",
    ]
    names = [f" of {printable(name)}" for name in (selection.project, selection.model) if name is not None]
    return "".join([*said, *names])
