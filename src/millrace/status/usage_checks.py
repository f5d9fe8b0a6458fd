"""Checks before usage is trusted: unpriced models, unmapped projects and users, unreadable lines."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from millrace.errors import Step
from millrace.status import unpriced
from millrace.status.remedies import Location, remedy

Query = Callable[[str], list[tuple[Any, ...]]]

_MOST_UNPRICED = 1000
_UNMAPPED = """
    SELECT {name}, sum(cost_usd), sum(assistant_message_count) FROM mart.usage_daily
    WHERE {name} IN (SELECT {name} FROM mart.{matched} WHERE {found} IS NULL)
    GROUP BY ALL ORDER BY sum(cost_usd) DESC NULLS LAST, {name}"""
_MONEY = """
    SELECT coalesce(cost_source, 'prompts'), count(*), sum(cost_usd) FROM mart.usage_events GROUP BY ALL ORDER BY 1"""
_UNUSABLE = """
    SELECT count(*) FILTER (NOT {is_withdrawn}), count(*) FILTER ({is_withdrawn})
    FROM staging.stg_usage_events WHERE NOT is_usable"""


@dataclass(frozen=True, slots=True)
class UnpricedUsage:
    """A key without a price, and what is missing of it; its `tokens` have no cost."""

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

    @property
    def name(self) -> str:
        """The key as readable text."""
        return unpriced.name(self.agent, self.provider, self.model, self.speed, self.region, self.context, self.gap)


@dataclass(frozen=True, slots=True)
class Unmapped:
    """A project without a repository, or a user without a developer, with the known cost."""

    name: str
    cost_usd: Decimal | None
    responses: int


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All findings. `money` has events and their cost by cost_source, `skipped` has lines by agent and reason.

    `withdrawn_rows` are loaded rows that newer rules of counting do not make any more.
    """

    money: Mapping[str, tuple[int, Decimal | None]]
    unpriced: tuple[UnpricedUsage, ...]
    projects: tuple[Unmapped, ...]
    users: tuple[Unmapped, ...]
    unusable_rows: int
    withdrawn_rows: int
    skipped: Mapping[tuple[str, str], int]

    @property
    def is_well(self) -> bool:
        """Whether every response has a price and every row could be used; a map may be incomplete on purpose."""
        return not self.unpriced and self.unusable_rows == 0

    def to_json(self) -> dict[str, Any]:
        """Return the findings for JSON."""
        fields = {name: [asdict(each) for each in getattr(self, name)] for name in ("unpriced", "projects", "users")}
        money = {source: {"events": n, "cost_usd": cost} for source, (n, cost) in self.money.items()}
        skipped = {f"{agent} {reason}": n for (agent, reason), n in self.skipped.items()}
        rows = {"unusable_rows": self.unusable_rows, "withdrawn_rows": self.withdrawn_rows}
        return fields | {"money": money, "skipped": skipped} | rows


def diagnose(query: Query, skipped: Mapping[tuple[str, str], int]) -> Diagnosis:
    """Return the findings in the marts; `skipped` has the counts of this machine's collector."""
    columns = {name for (name,) in query(unpriced.columns_of("mart"))}
    staged = {name for (name,) in query(unpriced.columns_of("staging", "stg_usage_events"))}
    # The view of an earlier version has no such column until the next build.
    is_withdrawn = "coalesce(is_withdrawn, false)" if "is_withdrawn" in staged else "false"
    unusable, withdrawn = query(_UNUSABLE.format(is_withdrawn=is_withdrawn))[0]
    projects = _UNMAPPED.format(name="project", matched="project_repositories", found="repo_name")
    users = _UNMAPPED.format(name="user_id", matched="user_developers", found="developer")
    return Diagnosis(
        money={source: (events, cost) for source, events, cost in query(_MONEY)},
        unpriced=tuple(
            UnpricedUsage(*row) for row in query(unpriced.query("mart.usage_events", columns, _MOST_UNPRICED))
        ),
        projects=tuple(Unmapped(*row) for row in query(projects)),
        users=tuple(Unmapped(*row) for row in query(users)),
        unusable_rows=int(unusable),
        withdrawn_rows=int(withdrawn),
        skipped=dict(skipped),
    )


def lines(diagnosis: Diagnosis, place: Location) -> list[str]:
    """Return the findings as text, with their remedies for the place."""
    said = [
        f"{source:<13} {events:>10,} events  {'no money' if cost is None else f'${cost:,.2f}'}"
        for source, (events, cost) in diagnosis.money.items()
    ]
    if diagnosis.unpriced:
        said += ["", f"without a price ({remedy(Step.ADD_PRICE, place)}):"]
    said += [
        f"  {each.name}: {each.tokens:,} tokens of {each.responses:,} responses, {each.first_day} to {each.last_day}"
        for each in diagnosis.unpriced
    ]
    for what, found, step in (
        ("projects of no repository", diagnosis.projects, Step.MAP_PROJECT),
        ("users who are no known developer", diagnosis.users, Step.MAP_USER),
    ):
        if found:
            said += ["", f"{what} ({remedy(step, place)}):"]
        said += [f"  {each.name}: {_usd(each.cost_usd)} for {each.responses:,} responses" for each in found]
    if diagnosis.unusable_rows:
        said += ["", f"{diagnosis.unusable_rows:,} loaded rows cannot be counted; staging.stg_usage_events has them"]
    if diagnosis.withdrawn_rows:
        said += ["", f"{diagnosis.withdrawn_rows:,} events were withdrawn by newer rules"]
    if diagnosis.skipped:
        said += ["", "lines of this machine's logs that gave no event:"]
    said += [f"  {agent} {reason}: {count:,}" for (agent, reason), count in sorted(diagnosis.skipped.items())]
    return said


def _usd(cost: Decimal | None) -> str:
    return "no known cost" if cost is None else f"${cost:,.2f}"
