"""A report for programs: as JSON or CSV, with the names of the marts. docs/report.md has the schema."""

import csv
import io
from collections.abc import Sequence
from datetime import date
from typing import Any

from millrace.report.blocks import Block, gap_us
from millrace.report.sums import Sums, to_usd
from millrace.report.tallies import COLUMNS, PERIODS, Line, Tally
from millrace.report.zones import Zone

MEASURES = (
    "user_message_count",
    "assistant_message_count",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "reasoning_tokens",
    "total_tokens",
    "cost_usd",
    "n_cost",
    "unpriced_tokens",
    "is_lower_bound",
    "is_estimated",
    "is_cost_estimated",
)


def to_json(made: Tally, is_broken_down: bool) -> dict[str, Any]:
    """Return a report for JSON: numbers as numbers, costs as decimal text, null for what is unknown."""
    return {
        "report": made.kind,
        "time_zone": made.zone.name,
        "since": _text(made.selection.since),
        "until": _text(made.selection.until),
        "rows": [_row(made, line, is_broken_down) for line in made.lines],
        "totals": measures(made.totals),
        "unpriced": [{"model": model, "total_tokens": tokens} for model, tokens in made.unpriced.items()],
    }


def to_csv(made: Tally, is_broken_down: bool) -> str:
    """Return the rows of a report as CSV; with a breakdown, one for each model of each row."""
    columns = [*COLUMNS[made.kind], *(["model"] if is_broken_down and made.kind != "model" else []), *MEASURES]
    rows = []
    for line in made.lines:
        if is_broken_down and made.kind != "model":
            rows += [[*line.key, model, *measures(sums).values()] for model, sums in _by_model(line)]
        else:
            rows.append([*line.key, *measures(line.sums).values()])
    return _csv(columns, rows)


def blocks_to_json(found: Sequence[Block], zone: Zone, now_us: int) -> dict[str, Any]:
    """Return blocks for JSON; the active one has its pace."""
    rows = []
    for place, block in enumerate(found):
        gap = gap_us(found[place - 1], block) if place else None
        rows.append(
            {
                "begins_at": zone.instant(block.start_us),
                "ends_at": zone.instant(block.end_us),
                "first_at": zone.instant(block.first_us),
                "last_at": zone.instant(block.last_us),
                "is_active": block.is_active,
                "gap_before_s": None if gap is None else gap // 1_000_000,
                "models": block.models,
                **measures(block.sums),
                "pace": _pace(block, now_us) if block.is_active else None,
            }
        )
    return {"report": "blocks", "time_zone": zone.name, "rows": rows}


def blocks_to_csv(found: Sequence[Block], zone: Zone) -> str:
    """Return blocks as CSV."""
    rows = [
        [zone.instant(block.start_us), zone.instant(block.end_us), block.is_active, *measures(block.sums).values()]
        for block in found
    ]
    return _csv(["begins_at", "ends_at", "is_active", *MEASURES], rows)


def measures(sums: Sums) -> dict[str, Any]:
    """Return the measures of a row, in the order of `MEASURES`."""
    cost = sums.cost_usd
    values = {name: getattr(sums, name) for name in MEASURES}
    return values | {"cost_usd": None if cost is None else format(cost, "f")}


def _row(made: Tally, line: Line, is_broken_down: bool) -> dict[str, Any]:
    row: dict[str, Any] = dict(zip(COLUMNS[made.kind], line.key, strict=True))
    if made.kind not in PERIODS:
        row |= {"first_at": made.zone.instant(line.first_us), "last_at": made.zone.instant(line.last_us)}
    if made.kind == "session":
        row["projects"] = sorted(line.projects)
    if made.kind != "model":
        row["models"] = line.models
    row |= measures(line.sums)
    if is_broken_down:
        row["by_model"] = [{"model": model, **measures(sums)} for model, sums in _by_model(line)]
    return row


def _by_model(line: Line) -> list[tuple[str | None, Sums]]:
    return sorted(line.by_model.items(), key=lambda pair: (-pair[1].cost, str(pair[0])))


def _pace(block: Block, now_us: int) -> dict[str, Any]:
    pace = block.pace(now_us)
    return {
        "tokens_per_minute": round(pace.tokens_per_minute, 3),
        "cost_usd_per_hour": _usd(pace.cost_per_hour),
        "projected_tokens": pace.projected_tokens,
        "projected_cost_usd": _usd(pace.projected_cost),
    }


def _usd(cost: int | None) -> str | None:
    return None if cost is None else format(to_usd(cost), "f")


def _text(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _csv(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([str(value).lower() if isinstance(value, bool) else value for value in row])
    return text.getvalue()
