# ruff: noqa: S608 - the names are this project's own
"""Whether all that the sources have is here: for each account counts of its repositories, and those to look at.

The facts are those of the view `meta.source_windows`; docs/connect-github.md has what each state means.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from millrace.warehouse import source_windows

Row = dict[str, Any]
Query = Callable[[str], list[Row]]
State = Literal["provisional", "unknown", "refused"]

VIEW = f"meta.{source_windows.NAME}"
MART = "source_completeness"
"""What a build made of the view: the same columns, as of that build."""
MOST_SHOWN = 10
"""Parts of one account in a status; all of them are in /api/sources."""

# One row for each repository, and for each object that was read as a whole: that of its worst part.
_WORST = """
    WITH parts AS (
        SELECT source, account, object, window_id, name, state, row_count, source_total, missing, reason,
            CASE WHEN window_id = 'all' THEN object ELSE window_id END AS of_what,
            CASE WHEN window_id = 'all' THEN 0 ELSE 1 END AS is_repository,
            CASE state WHEN 'refused' THEN 0 WHEN 'unknown' THEN 1 WHEN 'provisional' THEN 2 ELSE 3 END AS severity
        FROM {relation}
    ),
    ordered AS (
        SELECT parts.*, row_number() OVER (
            PARTITION BY source, account, is_repository, of_what ORDER BY severity, object
        ) AS place
        FROM parts
    )"""
_COUNTS = f"""{_WORST}
    SELECT source, account, is_repository, severity, count(*) AS n FROM ordered WHERE place = 1
    GROUP BY source, account, is_repository, severity"""
_SHOWN = f"""{_WORST},
    ranked AS (
        SELECT ordered.*, row_number() OVER (
            PARTITION BY source, account ORDER BY severity, is_repository, name, of_what
        ) AS number
        FROM ordered WHERE place = 1 AND severity < 3
    )
    SELECT source, account, object, name, state, row_count, source_total, missing, reason FROM ranked
    WHERE number <= {{most}} ORDER BY source, account, number"""
_COLUMNS = ("object", "name", "state", "row_count", "source_total", "missing", "reason")
_REFUSED, _UNKNOWN, _PROVISIONAL, _COMPLETE = range(4)


@dataclass(frozen=True, slots=True)
class IncompletePart:
    """A repository, or the list of them, that is not known to be complete: its worst object. None is unknown."""

    object: str
    name: str | None
    state: State
    row_count: int | None
    source_total: int | None
    missing: int | None
    reason: str | None

    def __str__(self) -> str:
        what = f"{self.name or 'a part without a name'} ({self.object.replace('_', ' ')}): {self.state}"
        has = None
        if self.row_count is not None and self.source_total is not None and self.missing != 0:
            has = f"{self.row_count:,} of {self.source_total:,} rows are here"
        return "; ".join([what, *filter(None, (has, self.reason))])


@dataclass(frozen=True, slots=True)
class AccountState:
    """The repositories of one account of a source, by state. `incomplete` has the worst parts that are asked for.

    `incomplete_count` is the number of all parts that are not complete: repositories, and objects read as a whole, of
    these also `lists_to_look_at`, the number of those that are unknown or refused.
    """

    source: str
    account: str
    repositories: int
    complete: int
    provisional: int
    unknown: int
    refused: int
    lists_to_look_at: int
    incomplete_count: int
    incomplete: tuple[IncompletePart, ...]

    @property
    def name(self) -> str:
        """The source and the account."""
        return f"{self.source} {self.account}".strip()

    @property
    def has_to_be_looked_at(self) -> bool:
        """Whether anything is refused or unknown; what is provisional becomes known by itself."""
        return bool(self.refused or self.unknown or self.lists_to_look_at)

    def __str__(self) -> str:
        """Return such as: 37 of 40 repositories complete, 2 provisional, 1 refused."""
        of_state = {"provisional": self.provisional, "unknown": self.unknown, "refused": self.refused}
        counts = [f"{n:,} {state}" for state, n in of_state.items() if n]
        lists = ["the list of repositories is not complete"] if self.lists_to_look_at else []
        return ", ".join([f"{self.complete:,} of {self.repositories:,} repositories complete", *counts, *lists])


def read(query: Query, relation: str, most: int = MOST_SHOWN) -> tuple[AccountState, ...]:
    """Return the accounts of the view or of the mart, by source and account, with the `most` worst parts of each."""
    counts: dict[tuple[str, str], dict[tuple[int, int], int]] = defaultdict(dict)
    for row in query(_COUNTS.format(relation=relation)):
        counts[row["source"], row["account"]][int(row["is_repository"]), int(row["severity"])] = int(row["n"])
    shown: dict[tuple[str, str], list[IncompletePart]] = defaultdict(list)
    is_any = any(severity != _COMPLETE for of_account in counts.values() for _, severity in of_account)
    for row in query(_SHOWN.format(relation=relation, most=most)) if is_any else ():
        shown[row["source"], row["account"]].append(IncompletePart(*(row[name] for name in _COLUMNS)))
    return tuple(_account(*key, counts[key], tuple(shown[key])) for key in sorted(counts))


def _account(
    source: str, account: str, counts: dict[tuple[int, int], int], shown: tuple[IncompletePart, ...]
) -> AccountState:
    of_repositories = [counts.get((1, severity), 0) for severity in range(4)]
    return AccountState(
        source=source,
        account=account,
        repositories=sum(of_repositories),
        complete=of_repositories[_COMPLETE],
        provisional=of_repositories[_PROVISIONAL],
        unknown=of_repositories[_UNKNOWN],
        refused=of_repositories[_REFUSED],
        lists_to_look_at=counts.get((0, _REFUSED), 0) + counts.get((0, _UNKNOWN), 0),
        incomplete_count=sum(n for (_, severity), n in counts.items() if severity != _COMPLETE),
        incomplete=shown,
    )


def lines(accounts: tuple[AccountState, ...]) -> Iterator[str]:
    """Yield the lines of a terminal: one for each account, and below it each part that is not complete."""
    for account in accounts:
        yield f"Complete {account.name}: {account}"
        yield from (f"  {part}" for part in account.incomplete)
        if more := account.incomplete_count - len(account.incomplete):
            yield f"  and {more:,} more; /api/sources lists them"
