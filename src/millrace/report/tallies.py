"""Usage by day, week, month, session, project, repository or model, of all events of a store or of some."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Literal, get_args

from millrace.report.sums import Pricing, Row, Sums
from millrace.report.zones import Zone

Kind = Literal["daily", "weekly", "monthly", "session", "project", "repository", "model"]
KINDS: tuple[Kind, ...] = get_args(Kind)
PERIODS: tuple[Kind, ...] = ("daily", "weekly", "monthly")
Key = tuple[str | None, ...]

COLUMNS: dict[Kind, tuple[str, ...]] = {
    "daily": ("day",),
    "weekly": ("week",),
    "monthly": ("month",),
    "session": ("agent", "session_id"),
    "project": ("project",),
    "repository": ("repository",),
    "model": ("model",),
}
"""The columns by which each report has its rows."""
_OF_ROW: dict[Kind, int] = {"project": 6, "repository": 21, "model": 8}


@dataclass(frozen=True, slots=True)
class Selection:
    """Which events count: days of the report's zone, both included, and names; None: all."""

    since: date | None = None
    until: date | None = None
    agents: frozenset[str] | None = None
    project: str | None = None
    model: str | None = None

    def has(self, row: Row, day: date) -> bool:
        """Return whether an event of that day counts."""
        return (
            (self.since is None or day >= self.since)
            and (self.until is None or day <= self.until)
            and (self.agents is None or row[0] in self.agents)
            and (self.project is None or row[6] == self.project)
            and (self.model is None or row[8] == self.model)
        )


@dataclass(slots=True)
class Line:
    """One row of a report: its key, when it was first and last used (microseconds), and its sums by model.

    Prompts have no model.
    """

    key: Key
    first_us: int
    last_us: int
    by_model: dict[str | None, Sums] = field(default_factory=dict)
    prompts: Sums = field(default_factory=Sums)
    projects: set[str] = field(default_factory=set)

    @property
    def sums(self) -> Sums:
        """The sums of all models and prompts."""
        return total([self.prompts, *self.by_model.values()])

    @property
    def models(self) -> list[str]:
        """The names of the models, the dearest first."""
        used = [(-sums.cost, -sums.total_tokens, name) for name, sums in self.by_model.items() if name is not None]
        return [name for *_, name in sorted(used)]


@dataclass(slots=True)
class Tally:
    """A report: its rows, in order."""

    kind: Kind
    zone: Zone
    selection: Selection
    lines: list[Line]

    @property
    def totals(self) -> Sums:
        """The sums of all rows."""
        return total(line.sums for line in self.lines)

    @property
    def unpriced(self) -> dict[str | None, int]:
        """The tokens without a known cost, by model, the most first."""
        tokens: dict[str | None, int] = {}
        for line in self.lines:
            for model, sums in line.by_model.items():
                if sums.n_cost < sums.assistant_message_count:
                    tokens[model] = tokens.get(model, 0) + sums.unpriced_tokens
        return dict(sorted(tokens.items(), key=lambda item: (-item[1], str(item[0]))))


def tally(rows: Iterable[Row], kind: Kind, zone: Zone, pricing: Pricing, selection: Selection) -> Tally:
    """Return the report of the events that are selected."""
    lines: dict[Key, Line] = {}
    for row in rows:
        at, is_prompt, model = row[5], row[4] == "user", row[8]
        day = zone.day(at)
        if not selection.has(row, day) or (is_prompt and kind == "model"):
            continue
        key = _key(kind, row, day)
        line = lines.get(key)
        if line is None:
            line = lines[key] = Line(key, at, at)
        line.first_us, line.last_us = min(line.first_us, at), max(line.last_us, at)
        if row[6] is not None:
            line.projects.add(row[6])
        sums = line.prompts if is_prompt else line.by_model.get(model)
        if sums is None:
            sums = line.by_model[model] = Sums()
        sums.add(row, pricing.cost(row))
    return Tally(kind, zone, selection, _ordered(kind, lines.values()))


def since_of(kind: Kind, today: date, number: int) -> date:
    """Return the first day of the last `number` periods, the present one included."""
    if kind == "weekly":
        return monday(today) - timedelta(weeks=number - 1)
    if kind == "monthly":
        months = today.year * 12 + today.month - number
        return date(max(months // 12, 1), months % 12 + 1, 1)
    return today - timedelta(days=number - 1)


def monday(day: date) -> date:
    """Return the first day of a day's week."""
    return date.fromordinal(max(day.toordinal() - day.weekday(), 1))


def total(sums: Iterable[Sums]) -> Sums:
    """Return the sum of sums."""
    added = Sums()
    for one in sums:
        added.merge(one)
    return added


def _key(kind: Kind, row: Row, day: date) -> Key:
    if kind == "daily":
        return (day.isoformat(),)
    if kind == "weekly":
        return (monday(day).isoformat(),)
    if kind == "monthly":
        return (day.isoformat()[:7],)
    if kind == "session":
        return (row[0], row[3])
    return (row[_OF_ROW[kind]],)


def _ordered(kind: Kind, lines: Iterable[Line]) -> list[Line]:
    """Return periods and sessions in the order of time, the others with the dearest first."""
    if kind in PERIODS:
        return sorted(lines, key=lambda line: str(line.key))
    if kind == "session":
        return sorted(lines, key=lambda line: (line.last_us, line.key))
    costs = [(line.sums, line) for line in lines]
    costs.sort(key=lambda pair: (-pair[0].cost, -pair[0].total_tokens, str(pair[1].key)))
    return [line for _, line in costs]
