"""Checks before usage is trusted: unpriced models, unmapped projects and users, unreadable lines."""

import dataclasses
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from millrace.prices import RateCard
from millrace.status import advice, maps, typed_prices, unpriced
from millrace.status.advice import Line
from millrace.status.remedies import LAPTOP, Location
from millrace.status.typed_prices import TOKENS
from millrace.tables import TABLES

Query = Callable[[str], list[tuple[Any, ...]]]

_MOST_UNPRICED = 1000
_USED = """
    SELECT model, coalesce(speed, 'standard'), {kinds} FROM mart.usage_events
    WHERE cost_source = 'unknown' GROUP BY ALL"""
_MONEY = """
    SELECT coalesce(cost_source, 'prompts'), count(*), sum(cost_usd) FROM mart.usage_events GROUP BY ALL ORDER BY 1"""
_UNUSABLE = """
    SELECT count(*) FILTER (NOT {is_withdrawn}), count(*) FILTER ({is_withdrawn})
    FROM staging.stg_usage_events WHERE NOT is_usable"""
# A row without a value takes an earlier one back, also one that could not be used.
_TAKEN_BACK = {
    "usage_prices": "is_taken_back",
    "project_repositories": "repo_name IS NULL",
    "user_developers": "developer IS NULL",
}


@dataclass(frozen=True, slots=True)
class UnpricedUsage:
    """A key of unknown cost, what is missing, and the line that adds it; its `tokens` have no cost."""

    agent: str
    provider: str | None
    model: str | None
    speed: str
    region: str | None
    context: int | None
    gap: str | None
    responses: int
    tokens: int
    first_day: object
    last_day: object
    line: Line | None = None

    @property
    def name(self) -> str:
        """The key as readable text."""
        return unpriced.name(self.agent, self.provider, self.model, self.speed, self.region, self.context, self.gap)


@dataclass(frozen=True, slots=True)
class Unmapped:
    """A project without a repository, or a user without a developer, with the known cost and the line that maps it."""

    name: str
    cost_usd: Decimal | None
    responses: int
    n_cost: int
    line: Line | None


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All findings. `money` has events and their cost by cost_source, `skipped` has lines by agent and reason.

    `withdrawn_rows` are loaded rows that newer rules of counting do not make any more. `unusable_dropped_rows` has the
    rows of dropped prices and maps, by table, that are left out.
    """

    money: Mapping[str, tuple[int, Decimal | None]]
    unpriced: tuple[UnpricedUsage, ...]
    projects: tuple[Unmapped, ...]
    users: tuple[Unmapped, ...]
    unusable_rows: int
    withdrawn_rows: int
    skipped: Mapping[tuple[str, str], int]
    unusable_dropped_rows: Mapping[str, int]

    @property
    def is_well(self) -> bool:
        """Whether every response has a price and every row could be used; a map may be incomplete on purpose."""
        return not self.unpriced and self.unusable_rows == 0 and not self.unusable_dropped_rows

    def to_json(self, place: Location = LAPTOP) -> dict[str, Any]:
        """Return the findings for JSON, with the commands for a place."""
        names = ("unpriced", "projects", "users")
        fields = {name: [_to_json(each, place) for each in getattr(self, name)] for name in names}
        money = {source: {"events": n, "cost_usd": cost} for source, (n, cost) in self.money.items()}
        skipped = {f"{agent} {reason}": n for (agent, reason), n in self.skipped.items()}
        counts = ("unusable_rows", "withdrawn_rows", "unusable_dropped_rows")
        rows = {name: getattr(self, name) for name in counts}
        return fields | {"money": money, "skipped": skipped} | rows


def _to_json(finding: UnpricedUsage | Unmapped, place: Location) -> dict[str, Any]:
    fields = {each.name: getattr(finding, each.name) for each in dataclasses.fields(finding) if each.name != "line"}
    line = finding.line
    return fields | {"command": line.command(place) if line else None, "why": (line.why or None) if line else None}


def diagnose(query: Query, skipped: Mapping[tuple[str, str], int]) -> Diagnosis:
    """Return the findings in the marts; `skipped` has the counts of this machine's collector."""
    columns = {name for (name,) in query(unpriced.columns_of("mart"))}
    staged = {name for (name,) in query(unpriced.columns_of("staging", "stg_usage_events"))}
    # The view of an earlier version has no such column until the next build.
    is_withdrawn = "coalesce(is_withdrawn, false)" if "is_withdrawn" in staged else "false"
    unusable, withdrawn = query(_UNUSABLE.format(is_withdrawn=is_withdrawn))[0]
    return Diagnosis(
        money={source: (events, cost) for source, events, cost in query(_MONEY)},
        unpriced=_unpriced(query, columns),
        projects=_projects(query),
        users=_users(query),
        unusable_rows=int(unusable),
        withdrawn_rows=int(withdrawn),
        skipped=dict(skipped),
        unusable_dropped_rows=_unusable_dropped(query),
    )


def _unusable_dropped(query: Query) -> dict[str, int]:
    found: dict[str, int] = {}
    for table, is_taken_back in _TAKEN_BACK.items():
        if maps.has_table(query, f"stg_{table}"):
            unusable = f"SELECT count(*) FROM staging.stg_{table} WHERE NOT is_usable AND NOT ({is_taken_back})"  # noqa: S608
            found[table] = int(query(unusable)[0][0])
    return {table: rows for table, rows in found.items() if rows}


def _unpriced(query: Query, columns: Container[str]) -> tuple[UnpricedUsage, ...]:
    found = [UnpricedUsage(*row) for row in query(unpriced.query("mart.usage_events", columns, _MOST_UNPRICED))]
    if not found:
        return ()
    names = [kind for kind in (*(f"{kind}_tokens" for kind in TOKENS), "web_searches") if kind in columns]
    used: dict[tuple[str | None, str], list[str]] = {}
    for model, speed, *is_used in query(_USED.format(kinds=", ".join(f"bool_or({name} > 0)" for name in names))):
        kinds = [kind for kind, is_of_kind in zip(names, is_used, strict=True) if is_of_kind]
        used[model, speed] = [kind.replace("_tokens", "").replace("web_searches", "web_search") for kind in kinds]
    card = RateCard.load().with_typed(typed_prices.rows(query))
    return tuple(
        replace(
            each,
            line=advice.of_price(
                card,
                each.model,
                each.speed,
                each.region,
                each.context,
                each.gap,
                used.get((each.model, each.speed), ()),
                each.first_day,
            ),
        )
        for each in found
    )


def _projects(query: Query) -> tuple[Unmapped, ...]:
    found = [each for each in maps.used(query, maps.PROJECTS) if each.value is None]
    if not found:
        return ()
    repositories, rows = list(maps.known(query, maps.PROJECTS)), maps.rows(query, maps.PROJECTS)
    return tuple(
        _unmapped(each, advice.of_project(each.name, repositories, maps.claims(maps.PROJECTS, rows, each.name)))
        for each in found
    )


def _users(query: Query) -> tuple[Unmapped, ...]:
    found = [each for each in maps.used(query, maps.USERS) if each.value is None]
    developers = maps.known(query, maps.USERS) if found else {}
    return tuple(_unmapped(each, advice.of_user(each.name, developers)) for each in found)


def _unmapped(used: maps.Used, line: Line | None) -> Unmapped:
    return Unmapped(used.name, used.amount.cost_usd, used.amount.responses, used.amount.priced, line)


def lines(diagnosis: Diagnosis, place: Location) -> list[str]:
    """Return the findings as text, with their remedies for the place."""
    said = [
        f"{source:<13} {events:>10,} events  {'no money' if cost is None else f'${cost:,.2f}'}"
        for source, (events, cost) in diagnosis.money.items()
    ]
    if diagnosis.unpriced:
        said += ["", "responses of unknown cost:"]
    for each in diagnosis.unpriced:
        days = f"{each.first_day} to {each.last_day}"
        said.append(f"  {each.name}: {each.tokens:,} tokens of {each.responses:,} responses, {days}")
        said += _lines_of(each, place)
    for what, found in (
        ("projects of no repository", diagnosis.projects),
        ("users who are no known developer", diagnosis.users),
    ):
        if found:
            said += ["", f"{what}:"]
        for one in found:
            said.append(f"  {one.name}: {maps.Amount(one.responses, one.n_cost, one.cost_usd)}")
            said += _lines_of(one, place)
    if diagnosis.unusable_rows:
        said += ["", f"{diagnosis.unusable_rows:,} loaded rows cannot be counted; staging.stg_usage_events has them"]
    if diagnosis.unusable_dropped_rows:
        said += [""]
    for table, rows in diagnosis.unusable_dropped_rows.items():
        noun, it = ("row", "it") if rows == 1 else ("rows", "them")
        said.append(f"{rows:,} dropped {noun} cannot be used: staging.stg_{table} has {it}, is_usable = false")
        said.append(f"    a newer row with the same {', '.join(TABLES[table].key)}, and no other value, takes one back")
    if diagnosis.withdrawn_rows:
        said += ["", f"{diagnosis.withdrawn_rows:,} events were withdrawn by newer rules"]
    if diagnosis.skipped:
        said += ["", "lines of this machine's logs that gave no event:"]
    said += [f"  {agent} {reason}: {count:,}" for (agent, reason), count in sorted(diagnosis.skipped.items())]
    return said


def _lines_of(finding: UnpricedUsage | Unmapped, place: Location) -> list[str]:
    return [f"    {finding.line.text(place)}"] if finding.line else []
