"""The lists of pull requests: read to their ends, and shown complete by their totals."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from millrace import log
from millrace.extract.graphql import GraphQL, NotFound, PageSize, TooHeavy
from millrace.extract.reading import Row
from millrace.extract.sources.github.fields import BadAnswer, Connection, Fields, idle_pages
from millrace.extract.sources.github.queries import LISTS, MOST_IN_A_REQUEST, Queries
from millrace.extract.sources.github.rows import Place, pull_request_rows

_WORDS = {
    "labels": "labels",
    "reviewRequests": "requested reviewers",
    "reviews": "reviews",
    "commits": "commits",
    "timelineItems": "events",
}


@dataclass
class _List:
    """What was read of one list: its entries by their keys, the newest total, and the cursor of the next page."""

    name: str
    total: int = 0
    after: str | None = None
    is_over: bool = False
    is_offered: bool = True
    is_second: bool = False
    is_shown: bool = True
    idle: int = 0
    entries: dict[str, Fields] = field(default_factory=dict)

    @property
    def short(self) -> str | None:
        """How the list falls short of its total; None when it is complete."""
        if not self.is_shown:
            return f"{_WORDS[self.name]} are not shown"
        is_complete = len(self.entries) == self.total
        return None if is_complete else f"{len(self.entries)} of {self.total} {_WORDS[self.name]}"

    def add(self, owner: Fields) -> None:
        if owner.values.get(self.name) is None:
            # Without the field, it was not asked for: the server has no such list.
            self.is_offered, self.is_shown, self.is_over = False, self.name not in owner.values, True
            return
        page, before = Connection.of(owner, self.name, self.after), len(self.entries)
        for node in page.nodes:
            if node is not None:
                self.entries[_key(self.name, node)] = node
        if page.after is not None:
            self.idle = idle_pages(self.idle, len(self.entries) > before, f"{owner.place}.{self.name}")
        self.total, self.after, self.is_over = page.total, page.after, page.after is None
        if self.is_over and len(self.entries) != self.total and not self.is_second:
            # It may have changed between two pages, so it is read once more from its beginning.
            self.entries, self.is_over, self.is_second = {}, False, True


class PullRequest:
    """A pull request, and how much of its lists was read. With `is_final` there is nothing more to be read.

    `problem` says why it cannot be read; its lists are then of no use. BadAnswer for one without a number.
    """

    def __init__(self, node: Fields, is_final: bool = False, problem: str | None = None) -> None:
        self.node = node
        self.number = node.number("number")
        self.problem = problem
        self.lists = [_List(name, is_second=is_final) for name in LISTS]
        if problem is None:
            for each in self.lists:
                self.add(each, node)

    def add(self, each: _List, owner: Fields) -> None:
        """Add a page to one of the lists; what cannot be read is the problem of the pull request."""
        try:
            each.add(owner)
        except BadAnswer as error:
            self.problem = str(error)

    @property
    def waiting(self) -> list[_List]:
        """The lists that have further pages."""
        return [] if self.problem else [each for each in self.lists if not each.is_over]

    @property
    def short(self) -> str | None:
        """How the lists fall short of their totals; None when all are complete."""
        return ", ".join(filter(None, (each.short for each in self.lists))) or None

    def totals(self) -> Mapping[str, int]:
        """Return the source's number of entries of each list that it has."""
        return {each.name: each.total for each in self.lists if each.is_offered}

    def count(self, name: str) -> int:
        """Return how many entries of a list were read."""
        return next(len(each.entries) for each in self.lists if each.name == name)

    def rows(self, place: Place) -> dict[str, list[Row]]:
        """Return the rows of the pull request and its lists; BadAnswer when it cannot be read."""
        if self.problem:
            raise BadAnswer(self.problem)
        lists = {each.name: list(each.entries.values()) for each in self.lists}
        return pull_request_rows(place, self.node, lists, self.totals())


def readable(nodes: Iterable[Fields | None], is_final: bool = False) -> list[PullRequest]:
    """Return the pull requests of nodes; not those without a number, which the count of all of them shows."""
    pulls = []
    for node in nodes:
        if node is not None and node.values:
            try:
                pulls.append(PullRequest(node, is_final))
            except BadAnswer as error:
                log.warning("a pull request without a number", error=str(error))
    return pulls


def read_to_their_ends(graphql: GraphQL, queries: Queries, pulls: Iterable[PullRequest], size: PageSize) -> None:
    """Ask for the further pages of all lists, several lists a request; `size` is the number of entries of each."""
    pulls = list(pulls)
    while waiting := [(pull, each) for pull in pulls for each in pull.waiting]:
        for i in range(0, len(waiting), MOST_IN_A_REQUEST):
            _read_on(graphql, queries, waiting[i : i + MOST_IN_A_REQUEST], size)


def _read_on(graphql: GraphQL, queries: Queries, some: list[tuple[PullRequest, _List]], size: PageSize) -> None:
    variables: dict[str, Any] = {"first": size.value}
    for i, (pull, each) in enumerate(some):
        variables |= {f"id{i}": pull.node.need("id", str), f"after{i}": each.after}
    try:
        answer = Fields.of(graphql.ask(queries.rest_of([each.name for _, each in some]), variables), "lists")
    except TooHeavy as error:
        if len(some) == 1:
            size.halve(error)
            return
        _read_halves(graphql, queries, some, size)
        return
    except NotFound:  # one of them vanished meanwhile
        if len(some) == 1:
            some[0][1].is_over = True
            return
        _read_halves(graphql, queries, some, size)
        return
    size.succeeded()
    for i, (pull, each) in enumerate(some):
        owner = next(iter(answer.each(f"list{i}")), None)
        if owner is None or not owner.values:
            each.is_over = True
        else:
            pull.add(each, owner)


def _read_halves(graphql: GraphQL, queries: Queries, some: list[tuple[PullRequest, _List]], size: PageSize) -> None:
    middle = len(some) // 2
    for half in (some[:middle], some[middle:]):
        _read_on(graphql, queries, half, size)


def _key(name: str, node: Fields) -> str:
    match name:
        case "labels":
            return node.need("name", str)
        case "commits":
            return node.needed("commit").need("oid", str)
        case _:
            return node.need("id", str)
