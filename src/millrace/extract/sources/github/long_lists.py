"""The lists of pull requests: read to their ends, and shown complete by their totals."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from millrace.extract.graphql import GraphQL, NotFound, PageSize, TooHeavy
from millrace.extract.reading import Row
from millrace.extract.sources.github.fields import Connection, Fields
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
    entries: dict[str, Fields] = field(default_factory=dict)

    def add(self, owner: Fields) -> None:
        if owner.values.get(self.name) is None:  # the server has no such list
            self.is_offered, self.is_over = False, True
            return
        page = Connection.of(owner, self.name, self.after)
        for node in page.nodes:
            if node is not None:
                self.entries[_key(self.name, node)] = node
        self.total, self.after, self.is_over = page.total, page.after, page.after is None
        if self.is_over and len(self.entries) != self.total and not self.is_second:
            # It may have changed between two pages, so it is read once more from its beginning.
            self.entries, self.is_over, self.is_second = {}, False, True


class PullRequest:
    """A pull request, and how much of its lists was read. With `is_final` there is nothing more to be read."""

    def __init__(self, node: Fields, is_final: bool = False) -> None:
        self.node = node
        self.number = node.need("number", int)
        self.lists = [_List(name, is_second=is_final) for name in LISTS]
        for each in self.lists:
            each.add(node)

    @property
    def waiting(self) -> list[_List]:
        """The lists that have further pages."""
        return [each for each in self.lists if not each.is_over]

    @property
    def short(self) -> str | None:
        """How the lists fall short of their totals; None when all are complete."""
        short = [
            f"{len(each.entries)} of {each.total} {_WORDS[each.name]}"
            for each in self.lists
            if len(each.entries) != each.total
        ]
        return ", ".join(short) or None

    def totals(self) -> Mapping[str, int]:
        """Return the source's number of entries of each list that it has."""
        return {each.name: each.total for each in self.lists if each.is_offered}

    def count(self, name: str) -> int:
        """Return how many entries of a list were read."""
        return next(len(each.entries) for each in self.lists if each.name == name)

    def rows(self, place: Place) -> dict[str, list[Row]]:
        """Return the rows of the pull request and its lists."""
        lists = {each.name: list(each.entries.values()) for each in self.lists}
        return pull_request_rows(place, self.node, lists, self.totals())


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
    for i, (_, each) in enumerate(some):
        owner = next(iter(answer.each(f"list{i}")), None)
        if owner is None or not owner.values:
            each.is_over = True
        else:
            each.add(owner)


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
