"""What somebody should look at before usage is trusted: what has no price, what is nobody's, what could not be read."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

Query = Callable[[str], list[tuple[Any, ...]]]

_UNPRICED = """
    SELECT agent, provider, model, count(*), sum(total_tokens), min(day), max(day) FROM mart.usage_events
    WHERE cost_source = 'unknown' GROUP BY ALL ORDER BY sum(total_tokens) DESC, agent, provider, model"""
_UNMAPPED = """
    SELECT {name}, sum(cost_usd), sum(assistant_message_count) FROM mart.usage_daily
    WHERE {name} IN (SELECT {name} FROM mart.{matched} WHERE {found} IS NULL)
    GROUP BY ALL ORDER BY sum(cost_usd) DESC NULLS LAST, {name}"""
_MONEY = """
    SELECT coalesce(cost_source, 'prompts'), count(*), sum(cost_usd) FROM mart.usage_events GROUP BY ALL ORDER BY 1"""
_UNUSABLE = "SELECT count(*) FROM staging.stg_usage_events WHERE NOT is_usable"


@dataclass(frozen=True, slots=True)
class Unpriced:
    """A model of which the cost is unknown; `tokens` have no money."""

    agent: str
    provider: str | None
    model: str | None
    responses: int
    tokens: int
    first_day: object
    last_day: object


@dataclass(frozen=True, slots=True)
class Unmapped:
    """A project without a repository, or a user without a developer, and what they cost, as far as it is known."""

    name: str
    cost_usd: Decimal | None
    responses: int


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All of it. `money` is by cost_source: how many events, and their cost; `skipped` by agent and reason: lines."""

    money: Mapping[str, tuple[int, Decimal | None]]
    unpriced: tuple[Unpriced, ...]
    projects: tuple[Unmapped, ...]
    users: tuple[Unmapped, ...]
    unusable_rows: int
    skipped: Mapping[tuple[str, str], int]

    @property
    def is_well(self) -> bool:
        """Whether every response has a price and every row could be used; a map may be incomplete on purpose."""
        return not self.unpriced and self.unusable_rows == 0

    def to_json(self) -> dict[str, Any]:
        """Return it for a program."""
        fields = {name: [asdict(each) for each in getattr(self, name)] for name in ("unpriced", "projects", "users")}
        money = {source: {"events": n, "cost_usd": cost} for source, (n, cost) in self.money.items()}
        skipped = {f"{agent} {reason}": n for (agent, reason), n in self.skipped.items()}
        return fields | {"money": money, "unusable_rows": self.unusable_rows, "skipped": skipped}


def diagnose(query: Query, skipped: Mapping[tuple[str, str], int]) -> Diagnosis:
    """Ask the marts; `skipped` is what this machine's collector counted."""
    projects = _UNMAPPED.format(name="project", matched="project_repositories", found="repo_name")
    users = _UNMAPPED.format(name="user_id", matched="user_developers", found="developer")
    return Diagnosis(
        money={source: (events, cost) for source, events, cost in query(_MONEY)},
        unpriced=tuple(Unpriced(*row) for row in query(_UNPRICED)),
        projects=tuple(Unmapped(*row) for row in query(projects)),
        users=tuple(Unmapped(*row) for row in query(users)),
        unusable_rows=int(query(_UNUSABLE)[0][0]),
        skipped=dict(skipped),
    )


def lines(diagnosis: Diagnosis) -> list[str]:
    """Say it to a person, each thing with what to do about it."""
    said = [
        f"{source:<10} {events:>10,} events  {'no money' if cost is None else f'${cost:,.2f}'}"
        for source, (events, cost) in diagnosis.money.items()
    ]
    if diagnosis.unpriced:
        said.append("\nwithout a price (add a row to usage_prices.csv, then: make run ARGS=build):")
    said += [
        f"  {each.agent} {each.provider or 'no provider'} {each.model or 'no model'}: {each.tokens:,} tokens of "
        f"{each.responses:,} responses, {each.first_day} to {each.last_day}"
        for each in diagnosis.unpriced
    ]
    for what, found, seed in (
        ("projects of no repository", diagnosis.projects, "usage_repositories.csv"),
        ("users who are no known developer", diagnosis.users, "usage_authors.csv"),
    ):
        if found:
            said.append(f"\n{what} (add a row to {seed}, then: make run ARGS=build):")
        said += [f"  {each.name}: {_usd(each.cost_usd)} for {each.responses:,} responses" for each in found]
    if diagnosis.unusable_rows:
        said.append(f"\n{diagnosis.unusable_rows:,} loaded rows cannot be counted; staging.stg_usage_events has them")
    if diagnosis.skipped:
        said.append("\nlines of this machine's logs that gave no event:")
    said += [f"  {agent} {reason}: {count:,}" for (agent, reason), count in sorted(diagnosis.skipped.items())]
    return said


def _usd(cost: Decimal | None) -> str:
    return "no known cost" if cost is None else f"${cost:,.2f}"
