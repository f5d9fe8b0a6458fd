# ruff: noqa: S608 - the names are this project's own
"""The maps of a store: which project belongs to which repository, which user is which developer, and what says so."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from millrace.errors import ConfigError
from millrace.status import suggestions
from millrace.terminal import printable

Query = Callable[[str], list[tuple[Any, ...]]]


@dataclass(frozen=True, slots=True)
class MapKind:
    """One of the two maps: its table of dropped files, which is its mart too, their columns, and the default seed."""

    noun: Literal["project", "user"]
    table: str
    key: str
    value: str
    value_noun: str
    seed: str
    seed_key: str
    known: str

    def matching(self, text: str, names: list[str]) -> list[str]:
        """Return the names that a key of the map matches; only that of a project may have a `*`."""
        if self.noun == "project":
            return suggestions.matching(text, names)
        return [name for name in names if name.lower() == text.lower()]


PROJECTS = MapKind(
    noun="project",
    table="project_repositories",
    key="project",
    value="repo_name",
    value_noun="repository",
    seed="usage_repositories",
    seed_key="project_pattern",
    known="""
    SELECT repo_name, NULL FROM staging.stg_repos WHERE repo_name <> ''
    UNION SELECT repo_name, NULL FROM staging.stg_pull_requests WHERE repo_name <> ''""",
)
USERS = MapKind(
    noun="user",
    table="user_developers",
    key="user_id",
    value="developer",
    value_noun="developer",
    seed="usage_authors",
    seed_key="user_id",
    known="SELECT DISTINCT developer, author_email FROM intermediate.int_authors_resolved WHERE developer <> ''",
)


@dataclass(frozen=True, slots=True)
class Amount:
    """Some usage: its responses, how many of them have a cost, and the sum of these."""

    responses: int
    priced: int
    cost_usd: Decimal | None

    def __str__(self) -> str:
        """The usage as text, in which an unknown cost is never 0."""
        of = f"{self.responses:,} response{'s' * (self.responses != 1)}"
        if self.cost_usd is None or not self.priced:
            return f"{of} of no known cost" if self.responses else of
        return f"{'at least ' if self.priced < self.responses else ''}{usd(self.cost_usd)} of {of}"


@dataclass(frozen=True, slots=True)
class Used:
    """A project or a user with usage, and what it is mapped to."""

    name: str
    value: str | None
    amount: Amount


@dataclass(frozen=True, slots=True)
class Change:
    """A row of a map that is to be written; None as value takes an earlier row back. `warnings` do not stop it."""

    kind: MapKind
    key: str
    value: str | None
    warnings: tuple[str, ...] = ()
    matched: tuple[Used, ...] = ()

    @property
    def row(self) -> dict[str, object]:
        """The row of the dropped file."""
        return {self.kind.key: self.key, self.kind.value: self.value or ""}

    @property
    def text(self) -> str:
        """The change in short."""
        return f"{self.key} → {self.value}" if self.value else f"{self.key} → no {self.kind.value_noun}"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a map: of a dropped file (`*` is any text), or of the seed, a regular expression for projects."""

    key: str
    value: str
    origin: Literal["file", "seed"]

    def matches(self, kind: MapKind, name: str) -> bool:
        """Return whether the row is for a project or user."""
        if self.origin == "seed" and kind.noun == "project":
            return _fits(self.key, name)
        return bool(kind.matching(self.key, [name]))


def check_words(kind: MapKind, key: str, value: str | None) -> tuple[str, str | None]:
    """Return a key and its value without spaces around them; ConfigError for an empty one, or one not to be printed."""
    words = [(kind.noun, key)] + ([] if value is None else [(kind.value_noun, value)])
    for noun, word in words:
        if not word.strip() or word.strip() == suggestions.UNKNOWN:
            raise ConfigError(f"expected the name of a {noun}, got {word!r}")
        if printable(word.strip()) != word.strip():
            raise ConfigError(f"expected the name of a {noun} without control characters, got {word!r}")
    return key.strip(), None if value is None else value.strip()


def did_you_mean(near: Sequence[str]) -> str:
    """Return near matches, to follow a fact."""
    return f" (did you mean {' or '.join(near)}?)" if near else ""


def usd(cost: Decimal) -> str:
    """Return an amount of money; one below a cent is not $0.00."""
    return "<$0.01" if 0 < cost < Decimal("0.005") else f"${cost:,.2f}"


def total(used: Iterable[Used]) -> Amount:
    """Return the sum of usage."""
    amounts = [each.amount for each in used]
    costs = [each.cost_usd for each in amounts if each.cost_usd is not None]
    responses, priced = sum(each.responses for each in amounts), sum(each.priced for each in amounts)
    return Amount(responses, priced, sum(costs, Decimal(0)) if costs else None)


def used(query: Query, kind: MapKind) -> list[Used]:
    """Return all projects or users of the usage, those with the most cost first."""
    return [
        Used(name, value, Amount(int(responses), int(priced), cost))
        for name, value, responses, priced, cost in query(f"""
        SELECT usage.{kind.key}, map.{kind.value}, sum(usage.assistant_message_count), sum(usage.n_cost),
            sum(usage.cost_usd)
        FROM mart.usage_daily AS usage LEFT JOIN mart.{kind.table} AS map ON {_same(query, kind)}
        WHERE usage.{kind.key} IS NOT NULL
        GROUP BY usage.{kind.key}, map.{kind.value}
        ORDER BY sum(usage.cost_usd) DESC NULLS LAST, usage.{kind.key}""")
    ]


def _same(query: Query, kind: MapKind) -> str:
    """Return whether a row of the map is of a row of usage; marts of an earlier version have a row for each project."""
    of_key = f"usage.{kind.key} = map.{kind.key}"
    if kind is PROJECTS and _has_column(query, "mart", kind.table, "repository"):
        return f"{of_key} AND coalesce(usage.repository, '') = coalesce(map.repository, '')"
    return of_key


def known(query: Query, kind: MapKind) -> Mapping[str, list[str]]:
    """Return the repositories of the sources, or their developers with their e-mail addresses."""
    found: dict[str, list[str]] = {}
    of_github = " UNION SELECT repo_name, NULL FROM staging.stg_github_repos WHERE repo_name <> ''"
    has_github = kind is PROJECTS and has_table(query, "stg_github_repos")
    for name, address in query(kind.known + of_github * has_github):
        found.setdefault(name, []).extend([address] if address else [])
    return dict(sorted(found.items()))


def rows(query: Query, kind: MapKind) -> list[Row]:
    """Return the rows that count: of dropped files, which take precedence, then of the seed."""
    staged = f"stg_{kind.table}"
    key = "project_pattern" if kind is PROJECTS else kind.key
    of_files = f"SELECT {key}, {kind.value} FROM staging.{staged} WHERE is_usable AND {kind.value} <> '' ORDER BY 1, 2"
    of_seed = f"SELECT {kind.seed_key}, {kind.value} FROM staging.{kind.seed} ORDER BY 1, 2"
    # Marts of an earlier version know no dropped maps.
    found = [Row(key, value, "file") for key, value in query(of_files)] if has_table(query, staged) else []
    return found + [Row(key, value, "seed") for key, value in query(of_seed)]


def claims(kind: MapKind, found: list[Row], name: str) -> list[str]:
    """Return the values that a map has for a name: of its own row, else of patterns, else of the seed."""
    own = [row for row in found if row.matches(kind, name)]
    for tier in (
        [row for row in own if row.origin == "file" and row.key.lower() == name.lower()],
        [row for row in own if row.origin == "file"],
        own,
    ):
        if tier:
            return sorted({row.value for row in tier})
    return []


def has_table(query: Query, name: str) -> bool:
    """Return whether the store has a table or view of staging."""
    return bool(
        query(
            "SELECT 1 FROM information_schema.tables WHERE table_catalog = current_database() "
            f"AND lower(table_schema) = 'staging' AND lower(table_name) = '{name}'"
        )
    )


def _has_column(query: Query, schema: str, table: str, name: str) -> bool:
    return bool(
        query(
            "SELECT 1 FROM information_schema.columns WHERE table_catalog = current_database() "
            f"AND lower(table_schema) = '{schema}' AND lower(table_name) = '{table}' AND lower(column_name) = '{name}'"
        )
    )


def _fits(expression: str, name: str) -> bool:
    try:
        return re.fullmatch(expression, name) is not None
    except re.error:  # the warehouse has its own dialect, and its build names what it cannot read
        return False
