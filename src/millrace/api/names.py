# ruff: noqa: S608 - the names are our own
"""The names that a publication has, and the ones that a filter means: in any letter case, or a near match."""

import difflib
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from millrace.api import people
from millrace.api.filters import Filters
from millrace.api.people import People
from millrace.api.plans import QueryPlan
from millrace.errors import MillraceError
from millrace.terminal import printable

_NEAR = 3  # suggestions at most
_LONGEST = 100  # characters of a value that are repeated
_MERGED, _USERS, _EVENTS = "merged_pull_requests", "user_developers", "usage_events"
_OPENED = "agent_pull_requests"


@dataclass(frozen=True, slots=True)
class Kind:
    """A filter by name: what it is called, the route that lists its names, and the columns that have them."""

    noun: str
    path: str
    columns: tuple[tuple[str, str], ...]


KINDS = {
    "repo": Kind(
        "repository",
        "/api/repositories",
        ((_MERGED, "repo_name"), ("project_repositories", "repo_name"), (_OPENED, "repo_name")),
    ),
    "developer": Kind("developer", "/api/people", ((_MERGED, "developer"), (_USERS, "developer"))),
    "person": Kind("person", "/api/people", ((_MERGED, "developer"), (_USERS, "COALESCE(developer, user_id)"))),
    "project": Kind("project", "/api/projects", (("project_repositories", "project"),)),
    "agent": Kind("agent", "/api/sessions", ((_EVENTS, "agent"),)),
    "opened_by_agent": Kind("agent that opened pull requests", "/api/agent-pull-requests", ((_OPENED, "agent"),)),
    "provider": Kind("provider", "/api/cost-data/by-provider", ((_EVENTS, "provider"),)),
    "model": Kind("model", "/api/models", ((_EVENTS, "model"),)),
}


_IN_LOWER_CASE = ("agent", "opened_by_agent", "provider", "model")  # as they are compared


class Refused(MillraceError):
    """A request that cannot be answered: what was expected, and the next step."""

    def __init__(self, detail: str, next_step: str, status: int = 422, title: str = "Invalid parameter") -> None:
        super().__init__(detail)
        self.detail, self.next_step, self.status, self.title = detail, next_step, status, title


def quoted(value: object) -> str:
    """Return a value that was sent, as the error repeats it: one short line."""
    text = printable(value)
    return f"'{text if len(text) <= _LONGEST else f'{text[:_LONGEST]}…'}'"


def did_you_mean(typed: str, known: Iterable[str]) -> str:
    """Return a question with the names that are near to what was typed; empty where none is."""
    by_lower = {name.lower(): name for name in known}
    word = typed.lower()
    of_last_part = [name for lower, name in by_lower.items() if lower.rpartition("/")[2] == word]
    near = of_last_part or [by_lower[lower] for lower in difflib.get_close_matches(word, by_lower, _NEAR)]
    return f"; did you mean {' or '.join(map(printable, sorted(of_last_part)[:_NEAR] or near))}?" if near else ""


@dataclass
class Names:
    """The names of the last publication, read once for each filter that uses them."""

    people: People = field(default_factory=People)
    _found: dict[tuple[str, ...], dict[str, list[str]]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def resolved(self, plan: QueryPlan, filters: Filters) -> Filters:
        """Return the filters with names as the publication writes them; Refused for a name that it does not have."""
        given = {kind: getattr(filters, kind) for kind in KINDS if getattr(filters, kind, None)}
        self._refuse_people(filters, given)
        named = {
            kind: [name for value in values for name in self._named(plan, kind, value)]
            for kind, values in given.items()
        }
        return filters.model_copy(update=named)

    def _refuse_people(self, filters: Filters, given: dict[str, list[str]]) -> None:
        """Refuse what would show who is hidden: a filter by a name that is off, and an order that follows names."""
        if self.people.mode == "off" and (named := next((kind for kind in people.FILTERS if kind in given), None)):
            raise Refused(f"{named}: this deployment shows no people", "leave the parameter out", 403, "People are off")
        sort = getattr(filters, "sort", None)
        if self.people.mode != "names" and sort in people.COLUMNS:
            raise Refused(
                f"sort: the order by {sort} would follow the hidden names", "sort by another column: see /docs"
            )

    def _named(self, plan: QueryPlan, kind: str, value: str) -> list[str]:
        known = self._known(plan, kind)
        if found := known.get(value) or known.get(value.lower()):
            return [name.lower() for name in found] if kind in _IN_LOWER_CASE else found
        shown = {name for names in known.values() for name in map(self._shown(kind), names) if name}
        near = did_you_mean(value, shown)
        raise Refused(f"no {KINDS[kind].noun} {quoted(value)}{near}", f"{KINDS[kind].path} lists them")

    def _shown(self, kind: str) -> Callable[[str], str | None]:
        return self.people.shown if kind in people.FILTERS else str

    def _known(self, plan: QueryPlan, kind: str) -> dict[str, list[str]]:
        """Return the names by what may be typed for them: as it is, and in lower case for any letter case."""
        key = plan.snapshot.version, plan.snapshot.engine, kind
        with self._lock:
            if (found := self._found.get(key)) is not None:
                return found
        found = _read(plan.fork(), kind, self._shown(kind))
        with self._lock:
            if any(version != key[0] for version, *_ in self._found):
                self._found.clear()
            self._found[key] = found
        return found


def _read(plan: QueryPlan, kind: str, shown: Callable[[str], str | None]) -> dict[str, list[str]]:
    # What was published before an upgrade lacks a new mart until the next build.
    there = [named for named in KINDS[kind].columns if plan.is_there(named[0])] or KINDS[kind].columns[:1]
    tables = [(plan.stored(table), column) for table, column in there]
    parts = [f"SELECT {column} AS name FROM {table} WHERE {column} IS NOT NULL" for table, column in tables]
    text = " UNION ".join([*parts, parts[0]])  # one table alone has its names more than once
    names = [row["name"] for row in plan.query(text)]
    exact = {name: typed for name in names if (typed := shown(name))}
    by_lower: dict[str, list[str]] = defaultdict(list)
    for name, typed in exact.items():
        by_lower[typed.lower()].append(name)
    found = {**by_lower, **{typed: [name] for name, typed in exact.items()}}
    return (_ids_by_price(plan) | found) if kind == "model" else found


def _ids_by_price(plan: QueryPlan) -> dict[str, list[str]]:
    """Return the ids of each name of the rate card."""
    text = f"""SELECT DISTINCT price_model, model FROM {plan.stored(_EVENTS)}
        WHERE price_model IS NOT NULL AND model IS NOT NULL"""
    ids: dict[str, list[str]] = defaultdict(list)
    for row in plan.query(text):
        ids[row["price_model"].lower()].append(row["model"])
    return dict(ids)
